"""The platform's configuration of a sync, in our words."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import lru_cache
from typing import Any

import msgspec

from destination.errors import ConfigError
from destination.literals import depth
from destination.mapping import Column, Entry, FieldMapping, Rendered, Source, Static, Unresolved
from destination.protocols.envelope import InvalidParams
from destination.schema import RESERVED
from destination.sync import Sync
from destination.template import Template

MAX_DEPTH = 64
"""How deep a configuration may nest."""

MAX_TARGET = 256
"""Characters in the name of a field."""

MAX_KEPT, MANY_KEPT = 16 * 1024, 32
"""
Bytes of a configuration that is kept once it is understood, and how many are.

Understood it may take a hundred times as much, as templates do.
"""

MAX_ID_COLUMN = 1024
"""Characters in the name of the column that rows are known by."""

JSON = dict[str, Any]


def sync_of(configuration: msgspec.Raw | msgspec.UnsetType, id_column: str | None) -> Sync:
    """
    The sync that a call with rows is part of; its rows are known by a mapped identifier, where
    no other column is named.

    It is the same object for the calls of a run, so that what is made for it is made once.

    Raises:
        InvalidParams: The configuration is no object, or the column's name is too long.
        ConfigError: Parts of it have wrong types.
    """
    if id_column and len(id_column) > MAX_ID_COLUMN:
        raise InvalidParams("Invalid params: the name of the idColumn is too long")
    text = b"null" if isinstance(configuration, msgspec.UnsetType) else bytes(configuration)
    return (_kept if len(text) <= MAX_KEPT else _sync_of)(text, id_column)


def _sync_of(text: bytes, id_column: str | None) -> Sync:
    try:
        configuration = _object.decode(text)
    except msgspec.ValidationError as error:
        raise InvalidParams(f"Invalid params: {error} - at `$.configuration`") from None
    except (ValueError, RecursionError):
        raise InvalidParams("Invalid params: nested too deeply or text not Unicode") from None
    sync = read_sync(configuration or {})
    return replace(sync, id_column=id_column or identifier_column(sync.mapping) or "")


_object = msgspec.json.Decoder(dict[str, Any] | None)
_kept = lru_cache(maxsize=MANY_KEPT)(_sync_of)


def read_sync(configuration: JSON, columns: Iterable[str] | None = None) -> Sync:
    """The configuration in neutral words. Raises ConfigError when parts have wrong types."""
    if depth(configuration) > MAX_DEPTH:
        raise ConfigError(f"The configuration is nested more than {MAX_DEPTH} deep.")
    return Sync(
        _text(configuration, "object"),
        _text(configuration, "mode"),
        FieldMapping(tuple(_entries(configuration))),
        {
            name: value
            for name, value in configuration.items()
            if name not in RESERVED - {"options"}
        },
        None if columns is None else frozenset(columns),
    )


def _text(configuration: JSON, name: str) -> str | None:
    value = configuration.get(name)
    if value is not None and not isinstance(value, str):
        raise ConfigError(f'"{name}" must be text.')
    return value or None


def _entries(configuration: JSON) -> Iterator[Entry]:
    """All mapping entries; of two for one field the later one counts, as they are merged here."""
    for name in ("identifierMapping", "mappings", "customMappings"):
        value = configuration.get(name) or []
        for entry in value if isinstance(value, list) else [value]:
            to = entry.get("to") if isinstance(entry, dict) else None
            if isinstance(to, str) and (len(to) > MAX_TARGET or to.count(".") > MAX_DEPTH):
                raise ConfigError(f'"{name}" names a field that is too long or too deep.')
            if not isinstance(to, str) or not to:
                raise ConfigError(f'"{name}" must be a list of entries with "from" and "to".')
            yield Entry(to, _source(entry), identifier=name == "identifierMapping")


def _source(entry: JSON) -> Source:
    match entry:
        case {"type": "template", "template": str(source)}:
            return _template(entry["to"], source)
        case {"type": "static", "value": value}:
            return Static(value)
        case {"type": "standard" | None, "from": str(column)} if column:
            return Column(column)
        case {"from": str(column)} if column and "type" not in entry:
            return Column(column)
        case {"type": "variable"}:
            return Unresolved(
                f'Field "{entry["to"]}": this server does not know the sync\'s variables. '
                "Map a column or a fixed value instead."
            )
        case _:
            return Unresolved(
                f'Field "{entry["to"]}": this kind of mapping is not known here. '
                "Map a column, a fixed value or a template."
            )


def _template(to: str, source: str) -> Source:
    try:
        return Rendered(Template.parse(source))
    except ConfigError as error:
        return Unresolved(f'Field "{to}": the template does not parse: {error.message}')


def identifier_column(mapping: FieldMapping) -> str | None:
    """The column that rows are matched by, which serves where the caller names no id column."""
    for entry in mapping.entries:
        if entry.identifier and isinstance(entry.source, Column):
            return entry.source.name
    return None
