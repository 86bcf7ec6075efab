"""A condition over a row, as Liquid's ``if`` would decide."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from destination.template import Condition, TemplateError, TemplateSyntaxError

ROW = {"plan": "pro", "total": 12.5, "tags": ["a", "b"], "user": {"vip": True}, "none": None}


@pytest.mark.parametrize(
    ("source", "holds"),
    [
        ('plan == "pro"', True),
        ("plan == 'free'", False),
        ('plan == "pro" and total > 12', True),
        ('plan == "free" or user.vip', True),
        ('tags contains "b"', True),
        ("total", True),
        ("none", False),
        ("unknown", False),
        ("unknown.deeper == nil", True),
        ("total >= 12.5", True),
        (' plan\n== "pro" ', True),
        ("user", True),
    ],
)
def test_it_decides_like_liquid(source: str, holds: bool) -> None:
    """Names that the row does not have are null; null and false do not hold."""
    assert Condition.parse(source).holds(ROW) is holds


def test_its_columns_are_known() -> None:
    """The names that it reads are those at the top."""
    assert Condition.parse("a.b == c and d").columns == {"a", "c", "d"}


@pytest.mark.parametrize(
    ("source", "line", "column", "problem"),
    [
        ("", 1, 1, "must not be empty"),
        (" \n ", 1, 1, "must not be empty"),
        ("{{ plan }}", 1, 1, "without {{"),
        ('plan == "x" %} yes', 1, 13, "without %}"),
        ("total >\n> 3", 2, 1, ""),
        ("plan = 'pro'", 1, 6, ""),
        ("total > 1 | upcase", 1, 11, ""),
        ("(a or b", 1, 1, ""),
    ],
)
def test_what_is_none_is_told_with_its_place(
    source: str, line: int, column: int, problem: str
) -> None:
    """Line and column are the condition's own."""
    with pytest.raises(TemplateSyntaxError) as raised:
        Condition.parse(source)

    assert (raised.value.line, raised.value.column) == (line, column)
    assert problem in raised.value.problem


def test_one_that_fails_says_nothing_of_the_row() -> None:
    """What asks for too much rejects the row, under the word that the operator knows."""
    with pytest.raises(TemplateError) as raised:
        Condition.parse("plan contains plan and plan contains plan").holds(
            {"plan": "hunter2" * 10**6}
        )

    assert raised.value.message.startswith("condition: ")
    assert "hunter2" not in raised.value.message


@settings(deadline=None)
@given(st.text() | st.sampled_from(["%} yes {% endif %}", "{{ b }}", '" or b == "']), st.text())
def test_a_value_never_changes_what_is_asked(a: str, b: str) -> None:
    """A value is compared, whatever marks it holds."""
    assert Condition.parse('a == "x" or a == b').holds({"a": a, "b": b}) is (a in ("x", b))
