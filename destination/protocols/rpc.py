"""
JSON-RPC 2.0: bytes in, bytes out, whatever the bytes are.

jsonrpcserver looks up and calls the method and makes the response object. The envelope is read
here, because ids and rows must come back exactly as they came, because the platform's callers
are looser than the library allows, and because nothing of an exception may reach the caller.
"""

import asyncio
import math
import re
from codecs import getincrementaldecoder
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache, reduce
from operator import or_
from typing import Any, Literal

import msgspec
import structlog
from jsonrpcserver import JsonRpcError, Result, Success, async_dispatch_to_serializable

from destination.bugs import caught
from destination.deadline import DELIVERY, Deadline, Delivery
from destination.errors import AuthError, ConfigError, DestinationError, FatalError

log = structlog.get_logger()

PARSE_ERROR, INVALID_REQUEST, METHOD_NOT_FOUND, INVALID_PARAMS, INTERNAL_ERROR = (
    -32700, -32600, -32601, -32602, -32603,
)  # fmt: skip
TRANSPORT_ERROR, AUTH_ERROR, CONFIG_ERROR, UNAVAILABLE_ERROR = -32000, -32001, -32002, -32003

MAX_BATCH = 10
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


@dataclass(slots=True)
class Call:
    """
    One call: who it is for, until when, and how much it may bring.

    Args:
        target: What the methods act on, such as a destination.
        deadline: When the answer must be out.
        rows_left: How many rows the call, all members of an array batch together, may still bring.
    """

    target: Any
    deadline: Deadline
    rows_left: int


@dataclass(frozen=True, slots=True)
class Method:
    """
    One method of a protocol.

    Args:
        params: The struct that named params are decoded into; unknown ones are ignored.
        handle: The coroutine that answers; it may raise DestinationError or InvalidParams. Its
            docstring says in a sentence what the method is for.
        result: The type of the answer, for the document that describes the methods.
        seconds: The most this method may take, within the call's deadline; one without such
            a limit keeps to the deadline itself.
        notifiable: False for a method whose outcome must be reported: called without an id,
            it is not run.
    """

    params: type[msgspec.Struct]
    handle: Callable[[Call, Any], Awaitable[Any]]
    result: Any = Any
    seconds: float = math.inf
    notifiable: bool = True


class InvalidParams(Exception):
    """The params cannot be used; the message says why and shows no value."""


class NoParams(msgspec.Struct):
    """The params of a method that takes none."""


class _Envelope(msgspec.Struct):
    jsonrpc: Any = None
    id: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    method: Any = None
    params: Any = NULL


class _Closed(_Envelope):
    """Its params are still JSON."""

    params: msgspec.Raw = NULL


class _Invalid(Exception):
    """This member of the body is not a JSON-RPC request."""

    def __init__(self, message: str, id: msgspec.Raw = NULL) -> None:
        super().__init__(message)
        self.id = id


_envelope = msgspec.json.Decoder(_Closed)
_items = msgspec.json.Decoder(list[msgspec.Raw])
_raw = msgspec.json.Decoder(msgspec.Raw)
_encoder = msgspec.json.Encoder(decimal_format="number")


async def answer(methods: Mapping[str, Method], body: Body, call: Call) -> bytes | None:
    """
    The response to a body, or None where JSON-RPC asks for none.

    It always is valid JSON, and its ids are the request's, byte for byte.
    """
    try:
        _check_size(body)
        items, is_batch = _parse(body, methods)
    except (ValueError, RecursionError) as error:
        return error_body(PARSE_ERROR, _parse_problem(error))
    if is_batch and not 0 < len(items) <= MAX_BATCH:
        return error_body(INVALID_REQUEST, f"A batch has 1 to {MAX_BATCH} members.")
    responses = [await _one(methods, item, call) for item in items]
    replies = [response for response in responses if response is not None]
    if not replies:
        return None
    reply = b"[" + b",".join(replies) + b"]" if is_batch else replies[0]
    return reply.replace(MARK, b"\\u")


def error_body(code: int, message: str, id: msgspec.Raw = NULL, data: Any = None) -> bytes:
    """A JSON-RPC error response; transport errors carry one as well."""
    error = {"code": code, "message": message} | ({"data": data} if data else {})
    return _encoder.encode({"jsonrpc": "2.0", "error": error, "id": id})


def _check_size(body: Body) -> None:
    """Raises ValueError for too many values; as many as there are bytes there cannot be."""
    if len(body) > MAX_TOKENS < len(body.translate(None, delete=NO_TOKENS)):
        raise ValueError("too many values")


