"""HTTP around the protocols: who may call, how much may be read, and an answer to everything."""

import asyncio
import hashlib
import hmac
import re
import secrets
from collections.abc import Callable, Sequence
from contextlib import suppress

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from destination.bugs import caught
from destination.deadline import Deadline
from destination.inflate import InflatedTooLarge, InflateError, Inflater
from destination.protocols.rpc import INTERNAL_ERROR, PARSE_ERROR, TRANSPORT_ERROR, error_body

log = structlog.get_logger()

BODY_SECONDS = 10.0
"""How long a caller may take to send its body."""

TAKING_SECONDS = 20.0
"""How long it may take to receive its answer."""

OPEN_PATHS = frozenset({"/healthz", "/readyz"})

_SANE_ID = re.compile(r"[A-Za-z0-9._:-]{1,64}")
_JSON_TYPES = re.compile(
    r"(application/(json|json-rpc|jsonrequest|[a-z0-9.!#$&^_-]+\+json)|\*/\*)?"
)


class Refusal(Exception):
    """The request ends here, with this status."""

    def __init__(
        self, status: int, message: str, *, code: int = TRANSPORT_ERROR, **headers: str
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


class Secrets:
    """
    The secrets of which callers must send one; none at all lets everybody in.

    Only their digests are kept, and every one is compared on each call, in constant time.
    """

    def __init__(self, values: Sequence[str]) -> None:
        self._digests = [_digest(value.encode()) for value in values]

    def admit(self, request: web.Request) -> bool:
        """True when the request carries one of the secrets, in one well-formed header."""
        if not self._digests:
            return True
        offered = [_offered(request.headers.getall("Authorization", []), "bearer ")]
        offered.append(_offered(request.headers.getall("X-Api-Key", []), ""))
        admitted = [
            hmac.compare_digest(_digest(each), digest)
            for each in offered
            if each is not None
            for digest in self._digests
        ]
        return any(admitted)


def _offered(values: Sequence[str], scheme: str) -> bytes | None:
    if len(values) != 1 or values[0][: len(scheme)].lower() != scheme:
        return None
    return values[0][len(scheme) :].strip().encode("utf-8", "surrogateescape")


def _digest(value: bytes) -> bytes:
    return hashlib.sha256(value).digest()


def middlewares(accepted: Secrets) -> list[Middleware]:
    """In the order in which they run: write, name the request, answer whatever happens, let in."""

    @web.middleware
    async def admitted(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path not in OPEN_PATHS and not accepted.admit(request):
            message = "Unauthorized: send Authorization: Bearer <secret>"
            raise Refusal(401, message, WWW_Authenticate="Bearer")
        return await handler(request)

    return [_taken, _identified, _answered, admitted]


@web.middleware
async def _taken(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Write the answer here: aiohttp would hold it for ever for a caller that does not read."""
    response = await handler(request)
    if (transport := request.transport) is None:
        return response
    transport.set_write_buffer_limits(0)  # so that drain means all of it
    with suppress(ConnectionError):
        try:
            async with asyncio.timeout(TAKING_SECONDS):
                await response.prepare(request)
                await response.write_eof()
                await request.writer.drain()
        except TimeoutError:
            transport.abort()
    return response


@web.middleware
async def _identified(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Bind an id, the caller's own if it is sane, to the log and to the response."""
    given = request.headers.get("X-Request-Id", "")
    request_id = given if _SANE_ID.fullmatch(given) else secrets.token_hex(8)
    with structlog.contextvars.bound_contextvars(request_id=request_id):
        started = asyncio.get_running_loop().time()
        response = await handler(request)
        response.headers["X-Request-Id"] = request_id
        log.info(
            "request.answered",
            method=request.method,
            route=_route(request),
            status=response.status,
            ms=round((asyncio.get_running_loop().time() - started) * 1000, 1),
        )
        return response


@web.middleware
async def _answered(request: web.Request, handler: Handler) -> web.StreamResponse:
    """JSON for every failure: aiohttp would answer with text or with its own page."""
    try:
        return await handler(request)
    except Refusal as refusal:
        return _refused(refusal)
    except web.HTTPMethodNotAllowed as error:
        allowed = ", ".join(sorted(error.allowed_methods))
        return _refused(Refusal(405, "Method not allowed", Allow=allowed))
    except web.HTTPException as error:
        return _refused(Refusal(error.status, error.reason))
    except Exception as error:  # noqa: BLE001 - see above
        return web.Response(
            body=error_body(INTERNAL_ERROR, caught(error)), content_type="application/json"
        )


def _route(request: web.Request) -> str:
    resource = request.match_info.route.resource
    return resource.canonical if resource is not None else "none"


def _refused(refusal: Refusal) -> web.Response:
    body = error_body(refusal.code, str(refusal))
    response = web.Response(
        status=refusal.status, body=body, content_type="application/json", headers=refusal.headers
    )
    if refusal.status not in (404, 405):
        response.force_close()  # the body may be unread, and is not worth reading
    return response


async def invite_later(request: web.Request) -> None:
    """
    Stands in for aiohttp's answer to ``Expect``: ``read_json`` invites the body once it is wanted.

    It runs before the middlewares, where a refusal would not be answered.
    """


Hold = Callable[[int], None]
"""Is told how large a body has become; raises Refusal when it must not be held."""


async def read_json(request: web.Request, limit: int, deadline: Deadline, hold: Hold) -> bytearray:
    """
    The body, inflated.

    Args:
        limit: Bytes, inflated.
        deadline: Of the call; the caller may take until then, and at most ten seconds.
        hold: Is told the body's size as it grows; what it raises ends the reading.

    Raises:
        Refusal: 415 for another type, charset or encoding; 413 beyond ``limit`` bytes, counted
            after inflating; 417 for an expectation other than 100-continue; 408 when it takes
            longer than ten seconds; 400 when it breaks off.
    """
    encoding = request.headers.get("Content-Encoding", "").strip().lower()
    if not _JSON_TYPES.fullmatch(_type(request)):
        raise Refusal(415, "Unsupported media type: send application/json")
    if not Inflater.supports(encoding):
        raise Refusal(415, "Unsupported content encoding: send gzip, deflate or none")
    if (request.content_length or 0) > limit:
        raise _too_large(limit)
    hold(request.content_length or 0)
    if request.headers.get("Expect", "100-continue").lower() != "100-continue":
        raise Refusal(417, "Expectation failed")
    if "Expect" in request.headers:
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0
    return await _read(request, Inflater(encoding, limit), deadline, hold)


async def _read(
    request: web.Request, inflater: Inflater, deadline: Deadline, hold: Hold
) -> bytearray:
    try:
        async with deadline.limit(), asyncio.timeout(BODY_SECONDS):
            async for piece in request.content.iter_any():
                inflater.feed(piece)
                hold(max(inflater.size, request.content_length or 0))
        return inflater.finish()
    except TimeoutError:
        raise Refusal(408, "The body took too long") from None
    except InflatedTooLarge:
        raise _too_large(inflater.limit) from None
    except InflateError as error:
        raise Refusal(400, f"Bad request: {error}", code=PARSE_ERROR) from None
    except (web.RequestPayloadError, ConnectionError):
        raise Refusal(400, "The body broke off") from None
    finally:
        inflater.drop()


def _too_large(limit: int) -> Refusal:
    return Refusal(413, f"The body is larger than {limit} bytes")


def _type(request: web.Request) -> str:
    """The media type without parameters, empty when none is given."""
    value, *parameters = request.headers.get("Content-Type", "").lower().split(";")
    for parameter in parameters:
        name, _, charset = parameter.strip().partition("=")
        if name == "charset" and charset.strip("\"' ") not in {"utf-8", "utf8", "us-ascii"}:
            raise Refusal(415, "Unsupported charset: send UTF-8")
    return value.strip()
