"""The rules for a form that react-jsonschema-form shows, and the forms of every kind and file."""

from pathlib import Path
from typing import Any

import pytest
from checking import checked, vendor
from commands import ROOT

from destination import registry
from destination.cli.check.finding import Level
from destination.cli.check.form import bare
from destination.cli.rjsf import WIDGETS, problems
from destination.spec.kinds import load as load_spec

EXAMPLES = sorted((ROOT / "examples" / "specs").iterdir())


def form(prop: Any = None, **members: Any) -> dict[str, Any]:
    """A schema with one option, called plan."""
    made = {"type": "object", "properties": {"plan": prop or {"type": "string"}}}
    return {**made, **members}


def test_a_plain_form_has_no_problem() -> None:
    """Of each type there is."""
    every = {
        "text": {"type": "string", "default": "a", "pattern": "^a$"},
        "maybe": {"type": ["string", "null"]},
        "number": {"type": "number", "minimum": 0, "default": 1.5},
        "yes": {"type": "boolean", "default": False},
        "list": {"type": "array", "items": {"type": "string"}, "default": ["a"]},
        "choice": {"enum": ["a", "b"], "enumNames": ["A", "B"], "type": "string", "default": "a"},
        "either": {"oneOf": [{"const": "a", "title": "A"}, {"const": "b"}]},
        "known": {"$ref": "#/$defs/Known", "default": "x"},
    }
    schema = {
        "type": "object",
        "properties": every,
        "required": ["text"],
        "$defs": {"Known": {"type": "string", "enum": ["x"]}},
    }
    hints = {"text": {"ui:widget": "textarea"}, "yes": {"ui:widget": "radio"}, "ui:order": ["*"]}

    assert list(problems(schema, hints)) == []


@pytest.mark.parametrize(
    ("schema", "problem"),
    [
        ({"type": "array"}, "its schema is no object with properties: make it one"),
        (
            {"type": "object", "properties": {"mode": {"type": "string"}}},
            'an option is called "mode", which is taken: rename it',
        ),
        (
            form(**{"$schema": "https://json-schema.org/draft/2020-12/schema"}),
            "$schema names another draft than 7, which the form's validator refuses: leave it out",
        ),
        (
            form(required=["plan", "size"]),
            '"size" is required and is no option: the form can never be complete',
        ),
        (form([1]), 'option "plan" is no schema: make it an object'),
        (
            form({"title": "Plan"}),
            'option "plan" has no type, so no field is shown for it: name its type',
        ),
        (
            form({"type": "date"}),
            'option "plan" has the type "date", for which there is no field',
        ),
        (form({"type": "array"}), 'option "plan" is a list of nobody knows what: say its items'),
        (
            form({"type": "array", "items": {"$ref": "#/$defs/Gone"}}),
            'option "plan" refers to #/$defs/Gone, which is not there',
        ),
        (
            form({"$ref": "https://example.com/schema"}),
            'option "plan" refers to https://example.com/schema, which is not there',
        ),
        (
            form({"type": "string", "enum": []}),
            'option "plan" has an empty list of choices: leave enum out, or fill it',
        ),
        (
            form({"type": "string", "enum": [1, 2]}),
            'option "plan" has choices that are not of its type, string: none can ever be valid',
        ),
        (
            form({"type": "string", "enum": ["a"], "enumNames": ["A", "B"]}),
            'option "plan" has 1 choices and 2 names for them',
        ),
        (
            form({"type": "string", "pattern": "(?P<first>a)"}),
            'option "plan" has a pattern that JavaScript does not read: write it without '
            "Python's own marks",
        ),
        (
            form({"type": "integer", "default": "many"}),
            'option "plan" has a default that is none of its values: correct it',
        ),
        (
            form({"type": "string", "maxLength": "long"}),
            "properties.plan.maxLength is not JSON Schema: 'long' is not of type 'integer'",
        ),
    ],
)
def test_a_form_that_cannot_be_shown_is_told(schema: dict[str, Any], problem: str) -> None:
    """A sentence that names the option and says what to do."""
    assert problem in list(problems(schema, {}))


@pytest.mark.parametrize(
    ("hints", "problem"),
    [
        (
            {"plan": {"ui:widget": "checkboxes"}},
            'option "plan" asks for the widget "checkboxes", which does not show a string',
        ),
        ({"plna": {}}, 'there is a hint for "plna", which is no option: correct the name'),
    ],
)
def test_a_hint_that_cannot_be_followed_is_told(hints: dict[str, Any], problem: str) -> None:
    """A widget that does not show the type, and an option that there is not."""
    assert list(problems(form(), hints)) == [problem]


@pytest.mark.parametrize("kind", WIDGETS)
def test_each_widget_of_a_type_shows_it(kind: str) -> None:
    """Those that are listed are no problem; a class is named as it is registered."""
    items = {"items": {"type": "string"}} if kind == "array" else {}
    prop = {"type": kind, **items}
    for widget in (*WIDGETS[kind], "OurOwnWidget"):
        assert list(problems(form(prop), {"plan": {"ui:widget": widget}})) == []


@pytest.mark.parametrize("kind", registry.kinds())
def test_the_form_of_every_kind_can_be_shown(kind: str) -> None:
    """Without what only its vendor knows; with it, ``check`` looks at it against the stand-in."""
    assert [each.level for each in bare(registry.load(kind))] == [Level.OK]


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_the_form_of_every_example_can_be_shown(path: Path) -> None:
    """Spec files say their own schema."""
    assert [each.level for each in bare(load_spec(path))] == [Level.OK]


async def test_check_tells_of_a_form_that_cannot_be_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a failure for each thing that is wrong, once for all modes."""

    async def broken(*_: object) -> Any:
        return form({"type": "date"}), {}

    monkeypatch.setattr("destination.instance.Instance.form", broken)
    async with vendor() as one:
        told = await checked(tmp_path, one.webhook())

    says = 'option "plan" has the type "date", for which there is no field'
    assert told.of("form") == [("failed", f"Hightouch cannot show it: {says}")]
    assert told.code == 1
