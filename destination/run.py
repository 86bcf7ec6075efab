"""
Records, cut into batches and delivered within limits; the outcome of each by its position.

A batch that has started is never cancelled before the deadline, so that what was delivered is
known; a fatal error stops what has not started.
"""

import asyncio
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Any

from msgspec.structs import replace

from destination.bugs import bug
from destination.deadline import ABOUT, DELIVERY, Deadline, Delivery, in_step
from destination.errors import (
    AuthError,
    Code,
    DestinationError,
    FatalError,
    ForbiddenError,
    NoAnswer,
    RefusedError,
    TargetError,
)
from destination.memory import Memory, NoMemory
from destination.model import Batch, Limits, Record, Rejection
from destination.plugin import Destination
from destination.questions import Questions
from destination.state.store import Outcome
from destination.work import Work

FORBIDDEN = 2
"""Refusals in a row that are the credentials' fault; one alone may be about its record."""

_LEFT: set[asyncio.Future[Any]] = set()
"""Workers that were cut off and have not ended: asyncio may drop what nobody holds."""


def _ended(worker: asyncio.Future[Any]) -> None:
    _LEFT.discard(worker)
    if not worker.cancelled():
        worker.exception()  # of one that was cut off nobody asks; it is not to be complained of


def _unspoken(records: Iterable[Record], acknowledged: set[int]) -> list[Record]:
    """Those of which no destination has spoken, or was asked to."""
    return [record for record in records if record.position not in acknowledged]


