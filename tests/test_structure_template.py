"""A structure of templates gives a value of JSON, its texts filled in."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from destination.errors import ConfigError
from destination.template import MAX_SOURCE, Structure, TemplateError, TemplateSyntaxError
from destination.template.structure import MAX_DEPTH, MAX_VALUES

ROW = {
    "name": 'Ada "x"',
    "total": 12.5,
    "big": 2**80,
    "exact": Decimal("0.1234567890123456789"),
    "tags": ["a", {"b": 1}],
    "void": None,
}


def nested(depth: int) -> Any:
    value: Any = "{{ x }}"
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("structure", "expected"),
    [
        ("{{ total }}", 12.5),
        ("{{ total }} EUR", "12.5 EUR"),
        ({"z": "{{ big }}", "a": "{{ exact }}"}, {"z": 2**80, "a": ROW["exact"]}),
        ({"user": {"name": "{{ name }}"}}, {"user": {"name": 'Ada "x"'}}),
        ({"tags": "{{ tags }}", "one": "{{ tags | first }}"}, {"tags": ROW["tags"], "one": "a"}),
        ({"json": "{{ tags | json }}"}, {"json": '["a",{"b":1}]'}),
        (["x", 1, 1.5, True, None, Decimal("1.50")], ["x", 1, 1.5, True, None, Decimal("1.50")]),
        ({"a.b/c": "{{ name | upcase }}"}, {"a.b/c": 'ADA "X"'}),
        ({}, {}),
        ("", ""),
    ],
)
def test_texts_are_filled_in(structure: Any, expected: Any) -> None:
    """One expression gives its value, any other text is text, and all else stays."""
    result = Structure.parse(structure).value(ROW)

    assert result == expected
    assert type(result) is type(expected)
    if isinstance(expected, dict):
        assert list(result) == list(expected)


@pytest.mark.parametrize(
    ("structure", "omitted", "kept"),
    [
        ({"a": "{{ nope }}", "b": 1}, {"b": 1}, {"a": None, "b": 1}),
        ({"a": "{{ tags.nope.deep }}"}, {}, {"a": None}),
        ({"a": "{{ void }}"}, {"a": None}, {"a": None}),
        ({"a": " {{ nope }}"}, {"a": " "}, {"a": " "}),
        ({"a": "{{ nope | upcase }}"}, {"a": ""}, {"a": ""}),
        ({"a": "{{ nope | default: nil }}"}, {"a": None}, {"a": None}),
        ({"a": {"b": "{{ nope }}"}}, {"a": {}}, {"a": {"b": None}}),
        (["{{ nope }}", "{{ void }}"], [None, None], [None, None]),
        ("{{ nope }}", None, None),
    ],
)
def test_what_is_missing_is_left_out_or_null(structure: Any, omitted: Any, kept: Any) -> None:
    """A member whose name the row does not have is left out; what is null there stays null."""
    assert Structure.parse(structure).value(ROW) == omitted
    assert Structure.parse(structure, omit_missing=False).value(ROW) == kept


@given(value=st.text() | st.integers() | st.none() | st.lists(st.text()))
def test_a_value_stays_in_its_leaf(value: Any) -> None:
    """Whatever a value is, it is the value of its leaf, or part of its text."""
    structure = Structure.parse({"a": "{{ v }}", "b": ["x{{ v }}", "{{ v }}"], "c": 1})
    result = structure.value({"v": value})

    assert result["a"] == result["b"][1] == value
    assert list(result) == ["a", "b", "c"]
    assert result["b"][0].startswith("x")


@pytest.mark.parametrize(
    ("structure", "message"),
    [
        ({"user": {"~na/me": ["{{ a"]}}, "/user/~0na~1me/0: line 1, column 1: '{{' without '}}'"),
        ({"a": "x\n{{ b | nope }}"}, "/a: line 2, column 8: unknown filter 'nope'"),
        ("{{#if a}}", "line 1, column 3: Handlebars blocks"),
        ({"a": {"{{ b }}": 1}}, "/a: a name must be text, and cannot be a template"),
        ({1: 2}, "a name must be text"),
        ({"a": date(2026, 1, 31)}, "/a: a date is no value of JSON: write it as text"),
        ({"a": float("nan")}, "/a: a float is no value of JSON"),
        ({"a": Decimal("Infinity")}, "/a: a Decimal is no value of JSON"),
        ([b"x"], "/0: a bytes is no value of JSON"),
        (["\ud800"], "A text of the structure is not Unicode"),
        (nested(MAX_DEPTH + 1), "nested more than 32 deep"),
        ([None] * MAX_VALUES, "more than 1,000 values"),
        (["x" * 1000] * 66, "larger than 64 kB"),
        ({"é" * MAX_SOURCE: 1}, "larger than 64 kB"),
    ],
    ids=lambda case: str(case)[:40],
)
def test_a_fault_is_told_with_its_place(structure: Any, message: str) -> None:
    """What no structure can hold is refused; the message says where it stands."""
    with pytest.raises(ConfigError) as caught:
        Structure.parse(structure)

    assert caught.value.message.startswith(message) or message in caught.value.message
    assert isinstance(caught.value, TemplateSyntaxError) == ("line" in message)


def test_what_is_nested_as_deep_as_allowed_is_taken() -> None:
    """The limits themselves can be reached."""
    assert Structure.parse(nested(MAX_DEPTH)).value({"x": 1}) == eval("[" * 32 + "1" + "]" * 32)
    assert len(Structure.parse([1] * (MAX_VALUES - 1)).value({})) == MAX_VALUES - 1


def test_a_structure_inside_itself_is_refused() -> None:
    """A YAML file whose anchor names itself, or is named too often, ends at a limit."""
    loop: list[Any] = []
    loop.append(loop)
    laughs: Any = ["{{ x }}"] * 10
    for _ in range(20):
        laughs = [laughs] * 10

    for value in (loop, laughs):
        with pytest.raises(ConfigError):
            Structure.parse(value)


def test_a_failure_names_its_leaf() -> None:
    """A template that fails on a row is told with its place and without values."""
    structure = Structure.parse({"a": {"b": "x {{ v | base64_decode }}"}})

    with pytest.raises(TemplateError) as caught:
        structure.value({"v": "Zq884"})

    assert caught.value.message == "/a/b: line 1: base64_decode cannot take these values"


@pytest.mark.parametrize(
    ("leaf", "cause"),
    [
        ("{% for i in (1..5000) %}{% endfor %}", "10,000 loop iterations"),
        ("{% for i in (1..20) %}{% assign a = v | upcase %}{% endfor %}", "too much work"),
        ("{{ v | upcase }}", "too much work"),
    ],
)
def test_all_leaves_share_one_allowance(leaf: str, cause: str) -> None:
    """A structure of many leaves may not do more for a row than a single template."""
    row = {"v": "x" * 50_000}

    Structure.parse([leaf]).value(row)
    with pytest.raises(TemplateError, match=cause):
        Structure.parse([leaf] * 200).value(row)


def test_leaves_do_not_know_each_other() -> None:
    """A variable of one template is unknown to the next."""
    structure = Structure.parse(["{% assign a = 1 %}{{ a }}", "{{ a }}", "{% increment n %}"] * 2)

    assert structure.value({}) == ["1", None, "0"] * 2


def test_every_row_gets_lists_of_its_own() -> None:
    """What a caller does to one result is not seen in the next."""
    structure = Structure.parse({"a": [1, {"b": []}]})
    structure.value({})["a"][1]["b"].append(1)

    assert structure.value({}) == {"a": [1, {"b": []}]}


def test_it_knows_its_columns() -> None:
    """The columns are those of all its templates."""
    structure = Structure.parse({"a": "{{ b }}", "c": ["{{ d.e }}", "{% if f %}{% endif %}", "g"]})

    assert structure.columns == {"b", "d", "f"}
    assert Structure.parse([1]).columns == frozenset()


def test_now_may_be_given() -> None:
    """The word now means one moment in all leaves."""
    structure = Structure.parse(["{{ 'now' | date: '%Y' }}"] * 2)

    assert structure.value({}, now=datetime(1999, 1, 1, tzinfo=UTC)) == ["1999", "1999"]
