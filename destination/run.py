"""
One call's records: cut into batches, delivered within limits, reported by position.

A batch that has started is never cancelled before the deadline, so that what was delivered is
known; a fatal error stops what has not started.
"""

import asyncio
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from destination.bugs import caught
from destination.errors import (
    Code,
    DestinationError,
    FatalError,
    NoAnswer,
    RefusedError,
    RowError,
    TargetError,
    UnavailableError,
)
from destination.mapping import Plan
from destination.model import Batch, Limits, Record, Rejection, Row
from destination.plugin import Destination
from destination.vendor.client import DEADLINE, LANE, LEAST

TURN = 0.05
"""Seconds for which a call may map rows before others have a turn."""

ANSWER = 0.5
"""Seconds kept back from the deadline to write the answer in."""


_RUNNING: set[asyncio.Future[Any]] = set()
"""Deliveries that go on, also those that do not heed being cut off: asyncio may drop the others."""


def _ended(task: asyncio.Future[Any]) -> None:
    _RUNNING.discard(task)
    if not task.cancelled():
        task.exception()  # of one that was cut off nobody asks; it is not to be complained of


@dataclass(frozen=True, slots=True)
class _Work:
    lane: str
    batch: Batch[Any]

    def halves(self) -> tuple["_Work", "_Work"]:
        records = self.batch.records
        middle = len(records) // 2
        first = replace(self.batch, records=records[:middle])
        return replace(self, batch=first), replace(
            self, batch=replace(self.batch, records=records[middle:])
        )


class Run:
    """
    The delivery of one call.

    Args:
        batch: What all batches share; its records are replaced.
        permits: The destination's permits, shared with its other calls.
        deadline: When the answer must be out, on the event loop's clock.
    """

    def __init__(
        self,
        plugin: Destination[Any, Any],
        batch: Batch[Any],
        limits: Limits,
        permits: asyncio.Semaphore,
        deadline: float,
    ) -> None:
        self._plugin = plugin
        self._batch = batch
        self._limits = limits
        self._permits = permits
        self._end = deadline - ANSWER
        self._rejections: dict[int, Rejection] = {}
        self._fatal: FatalError | None = None
        self._stopped_lanes: dict[str, TargetError] = {}
        self._acknowledged: set[int] = set()

    async def deliver(self, records: Sequence[Record]) -> tuple[Rejection, ...]:
        """
        Deliver and say which records were not.

        Raises:
            FatalError: A person must act, and no record was or may have been delivered.
        """
        DEADLINE.set(self._end)
        for wave in waves(records):
            queue = deque(self._cut(wave))
            workers = min(self._limits.concurrency, len(queue))
            await asyncio.gather(*(self._work(queue) for _ in range(workers)))
        # Silence is no acknowledgement: a record nobody spoke of was lost on the way.
        lost = [record for record in records if record.position not in self._acknowledged]
        self._reject(lost, NoAnswer("internal error: no outcome", code=Code.INTERNAL))
        if self._fatal and all(self._untouched(record) for record in records):
            raise self._fatal
        return tuple(self._rejections[position] for position in sorted(self._rejections))

    def _untouched(self, record: Record) -> bool:
        rejection = self._rejections.get(record.position)
        return rejection is not None and not isinstance(rejection.error, NoAnswer)

    def _cut(self, records: Sequence[Record]) -> Iterable[_Work]:
        size = self._limits.batch_size
        for lane, members in self._by_lane(records).items():
            for start in range(0, len(members), size):
                yield _Work(lane, replace(self._batch, records=members[start : start + size]))

    def _by_lane(self, records: Iterable[Record]) -> dict[str, list[Record]]:
        lanes: dict[str, list[Record]] = {}
        for record in records:
            try:
                lanes.setdefault(self._plugin.lane(record), []).append(record)
            except DestinationError as error:
                self._reject([record], error)
            except Exception as error:  # noqa: BLE001 - a bug in a destination costs this record only
                self._reject([record], _bug(error))
        return lanes

    async def _work(self, queue: deque[_Work]) -> None:
        while queue:
            work = queue.popleft()
            if await self._attempt(work):
                queue.extendleft(reversed(work.halves()))

    async def _attempt(self, work: _Work) -> bool:
        """Deliver one batch and note what was not; True when it should be tried in halves."""
        if stop := self._stop(work.lane):
            self._reject(work.batch.records, stop)
            return False
        try:
            async with asyncio.timeout_at(self._end):
                await self._permits.acquire()
        except TimeoutError:
            self._reject(work.batch.records, _out_of_time())
            return False
        try:
            if stop := self._stop(work.lane):
                self._reject(work.batch.records, stop)
                return False
            return await self._send(work)
        finally:
            self._permits.release()

    async def _send(self, work: _Work) -> bool:
        LANE.set(work.lane)
        records = work.batch.records
        try:
            self._note(records, await self._delivered(work.batch))
        except RefusedError as error:
            if len(records) > 1 and self._limits.halve:
                return True
            self._reject(records, error)
        except FatalError as error:
            self._fatal = self._fatal or error
            self._reject(records, error)
        except TargetError as error:
            self._stopped_lanes.setdefault(work.lane, error)
            self._reject(records, error)
        except DestinationError as error:
            self._reject(records, error)
        except Exception as error:  # noqa: BLE001 - a bug in a destination must not cost its neighbours
            self._reject(records, _bug(error))
        return False

    async def _delivered(self, batch: Batch[Any]) -> list[Rejection]:
        """What the destination says of a batch; at the deadline it is cut off, not waited for."""
        task = asyncio.ensure_future(self._plugin.deliver(batch))
        _RUNNING.add(task)
        task.add_done_callback(_ended)
        try:
            await asyncio.wait({task}, timeout=self._end - asyncio.get_running_loop().time())
        finally:
            task.cancel()
        if not task.done():
            raise NoAnswer("no answer before the deadline; may have been delivered")
        if task.cancelled():
            raise _bug(asyncio.CancelledError())  # the destination cancelled itself
        return list(task.result())

    def _stop(self, lane: str) -> DestinationError | None:
        """Why nothing more may be sent on this lane, if so."""
        if self._fatal is not None:
            return type(self._fatal)(_unsent(self._fatal), code=self._fatal.code)
        if error := self._stopped_lanes.get(lane):
            return TargetError(_unsent(error), code=error.code)
        if self._end - asyncio.get_running_loop().time() < LEAST:
            return _out_of_time()
        return None

    def _note(self, records: Sequence[Record], rejections: Sequence[Rejection]) -> None:
        positions = {record.position for record in records}
        for rejection in rejections:
            if not isinstance(rejection, Rejection) or rejection.position not in positions:
                raise ValueError("a rejection names a record that is not in the batch")
            if not isinstance(rejection.error, DestinationError):
                raise TypeError("a rejection's error is a DestinationError")
        self._acknowledged |= positions
        for rejection in rejections:
            self._rejections.setdefault(rejection.position, rejection)

    def _reject(self, records: Iterable[Record], error: DestinationError) -> None:
        for record in records:
            self._rejections.setdefault(record.position, record.reject(error))


