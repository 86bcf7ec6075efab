"""Options on a terminal: what a schema asks for, what is typed, what becomes of it."""

import io
import sys
from typing import Any

import pytest

from destination.cli.sync.form import ask_options
from destination.cli.sync.kinds import kind_of


@pytest.mark.parametrize(
    ("schema", "typed", "value"),
    [
        ({"type": "string"}, "a, b", "a, b"),
        ({}, "text", "text"),
        ({"type": ["null", "integer"]}, "12345678901234567890123", 12345678901234567890123),
        ({"type": "number"}, "-1.5", -1.5),
        ({"type": "number"}, "2", 2),
        ({"type": "boolean"}, "Y", True),
        ({"type": "boolean"}, "no", False),
        ({"enum": ["a", "b"]}, "2", "b"),
        ({"enum": ["a", "b"]}, "a", "a"),
        ({"type": "integer", "enum": [10, 20]}, "1", 10),
        ({"type": "integer", "enum": [10, 20]}, "20", 20),
        ({"oneOf": [{"const": "a", "title": "A"}, {"const": None}]}, "2", None),
        ({"type": "array", "items": {"type": "string"}}, "a, b,", ["a", "b"]),
        ({"type": "array", "items": {"type": "string"}}, '["a,b"]', ["a,b"]),
        ({"type": "array", "items": {"enum": ["x", "y", "z"]}}, "3, x", ["z", "x"]),
        ({"type": "array", "items": {"type": "integer"}}, "[1, 2]", [1, 2]),
        ({"type": "object"}, '{"a": []}', {"a": []}),
        ({"type": 7}, "true", "true"),
    ],
)
def test_what_is_typed_becomes_the_value(schema: dict[str, Any], typed: str, value: Any) -> None:
    """Each type of option is typed as a person would, and its value shown so that it can be."""
    kind = kind_of(schema)

    assert kind.read(typed) == value
    assert type(kind.read(typed)) is type(value)
    assert kind.read(kind.write(value)) == value


@pytest.mark.parametrize(
    ("schema", "typed"),
    [
        ({"type": "integer"}, "1.5"),
        ({"type": "integer"}, "true"),
        ({"type": "number"}, "false"),
        ({"type": "number"}, "one"),
        ({"type": "boolean"}, "perhaps"),
        ({"enum": ["a", "b"]}, "3"),
        ({"enum": ["a", "b"]}, "0"),
        ({"enum": ["a", "b"]}, "c"),
        ({"type": "array", "items": {"enum": ["a"]}}, "a, b"),
        ({"type": "array"}, "a"),
        ({"type": "object"}, "[]"),
        ({"type": "object"}, "[" * 100_000),
    ],
)
def test_what_does_not_fit_is_refused(schema: dict[str, Any], typed: str) -> None:
    """What is typed and is no value of the type is refused, with what to type instead."""
    kind = kind_of(schema)

    with pytest.raises(ValueError):
        kind.read(typed)
    assert kind.expected.startswith("Type ")


@pytest.mark.parametrize(
    ("schema", "lines", "values"),
    [
        ({}, [], {}),
        ({"properties": "none"}, [], {}),
        ({"properties": {"a": None}}, [""], {}),
        ({"properties": {"a": {"const": "fixed"}}}, [""], {"a": "fixed"}),
        ({"properties": {"a": {"type": "boolean", "default": "wrong"}}}, ["no"], {"a": False}),
        ({"properties": {"a": {"enum": ["x"], "default": "y"}}}, ["1"], {"a": "x"}),
        (
            {"$defs": {"C": {"enum": ["x", "y"]}}, "properties": {"a": {"$ref": "#/$defs/C"}}},
            ["2"],
            {"a": "y"},
        ),
        (
            {
                "$defs": {"C": {"enum": [1]}},
                "properties": {"a": {"allOf": [{"$ref": "#/$defs/C"}]}},
            },
            ["1"],
            {"a": 1},
        ),
        (
            {"properties": {"a": {"anyOf": [{"type": "integer"}, {"type": "null"}]}}},
            ["x", "4"],
            {"a": 4},
        ),
        ({"properties": {"a": {"$ref": "#/properties/a"}}}, ["loop"], {"a": "loop"}),
        ({"properties": {"a": {"anyOf": [{"$ref": "#/properties/a"}] * 99}}}, [""], {}),
        ({"required": ["a"], "properties": {"a": {"default": ""}}}, ["", "b"], {"a": "b"}),
        ({"properties": {"a": {"$ref": "https://example.com/"}}}, ["far"], {"a": "far"}),
    ],
)
def test_schemas_are_followed_as_far_as_they_make_sense(
    monkeypatch: pytest.MonkeyPatch, schema: dict[str, Any], lines: list[str], values: Any
) -> None:
    """References within the document are followed, circles end, nonsense is asked for as text."""
    typed = io.StringIO("".join(f"{line}\n" for line in lines))
    monkeypatch.setattr(sys, "stdin", typed)

    assert ask_options(schema) == values
    assert typed.read() == ""
