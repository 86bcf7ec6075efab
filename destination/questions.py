"""What a destination says of each record before any is sent; one on which it fails is rejected."""

import asyncio
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from typing import Any, TypeVar

from destination.bugs import bug
from destination.deadline import give_way
from destination.errors import Code, DestinationError, RowError
from destination.model import Batch, Operation, Record
from destination.plugin import Destination

T = TypeVar("T")

DUPLICATE = "not sent: a later row of this call stands for the same record"

LARGEST_GROUP = 1_000
"""Records that are delivered together at most, however many belong to their group."""

Group = Sequence[Record]
"""Records that are delivered together."""


class Questions:
    """
    What a destination is asked about the records of a call.

    Args:
        batch: What all records share.
        reject: Is told of records that will not be sent, and why.
    """

    def __init__(
        self,
        plugin: Destination[Any, Any],
        batch: Batch[Any],
        reject: Callable[[Iterable[Record], DestinationError], None],
    ) -> None:
        self._plugin = plugin
        self._batch = batch
        self._reject = reject
        self.skipped: list[int] = []
        """The positions of records that the destination does not want."""

    def distinct(self, records: Sequence[Record]) -> Sequence[Record]:
        """The records without those for which another row stands; these are rejected."""
        if self._batch.operation is Operation.REMOVE or not self._answers("identity"):
            return records
        named = list(self._asked(records, self._plugin.identity))
        last = {identity: (type(one.id), one.id) for one, identity in named}
        kept, rivals = list[Record](), list[Record]()
        for one, identity in named:
            rival = identity is not None and last[identity] != (type(one.id), one.id)
            (rivals if rival else kept).append(one)
        self._reject(rivals, RowError(DUPLICATE, code=Code.DUPLICATE))
        return kept

    async def wanted(self, records: Sequence[Record]) -> Sequence[Record]:
        """The records that are to be sent; the others are counted, and are no errors."""
        if not self._answers("wanted"):
            return records
        kept, turn = list[Record](), asyncio.get_running_loop().time()
        for record, wanted in self._asked(
            records, lambda one: self._plugin.wanted(one, self._batch)
        ):
            if wanted:
                kept.append(record)
            else:
                self.skipped.append(record.position)
            turn = await give_way(turn)
        return kept

    def by_lane(self, records: Iterable[Record]) -> dict[str, list[Record]]:
        """The records of each lane, in their order."""
        if not self._answers("lane"):
            return {"": list(records)}
        options, lanes = self._batch.options, dict[str, list[Record]]()
        for record, lane in self._asked(records, lambda one: self._plugin.lane(one, options)):
            lanes.setdefault(lane, []).append(record)
        return lanes

    def groups(self, records: Sequence[Record]) -> Sequence[Group] | None:
        """What is delivered together; None where that is each record by itself."""
        if not self._answers("group"):
            return None
        options = self._batch.options
        groups: dict[Hashable, list[Record]] = {}
        for record, group in self._asked(records, lambda one: self._plugin.group(one, options)):
            alone = group is None
            groups.setdefault((alone, record.position if alone else group), []).append(record)
        return [
            group[start : start + LARGEST_GROUP]
            for group in groups.values()
            for start in range(0, len(group), LARGEST_GROUP)
        ]

    def _answers(self, question: str) -> bool:
        """Whether the destination has an answer of its own: the usual ones need no asking."""
        return getattr(type(self._plugin), question) is not getattr(Destination, question)

    def _asked(
        self, records: Iterable[Record], question: Callable[[Record], T]
    ) -> Iterator[tuple[Record, T]]:
        """Each record with the destination's answer; one on which it fails is rejected."""
        for record in records:
            try:
                answer = question(record)
            except DestinationError as error:
                self._reject([record], error)
            except Exception as error:  # noqa: BLE001 - a bug in a destination costs this record only
                self._reject([record], bug(error))
            else:
                yield record, answer
