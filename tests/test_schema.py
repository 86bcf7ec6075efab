"""The form that a marketer sees, and what is said about the values typed into it."""

from typing import Annotated, Any, Literal

import jsonschema
import pytest
from pydantic import BaseModel, Field

from destination.errors import ConfigError
from destination.model import Form
from destination.plugin import NoOptions
from destination.schema import (
    TemplateText,
    form_schema,
    option_problems,
    option_values,
    parse_options,
)


class Options(BaseModel):
    """One option of each sort."""

    channel: str = Field(title="Channel", description="Where to.")
    count: Annotated[int, Field(ge=1, le=9)] = 3
    share: float = 0.5
    loud: bool = False
    tags: list[str] = []
    note: str | None = None
    size: Literal["s", "m"] = "s"
    text: TemplateText = Field("", title="Text")
    archive: bool = Field(False, alias="archiveOnRemove", title="Archive")


def shown(form: Form | None = None) -> tuple[dict[str, Any], dict[str, Any]]:
    """The form of the options above."""
    made = form_schema(Options, form or Form())
    assert made is not None
    return made


def problems(**values: Any) -> list[str]:
    """What is wrong with these values beside a good channel."""
    return list(option_problems(shown()[0], {"channel": "general", **values}))


class TestForm:
    """What is shown."""

    def test_a_model_without_fields_has_no_form(self):
        """There is nothing to ask."""
        assert form_schema(NoOptions, Form()) is None

    def test_the_schema_is_valid_and_names_every_option(self):
        """Properties stand under the names that the platform sends back, in their order."""
        schema, _ = shown()

        jsonschema.Draft202012Validator.check_schema(schema)
        assert schema["type"] == "object"
        assert list(schema["properties"]) == [
            "channel", "count", "share", "loud", "tags", "note", "size", "text", "archiveOnRemove",
        ]  # fmt: skip
        assert schema["required"] == ["channel"]

    def test_the_model_s_own_title_and_docstring_are_not_shown(self):
        """They are for programmers."""
        schema, _ = shown()

        assert "title" not in schema
        assert "description" not in schema
        assert schema["properties"]["channel"]["description"] == "Where to."

    def test_an_optional_option_has_no_null(self):
        """The form has no way to type a null: leaving out is how it is said."""
        assert shown()[0]["properties"]["note"] == {"title": "Note", "type": "string"}

    def test_a_template_is_a_text_area(self):
        """Room to write in, and nothing of ours left in the schema."""
        schema, ui = shown()

        assert ui == {"text": {"ui:widget": "textarea"}}
        assert "x-widget" not in schema["properties"]["text"]

    def test_choices_of_the_vendor_are_listed(self):
        """What only the vendor knows is a list, with the names that people know."""
        schema, ui = shown(Form(choices={"channel": {"C1": "#general", "C2": "#dev"}}))

        assert schema["properties"]["channel"]["enum"] == ["C1", "C2"]
        assert schema["properties"]["channel"]["enumNames"] == ["#general", "#dev"]
        assert ui["channel"] == {"ui:enumNames": ["#general", "#dev"]}

    def test_hints_are_passed_on(self):
        """A destination's own hints stand beside those that are derived."""
        _, ui = shown(Form(ui={"text": {"ui:help": "Liquid"}}))

        assert ui["text"] == {"ui:help": "Liquid", "ui:widget": "textarea"}

    def test_a_form_is_made_anew_each_time(self):
        """What one call's form holds is not in the next one's."""
        shown(Form(choices={"channel": {"C1": "#general"}}))

        assert "enum" not in shown()[0]["properties"]["channel"]


class TestValues:
    """Where option values are found."""

    @pytest.mark.parametrize(
        ("configuration", "values"),
        [
            ({}, {}),
            ({"channel": "a", "mappings": [], "other": 1}, {"channel": "a"}),
            ({"options": {"channel": "a", "other": 1}}, {"channel": "a"}),
            (
                {"options": {"channel": "a", "count": 2}, "channel": "b"},
                {"channel": "b", "count": 2},
            ),
            ({"channel": None, "options": {"channel": "a"}}, {"channel": "a"}),
            ({"channel": None, "options": None}, {}),
            ({"options": ["channel"]}, {}),
            ({"loud": False, "count": 0, "text": ""}, {"loud": False, "count": 0, "text": ""}),
            ({"archiveOnRemove": True, "archive": False}, {"archiveOnRemove": True}),
        ],
    )
    def test_they_stand_beside_the_mapping_or_under_options(self, configuration, values):
        """Top-level values win, nulls are absent, and nothing else is taken."""
        assert option_values(shown()[0], configuration) == values


class TestProblems:
    """What a marketer is told."""

    def test_good_values_have_none(self):
        """Values that fit the form are fine."""
        assert problems(count=9, loud=True, tags=["a"], size="m", archiveOnRemove=True) == []

    def test_a_missing_option_is_named_by_its_title(self):
        """As the form shows it, not as the program calls it."""
        assert list(option_problems(shown()[0], {})) == ['Option "Channel" is required.']

    @pytest.mark.parametrize(
        ("values", "problem"),
        [
            ({"channel": 7}, 'Option "Channel" must be text.'),
            ({"count": "many"}, 'Option "Count" must be a whole number.'),
            ({"count": 1.5}, 'Option "Count" must be a whole number.'),
            ({"share": "half"}, 'Option "Share" must be a number.'),
            ({"loud": "yes"}, 'Option "Loud" must be true or false.'),
            ({"archiveOnRemove": 1}, 'Option "Archive" must be true or false.'),
            ({"tags": "a"}, 'Option "Tags" must be a list.'),
            ({"tags": {"a": 1}}, 'Option "Tags" must be a list.'),
            ({"size": "xl"}, 'Option "Size" has a value that is not in its list.'),
            ({"count": 10}, 'Option "Count" does not satisfy maximum: 9.'),
        ],
    )
    def test_a_wrong_value_is_named_and_not_quoted(self, values, problem):
        """The option and what it takes, not what was typed."""
        assert problems(**values) == [problem]

    def test_a_value_inside_a_list_is_found(self):
        """The place is named down to the element."""
        [problem] = problems(tags=["a", 7])

        assert "tags.1" in problem
        assert "must be text" in problem

    def test_every_problem_is_told(self):
        """Not the first one alone."""
        assert len(problems(count="x", loud="x", size="x")) == 3


class TestParsing:
    """From values to the model."""

    def test_defaults_fill_the_gaps(self):
        """What is not given is as declared."""
        options = parse_options(Options, {"channel": "a", "archiveOnRemove": True})

        assert options == Options(channel="a", archiveOnRemove=True)
        assert options.count == 3

    def test_every_wrong_option_is_named_without_its_value(self):
        """The text can be shown: it holds no value."""
        with pytest.raises(ConfigError) as raised:
            parse_options(Options, {"channel": ["hunter2"], "count": "hunter3"})

        assert 'Option "Channel"' in raised.value.message
        assert 'Option "count"' in raised.value.message
        assert "hunter" not in raised.value.message

    def test_a_template_that_does_not_parse_says_where(self):
        """Line and column, in the words of a sentence."""
        with pytest.raises(ConfigError) as raised:
            parse_options(Options, {"channel": "a", "text": "fine\n{{ name | }} {% nope %}"})

        assert 'Option "Text"' in raised.value.message
        assert "line 2" in raised.value.message

    def test_a_good_template_is_kept_as_it_is(self):
        """The option's value is the source."""
        assert parse_options(Options, {"channel": "a", "text": "Hi {{ name }}"}).text == (
            "Hi {{ name }}"
        )