def _parse(body: Body, methods: Mapping[str, Method]) -> tuple[list[msgspec.Raw | _Envelope], bool]:
    if body.startswith(BOM):
        body = body[len(BOM) :]
    _check_text(body)
    with suppress(msgspec.DecodeError, RecursionError):
        found = _opened(tuple((name, each.params) for name, each in methods.items())).decode(body)
        envelope = _Envelope("2.0", found.id, found.__struct_config__.tag, found.params)
        return [envelope], False  # most often; what else there is, is told below
    try:
        whole = _raw.decode(body)
    except msgspec.DecodeError:
        whole = _raw.decode(_marked(body))
    if bytes(whole)[:1] == b"[":
        return [*_items.decode(whole)], True
    return [whole], False


@lru_cache(maxsize=8)
def _opened(methods: tuple[tuple[str, type[msgspec.Struct]], ...]) -> msgspec.json.Decoder[Any]:
    """Reads a request that is as it should be, envelope and params at once."""
    requests = [
        msgspec.defstruct(
            "Request",
            [
                ("jsonrpc", Literal["2.0"]),
                ("params", params),
                ("id", msgspec.Raw | msgspec.UnsetType, msgspec.UNSET),
            ],
            tag_field="method",
            tag=name,
        )
        for name, params in methods
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


async def _one(
    methods: Mapping[str, Method], item: msgspec.Raw | _Envelope, call: Call
) -> bytes | None:
    try:
        envelope = _read(item)
    except _Invalid as error:
        return error_body(INVALID_REQUEST, f"Invalid request: {error}", error.id)
    request: dict[str, Any] = {"method": envelope.method, "params": [envelope.params]}
    if not isinstance(envelope.id, msgspec.UnsetType):
        request["id"] = envelope.id
    elif not (method := methods.get(envelope.method)) or not method.notifiable:
        log.warning("notification.ignored", known=method is not None)
        return None
    response = await async_dispatch_to_serializable(
        request,  # the deserializer below takes it as it is
        methods=_Callables(methods),
        context=call,
        deserializer=lambda parsed: parsed,
        validator=lambda _: None,
    )
    return None if response is None else _written(response)


def _written(response: Any) -> bytes:
    try:
        return _encoder.encode(response)
    except (TypeError, ValueError, RecursionError) as error:
        return error_body(INTERNAL_ERROR, caught(error), response["id"])


def _read(item: msgspec.Raw | _Envelope) -> _Envelope:
    try:
        envelope = item if isinstance(item, _Envelope) else _envelope.decode(item)
    except (ValueError, RecursionError):
        raise _Invalid("a request is an object") from None
    id = envelope.id
    if not isinstance(id, msgspec.UnsetType) and bytes(id)[:1] not in b'"-0123456789n':
        raise _Invalid("an id is text, a number or null")
    shown = NULL if isinstance(id, msgspec.UnsetType) else id
    if envelope.jsonrpc != "2.0":
        raise _Invalid('"jsonrpc" must be "2.0"', shown)
    if not isinstance(envelope.method, str):
        raise _Invalid('"method" must be text', shown)
    return envelope


class _Callables(dict[str, Any]):
    """The methods in the shape that jsonrpcserver calls."""

    def __init__(self, methods: Mapping[str, Method]) -> None:
        super().__init__({name: _callable(method) for name, method in methods.items()})

    def __missing__(self, name: str) -> Any:
        # jsonrpcserver's own answer would repeat the caller's bytes and name no method.
        async def missing(call: Call, params: Any) -> Result:
            raise JsonRpcError(
                METHOD_NOT_FOUND,
                "Method not found",
                {"methods": sorted(name for name in self if "." not in name)},
            )

        return missing


def _callable(method: Method) -> Callable[[Call, msgspec.Raw], Awaitable[Result]]:
    async def invoke(call: Call, params: msgspec.Raw) -> Result:
        try:
            DELIVERY.set(Delivery(call.deadline))
            arguments = decode_params(method.params, params)
            if method.seconds == math.inf:
                return Success(await method.handle(call, arguments))
            async with call.deadline.limit(), asyncio.timeout(method.seconds):
                return Success(await method.handle(call, arguments))
        except InvalidParams as error:
            raise JsonRpcError(INVALID_PARAMS, str(error)) from None
        except DestinationError as error:
            raise JsonRpcError(_code(error), error.reason, {"code": error.code}) from None
        except TimeoutError:
            raise JsonRpcError(UNAVAILABLE_ERROR, "The vendor did not answer in time.") from None
        except Exception as error:  # noqa: BLE001 - jsonrpcserver would show its text to the caller
            raise JsonRpcError(INTERNAL_ERROR, caught(error)) from None

    return invoke


def decode_params(struct: type[msgspec.Struct], params: msgspec.Raw | msgspec.Struct) -> Any:
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


def _code(error: DestinationError) -> int:
    match error:
        case AuthError():
            return AUTH_ERROR
        case ConfigError() | FatalError():
            return CONFIG_ERROR
        case _:
            return UNAVAILABLE_ERROR
