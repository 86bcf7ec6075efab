"""One request to a vendor: within limits and deadline, its answer classified."""

import asyncio
import math
import random
from collections.abc import Awaitable, Callable, Collection
from functools import partial
from secrets import token_hex
from typing import Any, Literal

import httpx
import structlog

from destination.deadline import DELIVERY, Deadline, Delivery, in_step
from destination.errors import (
    Code,
    DestinationError,
    RateLimited,
    TargetError,
    UnavailableError,
)
from destination.metrics import ACCEPTED, Meter
from destination.vendor.answers import (
    BODY_FAILED,
    MAX_ANSWER,
    Answer,
    no_answer,
    read,
    refusal,
    whom,
)
from destination.vendor.breaker import Breaker
from destination.vendor.encoding import encode
from destination.vendor.limiter import Limiter
from destination.vendor.retry import IDEMPOTENT, Budget, delay, may_repeat, telling
from destination.vendor.sender import Sender
from destination.vendor.signing import REQUEST_ID
from destination.vendor.transport import BlockedError, TLSError

CONNECTING = 0.9
"""The share of an attempt's time in which it must be connected: later it would be of no use."""

LONGEST_CONNECTING = 3.0
"""Seconds in which it must be connected in any case: an address that is silent so long is dead."""

NOT_SENT = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.UnsupportedProtocol,
)
"""The transport's errors after which no byte of the request has left."""

Verdict = Literal["body", "status"]
"""Where a vendor says whether it took a request: in the answer's body, or in its status alone."""

LONGEST_PAUSE = 3600.0
"""Seconds for which a vendor's answer can hold a destination back at most."""

log = structlog.get_logger()


def _now() -> float:
    return asyncio.get_running_loop().time()


Classify = Callable[[httpx.Response], DestinationError | None]


