"""Which records are sent, and which together."""

from typing import Any

import pytest
from pydantic import ValidationError

from destination.errors import RowError
from destination.spec.selection import Selection, at, consents, group_of


def consenting(held: Any, *categories: str, path: str = "context.consent") -> bool:
    """Whether a record that holds this there consents."""
    selection = Selection(consent=categories or ("marketing",), consent_at=path)
    first, _, rest = path.partition(".")
    return consents(selection, {first: {rest: held} if rest else held})


@pytest.mark.parametrize(
    "held",
    [
        {"marketing": True},
        {"categories": {"marketing": True}},
        {"canonical": {"marketing": True}},
        {"marketing": "true"},
        {"marketing": "YES"},
        {"marketing": 1},
        {"marketing": "1"},
        '{"marketing": true}',
        {"canonical": '{"marketing": "t"}'},
        {"marketing": True, "analytics": False, "canonical": {"marketing": 1}},
    ],
)
def test_consent_is_found_in_three_places(held: Any):
    """In the object itself, under ``categories`` or ``canonical``; words and numbers will do."""
    assert consenting(held)


@pytest.mark.parametrize(
    "held",
    [
        None,
        {},
        {"marketing": None},
        {"marketing": False},
        {"marketing": 0},
        {"marketing": "no"},
        {"marketing": "perhaps"},
        {"marketing": 2},
        {"marketing": ""},
        {"marketing": ["true"]},
        {"Marketing": True},
        {"other": {"marketing": True}},
        {"canonical": True},
        "marketing",
        "{",
        ["marketing"],
        True,
    ],
)
def test_what_is_not_granted_is_refused(held: Any):
    """What is missing, or cannot be read as true, is no consent."""
    assert not consenting(held)


@pytest.mark.parametrize("place", ["categories", "canonical"])
@pytest.mark.parametrize("refused", [False, "no", "perhaps"])
def test_a_refusal_anywhere_is_one(place: str, refused: Any):
    """Of two places that tell of a category both must grant it."""
    assert not consenting({"marketing": True, place: {"marketing": refused}})
    assert not consenting({"marketing": refused, place: {"marketing": True}})


def test_every_category_is_needed():
    """One that is granted does not stand for another."""
    held = {"marketing": True, "canonical": {"analytics": True}}

    assert consenting(held, "marketing", "analytics")
    assert not consenting(held, "marketing", "advertising")


def test_without_categories_all_consent():
    """Nothing is asked where nothing is required."""
    assert consents(Selection(), {})


def test_the_place_is_the_operator_s():
    """Consent may stand in any field, and its object be the text of one."""
    assert consenting({"marketing": True}, path="consent")
    assert consenting({"marketing": True}, path="a.b")
    selection = Selection(consent=("marketing",))
    assert consents(selection, {"context": '{"consent": {"marketing": true}}'})


def test_a_group_is_a_value_of_its_type():
    """``1``, ``"1"`` and true are three groups; an empty value is none."""
    selection = Selection(group_by="order.id")
    groups = [group_of(selection, {"order": {"id": id}}) for id in (1, "1", True, 1, None, "")]

    assert groups[0] == groups[3]
    assert len({groups[0], groups[1], groups[2]}) == 3
    assert groups[4:] == [None, None]
    assert group_of(selection, {}) is None
    assert group_of(selection, {"order": "text"}) is None
    assert group_of(Selection(), {"order": {"id": 1}}) is None


@pytest.mark.parametrize("value", [[1], {"a": 1}])
def test_what_cannot_be_compared_cannot_group(value: Any):
    """A list or an object is the row's fault, by the field's name."""
    with pytest.raises(RowError, match=r"^order: a list or an object cannot group rows$"):
        group_of(Selection(group_by="order"), {"order": value})


@pytest.mark.parametrize("value", [None, 5, "text", [1], {"b": 1}])
def test_a_path_that_leads_nowhere_is_none(value: Any):
    """Whatever stands on the way."""
    assert at({"a": value}, "a.x.y") is None
    assert at(value, "x") is None


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"filter": "plan = 1"}, "line 1, column 6"),
        ({"filter": "{{ plan }}"}, "without {{"),
        ({"filter": ""}, "must not be empty"),
        ({"group_by": ""}, "at least 1 character"),
        ({"consent_at": ""}, "at least 1 character"),
        ({"consent": "marketing"}, "valid tuple"),
    ],
)
def test_a_mistake_is_told_when_it_is_written(settings: dict[str, Any], problem: str):
    """Not when the first row comes."""
    with pytest.raises(ValidationError, match=problem):
        Selection.model_validate(settings)
