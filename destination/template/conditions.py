"""Conditions over a row, as they stand between ``if`` and the end of a tag."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from destination.template.faults import TemplateError, TemplateSyntaxError, position
from destination.template.plain import Template
from destination.template.rendering import Allowance

_BEFORE, _AFTER, _YES = "{% if ", " %}yes{% endif %}", "yes"
_MARKS = ("{{", "}}", "{%", "%}")


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition such as ``plan == "pro" and total > 100``, to be made by ``parse``."""

    template: Template

    @classmethod
    def parse(cls, source: str) -> "Condition":
        """
        A condition for this source.

        Raises:
            TemplateSyntaxError: It is empty, holds Liquid's marks or cannot be parsed.
        """
        source = source.strip()
        if not source:
            raise TemplateSyntaxError("a condition must not be empty")
        for mark in _MARKS:
            if (at := source.find(mark)) >= 0:
                line, column = position(source, at)
                problem = f"a condition is written without {mark}"
                raise TemplateSyntaxError(problem, line=line, column=column)
        try:
            return cls(Template.parse(f"{_BEFORE}{source}{_AFTER}"))
        except TemplateSyntaxError as error:
            before = len(_BEFORE) if error.line == 1 else 0
            column = max(error.column - before, 1)
            raise TemplateSyntaxError(error.problem, line=error.line, column=column) from None

    @property
    def columns(self) -> frozenset[str]:
        """The top-level names it reads."""
        return self.template.columns

    def holds(
        self,
        values: Mapping[str, Any],
        *,
        now: datetime | None = None,
        allowance: Allowance | None = None,
    ) -> bool:
        """
        Whether it holds for this row; names that the row does not have are null.

        Raises:
            TemplateError: It fails on these values; the message holds none of them.
        """
        try:
            value = self.template.value(values, now=now, allowance=allowance)
        except TemplateError as error:
            raise TemplateError(f"condition: {error.message}") from None
        return bool(value == _YES)
