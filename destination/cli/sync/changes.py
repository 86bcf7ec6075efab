"""What differs between two runs of a model, by its primary key; which rows are left out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import msgspec

from destination.cli.rows import Row
from destination.model import Operation

NO_ID = "NULL_EXTERNAL_ID: the row has no id that is text or a number; it was not sent"
REPEATED = "DUPLICATE_PRIMARY_KEY: several rows have this id, and only the last one was sent"


def key(id: Any) -> str | None:
    """What an id is known by: 1 and "1" are two ids. None for what cannot be an id."""
    if isinstance(id, bool) or not isinstance(id, str | int | float):
        return None
    return msgspec.json.encode(id).decode()


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A row that is never sent, and why; Hightouch rejects such rows itself."""

    row: Row
    reason: str


def usable(rows: Sequence[Row], id_column: str) -> tuple[list[Row], list[LeftOut]]:
    """The rows with an id of their own, and those that are left out; of a repeated id the last."""
    last, left_out = dict[str, Row](), list[LeftOut]()
    for row in rows:
        known = key(row.get(id_column))
        if known is None:
            left_out.append(LeftOut(row, NO_ID))
            continue
        if known in last:
            left_out.append(LeftOut(last[known], REPEATED))
        last[known] = row
    return list(last.values()), left_out


class Pending(msgspec.Struct, frozen=True):
    """A row that was sent and not accepted: it is sent again in the next run."""

    operation: Operation
    row: dict[str, Any]
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Changes:
    """The rows to add, change and remove."""

    added: Sequence[Row]
    changed: Sequence[Row]
    removed: Sequence[Row]

    @classmethod
    def between(
        cls,
        previous: Sequence[Row],
        current: Sequence[Row],
        id_column: str,
        pending: Mapping[str, Pending] | None = None,
    ) -> Self:
        """
        The rows to add and change as they are now, and to remove as they were last known.

        Args:
            pending: By key, what the run before could not deliver. A row that is still there is
                sent for what it was refused for, as it is now; one that is gone is removed,
                even where it was never accepted: it may have been delivered.
        """
        waiting = pending or {}
        before: dict[str | None, list[Row]] = {}
        for row in previous:
            before.setdefault(key(row[id_column]), []).append(row)
        added, changed, there = list[Row](), list[Row](), set[str | None]()
        for row in current:
            known = key(row[id_column])
            there.add(known)
            again = waiting.get(known or "")
            if known not in before or (again and again.operation is Operation.ADD):
                added.append(row)
            elif again or not any(_same(row, each) for each in before[known]):
                changed.append(row)
        gone = {known: rows[-1] for known, rows in before.items() if known not in there}
        for known, each in waiting.items():
            if each.operation is Operation.REMOVE and known not in there:
                gone.setdefault(known, each.row)
        return cls(added, changed, list(gone.values()))

    @classmethod
    def everything(cls, current: Sequence[Row]) -> Self:
        """Every row as added, and no removals."""
        return cls(current, (), ())

    def of(self, operation: Operation) -> Sequence[Row]:
        """The rows of one operation."""
        return {
            Operation.ADD: self.added,
            Operation.CHANGE: self.changed,
            Operation.REMOVE: self.removed,
        }[operation]


_ENCODER = msgspec.json.Encoder(order="deterministic")


def _same(one: Row, other: Row) -> bool:
    """Whether two rows are the same JSON: true is not 1, and 1.0 is not 1."""
    return one == other and _ENCODER.encode(one) == _ENCODER.encode(other)
