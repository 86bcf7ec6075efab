"""
JSON-RPC 2.0: bytes in, bytes out, whatever the bytes are.

jsonrpcserver looks up and calls the method and makes the response object. What a body holds is
read by ``envelope``, and errors are told here: nothing of an exception may reach the caller.
"""

import asyncio
import math
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import msgspec
import structlog
from jsonrpcserver import JsonRpcError, Result, Success, async_dispatch_to_serializable

from destination.bugs import caught
from destination.deadline import DELIVERY, Deadline, Delivery
from destination.errors import AuthError, ConfigError, DestinationError, FatalError
from destination.protocols.envelope import (
    NULL,
    Envelope,
    Invalid,
    InvalidParams,
    checked,
    read_body,
    read_but_for,
    read_envelope,
    read_params,
)
from destination.raw import MARK, Body, ParseError

log = structlog.get_logger()

PARSE_ERROR, INVALID_REQUEST, METHOD_NOT_FOUND, INVALID_PARAMS, INTERNAL_ERROR = (
    -32700, -32600, -32601, -32602, -32603,
)  # fmt: skip
TRANSPORT_ERROR, AUTH_ERROR, CONFIG_ERROR, UNAVAILABLE_ERROR = -32000, -32001, -32002, -32003

MAX_BATCH = 10


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
        unread: The param that is an array of objects, and may be large. It may come as it is in
            the body, from bracket to bracket: to read it may raise ParseError, and then the
            method is called again, if there is one. It must have done nothing by then.
    """

    params: type[msgspec.Struct]
    handle: Callable[[Call, Any], Awaitable[Any]]
    result: Any = Any
    seconds: float = math.inf
    notifiable: bool = True
    unread: str | None = None


class NoParams(msgspec.Struct):
    """The params of a method that takes none."""


_encoder = msgspec.json.Encoder(decimal_format="number")


async def answer(methods: Mapping[str, Method], body: Body, call: Call) -> bytes | None:
    """
    The response to a body, or None where JSON-RPC asks for none.

    It always is valid JSON, and its ids are the request's, byte for byte.
    """
    params = {name: each.params for name, each in methods.items()}
    try:
        body = checked(body)
        for name in {each.unread for each in methods.values() if each.unread}:
            if (request := read_but_for(name, body, params)) is not None:
                with suppress(ParseError):  # what was taken for the param is none: all is read
                    return _without_marks(await _one(methods, request, call))
        items, is_batch = read_body(body, params)
        if is_batch and not 0 < len(items) <= MAX_BATCH:
            return error_body(INVALID_REQUEST, f"A batch has 1 to {MAX_BATCH} members.")
        replies = [reply for item in items if (reply := await _one(methods, item, call))]
    except ParseError as error:
        return error_body(PARSE_ERROR, str(error))
    if not replies:
        return None
    return _without_marks(b"[" + b",".join(replies) + b"]" if is_batch else replies[0])


def _without_marks(reply: bytes | None) -> bytes | None:
    return reply and reply.replace(MARK, b"\\u")


def error_body(code: int, message: str, id: msgspec.Raw = NULL, data: Any = None) -> bytes:
    """A JSON-RPC error response; transport errors carry one as well."""
    error = {"code": code, "message": message} | ({"data": data} if data else {})
    return _encoder.encode({"jsonrpc": "2.0", "error": error, "id": id})


async def _one(
    methods: Mapping[str, Method], item: msgspec.Raw | Envelope, call: Call
) -> bytes | None:
    """The response to a request. Raises ParseError where a param that was not read is no JSON."""
    try:
        envelope = read_envelope(item)
    except Invalid as error:
        return error_body(INVALID_REQUEST, f"Invalid request: {error}", error.id)
    request: dict[str, Any] = {"method": envelope.method, "params": [envelope.params]}
    if not isinstance(envelope.id, msgspec.UnsetType):
        request["id"] = envelope.id
    elif not (method := methods.get(envelope.method)) or not method.notifiable:
        log.warning("notification.ignored", known=method is not None)
        return None
    response: Any = await async_dispatch_to_serializable(
        request,  # the deserializer below takes it as it is
        methods=_Callables(methods),
        context=call,
        deserializer=lambda parsed: parsed,
        validator=lambda _: None,
    )
    if response is None:
        return None
    problem = response.get("error", {})
    if problem.get("code") == PARSE_ERROR:
        raise ParseError(problem["message"])
    return _written(response)


def _written(response: Any) -> bytes:
    try:
        return _encoder.encode(response)
    except (TypeError, ValueError, RecursionError) as error:
        return error_body(INTERNAL_ERROR, caught(error), response["id"])


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
            arguments = read_params(method.params, params)
            if method.seconds == math.inf:
                return Success(await method.handle(call, arguments))
            async with call.deadline.limit(), asyncio.timeout(method.seconds):
                return Success(await method.handle(call, arguments))
        except ParseError as error:  # of a param that was not read before
            raise JsonRpcError(PARSE_ERROR, str(error)) from None
        except InvalidParams as error:
            raise JsonRpcError(INVALID_PARAMS, str(error)) from None
        except DestinationError as error:
            raise JsonRpcError(_code(error), error.reason, {"code": error.code}) from None
        except TimeoutError:
            raise JsonRpcError(UNAVAILABLE_ERROR, "The vendor did not answer in time.") from None
        except Exception as error:  # noqa: BLE001 - jsonrpcserver would show its text to the caller
            raise JsonRpcError(INTERNAL_ERROR, caught(error)) from None

    return invoke


def _code(error: DestinationError) -> int:
    match error:
        case AuthError():
            return AUTH_ERROR
        case ConfigError() | FatalError():
            return CONFIG_ERROR
        case _:
            return UNAVAILABLE_ERROR
