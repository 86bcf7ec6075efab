"""The demo's people: what is sent of them to which stand-in, and what it must hold afterwards."""

import csv
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from destination.cli.rows import Row
from destination.cli.sync.changes import Changes

PEOPLE = Path(__file__).parents[2] / "examples" / "people"

Entry = Mapping[str, Any]
"""What a stand-in shows of something it holds: its ``id`` and its ``fields``."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """
    A sync of people: the model's rows at two moments and what is wrong with some of them.

    Args:
        bad: The ids that must be rejected, for each run.
        entry: What a stand-in must show of a row that it took.
    """

    configuration: Mapping[str, Any]
    id_column: str
    runs: Sequence[Sequence[Row]]
    bad: Sequence[frozenset[str]]
    entry: Callable[[Row], Entry]


def people(stand_in: Any) -> Scenario:
    """
    The people in ``examples/people``, as a stand-in takes them.

    It says so itself: ``sync()`` is the configuration, ``expected(row)`` what it shows of a row
    under ``/_sandbox/rows`` or None when it refuses it, ``checks`` are the columns whose faults
    get a row rejected, and ``people``, where it has it, is how many of them suffice.
    """
    runs = [_rows(PEOPLE / "people.csv"), _rows(PEOPLE / "people_next.csv")]
    if count := getattr(stand_in, "people", None):
        chosen = _chosen(runs, count)
        runs = [[row for row in rows if row["id"] in chosen] for rows in runs]
    with (PEOPLE / "rejections.csv").open(newline="", encoding="utf-8") as lines:
        faults = [line for line in csv.DictReader(lines) if line["field"] in stand_in.checks]
    known = {line["id"] for line in faults}
    bad, previous = list[frozenset[str]](), list[Row]()
    for run, rows in zip(("1", "2"), runs, strict=True):
        changes = Changes.between(previous, rows, "id")
        faulty = {line["id"] for line in faults if line["run"] == run}
        sent = {row["id"] for row in [*runs[0], *rows]}
        good = (row for row in [*changes.added, *changes.changed] if row["id"] not in known)
        refused = {row["id"] for row in good if stand_in.expected(row) is None}
        bad.append(frozenset(faulty & sent | refused))
        previous = rows
    return Scenario(stand_in.sync(), "id", runs, bad, stand_in.expected)


def _rows(path: Path) -> list[Row]:
    """A query's rows: an empty cell is null."""
    with path.open(newline="", encoding="utf-8") as lines:
        return [{name: cell or None for name, cell in row.items()} for row in csv.DictReader(lines)]


def _chosen(runs: Sequence[Sequence[Row]], count: int) -> set[str]:
    """The ids of so many people, as many that change, come and go as stay as they are."""
    between = Changes.between(runs[0], runs[1], "id")
    moved = (between.changed, between.added, between.removed)
    ids = {row["id"] for rows in moved for row in rows[: count // 4]}
    still = (row["id"] for row in runs[0] if row in runs[1])
    while len(ids) < count:
        ids.add(next(still))
    return ids


def expected(scenario: Scenario) -> list[Entry]:
    """What a stand-in must show in the end, worked out from the rows alone."""
    holds: dict[str, Entry] = {}
    previous: Sequence[Row] = ()
    for rows, bad in zip(scenario.runs, scenario.bad, strict=True):
        changes = Changes.between(previous, rows, scenario.id_column)
        for row in [*changes.added, *changes.changed]:
            if row["id"] not in bad:
                holds[row["id"]] = scenario.entry(row)
        for row in changes.removed:
            holds.pop(row["id"], None)
        previous = rows
    return list(holds.values())


def differences(wanted: Sequence[Entry], holds: Sequence[Entry]) -> list[str]:
    """Which entries are missing, too many or different, by id."""
    want, have = ({each["id"]: each["fields"] for each in some} for some in (wanted, holds))
    lines = [f"missing: {id}" for id in want.keys() - have.keys()]
    lines += [f"should not be there: {id}" for id in have.keys() - want.keys()]
    lines += [f"different: {id}" for id in want.keys() & have.keys() if want[id] != have[id]]
    times = Counter(each["id"] for each in holds)
    lines += [f"held {count} times: {id}" for id, count in times.items() if count > 1]
    return sorted(lines)
