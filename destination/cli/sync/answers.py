"""What a server's answers in a run mean, and what is wrong with them."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from destination.cli.rows import Row
from destination.cli.sync.changes import key
from destination.cli.text import shown
from destination.literals import number_text
from destination.model import Operation

MAX_REASON = 1000


class BadAnswer(Exception):
    """The answer is not what the method must answer; the message says what it is."""


class Problems(Counter[str]):
    """What was wrong with answers that could be understood all the same, and how often."""


@dataclass(frozen=True, slots=True)
class Behavior:
    """How a server wants a sync to run."""

    batch_size: int
    operations: frozenset[Operation]
    skip_initial_run: bool

    @classmethod
    def read(cls, result: Any, problems: Problems) -> "Behavior":
        """The answer to ``behavior``. Raises BadAnswer when rows cannot be sent by it."""
        if not isinstance(result, dict):
            raise BadAnswer(f"answered {_named(result)} where an object is expected")
        size, operations = result.get("batchSize"), result.get("operations")
        if isinstance(size, float) and size.is_integer():
            size = int(size)
        if isinstance(size, bool) or not isinstance(size, int) or size < 1:
            said = _named(size) if "batchSize" in result else "no batchSize"
            raise BadAnswer(f"answered {said}; batchSize must be a whole number of 1 or more")
        if not isinstance(operations, dict):
            raise BadAnswer("must say in operations whether to add, change and remove")
        wanted = frozenset(each for each in Operation if operations.get(each) is True)
        for each in Operation:
            if not isinstance(operations.get(each), bool):
                problems[f"behavior does not say true or false for operations.{each}"] += 1
        skip = result.get("skipInitialRun")
        if not isinstance(skip, bool):
            problems["behavior does not say true or false for skipInitialRun"] += 1
        return cls(size, wanted, skip is True)


def refusals(
    result: Any, rows: Sequence[Row], id_column: str, problems: Problems
) -> dict[int, str]:
    """
    By index, the reasons of the rows that an answer to add, change or remove rejects.

    Raises:
        BadAnswer: It does not say which rows were rejected.
    """
    if result is None:
        problems["The result was null, which is taken for no rejected rows"] += 1
        return {}
    listed = result.get("rejectedRows", ...) if isinstance(result, dict) else ...
    if not isinstance(listed, list):
        said = "no rejectedRows" if listed is ... else f"{_named(listed)} as rejectedRows"
        raise BadAnswer(f"answered {said} where a list is expected")
    found: dict[int, str] = {}
    ids = _Ids(rows, id_column) if listed else None
    for each in listed:
        assert ids is not None  # noqa: S101 - there is an entry
        positions = ids.positions(each, problems)
        if any(position in found for position in positions):
            problems["rejectedRows named an id twice; the first reason counts"] += 1
        reason = _reason(each, problems) if positions else ""
        for position in positions:
            found.setdefault(position, reason)
    return found


class _Ids:
    """Which rows of a batch an id stands for."""

    def __init__(self, rows: Sequence[Row], id_column: str) -> None:
        self._exact: dict[str | None, list[int]] = {}
        self._alike: dict[str, list[int]] = {}
        for position, row in enumerate(rows):
            id = row[id_column]
            self._exact.setdefault(key(id), []).append(position)
            self._alike.setdefault(_alike(id), []).append(position)

    def positions(self, entry: Any, problems: Problems) -> list[int]:
        if not isinstance(entry, dict) or "id" not in entry:
            problems["rejectedRows had an entry without id: nobody knows which row it means"] += 1
            return []
        id = entry["id"]
        known = key(id)
        if known in self._exact:
            return self._exact[known]
        alike = [] if known is None else self._alike.get(_alike(id), [])
        if len(alike) == 1:
            problems["An id came back altered: of another type, or without all its digits"] += 1
            return alike
        problems["rejectedRows named an id that was not sent: its row counts as accepted"] += 1
        return []


def _alike(id: str | float) -> str:
    """What ids have in common that differ in type, or in digits that JavaScript cannot keep."""
    try:
        return number_text(float(id))
    except (ValueError, OverflowError):
        return str(id)


def _reason(entry: dict[str, Any], problems: Problems) -> str:
    reason = entry.get("reason")
    if isinstance(reason, str) and reason.strip():
        return shown(reason, MAX_REASON)
    problems["A rejected row had no reason"] += 1
    return "(no reason was given)"


def _named(value: Any) -> str:
    """What a JSON value is, without its content but for small numbers and words."""
    names = {dict: "an object", list: "a list", str: "a text", type(None): "null"}
    return names.get(type(value)) or shown(value, 20)
