"""A server killed at random moments: the short form of ``make crash``."""

from pathlib import Path

import pytest
from chaos.crash import POLICIES, walk

KILLS = 5


@pytest.mark.parametrize("seed", [1])
async def test_f59_what_was_delivered_survives_a_kill(tmp_path: Path, seed: int):
    """Killed in the middle of batches, nothing is lost, and only what was in flight comes twice."""
    async with walk(tmp_path, seed) as walked:
        for number in range(1, KILLS + 1):
            await walked.kill(number)

        assert walked.verdict() == []

    for policy in POLICIES:
        phases = walked.tallies[policy].phases
        assert phases.total() == KILLS
        assert phases["while sending"] > 0