class VendorClient:
    """
    What a destination sends its requests through.

    Args:
        sender: What makes and sends requests.
        classify: The destination's reading of an answer, asked before the default one.
        timeout: Seconds for one attempt, by wall clock.
        attempts: How often a request is tried in all.
        random: Chance, for the back-off; a number in [0, 1) each time it is called.
        concurrency: The most requests at once within deliveries; None does not limit.
    """

    def __init__(
        self,
        sender: Sender,
        *,
        limiter: Limiter,
        classify: Classify,
        timeout: float,
        meter: Meter,
        attempts: int = 1,
        random: Callable[[], float] = random.random,
        concurrency: int | None = None,
        max_answer: int = MAX_ANSWER,
    ) -> None:
        self._sender = sender
        self._limiter = limiter
        self._classify = classify
        self._timeout = timeout
        self._meter = meter
        self._attempts = attempts
        self._random = random
        self._permits = asyncio.Semaphore(concurrency) if concurrency else None
        self._max_answer = max_answer
        self._budget = Budget()
        self._breaker = Breaker(random)

    async def request(
        self,
        method: str,
        url: str,
        *,
        json: Any = None,
        repeatable: bool | None = None,
        verdict: Verdict = "body",
        accept: Collection[int] = (),
        lane: str | None = None,
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
            accept: Statuses that are a success beside 2xx.
            lane: What the rate counts this request by, where that is not the records' lane.
            options: As for ``httpx.Request``.

        Raises:
            DestinationError: The class says what should happen next.
        """
        if json is not None:
            options["content"] = encode(json)
            options["headers"] = {
                "Content-Type": "application/json",
                **(options.get("headers") or {}),
            }
        options["extensions"] = {REQUEST_ID: token_hex(16), **(options.get("extensions") or {})}
        again = method in IDEMPOTENT if repeatable is None else repeatable
        delivery = DELIVERY.get(None) or Delivery(Deadline(math.inf))
        self._budget.first(_now())
        once = partial(self._attempt, method, url, options, verdict, accept, delivery, lane)
        failed: DestinationError | None = None
        attempt = 0
        await in_step()
        while True:
            attempt += 1
            try:
                return await self._permitted(delivery, once)
            except DestinationError as error:
                failed = telling(failed, error)
                wait = self._back_off(error, attempt, delivery, repeatable=again)
                if wait is None:
                    raise failed from None
            await asyncio.sleep(wait)

    def pause(self, seconds: float) -> None:
        """Hold all requests back for so long, as a vendor's headers may ask; an hour at most."""
        self._limiter.pause(min(seconds, LONGEST_PAUSE))

    def _back_off(
        self,
        error: DestinationError,
        attempt: int,
        delivery: Delivery,
        *,
        repeatable: bool,
    ) -> float | None:
        """Seconds to the next attempt; None when there should be none."""
        if attempt >= self._attempts or not may_repeat(error, repeatable=repeatable):
            return None
        wait = delay(attempt, error, self._random)
        if _now() + wait > delivery.deadline.last_start:
            return None
        allowed = self._budget.take(_now())
        self._meter.retry(allowed=allowed)
        if not allowed:
            return None
        code = str(error.code)
        log.info("vendor.retry_scheduled", attempt=attempt, code=code, wait=round(wait, 3))
        return wait

    async def _permitted(
        self, delivery: Delivery, attempt: Callable[[], Awaitable[httpx.Response]]
    ) -> httpx.Response:
        """The attempt, as one of the requests that may be under way for deliveries at once."""
        if self._permits is None or DELIVERY.get(None) is None:
            return await attempt()
        if self._permits.locked():
            await self._permit(self._permits, delivery)
        else:
            await self._permits.acquire()  # at once
        try:
            return await attempt()
        finally:
            self._permits.release()

    async def _permit(self, permits: asyncio.Semaphore, delivery: Delivery) -> None:
        delivery.waiting = delivery.attempts == 0
        try:
            async with asyncio.timeout_at(delivery.deadline.last_start):
                await permits.acquire()
        except TimeoutError:
            raise delivery.deadline.not_sent() from None

    async def _attempt(
        self,
        method: str,
        url: str,
        options: dict[str, Any],
        verdict: Verdict,
        accept: Collection[int],
        delivery: Delivery,
        lane: str | None,
    ) -> httpx.Response:
        seconds = await self._turn(delivery, delivery.lane if lane is None else lane)
        timeout = httpx.Timeout(seconds, connect=min(CONNECTING * seconds, LONGEST_CONNECTING))
        request = self._sender.build_request(method, url, timeout=timeout, **options)
        began = self._breaker.begin()
        try:
            response = await self._exchange(request, verdict)
            error = self._classify(response)
            if error is None and response.status_code not in accept:
                error = refusal(response)
        except DestinationError as failure:
            error = failure
        except BaseException:
            self._breaker.abandon(began)
            raise
        self._ended(error, began)
        if error is not None:
            raise error from None
        return response

    async def _turn(self, delivery: Delivery, lane: str) -> float:
        """Wait for leave to send; the seconds that the attempt may take."""
        self._check_circuit()
        until = delivery.deadline.last_start
        delivery.waiting = delivery.attempts == 0
        if _now() > until or not await self._limiter.acquire(until, lane):
            if self._limiter.paused_until > until:
                raise RateLimited(
                    "not sent: the vendor asked for a pause that outlasts the call",
                    retry_after=self._limiter.paused_until - _now(),
                )
            raise delivery.deadline.not_sent()
        self._check_circuit()  # it may have opened while this request waited
        delivery.waiting = False
        delivery.attempts += 1
        return min(self._timeout, delivery.deadline.last_answer - _now())

    def _check_circuit(self) -> None:
        if error := self._breaker.blocks(_now()):
            raise error

    def _ended(self, error: DestinationError | None, began: int) -> None:
        was_open = self._breaker.is_open
        self._breaker.ended(error, _now(), began)
        if self._breaker.is_open is not was_open:
            self._meter.circuit(is_open=self._breaker.is_open)
            log.warning("vendor.circuit", open=self._breaker.is_open)
        self._meter.attempt(ACCEPTED if error is None else str(error.code))
        if isinstance(error, RateLimited):
            self.pause(delay(1, error, self._random))

    async def _exchange(self, request: httpx.Request, verdict: Verdict) -> httpx.Response:
        try:
            response = await self._sender.send(request)
            try:
                content = await read(response, self._max_answer)
            except BODY_FAILED:
                if response.is_success and verdict == "body":
                    raise
                content = b""  # the status has said it all
        except TLSError as error:
            raise TargetError(
                f"not sent: {whom(error)}'s TLS certificate or handshake was refused",
                code=Code.TLS_ERROR,
            ) from None
        except BlockedError:
            raise TargetError(
                "not sent: the address is not public; allow_private_networks = true permits it",
                code=Code.BLOCKED_URL,
            ) from None
        except NOT_SENT as error:
            raise UnavailableError(f"not sent: could not connect to {whom(error)}") from None
        except BODY_FAILED as error:
            raise no_answer(error) from None
        return Answer(response, content)
