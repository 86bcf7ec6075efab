"""The demo, run as a person runs it, and its judgement."""

import re
import subprocess
import sys
from pathlib import Path

from destination.cli.demo import differences, expected, people

ROOT = Path(__file__).parents[2]


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
    lines = re.findall(
        r"│\s*(\d*)\s*│\s*([\w ]*?)\s*│\s*(\d+)\s*│\s*(\d+)\s*│\s*(\d+)\s*│", done.stdout
    )
    numbers = [(int(sent), int(accepted), int(rejected)) for *_, sent, accepted, rejected in lines]
    assert len(numbers) == 7
    assert all(sent == accepted + rejected for sent, accepted, rejected in numbers)
    assert numbers[-1] == tuple(map(sum, zip(*numbers[:-1], strict=True)))
    assert numbers[0][0] == len(people().runs[0])


def test_the_judgement_sees_every_difference() -> None:
    """A row that is missing, too many or altered is named; equal contents give nothing."""
    wanted = expected(people())
    first, second, third = list(wanted)[:3]
    holds = wanted | {first: {"email": "other@example.com"}, "extra": {}}
    del holds[second]

    assert differences(wanted, wanted) == []
    assert differences(wanted, holds) == sorted(
        [f"different: {first}", f"missing: {second}", "should not be there: extra"]
    )
    assert third in wanted
