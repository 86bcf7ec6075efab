"""Several faults at once, drawn from a seed: the short form of ``make chaos``."""

from collections.abc import Iterator

import pytest
from chaos.composition import composed
from chaos.hosts import in_this_process
from chaos.plan import SHORT, drawn

from destination.testing.vendor import Vendor

SEEDS = 20


@pytest.fixture(scope="module")
def vendor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Vendor]:
    """One process for all seeds."""
    vendor = Vendor(tmp_path_factory.mktemp("vendor") / "log")
    vendor.start()
    yield vendor
    vendor.stop()


@pytest.mark.parametrize("seed", range(SEEDS))
async def test_d1_all_promises_hold_under_several_faults_at_once(vendor: Vendor, seed: int):
    """Whatever faults meet, the oracle finds nothing, and all is delivered when they are gone."""
    plan = drawn(seed, SHORT)

    outcome = await composed(plan, vendor, in_this_process)

    assert outcome.violations == [], f"{plan}; replay: make chaos ARGS='--seed {seed} --short'"
    assert outcome.figures["rows that it took"] > 0
