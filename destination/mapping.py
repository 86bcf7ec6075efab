"""Rows to records: which column, template or fixed value goes to which field."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Any

from destination.bulk import Bulk, Fixed, Plain
from destination.coercion import FITS, NATIVE, coerce
from destination.columns import Columns
from destination.errors import Code, RowError
from destination.model import Field, FieldType, Operation, Record
from destination.template import Template

MISSING: Any = object()
"""What a source gives when the row does not have it; an explicit null is None."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the row, by exact name or else by the only name that differs in case."""

    name: str

    def read(self, row: Mapping[str, Any]) -> Any:
        """The value, or MISSING."""
        value = row.get(self.name, MISSING)
        if value is not MISSING:
            return value
        alike = _folded(tuple(row)).get(self.name.lower())
        return MISSING if alike is None else row[alike]

    def __str__(self) -> str:
        return f'column "{self.name}"'


@lru_cache(maxsize=8)
def _folded(names: tuple[str, ...]) -> dict[str, str | None]:
    """The column for each name in lower case, None where several differ in case only."""
    folded: dict[str, str | None] = {}
    for name in names:
        low = name.lower()
        folded[low] = None if low in folded else name
    return folded


@dataclass(frozen=True, slots=True)
class Static:
    """The same value for every row."""

    value: Any

    def read(self, row: Mapping[str, Any]) -> Any:
        """The value, whatever the row: what a destination does to it stays with that row."""
        return deepcopy(self.value) if isinstance(self.value, dict | list) else self.value

    def __str__(self) -> str:
        return "a fixed value"


@dataclass(frozen=True, slots=True)
class Rendered:
    """A Liquid template over the row's columns."""

    template: Template

    def read(self, row: Mapping[str, Any]) -> Any:
        """The value; raises RowError when the template fails on this row."""
        return self.template.value(row)

    def __str__(self) -> str:
        return "a template"


@dataclass(frozen=True, slots=True)
class Unresolved:
    """An entry of a kind this server does not know. ``validate`` reports it; rows are rejected."""

    problem: str

    def read(self, row: Mapping[str, Any]) -> Any:
        """Raises RowError, with the same reason for every row."""
        raise RowError(self.problem, code=Code.CONFIG_INVALID)

    def __str__(self) -> str:
        return "an entry that cannot be resolved"


