"""
JSON-RPC 2.0 as bytes: what a body holds, whatever its bytes are.

Ids and rows must come back exactly as they came, and the platform's callers are looser than
libraries allow.
"""

from collections.abc import Iterator, Mapping
from functools import lru_cache, reduce
from operator import or_
from typing import Any, Literal

import msgspec

from destination.raw import (
    MAX_SEAM,
    TOO_MUCH,
    Body,
    ParseError,
    check_text,
    is_too_much,
    marked,
    parsing,
    seam,
)

BOM = b"\xef\xbb\xbf"

NULL = msgspec.Raw(b"null")

Params = Mapping[str, type[msgspec.Struct]]
"""What the params of each method are decoded into."""


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


MAX_BESIDE = 1024 * 1024
"""Bytes of a request beside a param that is left unread."""

GUESSES = 4
"""Places at which an array's end is looked for: objects within it may end like it."""

_PLACE = msgspec.Raw(b'"\xff"')
"""Stands for an array that is not read: JSON to pass over, but no text, as no body can hold it."""

_envelope = msgspec.json.Decoder(_Sealed)
_items = msgspec.json.Decoder(list[msgspec.Raw])
_raw = msgspec.json.Decoder(msgspec.Raw)


def checked(body: Body) -> Body:
    """A body without its byte order mark. Raises ParseError where it is not UTF-8."""
    if body.startswith(BOM):
        body = body[len(BOM) :]
    with parsing():
        check_text(body)
    return body


def read_body(body: Body, params: Params) -> tuple[list[msgspec.Raw | Envelope], bool]:
    """
    The requests of a body, and whether they came in an array.

    Args:
        params: What the params of each method are decoded into.

    Raises:
        ParseError: It is no JSON, or more than can be read.
    """
    if is_too_much(body):
        raise ParseError(TOO_MUCH)
    with parsing():
        if (envelope := _opened(body, params)) is not None:
            return [envelope], False
        return _taken_apart(body)


def read_but_for(name: str, body: Body, params: Params) -> Envelope | None:
    """
    A request that is as it should be but for one param, an array of objects, which is not read.

    Where that begins and ends is guessed, as JSON.stringify writes it. In its place comes what no
    body can hold: if that is found where the param belongs, and the array turns out to be one,
    then the guess was right. None where there is nothing to guess.
    """
    for begin, end in _arrays(name, body):
        if len(body) - (end - begin) > MAX_BESIDE:
            return None
        rest = b"".join((body[:begin], _PLACE, body[end:]))
        envelope = _opened(rest, params)
        if envelope is None or isinstance(envelope.id, msgspec.UnsetType):
            continue
        if getattr(envelope.params, name, None) == _PLACE:
            setattr(envelope.params, name, msgspec.Raw(memoryview(body)[begin:end]))
            return envelope
    return None


def _arrays(name: str, body: Body) -> Iterator[tuple[int, int]]:
    """Where an array of objects under this name may begin and end in a body."""
    opening = b'"%s":[{' % name.encode()
    begin = body.find(opening) + len(opening) - 2
    between = seam(body[begin : begin + MAX_SEAM])
    if begin < len(opening) - 2 or not between:
        return
    end = max(begin, body.rfind(between))  # the last object begins there, or is the only one
    for _ in range(GUESSES):
        if (end := body.find(b"}]", end) + 2) < 2:
            return
        yield begin, end


def _taken_apart(body: Body) -> tuple[list[msgspec.Raw | Envelope], bool]:
    try:
        whole = _raw.decode(body)
    except msgspec.DecodeError:
        whole = _raw.decode(marked(body))
    if bytes(memoryview(whole)[:1]) == b"[":
        return [*_items.decode(whole)], True
    return [whole], False


def _opened(body: Body, params: Params) -> Envelope | None:
    """A request that is as it should be, envelope and params read at once."""
    try:
        found = _decoder(tuple(params.items())).decode(body)
    except (ValueError, RecursionError):
        return None
    return Envelope("2.0", found.id, found.__struct_config__.tag, found.params)


@lru_cache(maxsize=8)
def _decoder(params: tuple[tuple[str, type[msgspec.Struct]], ...]) -> msgspec.json.Decoder[Any]:
    """Reads a request of one of these methods, params and all, where nothing of it is otherwise."""
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
