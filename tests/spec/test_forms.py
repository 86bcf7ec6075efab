"""Settings and options of a spec file: JSON Schema in, a model out that keeps secrets."""

from typing import Any

import pytest
from pydantic import BaseModel, SecretStr, TypeAdapter, ValidationError

from destination.model import Form
from destination.problems import explained
from destination.schema import form_schema
from destination.spec.forms import FormSchema, model_of, plain

FORM = {
    "required": ["token"],
    "properties": {
        "token": {"title": "Token", "type": "string", "writeOnly": True, "minLength": 3},
        "region": {"enum": ["eu", "us"], "default": "eu"},
        "size": {"type": "integer", "minimum": 1},
        "share": {"type": "number"},
        "strict": {"type": "boolean", "default": False},
        "tags": {"type": "array", "items": {"type": "string"}, "maxItems": 2},
        "extra": {"type": "object"},
    },
}


def model() -> type[BaseModel]:
    return model_of("Settings", FORM)


def refused(**values: Any) -> list[str]:
    """Why values are refused."""
    with pytest.raises(ValidationError) as caught:
        model().model_validate(values)
    return explained(caught.value, model())


def test_values_are_seen_as_they_are() -> None:
    """Templates see secrets in clear, defaults, and nothing of what was not given."""
    made = model().model_validate({"token": "t0p", "size": "3", "tags": ["a"], "extra": {"b": 1}})

    assert plain(made) == {
        "token": "t0p",
        "region": "eu",
        "size": 3,
        "strict": False,
        "tags": ["a"],
        "extra": {"b": 1},
    }


def test_a_secret_is_hidden() -> None:
    """What is ``writeOnly`` shows in no print, and its value in no error."""
    made: Any = model().model_validate({"token": "canary", "region": "us"})

    assert isinstance(made.token, SecretStr)
    assert "canary" not in f"{made!r} {made} {vars(made)}"
    assert "ca" not in str(refused(token="ca"))


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({}, "token: is missing"),
        ({"token": "t0p", "regoin": "eu"}, 'regoin: Setting "regoin" does not exist. Did you '),
        ({"token": "t0p", "region": "asia"}, "region: does not satisfy enum: ['eu', 'us']"),
        ({"token": "t0"}, "token: does not satisfy minLength: 3"),
        ({"token": "two\nlines"}, "token: must be one line of printable ASCII characters"),
        ({"token": "t0p", "size": 0}, "size: does not satisfy minimum: 1"),
        ({"token": "t0p", "size": True}, "size: must not be true or false"),
        ({"token": "t0p", "size": "three"}, "size: must be a whole number"),
        ({"token": "t0p", "share": False}, "share: must not be true or false"),
        ({"token": "t0p", "tags": ["a", "b", "c"]}, "tags: does not satisfy maxItems: 2"),
        ({"token": "t0p", "tags": ["a", 1]}, "tags.1: does not satisfy type: string"),
        ({"token": "t0p", "extra": []}, "extra: must be a table"),
    ],
)
def test_values_that_do_not_fit_are_told(values: dict[str, Any], told: str) -> None:
    """The name and what was expected, never the value."""
    assert refused(**values)[0].startswith(told)


def test_the_form_shows_what_the_file_says() -> None:
    """A marketer's form has the file's defaults and rules, and a title for each option."""
    shown = form_schema(model_of("Options", FORM), Form())

    assert shown is not None
    assert shown[0]["properties"]["size"] == {"title": "Size", "type": "integer", "minimum": 1}
    assert shown[0]["properties"]["region"] == {
        "title": "Region",
        "type": "string",
        "enum": ["eu", "us"],
        "default": "eu",
    }
    assert shown[0]["required"] == ["token"]


def test_no_properties_are_no_form() -> None:
    """A file without options has nothing to ask a marketer."""
    assert form_schema(model_of("Options", {}), Form()) is None


@pytest.mark.parametrize(
    ("schema", "told"),
    [
        ({"properties": []}, "properties: must be a table of names and their schemas"),
        ({"type": "array"}, "must be the schema of an object"),
        (
            {"oneOf": []},
            "oneOf: a form has $comment, description, properties, required, title, type only",
        ),
        ({"properties": {"a": {"$ref": "#/b"}}}, "$ref is not followed: write what it stands for"),
        ({"required": ["b"], "properties": {"a": {}}}, 'required: Property "b" does not exist. '),
        ({"required": "a", "properties": {"a": {}}}, "required: 'a' is not of type 'array'"),
        ({"properties": {"a": 1}}, "a: must be a JSON Schema"),
        (
            {"properties": {"a-b": {}}},
            "a-b: a name starts with a small letter and has letters, digits and underscores only",
        ),
        ({"properties": {"Ab": {}}}, "Ab: a name starts with a small letter and has "),
        ({"properties": {"model_dump": {}}}, "model_dump: this name is taken"),
        ({"properties": {"a": {"type": "strng"}}}, "a: its type must be one of string, integer, "),
        ({"properties": {"a": {"type": ["string", "null"]}}}, "a: its type must be one of "),
        ({"properties": {"a": {"type": "integer", "writeOnly": True}}}, "a: what is writeOnly is "),
        (
            {"properties": {"a": {"type": "object", "properties": {"b": {"writeOnly": True}}}}},
            "a: what is writeOnly stands by itself, not inside of another",
        ),
        ({"properties": {"a": {"pattern": "("}}}, "properties.a.pattern: '(' is not a 'regex'"),
        ({"properties": {"a": {"minLength": -1}}}, "properties.a.minLength: -1 is less than the "),
        (
            {"properties": {"a": {"enum": ["x"], "default": "y"}}},
            "a: its default is not one of its values",
        ),
    ],
)
def test_a_schema_of_which_no_form_can_be_made_is_told(schema: Any, told: str) -> None:
    """What is wrong stands behind the name of the property."""
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(FormSchema).validate_python(schema)

    [error] = caught.value.errors()
    assert error["msg"].removeprefix("Value error, ").startswith(told)


def test_all_that_is_wrong_with_a_schema_is_told() -> None:
    """One line for each thing."""
    schema = {"allOf": [], "properties": {"A": {"type": "date"}}}
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(FormSchema).validate_python(schema)

    assert len(caught.value.errors()[0]["msg"].splitlines()) == 3
