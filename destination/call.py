"""One call: its records, each delivered in its turn, none that was delivered already."""

import asyncio
from collections.abc import Callable, Hashable, Iterable, Sequence
from contextlib import AbstractContextManager
from operator import attrgetter

from destination.deadline import Deadline
from destination.errors import Code, DestinationError, NoAnswer, UnavailableError
from destination.memory import Memory, NoMemory
from destination.model import Record, Rejection, RowId
from destination.order import Order, Turn
from destination.run import Run
from destination.state.store import Standing

POLL = 0.2
"""Seconds after which a row that another process is sending is looked at again."""


class Call:
    """
    The delivery of one call's records.

    Args:
        scope: What tells this sync's rows from those of others.
        order: The destination's, shared with its other calls.
    """

    def __init__(
        self,
        run: Run,
        deadline: Deadline,
        *,
        scope: Hashable,
        order: Order,
        memory: Memory | NoMemory,
    ) -> None:
        self._run = run
        self._deadline = deadline
        self._scope = scope
        self._order = order
        self._memory = memory
        self.suppressed = 0
        """Records that were not sent because they are known to have been delivered."""

    async def deliver(self, records: Sequence[Record]) -> tuple[Rejection, ...]:
        """
        Deliver and say which records were not.

        Raises:
            FatalError: A person must act, and no record was or may have been delivered.
        """
        with self.turn(lambda: [record.id for record in records]) as turn:
            await self.send(records, turn)
        return self.outcome()

    def turn(self, ids: Callable[[], Sequence[RowId | None]]) -> AbstractContextManager[Turn]:
        """The call's place among others that bring rows with these ids."""
        return self._order.turn(self._scope, lambda: _keys(ids()))

    async def send(self, records: Sequence[Record], turn: Turn) -> None:
        """Deliver some of the call's records."""
        questions = self._run.questions
        records = await questions.wanted(questions.distinct(records))
        for wave in waves(records):
            if turn.is_first:
                await self._send(wave)
                continue
            held_up = [each for each in wave if turn.must_wait(_key(each.id))]
            waits = {each.position for each in held_up}
            await self._send([each for each in wave if each.position not in waits])
            await self._send_later(held_up, turn)

    def outcome(self) -> tuple[Rejection, ...]:
        """
        The records of the call that were not delivered.

        Raises:
            FatalError: A person must act, and no record was or may have been delivered.
        """
        if (failure := self._run.failure) and not self.suppressed:
            raise failure
        rejections = self._run.rejections
        return tuple(rejections[position] for position in sorted(rejections))

    async def _send_later(self, records: Sequence[Record], turn: Turn) -> None:
        """Send what an earlier call has too, once that call is over."""
        if not records:
            return
        try:
            async with self._deadline.limit():
                await turn.come(_key(record.id) for record in records)
        except TimeoutError:
            self._run.reject(records, _in_progress())
        else:
            await self._send(records)

    async def _send(self, records: Sequence[Record]) -> None:
        while records:
            standings = await self._memory.claim(records)
            records, rest = records[: len(standings)], records[len(standings) :]
            await self._run.send(_those(records, standings, Standing.SEND))
            self._run.reject(_those(records, standings, Standing.UNKNOWN), _held())
            self.suppressed += standings.count(Standing.DELIVERED)
            busy = _those(records, standings, Standing.BUSY)
            if not self._is_time(0 if rest else POLL):
                self._run.reject(busy, _in_progress())
                self._run.reject(rest, self._deadline.not_sent())
                return
            if busy and not rest:
                await asyncio.sleep(POLL)
            records = [*rest, *busy]

    def _is_time(self, wait: float) -> bool:
        """Whether anything more may begin after so many seconds."""
        return asyncio.get_running_loop().time() + wait <= self._deadline.last_start


def waves(records: Sequence[Record]) -> Iterable[list[Record]]:
    """The records in groups without repeated ids: later versions of a row go after earlier ones."""
    if len({*map(attrgetter("id"), records)}) == len(records):
        return [list(records)]
    seen: dict[Hashable, int] = {}
    groups: list[list[Record]] = []
    for record in records:
        key = _key(record.id)
        turn = seen[key] = seen.get(key, -1) + 1
        if turn == len(groups):
            groups.append([])
        groups[turn].append(record)
    return groups


def _keys(ids: Sequence[RowId | None]) -> Sequence[Hashable]:
    return [_key(id) for id in ids] if float in set(map(type, ids)) else ids


def _key(id: RowId | None) -> Hashable:
    """What a row is known by: 7 and 7.0 are two rows, as 7 and "7" are."""
    return (float, id) if isinstance(id, float) else id


def _those(
    records: Sequence[Record], standings: Sequence[Standing], wanted: Standing
) -> list[Record]:
    if standings.count(Standing.SEND) == len(records):  # as mostly all are
        return list(records) if wanted is Standing.SEND else []
    return [
        record for record, standing in zip(records, standings, strict=True) if standing is wanted
    ]


def _in_progress() -> DestinationError:
    return UnavailableError(
        "not sent again: another call is delivering this row", code=Code.IN_PROGRESS
    )


def _held() -> DestinationError:
    return NoAnswer("may have been delivered already; held back, as on_unknown = hold wants it")
