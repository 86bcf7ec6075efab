"""Ctrl-C: once to stop after the call under way, twice to stop at once."""

import asyncio
import signal
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

T = TypeVar("T")


class Interrupted(Exception):
    """A call was left before it was answered."""


class Interrupt:
    """Whether somebody wants to stop, and how urgently."""

    def __init__(self) -> None:
        self.pressed = 0
        self._stopping = asyncio.Event()
        self._call: asyncio.Future[Any] | None = None

    def press(self) -> None:
        """Stop; when pressed again, leave even the call under way."""
        self.pressed += 1
        self._stopping.set()
        if self.pressed > 1 and self._call is not None:
            self._call.cancel()

    async def sleep(self, seconds: float) -> None:
        """Wait so long, or until somebody wants to stop."""
        try:
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        except TimeoutError:
            pass

    async def guard(self, call: Awaitable[T]) -> T:
        """The call's result. Raises Interrupted when it is left."""
        future = asyncio.ensure_future(call)
        self._call = future
        try:
            return await future
        except asyncio.CancelledError:
            if self.pressed > 1 and future.cancelled():
                raise Interrupted("the call was interrupted") from None
            raise
        finally:
            self._call = None


@contextmanager
def listened(told: Callable[[str], None]) -> Iterator[Interrupt]:
    """Inside the block SIGINT and SIGTERM press the interrupt that is given."""
    interrupt, loop = Interrupt(), asyncio.get_running_loop()

    def press() -> None:
        interrupt.press()
        if interrupt.pressed == 1:
            told("Stopping after the call under way; press Ctrl-C again to stop at once.")

    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, press)
    try:
        yield interrupt
    finally:
        for name in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(name)
