"""Values of JSON whose texts are templates, as spec files have them."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from destination.errors import ConfigError
from destination.template.faults import TemplateError, TemplateSyntaxError
from destination.template.plain import Template
from destination.template.rendering import Allowance
from destination.template.source import MAX_SOURCE

MAX_DEPTH = 32
"""How many lists and objects of a structure may stand inside each other."""

MAX_VALUES = 1_000
"""The most values in a structure, lists and objects among them."""

_MISSING: Any = object()


@dataclass(frozen=True, slots=True)
class _Row:
    """What the templates of one row have in common."""

    values: Mapping[str, Any]
    now: datetime | None
    allowance: Allowance
    missing: Any


@dataclass(frozen=True, slots=True)
class _Leaf:
    template: Template
    place: str

    def value(self, row: _Row) -> Any:
        try:
            return self.template.value(
                row.values, now=row.now, allowance=row.allowance, missing=row.missing
            )
        except TemplateError as error:
            raise TemplateError(_told(self.place, error.message)) from None


@dataclass(frozen=True, slots=True)
class _Constant:
    constant: Any

    def value(self, row: _Row) -> Any:
        return self.constant


@dataclass(frozen=True, slots=True)
class _Object:
    members: tuple[tuple[str, "_Part"], ...]

    def value(self, row: _Row) -> dict[str, Any]:
        members = ((name, part.value(row)) for name, part in self.members)
        return {name: value for name, value in members if value is not _MISSING}


@dataclass(frozen=True, slots=True)
class _List:
    items: tuple["_Part", ...]

    def value(self, row: _Row) -> list[Any]:
        values = (part.value(row) for part in self.items)
        return [None if value is _MISSING else value for value in values]


_Part = _Leaf | _Constant | _Object | _List


@dataclass(frozen=True, slots=True)
class Structure:
    """
    A value of JSON in which every text is a template, to be made by ``parse``.

    A text that is exactly one ``{{ expression }}`` gives the value itself, any other gives
    text. Names of members are taken as they stand, in their order.
    """

    templates: tuple[tuple[str, Template], ...]
    """Its templates, each with its place as a JSON Pointer."""
    _root: _Part
    _omit: bool

    @classmethod
    def parse(cls, value: Any, *, omit_missing: bool = True) -> "Structure":
        """
        A structure of objects, lists, texts, numbers, booleans and nulls.

        Args:
            omit_missing: A member that is exactly one ``{{ expression }}``, whose name the
                row does not have, is left out. Otherwise, and in a list, it is null. What the
                row has as null is null in any case.

        Raises:
            TemplateSyntaxError: A text does not parse; the message says which, as a JSON
                Pointer.
            ConfigError: It holds something else, is larger than 64 kB, has more than a
                thousand values or is nested more than 32 deep.
        """
        parser = _Parser()
        root = parser.part(value, "", 0)
        return cls(tuple(parser.templates), root, omit_missing)

    @property
    def columns(self) -> frozenset[str]:
        """The top-level names that its templates read."""
        return frozenset().union(*(template.columns for _, template in self.templates))

    def value(
        self,
        values: Mapping[str, Any],
        *,
        now: datetime | None = None,
        allowance: Allowance | None = None,
    ) -> Any:
        """
        The value for this row, made of new lists and objects around the row's own values.

        Raises:
            TemplateError: A template fails on this row, or all of them ask for too much; the
                message says which, and holds no values.
        """
        missing = _MISSING if self._omit else None
        result = self._root.value(_Row(values, now, allowance or Allowance(), missing))
        return None if result is _MISSING else result


class _Parser:
    def __init__(self) -> None:
        self.templates: list[tuple[str, Template]] = []
        self._values = self._size = 0

    def part(self, value: Any, place: str, depth: int) -> _Part:
        self._values += 1
        if self._values > MAX_VALUES:
            raise ConfigError(f"The structure has more than {MAX_VALUES:,} values.")
        if depth > MAX_DEPTH:
            raise ConfigError(f"The structure is nested more than {MAX_DEPTH} deep.")
        match value:
            case str():
                return self._leaf(value, place)
            case dict():
                members = ((self._name(name, place), inner) for name, inner in value.items())
                return _Object(
                    tuple(
                        (name, self.part(inner, f"{place}/{_escaped(name)}", depth + 1))
                        for name, inner in members
                    )
                )
            case list():
                return _List(
                    tuple(
                        self.part(inner, f"{place}/{position}", depth + 1)
                        for position, inner in enumerate(value)
                    )
                )
        return _Constant(_checked(value, place))

    def _leaf(self, source: str, place: str) -> _Part:
        self._measure(source)
        if "{{" not in source and "{%" not in source:
            return _Constant(source)
        try:
            template = Template.parse(source)
        except TemplateSyntaxError as error:
            raise error.inside(place) from None
        self.templates.append((place, template))
        return _Leaf(template, place)

    def _name(self, name: Any, place: str) -> str:
        if not isinstance(name, str) or "{{" in name or "{%" in name:
            raise ConfigError(_told(place, "a name must be text, and cannot be a template."))
        self._measure(name)
        return name

    def _measure(self, text: str) -> None:
        try:
            self._size += len(text.encode())
        except UnicodeEncodeError:
            raise ConfigError("A text of the structure is not Unicode.") from None
        if self._size > MAX_SOURCE:
            raise ConfigError(f"The structure is larger than {MAX_SOURCE // 1024} kB.")


def _checked(value: Any, place: str) -> Any:
    number = isinstance(value, int | float | Decimal)
    if value is None or (number and math.isfinite(value)):
        return value
    kind = type(value).__name__
    raise ConfigError(_told(place, f"a {kind} is no value of JSON: write it as text."))


def _told(place: str, problem: str) -> str:
    return f"{place}: {problem}" if place else problem


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")
