"""What the next run sends: rows are neither lost nor forgotten, whatever a run comes to."""

import asyncio
import random
from pathlib import Path
from typing import Any

import pytest

from destination.cli import Stop
from destination.cli.caller import CallError, NotConnected, Unreachable
from destination.cli.sync.changes import Changes, Pending, key, usable
from destination.cli.sync.interrupt import Interrupt
from destination.cli.sync.run import Run, Sync
from destination.cli.sync.state import State
from destination.model import Operation
from destination.testing.clock import run_virtually


class Silent:
    """Whom nothing interests."""

    def begin(self, title: str, total: int) -> None: ...
    def advance(self, rows: int, refused: int) -> None: ...
    def note(self, text: str) -> None: ...


class Vendor:
    """A destination that fails at random: before, after or instead of taking rows."""

    def __init__(self, chance: random.Random) -> None:
        self.holds: dict[str, Any] = {}
        self.calls = 0
        self.faults = True
        self.interrupt = Interrupt()
        self._chance = chance

    async def call(self, method: str, params: Any) -> Any:
        self.calls += 1
        await asyncio.sleep(1)
        fault = self._chance.random() if self.faults else 1.0
        if fault < 0.1:
            raise NotConnected("url", "does not answer")
        rejected = []
        for row in params["rows"]:
            if self.faults and self._chance.random() < 0.2:
                rejected.append({"id": row["id"], "reason": "no"})
            else:
                self._take(method, row)
        await self._mishap(fault)
        return {"rejectedRows": rejected}

    def _take(self, method: str, row: dict[str, Any]) -> None:
        if method == "remove":
            self.holds.pop(str(key(row["id"])), None)
        else:
            self.holds[str(key(row["id"]))] = row

    async def _mishap(self, fault: float) -> None:
        """What keeps the answer from the caller, or makes somebody press Ctrl-C."""
        if fault < 0.2:
            raise Unreachable("url", "gave no answer")
        if fault < 0.25:
            raise CallError({"code": -1, "message": "away"})
        if fault < 0.3:
            self.interrupt.press()
        if fault < 0.33:
            self.interrupt.press()
            await asyncio.sleep(0)  # where the second press cancels the call


def made_up(chance: random.Random) -> list[dict[str, Any]]:
    """A model's rows at some moment: texts and numbers as ids, values that are easily confused."""
    ids = [each for number in range(12) for each in (number, str(number))]
    values = [1, 1.0, True, "1", None, [1], {"a": 1}]
    return [{"id": id, "value": chance.choice(values)} for id in ids if chance.random() < 0.7]


async def one_run(vendor: Vendor, path: Path, rows: list[dict[str, Any]], retries: int) -> None:
    """What the command does: load, send what has changed, settle, save."""
    state = State.load(path, "id")
    changes = state.changes(list(usable(rows, "id")[0]))
    vendor.interrupt = Interrupt()
    sync = Sync("id", {})
    run = Run(vendor.call, sync, Silent(), vendor.interrupt, batch_size=3, retries=retries)
    outcomes = await run(changes, set(Operation))
    state.settle(changes, outcomes, ())
    state.save(path)


@pytest.mark.parametrize("seed", range(60))
def test_in_the_end_the_destination_holds_the_model(seed: int, tmp_path: Path) -> None:
    """
    After runs with every sort of fault, one without faults brings the destination in line with
    the model, to the type; and the run after that sends nothing.
    """
    chance = random.Random(seed)
    vendor, path = Vendor(chance), tmp_path / "s.json"

    async def runs() -> None:
        for _ in range(6):
            await one_run(vendor, path, made_up(chance), chance.choice([0, 2]))
        vendor.faults = False
        rows = made_up(chance)
        await one_run(vendor, path, rows, 0)
        assert {key: repr(row) for key, row in vendor.holds.items()} == {
            str(key(row["id"])): repr(row) for row in rows
        }
        calls = vendor.calls
        await one_run(vendor, path, rows, 0)
        assert vendor.calls == calls

    run_virtually(runs())


def changes(
    before: list[Any], now: list[Any], **pending: tuple[Operation, dict[str, Any]]
) -> tuple[list[Any], list[Any], list[Any]]:
    """The ids to add, change and remove."""
    waiting = {f'"{id}"': Pending(*each) for id, each in pending.items()}
    found = Changes.between(before, now, "id", waiting)
    added, changed, removed = (
        [row["id"] for row in each] for each in (found.added, found.changed, found.removed)
    )
    return added, changed, removed


A, B = {"id": "a", "v": 1}, {"id": "a", "v": 2}


@pytest.mark.parametrize(
    ("pending", "now", "expected"),
    [
        ((Operation.ADD, A), [A], (["a"], [], [])),
        ((Operation.ADD, A), [B], (["a"], [], [])),
        ((Operation.ADD, A), [], ([], [], ["a"])),
        ((Operation.CHANGE, A), [A], ([], ["a"], [])),
        ((Operation.CHANGE, A), [B], ([], ["a"], [])),
        ((Operation.CHANGE, A), [], ([], [], ["a"])),
    ],
)
def test_a_row_that_was_refused_is_sent_again(
    pending: tuple[Operation, dict[str, Any]], now: list[Any], expected: Any
) -> None:
    """A refused row is sent for what it was refused for, as it is now; removed once it is gone."""
    assert changes([A], now, a=pending) == expected


@pytest.mark.parametrize(("now", "expected"), [([], ([], [], ["a"])), ([B], (["a"], [], []))])
def test_a_removal_that_was_refused_is_made_again(now: list[Any], expected: Any) -> None:
    """A refused removal is made again, unless the row has come back: then it is added."""
    assert changes([], now, a=(Operation.REMOVE, A)) == expected


def test_columns_in_another_order_are_no_change() -> None:
    """A row whose columns are listed in another order has not changed."""
    assert changes([{"id": "a", "v": 1}], [{"v": 1, "id": "a"}]) == ([], [], [])


def test_a_type_that_changes_is_a_change() -> None:
    """1, 1.0, true and "1" are four values, and as ids 1 and "1" are two rows."""
    values = [1, 1.0, True, "1"]
    for one in values:
        for other in values:
            found = changes([{"id": "a", "v": one}], [{"id": "a", "v": other}])
            assert found[1] == ([] if one is other else ["a"])
    assert changes([{"id": 1}], [{"id": "1"}]) == (["1"], [], [1])


def test_a_state_that_cannot_be_written_leaves_the_old_one(tmp_path: Path) -> None:
    """When the new state cannot take its place, nothing of it is left lying about."""
    path = tmp_path / "s.json"
    path.mkdir()
    with pytest.raises(Stop, match="cannot be saved"):
        State("id", [{"id": 1}]).save(path)

    assert list(tmp_path.iterdir()) == [path]
