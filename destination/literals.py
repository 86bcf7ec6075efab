"""Numbers and moments as text, read strictly and written as JavaScript does; JSON's depth."""

import math
import re
import sys
from datetime import datetime
from decimal import Decimal
from typing import Any

MAX_NUMBER = 400
"""The most characters a number may have as text."""

_NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?0*\d{1,3})?", re.ASCII)
_MOMENT = re.compile(
    r"(\d{4}-\d\d-\d\d)"
    r"(?:([Tt ](?:[01]\d|2[0-3]):\d\d(?::\d\d(?:[.,]\d{1,9})?)?)"
    r" ?(Z|z|UTC|GMT|[+-]\d\d(?::?[0-5]\d)?)?)?",
    re.ASCII,
)
_ZONES = {"z": "Z", "UTC": "Z", "GMT": "Z"}


def parse_number(text: str) -> int | float | Decimal | None:
    """
    The number that a decimal text stands for, exactly; None when it is not one.

    A float where it keeps every digit, else a Decimal. Only ASCII digits, a point and an
    exponent count: no underscores, no NaN, nothing too large for a float.
    """
    text = text.strip()
    if len(text) > MAX_NUMBER or not _NUMBER.fullmatch(text):
        return None
    if text.lstrip("+-").isdigit():
        return int(text)
    number = float(text)
    if len(text) <= sys.float_info.dig and "e" not in text.lower():
        return number  # it keeps so many digits
    exact = Decimal(text)
    if math.isinf(number):
        return None
    return number if Decimal(repr(number)) == exact else exact


def parse_moment(text: str) -> datetime | None:
    """
    The moment that an ISO 8601 date or date-time names; None when it is not one.

    Without an offset the result is naive; fractions finer than a microsecond are cut off.
    """
    match = _MOMENT.fullmatch(text.strip())
    if match is None:
        return None
    day, clock, zone = match.groups("")
    try:
        return datetime.fromisoformat(day + clock + _ZONES.get(zone, zone))
    except ValueError:
        return None


def number_text(number: float | Decimal) -> str:
    """A number as JavaScript prints it: 10.0 is ``10`` and 1e-7 is ``1e-7``."""
    if isinstance(number, int):
        return str(number)
    if not math.isfinite(number):
        return "NaN" if math.isnan(number) else ("-Infinity" if number < 0 else "Infinity")
    if isinstance(number, float) and "e" not in (written := repr(number)):
        return written.removesuffix(".0") if number else "0"
    exact = number if isinstance(number, Decimal) else Decimal(repr(number))
    if not exact:
        return "0"
    if -7 < exact.adjusted() < 21:
        plain = format(exact, "f")
        return plain.rstrip("0").rstrip(".") if "." in plain else plain
    mantissa, _, power = str(number).lower().partition("e")
    if "." in mantissa:
        mantissa = mantissa.rstrip("0").rstrip(".")
    return f"{mantissa}e{int(power):+d}" if power else mantissa


def depth(value: Any) -> int:
    """How many lists and objects stand inside each other."""
    level, depth = [value], 0
    while level := [each for each in level if isinstance(each, dict | list)]:
        depth += 1
        level = [
            inner for each in level for inner in (each.values() if isinstance(each, dict) else each)
        ]
    return depth
