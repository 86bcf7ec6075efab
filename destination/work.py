"""Batches as they are to be delivered: cut from what belongs together, and cut again."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Any

import msgspec
from msgspec.structs import replace

from destination.model import Batch
from destination.questions import Group


class Work(msgspec.Struct, frozen=True):
    """
    A batch that is to be delivered.

    Args:
        groups: What of it is delivered together, where that is not each record by itself.
        acknowledged: Shared by all that are sent together: the positions of records of which a
            destination has spoken.
    """

    lane: str
    batch: Batch[Any]
    groups: Sequence[Group] | None
    acknowledged: set[int]

    @property
    def key(self) -> int:
        """What tells it from others that are under way: no record is part of two."""
        return self.batch.records[0].position

    @property
    def size(self) -> int:
        """Of how many parts it is that may each be delivered without the others."""
        return len(self.batch.records if self.groups is None else self.groups)

    def cut(self, cuts: Iterable[slice]) -> Iterator["Work"]:
        """Some of its parts each."""
        for cut in cuts:
            groups = None if self.groups is None else self.groups[cut]
            records = self.batch.records[cut] if groups is None else chain.from_iterable(groups)
            batch = replace(self.batch, records=[*records])
            yield Work(self.lane, batch, groups, self.acknowledged)

    def halves(self) -> Iterator["Work"]:
        """Two that together are this, where it is more than one part."""
        middle = self.size // 2
        return self.cut((slice(middle), slice(middle, None)))
