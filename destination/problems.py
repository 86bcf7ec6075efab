"""What is wrong with an operator's file, one line for each thing: where, and what was expected."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ValidationError

from destination.sync import unknown

_TABLE = "must be a table of names and values"
_PLAIN = {
    "dict_type": _TABLE,
    "missing": "is missing",
    "model_type": _TABLE,
    "model_attributes_type": _TABLE,
    "tuple_type": "must be a list",
}


def explained(error: ValidationError, model: type[BaseModel]) -> list[str]:
    """One line for each error: where, and what was expected; never the value."""
    details = error.errors(include_url=False, include_input=False)
    return [line for detail in details for line in told(detail, model)]


def told(detail: Mapping[str, Any], model: type[BaseModel]) -> Iterator[str]:
    """The lines for one of pydantic's errors."""
    where = ".".join(str(part) for part in detail["loc"] if part != "[key]")
    for line in _message(detail, model).splitlines():
        yield f"{where}: {line}" if where else line


def _message(detail: Mapping[str, Any], model: type[BaseModel]) -> str:
    type, context = detail["type"], detail.get("ctx", {})
    if type == "extra_forbidden":
        *path, name = detail["loc"]
        return unknown("Setting", str(name), _known(model, path))
    if type == "union_tag_invalid":  # whose message quotes what was given
        return f"{context['discriminator']} must be {context['expected_tags']}"
    if type == "union_tag_not_found":
        return f"{context['discriminator']} is missing"
    return _PLAIN.get(type) or str(detail["msg"]).removeprefix("Value error, ")


def _known(model: type[BaseModel], path: Sequence[Any]) -> list[str]:
    """The names that there may be at a place of a model."""
    schema = model.model_json_schema()
    definitions = schema.get("$defs", {})
    nodes = list(_shapes(schema, definitions))
    for part in path:
        inner = [child for node in nodes for child in _inner(node, part)]
        nodes = [shape for child in inner for shape in _shapes(child, definitions)]
    return [name for node in nodes for name in node.get("properties", {})]


def _shapes(node: Mapping[str, Any], definitions: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """What a schema may be in the end: a reference followed, each of several."""
    if reference := node.get("$ref"):
        yield from _shapes(definitions[reference.rsplit("/", 1)[-1]], definitions)
        return
    yield node
    for each in (*node.get("anyOf", ()), *node.get("oneOf", ())):
        yield from _shapes(each, definitions)


def _inner(node: Mapping[str, Any], part: Any) -> Iterator[Mapping[str, Any]]:
    """The schemas of what stands in something; a discriminated union's errors name its variant."""
    if isinstance(part, int):
        places = [node.get("items")]
    elif variant := node.get("discriminator", {}).get("mapping", {}).get(part):
        places = [{"$ref": variant}]
    else:
        places = [node.get("properties", {}).get(part) or node.get("additionalProperties")]
    yield from (place for place in places if isinstance(place, Mapping))
