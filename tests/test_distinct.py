"""Where several rows of a call stand for one record of the vendor the last one is delivered."""

import asyncio
from typing import Any

import pytest
from structlog.testing import capture_logs
from support import Bare, PeopleSettings, a_call

import destination as ht
from destination.model import Record
from destination.testing.clock import run_virtually


class Addressed(Bare):
    """A vendor that knows records by address."""

    def __init__(self) -> None:
        super().__init__(PeopleSettings())
        self.delivered: list[Any] = []

    def identity(self, record: Record) -> str | None:
        if record.row["email"] == "bug":
            raise KeyError("hunter2")
        return record.row["email"]

    async def deliver(self, batch: ht.Batch[ht.NoOptions]) -> tuple[()]:
        self.delivered += [record.id for record in batch.records]
        return ()


def deliver(*rows: tuple[Any, str | None]) -> tuple[list[Any], dict[int, str]]:
    """The ids that were delivered, and the reasons of the others by position."""
    plugin = Addressed()
    records = [
        Record(position, id, {}, {"email": email}) for position, (id, email) in enumerate(rows)
    ]

    async def scenario() -> Any:
        call = a_call(plugin, ht.Limits(concurrency=1), asyncio.Semaphore(1), 25)
        return await call.deliver(records)

    rejections = run_virtually(scenario())
    return plugin.delivered, {each.position: each.error.reason for each in rejections}


DUPLICATE = "DUPLICATE: not sent: a later row of this call stands for the same record"


@pytest.mark.parametrize(
    ("rows", "delivered", "duplicates"),
    [
        ([(1, "a"), (2, "b"), (3, "a")], [2, 3], [0]),
        ([(1, "a"), (2, "a"), (3, "a")], [3], [0, 1]),
        ([(1, "a"), (1, "a")], [1, 1], []),
        ([(1, "a"), ("1", "a")], ["1"], [0]),
        ([(1, None), (2, None)], [1, 2], []),
        ([(1, ""), (2, "")], [2], [0]),
    ],
)
def test_the_last_of_several_rows_is_delivered(rows, delivered, duplicates):
    """Earlier rows are rejected; versions of one row and rows without an identity are not."""
    assert deliver(*rows) == (delivered, dict.fromkeys(duplicates, DUPLICATE))


def test_a_bug_costs_its_row():
    """A row whose identity cannot be told is rejected alone, and nothing of it is logged."""
    with capture_logs() as logs:
        delivered, reasons = deliver((1, "a"), (2, "bug"))

    assert delivered == [1]
    assert reasons[1].startswith("INTERNAL: internal error, ref ")
    assert "hunter2" not in f"{reasons} {logs}"
