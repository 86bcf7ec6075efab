"""
Rules for a form that react-jsonschema-form shows, which is what Hightouch shows options with.

Its fifth major version is meant, whose validator knows JSON Schema's draft 7. What a rule does not
mention may still look odd; what it does mention keeps a person from filling in the form.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any

import jsonschema

from destination.schema import RESERVED

TAKEN = RESERVED - {"options"}
"""Names that stand beside the options in a configuration."""

_VALUES: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float, Decimal),
    "boolean": (bool,),
}

_NUMBERS = frozenset({"text", "select", "updown", "range", "radio", "hidden"})
_WHOLE = frozenset({"select", "radio", "hidden"})

_TEXTS = """
    text password email hostname ipv4 ipv6 uri data-url radio select textarea hidden
    date datetime date-time alt-date alt-datetime time color file
"""

WIDGETS: Mapping[str, frozenset[str]] = {
    "string": frozenset(_TEXTS.split()),
    "number": _NUMBERS,
    "integer": _NUMBERS,
    "boolean": frozenset({"checkbox", "radio", "select", "hidden"}),
    "array": frozenset({"select", "checkboxes", "files", "hidden"}),
    "object": _WHOLE,
    "null": _WHOLE,
}
"""For each type that is shown, the widgets by which it may be."""

_DRAFT = re.compile(r"https?://json-schema\.org/draft-07/schema#?")
_NOT_JAVASCRIPT = re.compile(r"\(\?P[<=>]|\(\?[aimsxLu]+\)|\\[AZz]|\(\?#")
"""What Python reads in a pattern and JavaScript does not."""

_SHOWN_SO = ("anyOf", "oneOf", "allOf", "$ref", "const", "enum")
"""Members that say how to show a property that names no type."""


def problems(schema: Mapping[str, Any], hints: Mapping[str, Any]) -> Iterator[str]:
    """What keeps the form from being shown and filled in, a sentence each."""
    if not is_root(schema):
        yield "its schema is no object with properties: make it one"
        return
    found = [*_of_all(schema, hints), *_of_each(schema, hints)]
    yield from found or _wrong(schema)


def _of_all(schema: Mapping[str, Any], hints: Mapping[str, Any]) -> Iterator[str]:
    for name in taken(schema):
        yield f'an option is called "{name}", which is taken: rename it'
    draft, required = schema.get("$schema"), schema.get("required")
    if isinstance(draft, str) and not _DRAFT.fullmatch(draft):
        yield "$schema names another draft than 7, which the form's validator refuses: leave it out"
    for name in required if isinstance(required, list) else ():
        if name not in properties(schema):
            yield f'"{name}" is required and is no option: the form can never be complete'
    for name in without_option(schema, hints):
        yield f'there is a hint for "{name}", which is no option: correct the name'


def _of_each(schema: Mapping[str, Any], hints: Mapping[str, Any]) -> Iterator[str]:
    for name, prop in properties(schema).items():
        for problem in _of(prop, schema, hints.get(name)):
            yield f'option "{name}" {problem}'


def is_root(schema: Mapping[str, Any]) -> bool:
    """Whether the options become keys of a configuration."""
    return schema.get("type") == "object" and isinstance(schema.get("properties"), dict)


def properties(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """The options."""
    found = schema.get("properties")
    return found if isinstance(found, dict) else {}


def taken(schema: Mapping[str, Any]) -> list[str]:
    """The options whose names the platform uses itself."""
    return sorted(properties(schema).keys() & TAKEN)


def without_option(schema: Mapping[str, Any], hints: Mapping[str, Any]) -> list[str]:
    """The hints for options that there are not."""
    return sorted(name for name in hints.keys() - properties(schema) if name[:3] != "ui:")


def agree(prop: Any) -> bool:
    """Whether the values of a list are of the type that is named beside it, where there are any."""
    values = prop.get("enum") if isinstance(prop, dict) else None
    if not isinstance(values, list) or not isinstance(prop.get("type"), str):
        return True
    types = _VALUES.get(prop["type"], (object,))
    return all(
        isinstance(value, types) and (bool in types or not isinstance(value, bool))
        for value in values
    )


def _wrong(schema: Mapping[str, Any]) -> Iterator[str]:
    """Where it is no schema, in a way that no rule tells better."""
    try:
        jsonschema.Draft7Validator.check_schema(schema)
    except jsonschema.SchemaError as error:
        where = ".".join(map(str, error.absolute_path)) or "the schema"
        yield f"{where} is not JSON Schema: {error.message[:120]}"


def _of(prop: Any, schema: Mapping[str, Any], hints: Any) -> Iterator[str]:
    if not isinstance(prop, dict):
        yield "is no schema: make it an object"
        return
    yield from (f"refers to {each}, which is not there" for each in _lost(prop, schema))
    shown = _type(prop)
    if shown is None and not prop.keys() & {*_SHOWN_SO, "properties", "additionalProperties"}:
        yield "has no type, so no field is shown for it: name its type"
    elif shown is not None and shown not in WIDGETS:
        yield f'has the type "{shown}", for which there is no field'
    elif shown == "array" and not isinstance(prop.get("items"), dict | list):
        yield "is a list of nobody knows what: say its items"
    yield from _of_choices(prop)
    yield from _of_value(prop, schema)
    if shown is not None and shown in WIDGETS:
        yield from _of_hints(hints, shown)


def _of_hints(hints: Any, shown: str) -> Iterator[str]:
    """A widget that starts with a capital letter is named by its class."""
    widget = hints.get("ui:widget") if isinstance(hints, dict) else None
    if isinstance(widget, str) and widget[:1].islower() and widget not in WIDGETS[shown]:
        article = "an" if shown[0] in "aio" else "a"
        yield f'asks for the widget "{widget}", which does not show {article} {shown}'


def _of_choices(prop: Mapping[str, Any]) -> Iterator[str]:
    values, names = prop.get("enum"), prop.get("enumNames")
    if values is not None and not (isinstance(values, list) and values):
        yield "has an empty list of choices: leave enum out, or fill it"
    elif not agree(prop):
        yield f"has choices that are not of its type, {prop['type']}: none can ever be valid"
    if isinstance(values, list) and isinstance(names, list) and len(names) != len(values):
        yield f"has {len(values)} choices and {len(names)} names for them"


def _of_value(prop: Mapping[str, Any], schema: Mapping[str, Any]) -> Iterator[str]:
    pattern = prop.get("pattern")
    if isinstance(pattern, str) and _NOT_JAVASCRIPT.search(pattern):
        yield "has a pattern that JavaScript does not read: write it without Python's own marks"
    if "default" in prop and not list(_lost(prop, schema)):
        whole = {
            **prop,
            **{name: schema[name] for name in ("$defs", "definitions") if name in schema},
        }
        try:
            fits = jsonschema.Draft7Validator(whole).is_valid(prop["default"])
        except (jsonschema.SchemaError, jsonschema.exceptions.UnknownType, re.error):
            return  # told of already
        if not fits:
            yield "has a default that is none of its values: correct it"


def _type(prop: Mapping[str, Any]) -> str | None:
    """The type by which a property is shown; of several the first that is not null."""
    kind = prop.get("type")
    kinds = kind if isinstance(kind, list) else [kind]
    named = [each for each in kinds if isinstance(each, str)]
    return next((each for each in named if each != "null"), named[0] if named else None)


def _lost(value: Any, schema: Mapping[str, Any]) -> Iterator[str]:
    """References within a property that lead nowhere in the document."""
    if isinstance(value, list):
        for each in value:
            yield from _lost(each, schema)
    elif isinstance(value, dict):
        reference = value.get("$ref")
        if isinstance(reference, str) and not _leads(reference, schema):
            yield reference[:80]
        for name, each in value.items():
            if name not in ("default", "enum", "const", "examples"):
                yield from _lost(each, schema)


def _leads(reference: str, schema: Mapping[str, Any]) -> bool:
    if not reference.startswith("#"):
        return False
    target: Any = schema
    for part in _parts(reference):
        target = target.get(part) if isinstance(target, dict) else None
    return target is not None


def _parts(reference: str) -> Iterable[str]:
    return (part.replace("~1", "/").replace("~0", "~") for part in reference.split("/")[1:])
