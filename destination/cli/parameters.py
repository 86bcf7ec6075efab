"""Settings, options, limits and the parts of a spec file, as rows of a table."""

import json
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from destination.strict import shapes

COLUMNS = ["name", "type", "default", "what it is"]

LONGEST_DEFAULT = 40
"""Characters of a default that are shown at most."""

TUNED = "batch_size", "concurrency", "rate", "timeout", "attempts", "remember"
"""Limits that are settings too, under the same names."""

LIMITS = {
    "batch_size": "records in a delivery at most",
    "largest_batch": "what `batch_size` may be raised to",
    "call_size": "rows in a call at most",
    "concurrency": "deliveries at once",
    "rate": "requests a second",
    "timeout": "seconds for one attempt",
    "attempts": "attempts in all",
    "remember": "hours for which a row that was delivered is not sent again",
}


def parameters(model: type[BaseModel]) -> list[dict[str, Any]]:
    """
    What a model can be told: name, title, type, whether it must be, default and what it is.

    Where it is one of several, each is listed after what chooses it.
    """
    return [each for shape in shapes(model) for each in of_shape(shape)]


def of_shape(model: type[BaseModel]) -> list[dict[str, Any]]:
    """The same of a model that is not one of several."""
    schema = model.model_json_schema()
    definitions = schema.get("$defs", {})
    return [
        {
            "name": name,
            "title": prop.get("title", ""),
            "type": _type(prop, definitions),
            "required": name in schema.get("required", ()),
            "default": prop.get("default"),
            "description": (prop.get("description") or prop.get("title", "")).replace("``", "`"),
        }
        for name, prop in schema.get("properties", {}).items()
    ]


def _type(prop: dict[str, Any], definitions: dict[str, Any]) -> str:
    if variants := prop.get("oneOf") or prop.get("anyOf"):
        return " or ".join(
            _type(variant, definitions) for variant in variants if variant != {"type": "null"}
        )
    if reference := prop.get("$ref"):
        target = definitions[reference.rsplit("/", 1)[-1]]
        if "enum" in target:
            return _type(target, definitions)
        return f"{{ {', '.join(_keys(target))} }}"
    if "const" in prop:
        return json.dumps(prop["const"])
    if "enum" in prop:
        return " | ".join(json.dumps(value) for value in prop["enum"])
    if prop.get("type") == "array":
        return f"list of {_type(prop.get('items', {}), definitions)}"
    return str(prop.get("type", "any")) + (" (secret)" if prop.get("writeOnly") else "")


def _keys(model: dict[str, Any]) -> list[str]:
    """What tells it from others comes first; then what is needed, then what is not, marked."""
    properties, required = model.get("properties", {}), model.get("required", ())
    telling = [
        f"{key} = {json.dumps(inner['const'])}"
        for key, inner in properties.items()
        if "const" in inner
    ]
    others = [key for key, inner in properties.items() if "const" not in inner]
    needed = [key for key in others if key in required]
    return [*telling, *needed, *(f"{key}?" for key in others if key not in required)]


def needed(parameter: dict[str, Any]) -> str:
    """Its default, or that there is none."""
    return "required" if parameter["required"] else _text(parameter["default"])


def _text(value: Any) -> str:
    """A default, unless it is nothing or says as much as a table."""
    shown = "" if value in (None, "", [], {}) else json.dumps(value)
    return shown if len(shown) <= LONGEST_DEFAULT else ""


def limit_rows(limits: Mapping[str, Any]) -> list[list[str]]:
    """Of each limit that there is: the setting that lowers it if one does, its value, a meaning."""
    return [
        [name if name in TUNED else "", _limit(limits[name]), meaning]
        for name, meaning in LIMITS.items()
        if limits[name] is not None
    ]


def _limit(value: Any) -> str:
    if isinstance(value, Mapping):
        return f"{value['per_second']:g}, {value['burst']} at once"
    return f"{value:g}"
