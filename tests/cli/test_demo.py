"""The demo, run as a person runs it, and its judgement."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from destination import registry
from destination.cli.people import PEOPLE, differences, expected, people

ROOT = Path(__file__).parents[2]
LINE = r"│\s*\d*\s*│\s*[\w ]*?\s*│\s*(\d+)\s*│\s*(\d+)\s*│\s*(\d+)\s*│"


def test_the_demo_ends_well_and_its_table_adds_up(tmp_path: Path) -> None:
    """The demo exits 0, and in every line of its table sent is accepted plus rejected."""
    done = subprocess.run(
        [sys.executable, "-m", "destination", "demo"],
        cwd=tmp_path,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=90,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    for kind in registry.stand_ins():
        shown = done.stdout.split(f"{kind}: rows")[1].split("It holds")[0]
        numbers = [
            (int(sent), int(accepted), int(rejected))
            for sent, accepted, rejected in re.findall(LINE, shown)
        ]
        assert len(numbers) == 7
        assert all(sent == accepted + rejected for sent, accepted, rejected in numbers)
        assert numbers[-1] == tuple(map(sum, zip(*numbers[:-1], strict=True)))
        assert numbers[0][0] == len(people(registry.stand_in(kind)()).runs[0])


def test_the_judgement_sees_every_difference() -> None:
    """What is missing, too many, altered or held twice is named; equal contents give nothing."""
    wanted = expected(people(registry.stand_in("webhook")()))
    first, second, *rest = wanted
    holds = [
        first | {"fields": {"email": "other@example.com"}},
        *rest,
        rest[0],
        {"id": "extra", "fields": {}},
    ]

    assert differences(wanted, list(reversed(wanted))) == []
    assert differences(wanted, holds) == sorted(
        [
            f"different: {first['id']}",
            f"missing: {second['id']}",
            f"held 2 times: {rest[0]['id']}",
            "should not be there: extra",
        ]
    )


@pytest.mark.parametrize("kind", registry.stand_ins())
def test_every_stand_in_sees_people_come_change_and_go(kind: str) -> None:
    """Of the people sent to a stand-in some are added, some changed and some removed."""
    scenario = people(registry.stand_in(kind)())
    before, after = ({row["id"]: row for row in run} for run in scenario.runs)

    assert before.keys() - after.keys()
    assert after.keys() - before.keys()
    assert any(before[id] != after[id] for id in before.keys() & after.keys())


def test_the_webhook_s_sync_is_the_example() -> None:
    """What the demo configures is what stands in ``examples/people/sync.json``."""
    example = json.loads((PEOPLE / "sync.json").read_text("utf-8"))

    assert registry.stand_in("webhook")().sync() | {"customMappings": []} == example