Source = Column | Static | Rendered | Unresolved


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the mapping form: a source and the field it goes to."""

    to: str
    source: Source
    identifier: bool = False


@dataclass(frozen=True, slots=True)
class FieldMapping:
    """All entries of a sync; where two name one field, the later wins."""

    entries: tuple[Entry, ...] = ()

    @property
    def columns(self) -> frozenset[str]:
        """The columns that are read by these names."""
        return frozenset().union(*(_columns(entry.source) for entry in self.entries))

    def conflicts(self) -> Iterator[str]:
        """What cannot be meant: different sources for one field, or a field inside another."""
        sources: dict[str, Source] = {}
        reported: set[str] = set()
        for entry in self.entries:
            other = sources.setdefault(entry.to, entry.source)
            if other != entry.source and entry.to not in reported:
                reported.add(entry.to)
                yield (
                    f'Field "{entry.to}" is mapped twice, from {other} and from {entry.source}. '
                    "Keep one of them."
                )
        for parent, name in _nested(sources):
            yield f'Fields "{parent}" and "{name}" contain each other: map one of them.'


def _columns(source: Source) -> frozenset[str]:
    match source:
        case Column(name):
            return frozenset((name,))
        case Rendered(template):
            return template.columns
    return frozenset()


def _nested(names: Iterable[str]) -> Iterator[tuple[str, str]]:
    """The pairs of names of which the first contains the second."""
    known = set(names)
    for name in sorted(known):
        parents = (name[:dot] for dot in range(len(name)) if name[dot] == ".")
        yield from ((parent, name) for parent in parents if parent in known)


_AS_THEY_ARE = frozenset({str, int, float, bool, Decimal, dict, list})
"""Types of which no value is changed where no type is declared; nothing else comes from JSON."""


@dataclass(frozen=True, slots=True)
class _Step:
    to: str
    path: tuple[str, ...]
    source: Source
    field: Field | None
    required: bool
    strict: bool


class Plan:
    """
    A mapping made ready for many rows.

    Args:
        fields: The declared fields; values mapped to them are coerced to their type, others
            pass as they are.
        operation: A removal needs only identifiers: other fields that are missing or cannot
            be coerced are left out instead of rejecting the row.
    """

    def __init__(
        self, mapping: FieldMapping, fields: Iterable[Field], operation: Operation
    ) -> None:
        declared = {field.id: field for field in fields}
        removal = operation is Operation.REMOVE
        identifiers = {entry.to for entry in mapping.entries if entry.identifier}
        steps: dict[str, _Step] = {}
        for entry in mapping.entries:
            field = declared.get(entry.to)
            identifier = entry.to in identifiers
            required = field is not None and field.required and (identifier or not removal)
            coerced = None if field is None or field.type in _UNTYPED else field
            steps[entry.to] = _Step(
                entry.to,
                tuple(entry.to.split(".")),
                entry.source,
                coerced,
                required or identifier,
                identifier or not removal,
            )
        self._steps = tuple(steps.values())
        self._lines = tuple((*_quick(step), step) for step in steps.values())
        self._clash = next(_nested(steps), None)
        self._bulk: dict[str, Bulk | None] = {}
        needed = (field for field in declared.values() if field.required)
        self._unmapped = [
            field.id
            for field in needed
            if field.id not in steps and (field.identifier or not removal)
        ]

    def record(self, position: int, id: str | float, row: Mapping[str, Any]) -> Record:
        """
        The record for one row.

        Raises:
            RowError: A required field is empty or a value cannot be coerced. The message
                names the field and what was expected, never the value.
        """
        if self._unmapped:
            raise RowError(f"{self._unmapped[0]}: required, but nothing is mapped to it")
        if self._clash:
            parent, name = self._clash
            raise RowError(f"{name}: {parent} is mapped too", code=Code.CONFIG_INVALID)
        fields: dict[str, Any] = {}
        ahead = row.ahead if type(row) is Columns else row
        for to, column, types, fits, step in self._lines:
            # Most values are of the declared type already, and may go as they are.
            given = None if column is None else ahead.get(column)
            if type(given) in types and given != "" and (fits is None or fits(given)):
                fields[to] = given
            elif (value := self._value(step, row)) is not MISSING:
                _put(fields, step.path, value)
        return Record(position, id, fields, row)

    def bulk(self, id_column: str) -> Bulk | None:
        """What makes the records of many rows at once, where nothing is to be converted."""
        if id_column not in self._bulk:
            self._bulk[id_column] = self._bulk_of(id_column)
        return self._bulk[id_column]

    def _bulk_of(self, id_column: str) -> Bulk | None:
        fields = {step.to: self._plain(step) for step in self._steps}
        if self._unmapped or self._clash or None in fields.values():
            return None
        there = {to: each for to, each in fields.items() if each and each != Fixed(MISSING)}
        return Bulk.of(there, id_column)

    def _plain(self, step: _Step) -> Plain | Fixed | None:
        """What a field is where nothing has to be made for each row; None where something has."""
        if len(step.path) > 1:
            return None
        if isinstance(step.source, Column):
            type = FieldType.UNKNOWN if step.field is None else step.field.type
            return Plain(step.source.name, type, required=step.required)
        if not isinstance(step.source, Static):
            return None
        try:
            value = self._value(step, {})
        except RowError:
            return None
        return None if isinstance(value, dict | list) else Fixed(value)

    def _value(self, step: _Step, row: Mapping[str, Any]) -> Any:
        try:
            value = step.source.read(row)
            if step.field is not None and value is not MISSING and value is not None:
                value = coerce(step.field, value)
        except RowError:
            if step.strict:
                raise
            return MISSING
        if step.required and (value is MISSING or value is None or value == ""):
            what = "is not in the row" if value is MISSING else "is empty"
            raise RowError(f"{step.to}: required, but {step.source} {what}")
        return value


_Quick = tuple[str, str | None, frozenset[type], Callable[[Any], object] | None]


def _quick(step: _Step) -> _Quick:
    """The field, its plain column if any, and which types and texts need no conversion."""
    if not isinstance(step.source, Column) or len(step.path) > 1:
        return step.to, None, frozenset(), None
    if step.field is None:
        return step.to, step.source.name, _AS_THEY_ARE, None
    fits = FITS.get(step.field.type)
    types = NATIVE[step.field.type] if fits is None else frozenset({str})
    return step.to, step.source.name, types, fits


_UNTYPED = frozenset({FieldType.UNKNOWN, FieldType.REFERENCE})


def _put(fields: dict[str, Any], path: tuple[str, ...], value: Any) -> None:
    for name in path[:-1]:
        fields = fields.setdefault(name, {})
    fields[path[-1]] = value
