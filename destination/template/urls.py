"""Templates for URLs, or for paths and queries below one."""

import re
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import repeat
from typing import Any

from liquid.token import Token

from destination.template.faults import failure_at, fault_at
from destination.template.plain import Template
from destination.template.rendering import Allowance
from destination.template.sinks import PlaceError, Traced
from destination.template.values import text

_ABSOLUTE = re.compile(r"https?://(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::\d+)?", re.IGNORECASE)
_SCHEME = re.compile(r"[^/?]*:|//")
_NOT_URL = re.compile(r"[^A-Za-z0-9._~:/?\[\]@!$&'()*+,;=%-]|%(?![0-9A-Fa-f]{2})")
_DOTS = re.compile(r"/(?:\.|%2e){1,2}(?=/|$)", re.IGNORECASE)
_HOST_FIXED = "scheme and host must be written out, as in https://host/{{ name }}"
_UNFINISHED = 8  # what follows a text can mend no more than a segment /%2e%2e at its end

_ENCODING = {"url_encode", "cgi_escape"}


@dataclass(frozen=True, slots=True)
class UrlTemplate:
    """
    A template that gives a URL, or a path and query below one, to be made by ``parse``.

    A value before the first ``?`` is part of one path segment, a value after it of one name
    or value of the query; everything in it but letters, digits and ``-._~`` is
    percent-encoded as UTF-8.
    """

    template: Template
    base: str
    """Scheme and host, if any: the part of the text that no value and no choice can change."""

    @classmethod
    def parse(cls, source: str) -> "UrlTemplate":
        """
        A template for this source; blanks around it are left out.

        Raises:
            TemplateSyntaxError: Liquid cannot parse it, it cannot give a URL, or scheme and
                host are not written out.
        """
        source = source.strip()
        template = encoded_once(Template.parse(source))
        found = _ABSOLUTE.match(source)
        base = found[0] if found else ""
        if base and source[len(base) : len(base) + 1] not in ("", "/", "?"):
            raise fault_at(source, len(base), _HOST_FIXED)
        parsed, sink = cls(template, base), _Url()
        whole = template.outline(sink, repeat("x"))
        problem = parsed._problem(sink.getvalue())
        if problem and (whole or problem[1] + _UNFINISHED < len(sink.getvalue())):
            raise fault_at(source, sink.origin(problem[1]), problem[0])
        return parsed

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
        The URL for this row, of ASCII characters.

        Raises:
            TemplateError: It fails on these values; a value of the path is empty, and the
                URL would name something else; a segment of the path is ``.`` or ``..``.
        """
        sink = _Url()
        self.template.write(values, sink, now=now, allowance=allowance)
        url = sink.getvalue()
        if problem := self._problem(url):
            raise failure_at(self.template.source, sink.origin(problem[1]), problem[0])
        return url

    def _problem(self, url: str) -> tuple[str, int] | None:
        """What is wrong with a URL, and at which character."""
        if found := _NOT_URL.search(url):
            return "a character that no URL has here", found.start()
        if not self.base and _SCHEME.match(url):
            return _HOST_FIXED, 0
        path = "/" + url[len(self.base) :].partition("?")[0]
        if found := _DOTS.search(path):
            return "a path segment is '.' or '..'", max(found.start() - 1 + len(self.base), 0)
        return None


class _Url(Traced):
    def __init__(self) -> None:
        super().__init__()
        self._query = False

    def write(self, text: str, token: Token | None = None) -> int:
        """Takes literal text."""
        self._query = self._query or "?" in text
        return super().write(text, token)

    def insert(self, value: Any, token: Token) -> int:
        """Takes a value, of which nothing is left that means something in a URL."""
        written = text(value)
        if not written and not self._query:
            raise PlaceError("a value of the path is empty")
        return super().write(urllib.parse.quote(written, safe=""), token)


def encoded_once(template: Template) -> Template:
    """The template, unless it encodes a value by itself for a place that encodes all of them."""
    for output in template.outputs():
        last = output.last_filter()
        if last and last.name in _ENCODING:
            problem = f"leave out '{last.name}': values are encoded here in any case"
            raise fault_at(template.source, last.token.start_index, problem)
    return template
