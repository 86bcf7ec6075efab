"""Templates for the pairs of a form or of a query."""

import urllib.parse
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from destination.template.faults import TemplateError, TemplateSyntaxError
from destination.template.rendering import Allowance
from destination.template.structure import Structure
from destination.template.urls import encoded_once
from destination.template.values import text


@dataclass(frozen=True, slots=True)
class FormTemplate:
    """Names and templates that give the pairs of a form or query, to be made by ``parse``."""

    structure: Structure

    @classmethod
    def parse(cls, parts: Mapping[str, Any]) -> "FormTemplate":
        """
        A form of names, taken as they stand, and of templates, fixed values or lists of both.

        Raises:
            TemplateSyntaxError, ConfigError: As ``Structure.parse`` does; and for a filter
                that encodes, since values are encoded here in any case.
        """
        structure = Structure.parse(dict(parts))
        for place, template in structure.templates:
            try:
                encoded_once(template)
            except TemplateSyntaxError as error:
                raise error.inside(place) from None
        return cls(structure)

    @property
    def columns(self) -> frozenset[str]:
        """The top-level names that its templates read."""
        return self.structure.columns

    def pairs(
        self,
        values: Mapping[str, Any],
        *,
        now: datetime | None = None,
        allowance: Allowance | None = None,
    ) -> list[tuple[str, str]]:
        """
        The pairs for this row, not encoded, in the order of the names.

        What is exactly one ``{{ expression }}`` gives no pair when the row does not have its
        name, and one for each item of a list. Null is an empty text.

        Raises:
            TemplateError: A template fails on this row, or gives an object or a list of
                lists; the message says which.
        """
        parts: dict[str, Any] = self.structure.value(values, now=now, allowance=allowance)
        return [(name, item) for name, value in parts.items() for item in _texts(name, value)]

    def encoded(
        self,
        values: Mapping[str, Any],
        *,
        now: datetime | None = None,
        allowance: Allowance | None = None,
    ) -> str:
        """The pairs as ``application/x-www-form-urlencoded``; raises like ``pairs``."""
        return urllib.parse.urlencode(self.pairs(values, now=now, allowance=allowance))


def _texts(name: str, value: Any) -> Iterator[str]:
    for item in value if isinstance(value, list) else [value]:
        if isinstance(item, list | dict):
            raise TemplateError(f"/{name}: a list or an object is no value of a form")
        try:
            written = text(item)
            written.encode()
        except ValueError:  # a number of thousands of digits, or text that is not Unicode
            raise TemplateError(f"/{name}: a value that cannot be written") from None
        yield written
