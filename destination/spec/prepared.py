"""A request made ready: its templates parsed, its parts written for one row or for a batch."""

import urllib.parse
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from destination.errors import Code, RefusedError, RowError
from destination.model import Record
from destination.spec.request import Request, parsed_template
from destination.spec.selection import Selection
from destination.strict import Size
from destination.template import (
    Allowance,
    FormTemplate,
    HeaderTemplate,
    JsonTemplate,
    Structure,
    TemplateError,
    UrlTemplate,
)
from destination.vendor.encoding import encode

LONGEST_URL = 8_000
"""Characters of a URL at most; RFC 9110 asks everybody to take so many."""

JSON, FORM = "application/json", "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True)
class Payload:
    """
    What is sent of one record, or of a group of them.

    Args:
        values: What templates see.
        body: The payload itself: pairs for a form.
        allowance: What is left of it for the templates of the address.
    """

    records: Sequence[Record]
    values: Mapping[str, Any]
    body: Any
    allowance: Allowance = field(compare=False)


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One HTTP request."""

    method: str
    url: str
    headers: Mapping[str, str]
    content: bytes | None


class Prepared:
    """One kind of request, its templates parsed once for all rows."""

    def __init__(self, request: Request) -> None:
        self.request = request
        self.answer = request.answer
        self.batched = request.batching == "array"
        self._url = UrlTemplate.parse(request.url)
        self._fixed = self._url.render({}) if _is_fixed(request.url) else None
        self._query = FormTemplate.parse(request.query) if request.query else None
        self._headers = [HeaderTemplate.parse(*each) for each in request.headers.items()]
        self._template: FormTemplate | JsonTemplate | Structure | None = None
        if request.encoding == "form" and isinstance(request.template, dict):
            self._template = FormTemplate.parse(request.template)
        elif request.template is not None:
            self._template = parsed_template(request.template)
        self._wrapper = _wrapper(request.wrapper)
        parts = (self._url, self._query, self._template, self._wrapper, *self._headers)
        named = (part.columns for part in parts if part)
        self.columns = frozenset[str]().union(*named) - {"payloads"}
        """The names that its templates read."""

    @property
    def content_type(self) -> str:
        """What the body is, where no header says otherwise."""
        return FORM if self.request.encoding == "form" else JSON

    def payload(
        self, records: Sequence[Record], values: Mapping[str, Any], plain: Any, now: datetime
    ) -> Payload:
        """
        The payload of these records: what its template makes of the values, or the plain one.

        Raises:
            TemplateError: The template fails on these values.
        """
        allowance, body = Allowance(), plain
        if isinstance(self._template, FormTemplate):
            body = self._sent(self._template.pairs(values, now=now, allowance=allowance))
        elif self._template is not None:
            body = self._template.value(values, now=now, allowance=allowance)
        if self.request.omit_empty and isinstance(body, dict):
            body = filled(body)
        return Payload(records, values, body, allowance)

    def outgoing(
        self, payloads: Sequence[Payload], shared: Mapping[str, Any], now: datetime
    ) -> Outgoing:
        """
        The request that carries these payloads: all of them in an array, or a single one.

        Args:
            shared: What the templates of an array's address and of its wrapper see.

        Raises:
            TemplateError: A template of its address or headers fails.
            RefusedError: There are several, and together they are too large.
            RowError: There is one, and it is too large.
        """
        values = shared if self.batched else payloads[0].values
        allowance = Allowance() if self.batched else payloads[0].allowance
        content = self._content(payloads, values, now)
        limit = self.request.max_batch_bytes
        if limit is not None and content is not None and len(content) > limit:
            raise _too_large(payloads, limit)
        headers = {} if content is None else {"Content-Type": self.content_type}
        for header in self._headers:
            if line := header.render(values, now=now, allowance=allowance):
                headers = {**_without(headers, header.name), header.name: line}
        address = self._address(values, allowance, now)
        if len(address) > LONGEST_URL:
            problem = f"not sent: its URL has more than {LONGEST_URL:,} characters"
            raise RowError(problem, code=Code.TOO_LARGE)
        return Outgoing(self.request.method, address, headers, content)

    def _content(
        self, payloads: Sequence[Payload], values: Mapping[str, Any], now: datetime
    ) -> bytes | None:
        if self.batched:
            array = [each.body for each in payloads]
            if self._wrapper is None:
                return encode(array)
            with _told_as("wrapper"):
                return encode(self._wrapper.value({**values, "payloads": array}, now=now))
        [payload] = payloads
        if self.request.payload == "none":
            return None
        if isinstance(self._template, FormTemplate):
            return urllib.parse.urlencode(payload.body).encode()
        return encode(payload.body)

    def _sent(self, pairs: list[tuple[str, str]]) -> list[tuple[str, str]]:
        return [pair for pair in pairs if pair[1]] if self.request.omit_empty else pairs

    def _address(self, values: Mapping[str, Any], allowance: Allowance, now: datetime) -> str:
        url = self._fixed
        if url is None:
            with _told_as("url"):
                url = self._url.render(values, now=now, allowance=allowance)
        if self._query is None:
            return url
        with _told_as("query"):
            pairs = self._sent(self._query.pairs(values, now=now, allowance=allowance))
        query = urllib.parse.urlencode(pairs, quote_via=urllib.parse.quote)
        return f"{url}{'&' if '?' in url else '?'}{query}" if query else url


def ungrouped(selection: Selection, requests: Mapping[str, Request]) -> Iterator[str]:
    """Requests that would send the first row of a group only, where rows are grouped."""
    for name, request in requests.items() if selection.group_by else ():
        if "records" not in Prepared(request).columns:
            yield f"{name}: rows are grouped, so a template must name records"


def filled(members: Mapping[str, Any]) -> dict[str, Any]:
    """The members without those that are null or an empty text, or objects of nothing else."""
    inner = {k: filled(v) or None if isinstance(v, dict) and v else v for k, v in members.items()}
    return {name: value for name, value in inner.items() if value is not None and value != ""}


def _wrapper(wrapper: str | dict[str, Any] | list[Any] | None) -> Structure | None:
    """What an array stands in; a name is that of an object's only member."""
    if isinstance(wrapper, str):
        wrapper = {wrapper: "{{ payloads }}"}
    return None if wrapper is None else Structure.parse(wrapper)


@contextmanager
def _told_as(which: str) -> Iterator[None]:
    """Of several templates a row's failure names the one that failed."""
    try:
        yield
    except TemplateError as error:
        raise TemplateError(f"{which}: {error.message}") from None


def _is_fixed(source: str) -> bool:
    return "{{" not in source and "{%" not in source


def _without(headers: Mapping[str, str], name: str) -> dict[str, str]:
    return {each: value for each, value in headers.items() if each.lower() != name.lower()}


def _too_large(payloads: Sequence[Payload], limit: Size) -> RefusedError | RowError:
    kind = RefusedError if len(payloads) > 1 else RowError
    return kind(f"not sent: larger than {limit:,} bytes", code=Code.TOO_LARGE)
