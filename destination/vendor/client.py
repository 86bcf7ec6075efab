"""One request to a vendor: within limits and deadline, its answer classified."""

import asyncio
import random
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

import httpx
import msgspec
import structlog

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
from destination.vendor.retry import IDEMPOTENT, Budget, delay, may_repeat, retry_after
from destination.vendor.transport import BlockedError, TLSError

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

BODY_FAILED = (httpx.TransportError, InflateError, InflatedTooLarge)

Verdict = Literal["body", "status"]
"""Where a vendor says whether it took a request: in the answer's body, or in its status alone."""

LONGEST_PAUSE = 3600.0
"""Seconds for which a vendor's answer can hold a destination back at most."""

log = structlog.get_logger()

_encoder = msgspec.json.Encoder(decimal_format="number")
_raw = msgspec.json.Decoder(msgspec.Raw)


def _now() -> float:
    return asyncio.get_running_loop().time()


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
        attempts: How often a request is tried in all.
        random: Chance, for the back-off; a number in [0, 1) each time it is called.
    """

    def __init__(
        self,
        http: httpx.AsyncClient,
        *,
        limiter: Limiter,
        classify: Classify,
        timeout: float,
        attempts: int = 1,
        random: Callable[[], float] = random.random,
    ) -> None:
        self._http = http
        self._limiter = limiter
        self._classify = classify
        self._timeout = timeout
        self._attempts = attempts
        self._random = random
        self._budget = Budget()

    async def request(
        self,
        method: str,
        url: str,
        *,
        json: Any = None,
        repeatable: bool | None = None,
        verdict: Verdict = "body",
        **options: Any,
    ) -> httpx.Response:
        """
        The vendor's answer, read whole, when it is a good one.

        What was not taken is tried again, within attempts, budget and deadline; what may have
        been taken only if it is repeatable.

        Args:
            json: A body to encode; decimals and integers keep all their digits.
            repeatable: Whether sending twice is harmless; by default for GET, PUT and DELETE.
            verdict: ``status`` when a 2xx is an acknowledgement whatever becomes of the body;
                otherwise a body that cannot be read leaves the outcome open.
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
        again = method in IDEMPOTENT if repeatable is None else repeatable
        self._budget.first(_now())
        unknown: NoAnswer | None = None
        attempt = 0
        while True:
            attempt += 1
            try:
                return await self._attempt(method, url, options, verdict)
            except UnavailableError as error:
                unknown = error if isinstance(error, NoAnswer) else unknown
                wait = self._back_off(error, attempt, repeatable=again)
                if wait is None:
                    # What one attempt left open, a later one that was not taken does not close.
                    raise unknown or error from None
            await asyncio.sleep(wait)

    def _back_off(self, error: DestinationError, attempt: int, *, repeatable: bool) -> float | None:
        """Seconds to the next attempt; None when there should be none."""
        if attempt >= self._attempts or not may_repeat(error, repeatable=repeatable):
            return None
        wait = delay(attempt, error, self._random)
        if _now() + wait > DEADLINE.get() - LEAST or not self._budget.take(_now()):
            return None
        code = str(error.code)
        log.info("vendor.retry_scheduled", attempt=attempt, code=code, wait=round(wait, 3))
        return wait

    async def _attempt(
        self, method: str, url: str, options: dict[str, Any], verdict: Verdict
    ) -> httpx.Response:
        end = DEADLINE.get() - LEAST
        if _now() > end or not await self._limiter.acquire(end, LANE.get()):
            if self._limiter.paused_until > end:
                raise RateLimited("not sent: the vendor asked for a pause that outlasts the call")
            raise UnavailableError("not sent: no time was left", code=Code.DEADLINE_NOT_SENT)
        seconds = min(self._timeout, DEADLINE.get() - _now())
        timeout = httpx.Timeout(seconds, connect=CONNECTING * seconds)
        response = await self._exchange(
            self._http.build_request(method, url, timeout=timeout, **options), verdict
        )
        error = self._classify(response) or refusal(response)
        if error is None:
            return response
        if isinstance(error, RateLimited) and error.retry_after is not None:
            self._limiter.pause(min(error.retry_after, LONGEST_PAUSE))
        raise error

    async def _exchange(self, request: httpx.Request, verdict: Verdict) -> httpx.Response:
        try:
            response = await self._http.send(request, stream=True)
            try:
                content = await _body(response)
            except BODY_FAILED:
                if response.is_success and verdict == "body":
                    raise
                content = b""  # the status has said it all
            finally:
                await response.aclose()
        except TLSError:
            raise TargetError(
                "not sent: the vendor's TLS certificate or handshake was refused",
                code=Code.TLS_ERROR,
            ) from None
        except BlockedError:
            raise TargetError(
                "not sent: the address is not public; allow_private_networks = true permits it",
                code=Code.BLOCKED_URL,
            ) from None
        except NOT_SENT:
            raise UnavailableError("not sent: could not connect to the vendor") from None
        except BODY_FAILED as error:
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
    empty = True
    async for piece in response.aiter_raw():
        inflater.feed(piece)
        empty = False
    return b"" if empty else inflater.finish()


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
    if 200 <= status < 300:
        return None
    if status < 200:
        return NoAnswer(f"{answered}, which is no answer; may have been delivered")
    if status < 400:
        return TargetError(
            f"{answered}, a redirect, which is not followed", code=Code.REDIRECT_REFUSED
        )
    if status in (401, 403):
        return AuthError(f"{answered}: it refused the credentials")
    if status in (408, 425, 429, 503):
        return RateLimited(
            f"not sent: {answered}; it wants fewer requests or a pause",
            retry_after=retry_after(response.headers, datetime.now(UTC)),
        )
    if status in (500, 502, 504) or status > 505:
        return NoAnswer(f"{answered}; may have been delivered")
    return RefusedError(answered)
