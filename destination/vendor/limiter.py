"""How many requests a second a destination may make."""

import asyncio
from collections.abc import Awaitable, Callable

from destination.model import Rate

MANY_LANES = 10_000
"""Lanes may be named by rows; beyond this many, those without a wait are forgotten."""


class Limiter:
    """
    Paces requests to a rate, in the order in which they ask, one pace per lane.

    A single number is kept per lane: the time at which the next request is due if all before
    it were evenly spaced (the generic cell rate algorithm).

    Args:
        rate: None does not limit.
        now: The clock, in seconds.
    """

    def __init__(
        self,
        rate: Rate | None,
        *,
        now: Callable[[], float] | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._rate = rate
        self._now = now or (lambda: asyncio.get_running_loop().time())
        self._sleep = sleep
        self._due: dict[str, float] = {}
        self.paused_until = float("-inf")
        """No request goes out before this time, on any lane."""

    def pause(self, seconds: float) -> None:
        """Hold all requests back for so long; a pause that is running is never shortened."""
        self.paused_until = max(self.paused_until, self._now() + seconds)

    async def acquire(self, deadline: float, lane: str = "") -> bool:
        """Wait for a turn. False, at once, when the turn would come after the deadline."""
        if self.paused_until > deadline or not await self._turn(deadline, lane):
            return False
        while (wait := self.paused_until - self._now()) > 0:
            if self.paused_until > deadline:
                return False
            await self._sleep(wait)
        return True

    async def _turn(self, deadline: float, lane: str) -> bool:
        if self._rate is None:
            return True
        now = self._now()
        interval = 1 / self._rate.per_second
        due = max(self._due.get(lane, now), now)
        wait = due - (self._rate.burst - 1) * interval - now
        if now + max(wait, 0.0) > deadline:
            return False
        if len(self._due) >= MANY_LANES:
            self._due = {name: time for name, time in self._due.items() if time > now}
        self._due[lane] = due + interval
        if wait > 0:
            await self._sleep(wait)
        return True