async def mapped(
    plan: Plan, rows: Sequence[Row], deadline: float
) -> tuple[list[Record], list[Rejection]]:
    """The records of the rows that can be mapped in time; a long call leaves room for others."""
    now = asyncio.get_running_loop().time
    records, rejections, turn = list[Record](), list[Rejection](), now()
    for row in rows:
        try:
            if now() > deadline - ANSWER:
                raise _out_of_time()
            if isinstance(row.columns, RowError):
                raise row.columns
            records.append(plan.record(row.position, row.id, row.columns))
        except DestinationError as error:
            rejections.append(Rejection(row.position, error))
        if now() - turn > TURN:
            await asyncio.sleep(0)
            turn = now()
    return records, rejections


def waves(records: Sequence[Record]) -> Iterable[list[Record]]:
    """The records in groups without repeated ids: later versions of a row go after earlier ones."""
    seen: dict[tuple[type, Any], int] = {}
    groups: list[list[Record]] = []
    for record in records:
        key = (type(record.id), record.id)
        turn = seen[key] = seen.get(key, -1) + 1
        if turn == len(groups):
            groups.append([])
        groups[turn].append(record)
    return groups


def _bug(error: BaseException) -> NoAnswer:
    return NoAnswer(f"{caught(error)}; may have been delivered", code=Code.INTERNAL)


def _unsent(error: DestinationError) -> str:
    return f"not sent: {error.message.removeprefix('not sent: ')}"


def _out_of_time() -> UnavailableError:
    """The error for a record whose turn did not come."""
    return UnavailableError("not sent: the call's time was used up", code=Code.DEADLINE_NOT_SENT)
