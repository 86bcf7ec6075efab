"""The parts of a request and of its answer, as they may be shown."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote_plus

import msgspec

from destination.cli.tries.mask import Shown
from destination.cli.tries.watch import READS, Asked
from destination.inflate import InflatedTooLarge, InflateError, Inflater
from destination.literals import depth

MARGIN = 4096
"""Bytes before the place where an answer was cut that are not shown."""

UNSENT = frozenset({"connection", "transfer-encoding"})
"""Headers that the connection writes itself."""

DEEP = 64
"""A body that nests deeper is shown as text."""

_FORM = "application/x-www-form-urlencoded"


def shown_headers(mask: Shown, asked: Asked) -> Iterator[tuple[str, str]]:
    """The headers that are sent, in their order; the connection writes the first and the last."""
    request = asked.request
    if "host" not in request.headers:
        yield "Host", request.url.netloc.decode("ascii")
    for raw, _ in request.headers.raw:
        name = raw.decode("ascii", "replace")
        if name.lower() not in UNSENT:
            yield name, mask.header(name, request.headers[name])
    if "content-length" not in request.headers and (request.content or request.method not in READS):
        yield "Content-Length", str(len(request.content))


def answered(asked: Asked) -> bytes:
    """The beginning of an answer, inflated; nothing where that cannot be done."""
    encoding = asked.headers.get("content-encoding", "").lower()
    if not encoding:  # where it was cut may be the beginning of a secret, which nobody knows
        return asked.body[:-MARGIN] if asked.cut else asked.body
    if asked.cut or not Inflater.supports(encoding):
        return b""
    inflater = Inflater(encoding, 8 * len(asked.body) + 1024)
    try:
        inflater.feed(asked.body)
        return bytes(inflater.finish())
    except (InflateError, InflatedTooLarge):
        return b""


def structured(mask: Shown, asked: Asked, body: bytes) -> Any:
    """A body: JSON as JSON, anything else as text, nothing as null."""
    text = _masked(mask, asked, body)
    try:
        if depth(msgspec.json.decode(text)) <= DEEP:
            return msgspec.Raw(text.encode())
    except (ValueError, RecursionError):
        pass
    return text.encode("utf-8", "backslashreplace").decode() or None


def pretty(mask: Shown, asked: Asked, body: bytes) -> str:
    """A body for people: JSON over several lines, a form's parameters each on its own."""
    text = _masked(mask, asked, body)
    if asked.errand:
        return text
    if body is asked.request.content and _FORM in asked.request.headers.get("content-type", ""):
        return mask.text("\n".join(unquote_plus(pair) for pair in text.split("&")))
    try:
        return msgspec.json.format(text.encode()).decode()
    except (ValueError, RecursionError):
        return text


def _masked(mask: Shown, asked: Asked, body: bytes) -> str:
    if asked.errand:
        return mask.token_text(body)
    return mask.text(body.decode("utf-8", "backslashreplace"))
