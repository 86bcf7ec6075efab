"""Templates for the values of headers."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import repeat
from typing import Any

from destination.errors import ConfigError
from destination.template.faults import TemplateError, TemplateSyntaxError, fault_at, position
from destination.template.plain import Template
from destination.template.rendering import Allowance
from destination.template.sinks import Traced

_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_FORBIDDEN = re.compile(r"[^\t\x20-\x7e]")
_PROBLEM = "a character that no header may hold; the filter url_encode makes ASCII of any text"


@dataclass(frozen=True, slots=True)
class HeaderTemplate:
    """A template that gives a header's value, to be made by ``parse``."""

    name: str
    template: Template

    @classmethod
    def parse(cls, name: str, source: str) -> "HeaderTemplate":
        """
        A template for the header of this name; blanks around the source are left out.

        Raises:
            ConfigError: No header can have that name.
            TemplateSyntaxError: Liquid cannot parse it, or it cannot give one line of text.
        """
        if not _NAME.fullmatch(name):
            raise ConfigError("A header's name may hold letters, digits and hyphens.")
        source = source.strip()
        try:
            template, sink = Template.parse(source), Traced()
        except TemplateSyntaxError as error:
            raise error.inside(f"header {name}") from None
        template.outline(sink, repeat("x"))
        if found := _FORBIDDEN.search(sink.getvalue()):
            fault = fault_at(source, sink.origin(found.start()), _PROBLEM)
            raise fault.inside(f"header {name}")
        return cls(name, template)

    @property
    def columns(self) -> frozenset[str]:
        """The top-level names it reads."""
        return self.template.columns

    def render(
        self,
        values: Mapping[str, Any],
        *,
        now: datetime | None = None,
        allowance: Allowance | None = None,
    ) -> str:
        """
        The value for this row: one line of ASCII characters, perhaps empty.

        Raises:
            TemplateError: It fails on these values, or holds a control character or one that is
                not ASCII; the message names the header.
        """
        sink = Traced()
        try:
            self.template.write(values, sink, now=now, allowance=allowance)
        except TemplateError as error:
            raise TemplateError(f"header {self.name}: {error.message}") from None
        line = sink.getvalue()
        if found := _FORBIDDEN.search(line):
            row, column = position(self.template.source, sink.origin(found.start()))
            place = f"header {self.name}: line {row}, column {column}"
            raise TemplateError(f"{place}: {_PROBLEM}")
        return line.strip(" \t")
