"""The operator's word on pace and patience, and the kind's where there is none."""

from destination.model import Limits
from destination.tuning import Tuning

KIND = Limits(batch_size=5, concurrency=7, attempts=4, timeout=3.0, remember=0.0)


def test_a_kind_has_its_own_limits():
    """Where the operator says nothing the kind's limits stand, its time for an attempt too."""
    assert Tuning().applied(KIND) == KIND


def test_the_operator_goes_first():
    """What is said replaces the kind's."""
    said = Tuning(timeout=20, attempts=1, concurrency=2, remember=1).applied(KIND)

    assert (said.timeout, said.attempts, said.concurrency, said.remember) == (20.0, 1, 2, 1.0)
