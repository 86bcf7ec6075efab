"""The options form: JSON Schema and uiSchema from an options model, and checks against them."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import jsonschema
from jsonschema.protocols import Validator
from pydantic import AfterValidator, BaseModel, Field, ValidationError

from destination.errors import ConfigError
from destination.model import Form
from destination.template import Template

RESERVED = frozenset(
    {"object", "mode", "identifierMapping", "mappings", "customMappings", "options"}
)
"""Names the platform uses beside the options: it spreads them into one configuration."""


def _parsed(source: str) -> str:
    try:
        Template.parse(source)
    except ConfigError as error:
        raise ValueError(error.message) from None
    return source


TemplateText = Annotated[
    str, AfterValidator(_parsed), Field(json_schema_extra={"x-widget": "textarea"})
]
"""An option that holds a Liquid template; a parse error is reported with line and column."""


def form_schema(
    options: type[BaseModel], form: Form
) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """
    The schema and uiSchema to show, or None for a model without fields.

    The schema is an object whose property names agree with the model's; choices known to
    the vendor appear as ``enum`` with ``enumNames``, which the platform's form displays.
    """
    schema = options.model_json_schema()
    properties = schema.get("properties", {})
    if not properties:
        return None
    ui: dict[str, Any] = {name: dict(hints) for name, hints in form.ui.items()}
    for name, prop in properties.items():
        prop = properties[name] = _without_null(prop)
        if widget := prop.pop("x-widget", None):
            ui.setdefault(name, {}).setdefault("ui:widget", widget)
        if choices := form.choices.get(name):
            prop["enum"] = list(choices)
            prop["enumNames"] = list(choices.values())
            ui.setdefault(name, {})["ui:enumNames"] = list(choices.values())
    schema.pop("title", None)
    schema.pop("description", None)
    return schema, ui


def _without_null(prop: dict[str, Any]) -> dict[str, Any]:
    """An optional option is one that may be left out; the form has no way to type a null."""
    variants = [variant for variant in prop.get("anyOf", ()) if variant != {"type": "null"}]
    if len(variants) == 1:
        prop = {**{key: value for key, value in prop.items() if key != "anyOf"}, **variants[0]}
    if prop.get("default", ...) is None:
        del prop["default"]
    return prop


def option_values(schema: Mapping[str, Any], configuration: Mapping[str, Any]) -> dict[str, Any]:
    """The option values among a configuration's keys or under ``options``; nulls are absent."""
    nested = configuration.get("options")
    places = (configuration, nested if isinstance(nested, Mapping) else {})
    return {
        name: place[name]
        for place in reversed(places)
        for name in schema["properties"]
        if place.get(name) is not None
    }


def option_problems(schema: Mapping[str, Any], values: Mapping[str, Any]) -> Iterator[str]:
    """One sentence for each way in which the values do not fit the schema that was shown."""
    validator: Validator = jsonschema.Draft202012Validator(schema)
    for error in validator.iter_errors(values):
        yield _sentence(schema, error)


def parse_options(model: type[BaseModel], values: Mapping[str, Any]) -> BaseModel:
    """The values as the options model; raises ConfigError naming every option that is wrong."""
    try:
        return model.model_validate(dict(values))
    except ValidationError as error:
        raise ConfigError(" ".join(model_problems(model, error))) from None


def model_problems(model: type[BaseModel], error: ValidationError) -> Iterator[str]:
    """A sentence for each error, without the value that was given."""
    for detail in error.errors(include_url=False, include_input=False, include_context=False):
        name = _named(model, [str(part) for part in detail["loc"]]) or model.__name__
        message = detail["msg"].removeprefix("Value error, ")
        yield f'Option "{name}": {message[:1].lower()}{message[1:]}.'


def _named(model: type[BaseModel], path: list[str]) -> str:
    """What the form calls an option: by its title, however the error names it."""
    for name, field in model.model_fields.items():
        if path[:1] in ([name], [field.alias]) and field.title:
            path = [field.title, *path[1:]]
    return ".".join(path)


def _sentence(schema: Mapping[str, Any], error: jsonschema.ValidationError) -> str:
    name = ".".join(str(part) for part in error.absolute_path)
    expected: Any = error.validator_value
    given: Any = error.instance
    if error.validator == "required":
        missing = next(each for each in expected if each not in given)
        return f'Option "{_title(schema, missing)}" is required.'
    label = _title(schema, name)
    match error.validator:
        case "enum":
            return f'Option "{label}" has a value that is not in its list.'
        case "type":
            return f'Option "{label}" must be {_TYPES.get(str(expected), "of another type")}.'
        case _:
            return f'Option "{label}" does not satisfy {error.validator}: {expected}.'


_TYPES = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "an object",
}


def _title(schema: Mapping[str, Any], name: str) -> str:
    prop = schema.get("properties", {}).get(name, {})
    return str(prop.get("title") or name)
