"""A sync's configuration, and what the form that the server lists has against it."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from destination.cli.sync.listing import Choice, Field, Listing
from destination.cli.text import shown
from destination.sync import unknown

Configuration = Mapping[str, Any]


def complaints(
    configuration: Configuration, listing: Listing, columns: Sequence[str]
) -> Iterator[str]:
    """
    What Hightouch's form would not let a person save. Asks the server what it lists.

    Raises:
        Stop: The server cannot be reached, or fails.
    """
    object, mode = (_text(configuration, name) for name in ("object", "mode"))
    yield from _choice_complaints("Object", object, listing.objects())
    yield from _choice_complaints("Mode", mode, listing.modes(object))
    yield from _field_complaints(configuration, listing.fields(object, mode))
    yield from _option_complaints(configuration, listing.options(object, mode))
    for entry in entries(configuration, "identifierMapping", "mappings", "customMappings"):
        column = entry.get("from")
        if isinstance(column, str) and column not in columns:
            yield unknown("Column", shown(column, 80), columns)


def entries(configuration: Configuration, *names: str) -> Iterator[Mapping[str, Any]]:
    """The mapping entries under these names; an object alone is one entry."""
    for name in names:
        value = configuration.get(name)
        for entry in value if isinstance(value, list) else [value]:
            if isinstance(entry, dict):
                yield entry


def _text(configuration: Configuration, name: str) -> str | None:
    value = configuration.get(name)
    return value if isinstance(value, str) else None


def _choice_complaints(what: str, id: str | None, choices: Sequence[Choice]) -> Iterator[str]:
    ids = [shown(each.id, 80) for each in choices]
    if id is None and ids:
        yield f"No {what.lower()} is chosen; there is: {', '.join(ids[:20])}."
    elif id is not None and shown(id, 80) not in ids:
        yield unknown(what, shown(id, 80), ids) if ids else f"There is no {what.lower()} to choose."


def _field_complaints(configuration: Configuration, fields: Sequence[Field]) -> Iterator[str]:
    ids = {field.id for field in fields}
    mapped = {str(each.get("to")) for each in entries(configuration, "customMappings")}
    for entry in entries(configuration, "identifierMapping", "mappings"):
        to = str(entry.get("to"))
        mapped.add(to)
        if ids and to not in ids:
            yield unknown("Field", shown(to, 80), [shown(id, 80) for id in sorted(ids)])
    for field in fields:
        if field.required and field.id not in mapped:
            yield f'Field "{field.label}" is required, and no column is mapped to it.'


def _option_complaints(configuration: Configuration, schema: Mapping[str, Any]) -> Iterator[str]:
    required = schema.get("required")
    properties = schema.get("properties")
    for name in required if isinstance(required, list) else ():
        if isinstance(properties, dict) and name in properties and name not in configuration:
            yield f'Option "{shown(name, 80)}" is required.'
