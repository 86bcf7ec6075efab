"""Until when a call may work: a moment that a shutdown can bring forward while the call runs."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from destination.errors import Code, UnavailableError

ANSWER = 0.5
"""Seconds kept back from the deadline to write the answer in, a tenth of a short one."""

LEAST = 1.0
"""An attempt starts only when this many seconds remain, a fifth of a short deadline."""

TURN = 0.05
"""Seconds for which a call may work before others have a turn."""


class Deadline:
    """
    When a call's answer must be out, on the event loop's clock.

    Args:
        seconds: From now.
    """

    def __init__(self, seconds: float) -> None:
        self._answer = min(ANSWER, seconds / 10)
        self._least = min(LEAST, seconds / 5)
        self._set(_now() + seconds)
        self._shutdown = False
        self._limits: set[asyncio.Timeout] = set()

    def _set(self, at: float) -> None:
        self.at = at
        self.end = at - self._answer
        """When the work must have ended, so that the answer is out in time."""
        self.last_start = self.end - self._least
        """After this moment nothing more is begun: it could hardly end in time."""
        self.last_answer = self.end - self._least / 20
        """When a request must be answered, so that a delivery of several can tell of each."""

    def bring_forward(self, at: float) -> None:
        """The server shuts down: the answer must be out by then. Never moves it back."""
        if at < self.at:
            self._shutdown = True
            self._set(at)
            for limit in self._limits:
                if not limit.expired():
                    limit.reschedule(self.end)

    @asynccontextmanager
    async def limit(self) -> AsyncIterator[None]:
        """Raise TimeoutError inside the block at ``end``, also when that is brought forward."""
        async with asyncio.timeout_at(self.end) as limit:
            self._limits.add(limit)
            try:
                yield
            finally:
                self._limits.discard(limit)

    def not_sent(self) -> UnavailableError:
        """The error for what was not begun in time."""
        if self._shutdown:
            return UnavailableError("not sent: the server is stopping", code=Code.SHUTTING_DOWN)
        return UnavailableError(
            "not sent: the call's time was used up", code=Code.DEADLINE_NOT_SENT
        )


@dataclass(slots=True)
class Delivery:
    """
    What the requests of one batch share.

    Args:
        lane: What the rate is counted by.
        attempts: Requests that went out.
        waiting: Nothing went out yet, and nothing will while this is true.
    """

    deadline: Deadline
    lane: str = ""
    attempts: int = 0
    waiting: bool = False


DELIVERY: ContextVar[Delivery] = ContextVar("delivery")
"""Set for whatever runs within a call; a request outside any has no deadline but its timeout."""


ABOUT: ContextVar[Sequence[int]] = ContextVar("about")
"""
The positions of the rows that whatever runs is about: those of a batch, or fewer of them.

Positions, since connections outlive the call in which they were made, and keep what was set then.
"""


async def give_way(began: float) -> float:
    """Let others have a turn, where this one began too long ago; when the present one began."""
    if _now() - began <= TURN:
        return began
    await asyncio.sleep(0)
    return _now()


async def in_step() -> None:
    """
    Let whoever is under way come as far before this one goes on.

    A processor does one part of the work for many rows faster than all of it for one row after
    another, since the code of a part stays at hand. Where a vendor answers at once this takes a
    quarter off what a row costs.
    """
    await asyncio.sleep(0)


def _now() -> float:
    return asyncio.get_running_loop().time()
