"""What an event carries: values in the types of its fields, each in its place."""

import json
import re
from collections.abc import Mapping
from contextlib import nullcontext, suppress
from typing import Any

from destination import Code, RowError
from destinations.connectif.events import EventField, EventType

LARGEST = 512_000
"""Bytes of an event. Connectif says 512 KB, and does not say how many bytes a KB has."""

LONGEST_POINTER, DEEPEST_POINTER = 1_000, 32
"""Characters and steps of a JSON Pointer."""

_ZONE = re.compile(r"(?:Z|[+-]\d\d:\d\d)$")


def event_body(
    event: EventType | None,
    fields: Mapping[str, Any],
    *,
    nested: bool,
    source: EventType | None = None,
) -> dict[str, Any]:
    """
    The event's fields without nulls.

    Args:
        event: None where only its alias is known: what was mapped is sent as it is.
        nested: Each field stands where its JSON Pointer says, and fields that the event does not
            have are sent beside them; otherwise they refuse the row.
        source: The event whose fields a removed row was mapped to, where this is another: what
            does not fit is left out, and the address goes over whatever its field is called.

    Raises:
        RowError: A value is not what its field takes, or has no place.
    """
    if event is None:
        return _without_nulls(fields)
    body = {} if source else _unknown(event, fields, refused=not nested)
    lenient = suppress(RowError) if source else nullcontext()
    for field in event.event_fields:
        from_key = source and source.key if field.is_primary_key else None
        value = _value(fields, from_key.id if from_key else field.id)
        with lenient:
            value = _converted(field, value)
            if value is not None:
                _put(body, _steps(field) if nested else [field.id], field, value)
    return body


def _unknown(event: EventType, fields: Mapping[str, Any], *, refused: bool) -> dict[str, Any]:
    known = {field.id.partition(".")[0] for field in event.event_fields}
    unknown = {name: value for name, value in fields.items() if name not in known}
    if unknown and refused:
        raise RowError(f"{next(iter(unknown))}: the event has no such field")
    return _without_nulls(unknown)


def _value(fields: Mapping[str, Any], id: str) -> Any:
    """What was mapped to a field; the mapping makes objects of dots."""
    value: Any = fields
    for name in id.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def _without_nulls(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: _without_nulls(value) if isinstance(value, dict) else value
        for name, value in fields.items()
        if value is not None
    }


def _converted(field: EventField, value: Any) -> Any:
    """The value as the field's type takes it, None for nothing; the server coerced it before."""
    if value is None:
        return None
    match field.type:
        case "integer":
            return _whole(field, value)
        case "date":
            return _date(value) if isinstance(value, str) else value
        case "phone":
            return (value.strip() or None) if isinstance(value, str) else value
        case "checkbox":
            return _chosen(field, value)
    return value


def _whole(field: EventField, value: Any) -> int:
    if isinstance(value, bool | str | list | dict) or value != int(value):
        raise RowError(f"{field.id}: expected a whole number")
    return int(value)


def _date(value: str) -> str:
    """ISO 8601: a day as a day, and a moment with its zone."""
    if value.endswith("T00:00:00"):
        return value.removesuffix("T00:00:00")
    return value if _ZONE.search(value) else f"{value}Z"


def _chosen(field: EventField, value: Any) -> list[str] | None:
    """A list of different texts, made of a list, of JSON, or of a single value."""
    if isinstance(value, str) and not value.strip():
        return None
    items = [str(item) if type(item) is int else item for item in _items(value)]
    choices = field.choices
    if not all(isinstance(item, str) and (not choices or item in choices) for item in items):
        few = ", ".join(choices[:10]) + (", …" if len(choices) > 10 else "")
        raise RowError(f"{field.id}: expected a list of {few or 'texts'}")
    return list(dict.fromkeys(items))


def _items(value: Any) -> list[Any]:
    if isinstance(value, list):
        return value
    if not isinstance(value, str) or not value.lstrip().startswith("["):
        return [value]
    if len(value) > LARGEST:
        raise RowError(f"a list is longer than {LARGEST:,} characters", code=Code.TOO_LARGE)
    try:
        items = json.loads(value)
    except (ValueError, RecursionError):
        return [value]
    return items if isinstance(items, list) else [value]


def _steps(field: EventField) -> list[str]:
    """The names that lead to a field: its JSON Pointer's, or its id at the top."""
    pointer = (field.json_pointer_path or "").removeprefix("#")
    if not pointer:
        return [field.id]
    steps = pointer.removeprefix("/").split("/")
    if len(pointer) > LONGEST_POINTER or len(steps) > DEEPEST_POINTER:
        raise RowError(f"{field.id}: its JSON Pointer is too long", code=Code.CONFIG_INVALID)
    return [step.replace("~1", "/").replace("~0", "~") for step in steps]


def _put(body: dict[str, Any], steps: list[str], field: EventField, value: Any) -> None:
    """
    Put a value where the steps lead.

    A number makes a name too, not a place in a list: a JSON Pointer finds both alike.
    """
    place: Any = body
    for step in steps[:-1]:
        place = place.setdefault(step, {}) if isinstance(place, dict) else None
    if not isinstance(place, dict) or steps[-1] in place:
        raise RowError(
            f"{field.id}: its JSON Pointer leads into another field", code=Code.CONFIG_INVALID
        )
    place[steps[-1]] = value