class Run:
    """
    The batches of one call.

    Args:
        batch: What all batches share; its records are replaced.
        permits: The destination's permits, shared with its other calls.
        deadline: When the call's answer must be out.
        memory: Is told what became of each batch before the next one goes.
    """

    def __init__(
        self,
        plugin: Destination[Any, Any],
        batch: Batch[Any],
        limits: Limits,
        permits: asyncio.Semaphore,
        deadline: Deadline,
        memory: Memory | NoMemory,
    ) -> None:
        self._plugin = plugin
        self._batch = batch
        self._limits = limits
        self._permits = permits
        self._deadline = deadline
        self._memory = memory
        self._fatal: FatalError | None = None
        self._forbidden = 0
        self._stopped_lanes: dict[str, TargetError] = {}
        self._under_way: dict[int, tuple[Work, Delivery]] = {}
        self._touched = False
        self._over = False
        self.questions = Questions(plugin, batch, self.reject)
        self.rejections: dict[int, Rejection] = {}
        """By position. A record that is not here was delivered."""
        self.attempts = 0
        """Requests that went to the vendor."""

    async def send(self, records: Sequence[Record]) -> None:
        """Deliver the records; afterwards ``rejections`` holds those that were not."""
        self._over = False
        acknowledged = set[int]()
        queues = deque(self._queues(records, acknowledged))
        count = min(self._limits.concurrency, len(queues))
        workers = [asyncio.ensure_future(self._work(queues)) for _ in range(count)]
        try:
            in_time = await self._in_time(workers)
        finally:
            self._cut_off(workers)
        if len(acknowledged) < len(records):
            # Silence is no acknowledgement: a record nobody spoke of was lost on the way.
            silence = NoAnswer("internal error: no outcome", code=Code.INTERNAL)
            error = silence if in_time else self._deadline.not_sent()
            self.reject(_unspoken(records, acknowledged), error)
        await self._settle(records)

    async def _in_time(self, workers: Sequence[asyncio.Future[None]]) -> bool:
        """Wait until there is nothing left to do; False when the deadline comes first."""
        try:
            async with self._deadline.limit():
                if workers:
                    await asyncio.wait(workers)
        except TimeoutError:
            return False
        for worker in workers:
            worker.result()
        return True

    def _cut_off(self, workers: Iterable[asyncio.Future[None]]) -> None:
        """End what is under way, without waiting for it: a destination may take its time."""
        self._over = True
        for worker in workers:
            if not worker.done():
                _LEFT.add(worker)
                worker.add_done_callback(_ended)
                worker.cancel()
        for work, delivery in list(self._under_way.values()):
            unknown = NoAnswer("no answer before the deadline; may have been delivered")
            error = self._deadline.not_sent() if delivery.waiting else unknown
            self.reject(_unspoken(work.batch.records, work.acknowledged), error)
            self._leave(work)

    def reject(self, records: Iterable[Record], error: DestinationError) -> None:
        """Note that these were not delivered; a record keeps its first reason."""
        for record in records:
            if self.rejections.setdefault(record.position, record.reject(error)).error is error:
                self._touched = self._touched or isinstance(error, NoAnswer)

    @property
    def failure(self) -> FatalError | None:
        """The error of the call as a whole: fatal, and no record was or may have been taken."""
        if self._touched:
            return None
        errors = [each.error for each in self.rejections.values()]
        auth = [error for error in errors if isinstance(error, AuthError)]
        return self._fatal or (auth[0] if auth and len(auth) == len(errors) else None)

    def _queues(self, records: Sequence[Record], acknowledged: set[int]) -> Iterable[deque[Work]]:
        """What one worker does in its order: a whole lane, or a single batch."""
        size = self._limits.batch_size
        for lane, members in self.questions.by_lane(records).items():
            batch, groups = replace(self._batch, records=members), self.questions.groups(members)
            whole = Work(lane, batch, groups, acknowledged)
            works = deque(whole.cut(slice(n, n + size) for n in range(0, whole.size, size)))
            yield from (works,) if self._limits.in_order else (deque((each,)) for each in works)

    async def _work(self, queues: deque[deque[Work]]) -> None:
        while queues and not self._over:
            queue = queues.popleft()
            while queue and not self._over:
                work = queue.popleft()
                if await self._attempt(work):
                    halves = reversed([*work.halves()])
                    if self._limits.in_order:
                        queue.extendleft(halves)
                    else:
                        queues.extendleft(deque((half,)) for half in halves)

    async def _attempt(self, work: Work) -> bool:
        """Deliver one batch and note what was not; True when it should be tried in halves."""
        if stop := self._stop(work.lane):
            self.reject(work.batch.records, stop)
            return False
        if not await self._permitted():
            self.reject(work.batch.records, self._deadline.not_sent())
            return False
        delivery = Delivery(self._deadline, work.lane, waiting=True)
        self._under_way[work.key] = work, delivery
        try:
            if stop := self._stop(work.lane):
                self.reject(work.batch.records, stop)
                return False
            await self._memory.begin(work.batch.records)
            refused = await self._send(work, delivery)
            if not refused:  # before another has the permit: no more is in doubt than is under way
                await self._settle(work.batch.records)
            return refused
        finally:
            self._leave(work)

    def _leave(self, work: Work) -> None:
        """It is no longer under way, if it was: another may have its permit."""
        if entry := self._under_way.pop(work.key, None):
            self._permits.release()
            self.attempts += entry[1].attempts

    async def _permitted(self) -> bool:
        """Wait for a permit; False when there is none in time."""
        if not self._permits.locked():
            return await self._permits.acquire()  # at once
        try:
            async with self._deadline.limit():
                return await self._permits.acquire()
        except TimeoutError:
            return False

    async def _send(self, work: Work, delivery: Delivery) -> bool:
        DELIVERY.set(delivery)
        records = work.batch.records
        positions = [record.position for record in records]
        ABOUT.set(positions)
        try:
            await in_step()
            delivery.waiting = False
            self._note(positions, await self._delivered(work.batch))
            work.acknowledged.update(positions)
        except RefusedError as error:
            if work.size > 1 and self._limits.halve:
                return True
            self.reject(records, error)
        except FatalError as error:
            self._stop_for(error)
            self.reject(records, error)
        except TargetError as error:
            self._stopped_lanes.setdefault(work.lane, error)
            self.reject(records, error)
        except DestinationError as error:
            self.reject(records, error)
        except Exception as error:  # noqa: BLE001 - a bug in a destination must not cost its neighbours
            self.reject(records, bug(error))
        return False

    async def _delivered(self, batch: Batch[Any]) -> list[Rejection]:
        try:
            return list(await self._plugin.deliver(batch))
        except asyncio.CancelledError as error:
            worker = asyncio.current_task()
            if worker is None or worker.cancelling():
                raise
            raise bug(error) from None  # the destination cancelled itself

    def _stop_for(self, error: FatalError) -> None:
        self._forbidden += 1
        if not isinstance(error, ForbiddenError) or self._forbidden >= FORBIDDEN:
            self._fatal = self._fatal or error

    def _stop(self, lane: str) -> DestinationError | None:
        """Why nothing more may be sent on this lane, if so."""
        if error := self._fatal or self._stopped_lanes.get(lane):
            return error.before_sending()
        if asyncio.get_running_loop().time() > self._deadline.last_start:
            return self._deadline.not_sent()
        return None

    def _note(self, positions: Sequence[int], rejections: Sequence[Rejection]) -> None:
        """Note what a destination said of the records at these positions."""
        known = frozenset(positions if rejections else ())
        for rejection in rejections:
            if not isinstance(rejection, Rejection) or rejection.position not in known:
                raise ValueError("a rejection names a record that is not in the batch")
            if not isinstance(rejection.error, DestinationError):
                raise TypeError("a rejection's error is a DestinationError")
        self._forbidden = 0
        rejected = {rejection.position for rejection in rejections}
        unclear = any(isinstance(rejection.error, NoAnswer) for rejection in rejections)
        self._touched = self._touched or unclear or len(rejected) < len(positions)
        for rejection in rejections:
            self.rejections.setdefault(rejection.position, rejection)

    async def _settle(self, records: Iterable[Record]) -> None:
        await self._memory.settle((record, self._outcome(record)) for record in records)

    def _outcome(self, record: Record) -> Outcome:
        rejection = self.rejections.get(record.position)
        if rejection is None:
            return Outcome.DELIVERED
        return Outcome.UNKNOWN if isinstance(rejection.error, NoAnswer) else Outcome.NOT_SENT
