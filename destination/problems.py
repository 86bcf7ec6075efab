"""What is wrong with an operator's file, one line for each thing: where, and what was expected."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ValidationError

from destination.strict import shapes
from destination.sync import unknown

_PLAINLY = {
    "dict_type": "must be a table",
    "int_from_float": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_type": "must be a whole number",
    "list_type": "must be a list",
    "missing": "is missing",
    "model_attributes_type": "must be a table",
    "model_type": "must be a table",
    "string_type": "must be text",
    "tuple_type": "must be a list",
}
"""What is expected, where pydantic says it in Python's words."""

_PATTERNS = {
    r"^[a-z][a-z0-9_]*$": "must be small letters, digits and underscores, beginning with a letter",
    r"^[^.]+(\.[^.]+)*$": "must be names with a dot between each two",
}
"""The same of a text that must have a form."""

_PYDANTIC_S = re.compile(r"^(Value error, |Input should be |String should )")

_NAMED = re.compile(r"[A-Za-z_][^\s:]*: ")
"""How a problem starts that names a setting itself."""


def explained(error: ValidationError, model: type[BaseModel], below: str = "") -> list[str]:
    """One line for each error: where (below this), and what was expected; never the value."""
    details = error.errors(include_url=False, include_input=False)
    return [line for detail in details for line in told(detail, model, below)]


def told(detail: Mapping[str, Any], model: type[BaseModel], below: str = "") -> Iterator[str]:
    """The lines for one of pydantic's errors."""
    several = len(shapes(model)) > 1
    path = [each for each in detail["loc"] if each != "[key]"]
    path = path[1:] if several else path  # a union's begins with the shape
    where = ".".join([*filter(None, [below]), *map(str, path)])
    asked = detail["type"] == "extra_forbidden" and not several
    known = _known(model, path[:-1]) if asked else []
    for line in _message(detail, path, known).splitlines():
        between = "." if _NAMED.match(line) else ": "
        yield f"{where}{between}{line}" if where else line


def _message(detail: Mapping[str, Any], path: Sequence[Any], known: Sequence[str]) -> str:
    type, context = detail["type"], detail.get("ctx", {})
    if type == "extra_forbidden":
        name = str(path[-1])
        return (
            unknown("Setting", name, known) if known else f'Setting "{name}" does not exist here.'
        )
    if type == "union_tag_invalid":  # whose message quotes what was given
        return f"{context['discriminator']} must be {context['expected_tags']}"
    if type == "union_tag_not_found":
        return f"{context['discriminator']} is missing"
    plainly = _PLAINLY.get(type) or _PATTERNS.get(context.get("pattern", ""))
    return plainly or _PYDANTIC_S.sub(_opening, str(detail["msg"]))


def _opening(found: re.Match[str]) -> str:
    return {"Input should be ": "must be ", "String should ": "must "}.get(found[0], "")


def _known(model: type[BaseModel], path: Sequence[Any]) -> list[str]:
    """The names that there may be at a place of a model."""
    schema = model.model_json_schema()
    definitions = schema.get("$defs", {})
    nodes = list(_followed(schema, definitions))
    for part in path:
        inner = [child for node in nodes for child in _inner(node, part)]
        nodes = [each for child in inner for each in _followed(child, definitions)]
    return [name for node in nodes for name in node.get("properties", {})]


def _followed(
    node: Mapping[str, Any], definitions: Mapping[str, Any]
) -> Iterator[Mapping[str, Any]]:
    """What a schema may be in the end: a reference followed, each of several."""
    if reference := node.get("$ref"):
        yield from _followed(definitions[reference.rsplit("/", 1)[-1]], definitions)
        return
    yield node
    for each in (*node.get("anyOf", ()), *node.get("oneOf", ())):
        yield from _followed(each, definitions)


def _inner(node: Mapping[str, Any], part: Any) -> Iterator[Mapping[str, Any]]:
    """The schemas of what stands in something; a discriminated union's errors name its variant."""
    if isinstance(part, int):
        places = [node.get("items")]
    elif variant := node.get("discriminator", {}).get("mapping", {}).get(part):
        places = [{"$ref": variant}]
    else:
        places = [node.get("properties", {}).get(part) or node.get("additionalProperties")]
    yield from (place for place in places if isinstance(place, Mapping))
