"""A thread for what the system may never finish."""

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any, ParamSpec, TypeVar

T = TypeVar("T")
P = ParamSpec("P")


class DaemonThread(Executor):
    """
    Runs one step after another, as an executor with one thread does.

    Python waits at its end for the threads of its own executors; it does not wait for this one,
    whose step a disk may hold for ever.
    """

    def __init__(self, name: str) -> None:
        self._steps: queue.SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None]
        self._steps = queue.SimpleQueue()
        threading.Thread(target=self._work, name=name, daemon=True).start()

    def submit(self, step: Callable[P, T], /, *arguments: P.args, **named: P.kwargs) -> "Future[T]":
        """The step's result, when its turn has come."""
        future: Future[T] = Future()
        self._steps.put((future, lambda: step(*arguments, **named)))
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT001, FBT002 - Executor's signature
        """End after the steps that were submitted; it is never waited for."""
        self._steps.put(None)

    def _work(self) -> None:
        while (item := self._steps.get()) is not None:
            future, step = item
            if not future.set_running_or_notify_cancel():
                continue
            try:
                future.set_result(step())
            except BaseException as error:  # noqa: BLE001 - it is raised where the result is read
                future.set_exception(error)
            del future, step, item
