"""What answers of a run mean, as well as they can be understood."""

from typing import Any

import pytest
from odd_server import BEHAVIOR, EVERYTHING

from destination.cli.sync.answers import BadAnswer, Behavior, Problems, refusals
from destination.model import Operation

ROWS = [{"id": 1}, {"id": 2}, {"id": 3}]


@pytest.mark.parametrize(
    ("behavior", "said"),
    [
        (None, "answered null where an object is expected"),
        ([], "answered a list where an object is expected"),
        ({"operations": EVERYTHING}, "answered no batchSize"),
        (BEHAVIOR | {"batchSize": 0}, "answered 0; batchSize must be a whole number"),
        (BEHAVIOR | {"batchSize": "100"}, "answered a text; batchSize must be"),
        (BEHAVIOR | {"batchSize": True}, "answered True; batchSize must be"),
        (BEHAVIOR | {"batchSize": 2.5}, "answered 2.5; batchSize must be"),
        ({"batchSize": 5}, "must say in operations"),
    ],
)
def test_a_behavior_that_says_nothing_useful_is_refused(behavior: Any, said: str) -> None:
    """Without a batch size and operations no row can be sent; what is missing is said."""
    with pytest.raises(BadAnswer, match=said):
        Behavior.read(behavior, Problems())


def test_a_behavior_may_count_in_floats() -> None:
    """100.0 is 100, as in JavaScript; other members do not matter."""
    behavior = Behavior.read(BEHAVIOR | {"batchSize": 100.0, "more": 1}, problems := Problems())

    assert behavior == Behavior(100, frozenset(Operation), skip_initial_run=False)
    assert not problems


@pytest.mark.parametrize(
    ("result", "said"),
    [
        ({}, "answered no rejectedRows where a list is expected"),
        ([], "answered no rejectedRows where a list is expected"),
        ("ok", "answered no rejectedRows where a list is expected"),
        ({"rejectedRows": None}, "answered null as rejectedRows where a list is expected"),
        ({"rejectedRows": {"1": "no"}}, "answered an object as rejectedRows"),
    ],
)
def test_an_answer_that_says_nothing_of_the_rows_is_refused(result: Any, said: str) -> None:
    """An answer that does not say which rows were rejected is none."""
    with pytest.raises(BadAnswer, match=said):
        refusals(result, ROWS, "id", Problems())


@pytest.mark.parametrize(
    ("rejected", "rows", "problem"),
    [
        ([{"id": 9, "reason": "no"}], 0, "rejectedRows named an id that was not sent"),
        ([{"reason": "no"}], 0, "rejectedRows had an entry without id"),
        (["1"], 0, "rejectedRows had an entry without id"),
        ([{"id": None, "reason": "no"}], 0, "rejectedRows named an id that was not sent"),
        ([{"id": {}, "reason": "no"}], 0, "rejectedRows named an id that was not sent"),
        ([{"id": "2", "reason": "no"}], 1, "An id came back altered"),
        ([{"id": 2.0, "reason": "no"}], 1, "An id came back altered"),
        ([{"id": 2}], 1, "A rejected row had no reason"),
        ([{"id": 2, "reason": {"why": 1}}], 1, "A rejected row had no reason"),
        ([{"id": 2, "reason": "a"}, {"id": 2, "reason": "b"}], 1, "named an id twice"),
    ],
)
def test_careless_rejections_are_understood_as_well_as_can_be(
    rejected: Any, rows: int, problem: str
) -> None:
    """Rejections that name no row of the batch, or carelessly, are counted as problems."""
    found = refusals({"rejectedRows": rejected}, ROWS, "id", problems := Problems())

    assert list(found) == [1][:rows]
    assert [problem in each for each in problems] == [True]
