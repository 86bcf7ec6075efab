"""One sync's configuration in neutral words, and what is wrong with it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from itertools import islice
from typing import Any

from destination.errors import ConfigError
from destination.mapping import Column, FieldMapping, Rendered, Unresolved
from destination.model import Field, Mode, Object

MANY_PROBLEMS = 20
"""Columns that are reported as missing at most: finding what was meant takes time."""


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Sync:
    """
    What the marketer chose for one sync; any part may be missing while it is being edited.

    It equals no other, so that what is made for it can be found by it.

    Args:
        configuration: The platform's own document: option values stand in it.
        columns: The model's columns where they are known, else None.
        id_column: The column that rows are known by, where the platform names it.
    """

    object: str | None = None
    mode: str | None = None
    mapping: FieldMapping = field(default_factory=FieldMapping)
    configuration: Mapping[str, Any] = field(default_factory=dict)
    columns: frozenset[str] | None = None
    id_column: str = ""


def choose_object(objects: Sequence[Object], id: str | None) -> Object:
    """
    The object with this id; where there is only one or nothing to choose, that one.

    Raises:
        ConfigError: None was chosen among several, or there is no such object. A
            destination that declares no objects accepts any id.
    """
    if not objects:
        raise ConfigError("There is nothing to sync to yet: the vendor has no objects.")
    if objects[0].id is None:
        return objects[0]
    if id is None and len(objects) == 1:
        return objects[0]
    if id is None:
        raise ConfigError(f"Choose an object: {listed(each.id for each in objects)}.")
    for each in objects:
        if each.id == id:
            return each
    raise ConfigError(unknown("Object", id, [str(each.id) for each in objects]))


def choose_mode(object: Object, id: str | None) -> Mode:
    """The mode with this id, the first when none is given. Raises ConfigError when unknown."""
    if not object.modes:
        raise ConfigError("This destination declares no mode: it cannot be synced to.")
    if id is None:
        return object.modes[0]
    for mode in object.modes:
        if mode.id == id:
            return mode
    raise ConfigError(unknown("Mode", id, [mode.id for mode in object.modes]))


def mapping_problems(sync: Sync, object: Object, fields: Sequence[Field]) -> Iterator[str]:
    """Sentences for a marketer: what about the mapping would fail, and what to do."""
    entries = sync.mapping.entries
    mapped = {entry.to for entry in entries}
    declared = {field.id: field for field in fields}
    for entry in entries:
        if isinstance(entry.source, Unresolved):
            yield entry.source.problem
    yield from sync.mapping.conflicts()
    for each in fields:
        if each.required and each.id not in mapped:
            yield f'Field "{each.label or each.id}" is required: map a column to it.'
    if not object.custom_fields and fields:
        for name in sorted(mapped - declared.keys()):
            yield unknown("Field", name, list(declared))
    if sync.columns is not None:
        yield from islice(_column_problems(sync, sync.columns), MANY_PROBLEMS)


def _column_problems(sync: Sync, columns: frozenset[str]) -> Iterator[str]:
    for entry in sync.mapping.entries:
        match entry.source:
            case Column(name):
                names: Iterable[str] = (name,)
            case Rendered(template):
                names = sorted(template.columns)
            case _:
                names = ()
        yield from (
            f'{unknown("Column", name, sorted(columns))} It is mapped to "{entry.to}".'
            for name in names
            if name not in columns
        )


def unknown(what: str, name: str, known: Sequence[str]) -> str:
    """``Mode "upsrt" does not exist. Did you mean "upsert"?``, or the known names."""
    close = get_close_matches(name, known, n=1)
    hint = (
        f'Did you mean "{close[0]}"?'
        if close
        else f"There is{':' if known else ''} {listed(known)}."
    )
    return f'{what} "{name[:80]}" does not exist. {hint}'


def listed(names: Iterable[str | None], most: int = 20) -> str:
    """The names, comma separated, cut off after the first twenty."""
    every = [str(name) for name in names]
    return ", ".join(every[:most]) + (", …" if len(every) > most else "") if every else "none"
