"""JSON from outside that nobody has read yet: how much of it there may be, and its members."""

import re
from codecs import getincrementaldecoder
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec

MAX_TOKENS = 5_000_000
"""Structural characters that are read: what it costs grows with them, not with the bytes."""

MAX_SURROGATES = 100_000
"""Escapes of surrogates up to which lone ones among them are looked for."""

MAX_SEAM = 256
"""Bytes in which the first name in an array of objects must end, if it is to tell them apart."""

MARK = b"\xff"
"""Stands for the backslash and u of a lone surrogate's escape; UTF-8 never has this byte."""

Body = bytes | bytearray

_NO_TOKENS = bytes({*range(256)} - {*b"{[,:"})
"""All other characters."""

_PART = 1024 * 1024
"""Bytes that are looked at together, since a body is large and a copy of it as large."""

_LONE_SURROGATE = re.compile(
    rb"(?<!\\)((?:\\\\)*+)\\u"  # an escape: an odd number of backslashes
    rb"([dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F])"  # a high one that no low one follows
    rb"|(?<!\\u[dD][89abAB][0-9a-fA-F]{2}\\u)[dD][c-fC-F][0-9a-fA-F]{2})"  # or the reverse
)

_items = msgspec.json.Decoder(list[msgspec.Raw])


TOO_MUCH = "Parse error: too many values"


class ParseError(ValueError):
    """It cannot be read; the message says why."""


@contextmanager
def parsing() -> Iterator[None]:
    """Raise ParseError for whatever is wrong with the JSON that is read inside the block."""
    try:
        yield
    except ParseError:
        raise
    except (ValueError, RecursionError) as error:
        raise ParseError(_problem(error)) from None


def _problem(error: Exception) -> str:
    match error:
        case UnicodeDecodeError():
            return "Parse error: the body is not UTF-8"
        case RecursionError():
            return "Parse error: nested too deeply"
        case _:
            return "Parse error: the body is not JSON"


def members(array: msgspec.Raw | Body) -> list[msgspec.Raw]:
    """Those of an array, each unread; raises ParseError where it is none."""
    with parsing():
        try:
            return _items.decode(array)
        except msgspec.DecodeError:
            return _items.decode(marked(bytes(array)))


def seam(beginning: Body) -> bytes:
    """
    What stands between two objects of an array that begins like this: ``},{"id":``.

    That is as JSON.stringify writes them. The first name is part of it, as objects within one of
    them hardly begin with the same; empty where the array begins otherwise.
    """
    opening, colon, _ = bytes(beginning[:MAX_SEAM]).partition(b'":')
    return b"}," + opening[1:] + colon if colon and opening.startswith(b'[{"') else b""


def is_too_much(json: Body | memoryview) -> bool:
    """Whether there are more structural characters than are read, those in text included."""
    if len(json) <= MAX_TOKENS:  # then there cannot be so many
        return False
    parts = map(bytes, _parts(json))
    return sum(len(part.translate(None, delete=_NO_TOKENS)) for part in parts) > MAX_TOKENS


def _parts(whole: Body | memoryview) -> Iterator[memoryview]:
    view = memoryview(whole)
    return (view[start : start + _PART] for start in range(0, len(view), _PART))


def check_text(body: Body) -> None:
    """Raises UnicodeDecodeError for what is not UTF-8."""
    if body.isascii():
        return
    decoder = getincrementaldecoder("utf-8")()
    for part in _parts(body):
        decoder.decode(part)
    decoder.decode(b"", final=True)


def marked(json: Body) -> Body:
    """
    JSON with every escape of a lone surrogate marked, where there are not too many of them.

    Such an escape is JSON but no text, and would fail all of it. Marked, it can be passed over,
    and fails what reads the string that it stands in: one row, or one id.
    """
    if not 0 < json.count(b"\\ud") + json.count(b"\\uD") <= MAX_SURROGATES:
        return json
    return _LONE_SURROGATE.sub(rb"\g<1>" + MARK + rb"\g<2>", json)
