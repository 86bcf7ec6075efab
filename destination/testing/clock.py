"""
Time that passes only when a test has nothing else to do.

``run_virtually(coroutine)`` runs a coroutine in an event loop whose clock stands still while
anything is ready and jumps to the next timer when nothing is. Waits of hours take no time, order
is exact, and a test that would hang fails instead::

    def test_a_slow_vendor_is_cut_off() -> None:
        async def scenario() -> float:
            with suppress(TimeoutError):
                async with asyncio.timeout(25):
                    await asyncio.sleep(3600)
            return asyncio.get_running_loop().time()

        assert run_virtually(scenario()) == 25

It is for code whose time is the loop's: timers, timeouts, limits. Sockets work when both ends are
in the same loop; what another process or the network sends arrives in real time, which does
not pass here.
"""

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from typing import Any, TypeVar, TypeVarTuple

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class WaitsForever(RuntimeError):
    """Nothing is ready and no timer is set: the coroutine would never end."""


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """
    An event loop whose ``time()`` starts at 0 and jumps from timer to timer.

    Work handed to threads is awaited in real time, during which the clock stands still.
    """

    def __init__(self) -> None:
        self._jumping = _JumpingSelector(self._waiting)
        super().__init__(self._jumping)

    def time(self) -> float:
        """The virtual time in seconds."""
        return self._jumping.now

    def run_in_executor(
        self, executor: Executor | None, func: Callable[[*Ts], T], *args: *Ts
    ) -> asyncio.Future[T]:
        """As any loop does; the clock stands still until the thread is done."""
        self._jumping.threaded = True
        self._jumping.threads += 1
        future = super().run_in_executor(executor, func, *args)
        future.add_done_callback(self._thread_done)
        return future

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:  # noqa: ASYNC109 - asyncio's signature
        """As any loop does, for as long as the threads take: virtual time is no measure of them."""
        await super().shutdown_default_executor()

    def _thread_done(self, _: asyncio.Future[Any]) -> None:
        self._jumping.threads -= 1

    def _waiting(self) -> str:
        return ", ".join(sorted(task.get_name() for task in asyncio.all_tasks(self))) or "none"


class _JumpingSelector(selectors.DefaultSelector):
    """Instead of waiting for a timeout it moves the clock by it."""

    def __init__(self, waiting: Callable[[], str]) -> None:
        super().__init__()
        self.now = 0.0
        self.threads = 0
        self.threaded = False
        self._waiting = waiting

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if ready or (timeout is not None and timeout <= 0):
            return ready
        if self.threads or (self.threaded and timeout is None):
            return super().select(None)  # a thread's result wakes the loop
        if timeout is None:
            raise WaitsForever(
                f"nothing is ready and no timer is set; waiting tasks: {self._waiting()}"
            )
        self.now += timeout
        return []


def run_virtually(coroutine: Coroutine[Any, Any, T]) -> T:
    """
    The coroutine's result, computed in virtual time.

    Raises:
        WaitsForever: It waits for something that nothing will bring about.
    """
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(coroutine)
