"""One request to a vendor: within limits and deadline, its answer classified."""

import asyncio
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

import httpx
import msgspec

from destination.errors import (
    AuthError,
    Code,
    DestinationError,
    NoAnswer,
    RateLimited,
    RefusedError,
    TargetError,
    UnavailableError,
)
from destination.inflate import InflatedTooLarge, InflateError, Inflater
from destination.vendor.limiter import Limiter
from destination.vendor.transport import TLSError

MAX_ANSWER = 256 * 1024
"""The most bytes of an answer that are read, after inflating."""

DEADLINE: ContextVar[float] = ContextVar("deadline", default=float("inf"))
"""When the call that is being served ends, on the event loop's clock."""

LEAST = 1.0
"""An attempt starts only when this many seconds remain."""

CONNECTING = 0.9
"""The share of an attempt's time in which it must be connected: later it would be of no use."""

LANE: ContextVar[str] = ContextVar("lane", default="")
"""The lane whose records are being delivered; the rate is counted by it."""

NOT_SENT = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.UnsupportedProtocol,
)
"""The transport's errors after which no byte of the request has left."""

_encoder = msgspec.json.Encoder(decimal_format="number")
_raw = msgspec.json.Decoder(msgspec.Raw)

Classify = Callable[[httpx.Response], DestinationError | None]


@dataclass(frozen=True, slots=True)
class Connection:
    """
    Where a vendor is and how to be let in.

    Args:
        base_url: Requests name paths below it; an absolute URL in a request stands alone.
    """

    base_url: str = ""
    auth: httpx.Auth | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


class VendorClient:
    """
    What a destination sends its requests through.

    Args:
        http: The client; it neither follows redirects nor reads the environment.
        classify: The destination's reading of an answer, asked before the default one.
        timeout: Seconds for one attempt, by wall clock.
    """

    def __init__(
        self, http: httpx.AsyncClient, *, limiter: Limiter, classify: Classify, timeout: float
    ) -> None:
        self._http = http
        self._limiter = limiter
        self._classify = classify
        self._timeout = timeout

    async def request(
        self,
        method: str,
        url: str,
        *,
        json: Any = None,
        **options: Any,
    ) -> httpx.Response:
        """
        The vendor's answer, read whole, when it is a good one.

        Args:
            json: A body to encode; decimals and integers keep all their digits.
            options: As for ``httpx.AsyncClient.build_request``.

        Raises:
            DestinationError: The class says what should happen next.
        """
        if json is not None:
            options["content"] = encode(json)
            options["headers"] = {
                "Content-Type": "application/json",
                **(options.get("headers") or {}),
            }
        left = DEADLINE.get() - asyncio.get_running_loop().time()
        if left < LEAST or not await self._limiter.acquire(DEADLINE.get() - LEAST, LANE.get()):
            raise UnavailableError("not sent: no time was left", code=Code.DEADLINE_NOT_SENT)
        left = DEADLINE.get() - asyncio.get_running_loop().time()
        seconds = min(self._timeout, left)
        timeout = httpx.Timeout(seconds, connect=CONNECTING * seconds)
        request = self._http.build_request(method, url, timeout=timeout, **options)
        response = await self._exchange(request)
        if error := self._classify(response) or refusal(response):
            raise error
        return response

    async def _exchange(self, request: httpx.Request) -> httpx.Response:
        try:
            response = await self._http.send(request, stream=True)
            try:
                content = await _body(response)
            finally:
                await response.aclose()
        except TLSError:
            raise TargetError(
                "not sent: the vendor's TLS certificate or handshake was refused",
                code=Code.TLS_ERROR,
            ) from None
        except NOT_SENT:
            raise UnavailableError("not sent: could not connect to the vendor") from None
        except (httpx.TransportError, InflateError, InflatedTooLarge) as error:
            raise NoAnswer(f"no usable answer ({_why(error)}); may have been delivered") from None
        headers = [
            pair
            for pair in response.headers.raw
            if pair[0].lower() not in (b"content-encoding", b"content-length")
        ]
        return httpx.Response(
            response.status_code, headers=headers, content=content, request=request
        )


async def _body(response: httpx.Response) -> bytes:
    encoding = response.headers.get("content-encoding", "").lower()
    if not Inflater.supports(encoding):
        raise InflateError("unknown encoding")
    inflater = Inflater(encoding, MAX_ANSWER)
    async for piece in response.aiter_raw():
        inflater.feed(piece)
    return inflater.finish()


def _why(error: Exception) -> str:
    match error:
        case httpx.TimeoutException():
            return "timed out"
        case InflatedTooLarge():
            return "too long"
        case InflateError():
            return "not readable"
        case _:
            return "connection lost"


def encode(value: Any) -> bytes:
    """JSON, UTF-8: integers and decimals exact. Raises ValueError for a Decimal NaN or infinity."""
    encoded = _encoder.encode(value)
    if b"NaN" in encoded or b"Infinity" in encoded:
        _raw.decode(encoded)
    return encoded


def refusal(response: httpx.Response) -> DestinationError | None:
    """
    The error that a status means, None for a success.

    408, 425, 429 and 503 say that the request was not taken; 500, 502 and 504 leave it open.
    """
    status = response.status_code
    answered = f"the vendor answered {status}"
    if status < 300:
        return None
    if status < 400:
        return TargetError(
            f"{answered}, a redirect, which is not followed", code=Code.REDIRECT_REFUSED
        )
    if status in (401, 403):
        return AuthError(f"{answered}: it refused the credentials")
    if status in (408, 425, 429, 503):
        return RateLimited(f"not sent: {answered}; it wants fewer requests or a pause")
    if status in (500, 502, 504) or status > 505:
        return NoAnswer(f"{answered}; may have been delivered")
    return RefusedError(answered)
