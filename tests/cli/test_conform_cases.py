"""Each conformance case notices a server that is wrong in the way that the case is about."""

import pytest
from conform_faults import FAULTS
from conforming import CASES, faulty, results

from destination.cli.conform import bodies, wire
from destination.cli.conform.case import Outcome
from destination.cli.conform.verdict import Level


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "REFUSAL_SECONDS", 0.5)
    monkeypatch.setattr(wire, "INVITATION", 0.1)


def test_there_is_a_fault_for_each_case() -> None:
    """No case is left that might not be able to fail."""
    assert FAULTS.keys() == CASES.keys()


@pytest.mark.parametrize("id", CASES)
async def test_a_case_notices_its_fault(kinds_for_tests: None, id: str) -> None:
    """A server that is wrong in one way fails that case: a must as failed, a should as warned."""
    async with faulty(FAULTS[id]) as url:
        _, found = await results(url, id)

    wanted = Outcome.FAILED if CASES[id].level is Level.MUST else Outcome.WARNED
    assert found[id].outcome is wanted, found[id]
    assert found[id].says
    assert found[id].sent is not None
    assert found[id].came
