"""A server killed at random moments: the short form of ``make crash``."""

from pathlib import Path

import pytest
from chaos.crash import POLICIES, Walk, walk

KILLS, MOST = 5, 25
"""How often a server is killed, and at most until a kill met what it is about."""


def _in_the_middle(walked: Walk) -> bool:
    return all(walked.tallies[policy].phases["while sending"] for policy in POLICIES)


@pytest.mark.parametrize("seed", [1])
async def test_f59_what_was_delivered_survives_a_kill(tmp_path: Path, seed: int):
    """Killed in the middle of batches, nothing is lost, and only what was in flight comes twice."""
    async with walk(tmp_path, seed) as walked:
        kills = 0
        while kills < KILLS or (kills < MOST and not _in_the_middle(walked)):
            kills += 1
            await walked.kill(kills)

        assert walked.verdict() == []

    assert _in_the_middle(walked)
