"""Bodies in JSON."""

import math
import re
from typing import Any

import msgspec

from destination.literals import number_text

_encoder = msgspec.json.Encoder(decimal_format="number")
_raw = msgspec.json.Decoder(msgspec.Raw)


def encode(value: Any) -> bytes:
    """
    JSON, UTF-8, as ``JSON.stringify`` writes it, so that signatures hold for those who do.

    Integers and decimals keep all their digits, even those that JavaScript would lose.
    Raises ValueError for a Decimal NaN or infinity.
    """
    encoded = _encoder.encode(value)
    if _FLOATS.search(encoded):
        encoded = _encoder.encode(_as_javascript(value))
    if b"NaN" in encoded or b"Infinity" in encoded:
        _raw.decode(encoded)
    return encoded


_FLOATS = re.compile(rb"(?:^|[\[,:])-?\d[\d.]*(?:\.0(?!\d)|e)")
"""Where msgspec may have written a float as JavaScript does not: 1.0, -0.0, 1e16, 1e-6."""


def _as_javascript(value: Any) -> Any:
    """The value with its floats as JavaScript prints them."""
    match value:
        case dict():
            return {key: _as_javascript(inner) for key, inner in value.items()}
        case list() | tuple():
            return [_as_javascript(inner) for inner in value]
        case float() if math.isfinite(value):
            return msgspec.Raw(number_text(value).encode())
    return value
