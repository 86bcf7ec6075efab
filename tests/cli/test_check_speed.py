"""``destination check``: whether a full call can be delivered before its deadline."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from checking import checked, vendor

from destination.cli.check.speed import speed
from destination.cli.sandbox import stand_ins
from destination.model import Limits, per_second

LIMITS = Limits()


async def told(folder: Path, server: dict[str, Any], **settings: Any) -> list[tuple[str, str]]:
    """What is found of a webhook with these settings."""
    async with vendor() as one:
        found = await checked(folder, one.webhook(**settings), SERVER=json.dumps(server))
        return found.of("speed")


@pytest.mark.parametrize(
    ("server", "settings", "says"),
    [
        (
            {},
            {"rate": 0.02},
            "rate = 0.02 sends a request every 50 s, and a call has 22 s for all of its rows: "
            "raise rate to 0.05, or server.deadline",
        ),
        (
            {},
            {"timeout": 30},
            "timeout = 30 s is longer than a call, which has 25 s: lower timeout to 8",
        ),
        (
            {},
            {"timeout": 10, "attempts": 5},
            "of attempts = 5 with timeout = 10 s only 3 begin before the deadline of 25 s: lower "
            "timeout to 5, or attempts to 3",
        ),
        (
            {"deadline": 8},
            {},
            "timeout = 10 s is longer than a call, which has 8 s: lower timeout to 2",
        ),
    ],
)
async def test_what_cannot_be_done_in_time_is_a_warning(
    tmp_path: Path, server: dict[str, Any], settings: dict[str, Any], says: str
) -> None:
    """With the numbers, and which setting to change."""
    assert await told(tmp_path, server, **settings) == [("warning", says)]


async def test_rows_of_one_channel_go_one_after_another(tmp_path: Path) -> None:
    """A rate that they cannot follow makes calls that are too large."""
    async with stand_ins() as reached:
        found = await checked(tmp_path, reached["slack"].settings | {"rate": 5})

    assert found.of("speed") == [
        (
            "warning",
            "a call of 110 rows needs about 110 s and has 22: rows of one place, such as a "
            "channel, go one after another, about 1 s each; lower rate to 1",
        )
    ]


@pytest.mark.parametrize(
    ("limits", "says"),
    [
        (LIMITS, "calls of 220 rows are delivered in about 22 s of 25"),
        (replace(LIMITS, rate=per_second(1)), "calls of 22 rows are delivered in about 21 s of 25"),
        (
            replace(LIMITS, batch_size=500, concurrency=7, latency=3.0),
            "calls of 10,000 rows are delivered in about 9 s of 25",
        ),
    ],
)
def test_what_can_be_done_is_told_with_its_numbers(limits: Limits, says: str) -> None:
    """How many rows a call brings, and how long they take."""
    [found] = speed([limits], 25.0, 10_000)

    assert (found.level, found.says) == ("ok", says)


def test_a_vendor_that_is_slower_than_a_call_is_a_warning() -> None:
    """The deadline to set is named."""
    [found] = speed([replace(LIMITS, latency=60.0)], 25.0, 10_000)

    assert (found.level, found.says) == (
        "warning",
        "a call of 10 rows needs about 60 s and has 22: raise server.deadline to 63",
    )
