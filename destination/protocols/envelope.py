"""
JSON-RPC 2.0 as bytes: what a body holds, whatever its bytes are.

Ids and rows must come back exactly as they came, and the platform's callers are looser than
libraries allow.
"""

import re
from codecs import getincrementaldecoder
from collections.abc import Mapping
from contextlib import suppress
from functools import lru_cache, reduce
from operator import or_
from typing import Any, Literal

import msgspec

MAX_TOKENS = 5_000_000
"""Structural characters in a body: what it costs to parse grows with them, not with its bytes."""

MAX_SURROGATES = 100_000
"""Escapes of surrogates in a body up to which lone ones among them are looked for."""

NO_TOKENS = bytes({*range(256)} - {*b"{[,:"})
"""All other characters."""

TEXT_PART = 1024 * 1024
"""Bytes that are looked at together."""

BOM = b"\xef\xbb\xbf"

MARK = b"\xff"
"""Stands for the backslash and u of a lone surrogate's escape; UTF-8 never has this byte."""

_LONE_SURROGATE = re.compile(
    rb"(?<!\\)((?:\\\\)*+)\\u"  # an escape: an odd number of backslashes
    rb"([dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F])"  # a high one that no low one follows
    rb"|(?<!\\u[dD][89abAB][0-9a-fA-F]{2}\\u)[dD][c-fC-F][0-9a-fA-F]{2})"  # or the reverse
)

NULL = msgspec.Raw(b"null")

Body = bytes | bytearray


class ParseError(ValueError):
    """The body cannot be read; the message says why."""


class InvalidParams(Exception):
    """The params cannot be used; the message says why and shows no value."""


class Envelope(msgspec.Struct):
    """A request; its params as JSON, or decoded already."""

    jsonrpc: Any = None
    id: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    method: Any = None
    params: Any = NULL


class _Sealed(Envelope):
    """Its params are still JSON."""

    params: msgspec.Raw = NULL


class Invalid(Exception):
    """This member of the body is not a JSON-RPC request."""

    def __init__(self, message: str, id: msgspec.Raw = NULL) -> None:
        super().__init__(message)
        self.id = id


_envelope = msgspec.json.Decoder(_Sealed)
_items = msgspec.json.Decoder(list[msgspec.Raw])
_raw = msgspec.json.Decoder(msgspec.Raw)


def _check_size(body: Body) -> None:
    """Raises ValueError for too many values; as many as there are bytes there cannot be."""
    if len(body) > MAX_TOKENS < len(body.translate(None, delete=NO_TOKENS)):
        raise ValueError("too many values")


def read_body(
    body: Body, params: Mapping[str, type[msgspec.Struct]]
) -> tuple[list[msgspec.Raw | Envelope], bool]:
    """
    The requests of a body, and whether they came in an array.

    Args:
        params: What the params of each method are decoded into.

    Raises:
        ParseError: It is no JSON, or more than can be read.
    """
    try:
        _check_size(body)
        return _parse(body, params)
    except (ValueError, RecursionError) as error:
        raise ParseError(_parse_problem(error)) from None


def _parse(
    body: Body, params: Mapping[str, type[msgspec.Struct]]
) -> tuple[list[msgspec.Raw | Envelope], bool]:
    if body.startswith(BOM):
        body = body[len(BOM) :]
    _check_text(body)
    with suppress(msgspec.DecodeError, RecursionError):
        found = _opened(tuple(params.items())).decode(body)
        envelope = Envelope("2.0", found.id, found.__struct_config__.tag, found.params)
        return [envelope], False  # most often; what else there is, is told below
    try:
        whole = _raw.decode(body)
    except msgspec.DecodeError:
        whole = _raw.decode(_marked(body))
    if bytes(whole)[:1] == b"[":
        return [*_items.decode(whole)], True
    return [whole], False


@lru_cache(maxsize=8)
def _opened(params: tuple[tuple[str, type[msgspec.Struct]], ...]) -> msgspec.json.Decoder[Any]:
    """Reads a request that is as it should be, envelope and params at once."""
    requests = [
        msgspec.defstruct(
            "Request",
            [
                ("jsonrpc", Literal["2.0"]),
                ("params", struct),
                ("id", msgspec.Raw | msgspec.UnsetType, msgspec.UNSET),
            ],
            tag_field="method",
            tag=name,
        )
        for name, struct in params
    ]
    return msgspec.json.Decoder(reduce(or_, requests))


def _check_text(body: Body) -> None:
    """Raises UnicodeDecodeError for what is not UTF-8; a part at a time, since bodies are large."""
    if body.isascii():
        return
    decoder = getincrementaldecoder("utf-8")()
    whole = memoryview(body)
    for start in range(0, len(body), TEXT_PART):
        decoder.decode(whole[start : start + TEXT_PART])
    decoder.decode(b"", final=True)


def _marked(body: Body) -> Body:
    """
    The body with every escape of a lone surrogate marked, where there are not too many of them.

    Such an escape is JSON but no text, and would fail the whole body. Marked, it can be passed
    over, and fails what reads the string that it stands in: one row, or one id.
    """
    if not 0 < body.count(b"\\ud") + body.count(b"\\uD") <= MAX_SURROGATES:
        return body
    return _LONE_SURROGATE.sub(rb"\g<1>" + MARK + rb"\g<2>", body)


def _parse_problem(error: Exception) -> str:
    match error:
        case UnicodeDecodeError():
            return "Parse error: the body is not UTF-8"
        case RecursionError():
            return "Parse error: nested too deeply"
        case msgspec.DecodeError():
            return "Parse error: the body is not JSON"
        case _:
            return f"Parse error: {error}"


def read_envelope(item: msgspec.Raw | Envelope) -> Envelope:
    """One of a body's requests. Raises Invalid when it is none."""
    try:
        envelope = item if isinstance(item, Envelope) else _envelope.decode(item)
    except (ValueError, RecursionError):
        raise Invalid("a request is an object") from None
    id = envelope.id
    if not isinstance(id, msgspec.UnsetType) and bytes(id)[:1] not in b'"-0123456789n':
        raise Invalid("an id is text, a number or null")
    shown = NULL if isinstance(id, msgspec.UnsetType) else id
    if envelope.jsonrpc != "2.0":
        raise Invalid('"jsonrpc" must be "2.0"', shown)
    if not isinstance(envelope.method, str):
        raise Invalid('"method" must be text', shown)
    return envelope


def read_params(struct: type[msgspec.Struct], params: msgspec.Raw | msgspec.Struct) -> Any:
    """
    Named params as the struct, which they may be already.

    Absent, null, ``{}`` and ``[]`` are none, ``[{…}]`` is its object.

    Raises:
        InvalidParams: Positional or scalar params, or a param of another type than declared.
    """
    if isinstance(params, msgspec.Struct):
        return params
    try:
        start = _start(params)
        if start == b"[":
            items = _items.decode(params)
            if len(items) > 1:
                raise InvalidParams("Invalid params: name them in one object")
            params = items[0] if items else NULL
            start = _start(params)
        if start == b"n":
            params = msgspec.Raw(b"{}")
        return msgspec.json.decode(params, type=struct)
    except msgspec.ValidationError as error:
        raise InvalidParams(f"Invalid params: {error}") from None
    except (ValueError, RecursionError):
        raise InvalidParams("Invalid params: nested too deeply or text not Unicode") from None


def _start(json: msgspec.Raw) -> bytes:
    """The first character that is not blank, without a copy of what may be a large body."""
    return next((bytes((byte,)) for byte in memoryview(json) if byte not in b" \t\r\n"), b"")
