"""How much the server takes on at once, and how it lets go of everything to shut down."""

import asyncio
import random
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from destination.deadline import Deadline
from destination.metrics import Metrics
from destination.web import Refusal

BODIES = 64 * 1024**2
"""Bytes of request bodies, inflated, that are held at once."""

SHARE = 0.5
"""The part of all calls that one of several destinations may have open: others need room."""

FAREWELL = 1.5
"""Seconds of a shutdown that are kept for writing the last answers, a third of a short one."""


class OpenCall:
    """A call that was admitted: its deadline, and what its body takes."""

    def __init__(self, admission: "Admission", deadline: Deadline) -> None:
        self.deadline = deadline
        self.bytes = 0
        self._admission = admission

    def hold(self, size: int) -> None:
        """The body has grown to so many bytes. Raises Refusal when all bodies are too large."""
        self._admission.bodies += size - self.bytes
        self.bytes = size
        if self._admission.bodies > BODIES:
            raise self._admission.refusal("The server is busy: too much is being sent at once")


class Admission:
    """
    The calls that are open.

    Args:
        calls: How many may be open at once.
        destinations: How many destinations share them.
    """

    def __init__(self, *, calls: int, destinations: int, metrics: Metrics) -> None:
        self._calls = calls
        self._each = calls if destinations <= 1 else max(1, int(calls * SHARE))
        self._metrics = metrics
        self._open: set[OpenCall] = set()
        self._by_destination: Counter[str] = Counter()
        self._empty = asyncio.Event()
        self.bodies = 0
        self.draining = False

    @contextmanager
    def call(self, destination: str, seconds: float) -> Iterator[OpenCall]:
        """
        An open call for the block.

        Raises:
            Refusal: 503 with Retry-After; nothing was read or sent.
        """
        if self.draining:
            raise self.refusal("The server is stopping; nothing was sent", why="shutdown")
        if len(self._open) >= self._calls or self._by_destination[destination] >= self._each:
            raise self.refusal("The server is busy: too many calls are open")
        call = OpenCall(self, Deadline(seconds))
        self._open.add(call)
        self._by_destination[destination] += 1
        try:
            yield call
        finally:
            self.bodies -= call.bytes
            self._by_destination[destination] -= 1
            self._open.discard(call)
            if not self._open:
                self._empty.set()

    def refusal(self, message: str, *, why: str = "overload") -> Refusal:
        """A counted 503; the wait it names differs, so that callers do not return together."""
        self._metrics.refused.labels(why).inc()
        return Refusal(503, message, Retry_After=str(random.randint(1, 5)))  # noqa: S311

    async def drained(self, seconds: float) -> None:
        """Admit nothing more, and wait until open calls are answered: within so many seconds."""
        self.draining = True
        self._empty.clear()
        last = asyncio.get_running_loop().time() + seconds - min(FAREWELL, seconds / 3)
        for call in self._open:
            call.deadline.bring_forward(last)
        if self._open:
            try:
                async with asyncio.timeout(seconds):
                    await self._empty.wait()
            except TimeoutError:
                pass
