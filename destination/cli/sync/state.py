"""The state file: what a sync knows of its last run, so that the next sends what has changed."""

from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any, Self

import msgspec

from destination.cli import FAILED, Stop
from destination.cli.rows import Row
from destination.cli.sync.changes import Changes, Pending, key, usable
from destination.cli.sync.files import write_whole
from destination.cli.sync.run import Outcome
from destination.model import Operation

VERSION = 1


class _Document(msgspec.Struct):
    version: int
    id_column: str
    rows: list[dict[str, Any]]
    pending: list[Pending]


class State:
    """
    The model's rows as of the last run, by key, and those that were not accepted.

    Args:
        known: Whether there was a run before.
    """

    def __init__(self, id_column: str, rows: Iterable[Row] = (), *, known: bool = False) -> None:
        self.known = known
        self._id_column = id_column
        self._rows = dict[str, Row]()
        self._pending = dict[str, Pending]()
        for row in usable(list(rows), id_column)[0]:
            self._rows[self._key(row)] = row

    @classmethod
    def load(cls, path: Path, id_column: str) -> Self:
        """What the file holds, nothing when there is none. Raises Stop when it is unusable."""
        try:
            document = msgspec.json.decode(path.read_bytes(), type=_Document)
        except FileNotFoundError:
            return cls(id_column)
        except OSError as error:
            raise Stop(_UNUSABLE, f"{path}: {error.strerror}", "Name another file.") from None
        except (ValueError, RecursionError):
            raise _foreign(path) from None
        if document.version != VERSION:
            raise _foreign(path)
        if document.id_column != id_column:
            raise Stop(
                "The state file belongs to another sync.",
                f'{path} knows rows by column "{document.id_column}", not by "{id_column}".',
                f"Use --id {document.id_column}, or another state file.",
            )
        state = cls(id_column, document.rows, known=True)
        for each in document.pending:
            if (known := key(each.row.get(id_column))) is None:
                raise _foreign(path)
            state._pending[known] = each
        return state

    def changes(self, current: list[Row]) -> Changes:
        """What this run has to send, given the rows of now."""
        before = list(self._rows.values())
        return Changes.between(before, current, self._id_column, self._pending)

    def settle(
        self, changes: Changes, outcomes: Iterable[Outcome], dropped: Collection[Operation]
    ) -> None:
        """
        Take note of a run.

        Rows that were not reached stay as they were, so that the next run sends them.

        Args:
            dropped: Operations whose rows are recorded without being sent.
        """
        for operation in dropped:
            for row in changes.of(operation):
                self._settle(operation, row)
        for outcome in outcomes:
            for position, row in enumerate(outcome.rows[: outcome.reached]):
                refusal = outcome.refused.get(position)
                self._settle(outcome.operation, row, refusal.reason if refusal else None)

    def _settle(self, operation: Operation, row: Row, reason: str | None = None) -> None:
        known = self._key(row)
        self._pending.pop(known, None)
        if operation is Operation.REMOVE:
            self._rows.pop(known, None)
        else:
            self._rows[known] = row
        if reason is not None:
            self._pending[known] = Pending(operation, dict(row), reason)

    def _key(self, row: Row) -> str:
        return key(row[self._id_column]) or ""

    def save(self, path: Path) -> None:
        """Write it whole or not at all, for its owner alone. Raises Stop."""
        rows = [dict(row) for row in self._rows.values()]
        pending = list(self._pending.values())
        document = _Document(VERSION, self._id_column, rows, pending)
        try:
            write_whole(path, msgspec.json.encode(document))
        except OSError as error:
            raise Stop(
                "The state cannot be saved.",
                f"{path}: {error.strerror}",
                "Mend that; the next run sends again what this one sent.",
                FAILED,
            ) from None


_UNUSABLE = "The state file cannot be used."


def _foreign(path: Path) -> Stop:
    return Stop(
        _UNUSABLE,
        f"{path} was not written by this command, or by another version of it.",
        "Name another file; the first run with it sends every row as added.",
    )
