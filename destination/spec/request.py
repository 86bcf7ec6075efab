"""What a request is made of, as an operator or a spec file says it."""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, Any, Literal, Self

import httpx
from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    HttpUrl,
    PositiveInt,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from destination.errors import ConfigError
from destination.spec.answer import Answer
from destination.strict import HeaderName, Line, Size, Strict
from destination.template import (
    FormTemplate,
    HeaderTemplate,
    JsonTemplate,
    Structure,
    TemplateSyntaxError,
    UrlTemplate,
)

ARRAY_SIZE, LARGEST_ARRAY = 100, 10_000
"""Payloads in one array: by default, and at most."""

SHARED = frozenset({"object", "operation", "options", "settings", "event_id"})
"""What templates can name that is the same for all rows of a request."""

ABOUT_BATCHES = f"rows of an array share nothing but {', '.join(sorted(SHARED))}"


def _checked(parse: Callable[[Any], Any]) -> AfterValidator:
    """A value that can be parsed is kept as it is; one that cannot is told with line and column."""

    def check(value: Any) -> Any:
        try:
            parse(value)
        except ConfigError as error:
            raise ValueError(error.message) from None
        return value

    return AfterValidator(check)


def _url(source: str) -> None:
    """Scheme and host are written out, so that they can be judged here."""
    if _USERINFO.match(source.strip()):
        raise ConfigError("credentials belong into auth, not into the address")
    base = UrlTemplate.parse(source).base
    try:
        if base:
            _address.validate_python(base)
            httpx.URL(base)
    except (ValidationError, httpx.InvalidURL):
        raise ConfigError("its host is not valid") from None


_address = TypeAdapter(HttpUrl)
_USERINFO = re.compile(r"[a-z]+://[^/?]*@", re.IGNORECASE)

UrlText = Annotated[str, _checked(_url), Field(min_length=1, repr=False)]
"""A template for a URL; it is not shown, since its path may be a credential."""


def _header(source: str) -> None:
    try:
        HeaderTemplate.parse("x", source)
    except TemplateSyntaxError as error:  # its name stands before it already
        raise TemplateSyntaxError(error.problem, line=error.line, column=error.column) from None


HeaderText = Annotated[str, _checked(_header)]

Pairs = Annotated[dict[Line, Any], _checked(FormTemplate.parse)]
"""Names, and templates or lists of them."""


def parsed_template(value: str | dict[str, Any] | list[Any]) -> JsonTemplate | Structure:
    """A template for JSON, written as its text or as JSON in which every text is a template."""
    return JsonTemplate.parse(value) if isinstance(value, str) else Structure.parse(value)


def _wrapper(value: str | dict[str, Any] | list[Any]) -> None:
    if not isinstance(value, str):
        Structure.parse(value)
    elif not value or "{" in value:
        raise ConfigError(
            'as text it is the name of the member that the array is, such as "events"; anything '
            'more is a table, such as { events = "{{ payloads }}", source = "hightouch" }'
        )


def _text_or_values(value: Any) -> Any:
    if not isinstance(value, str | dict | list):
        raise ValueError("must be text, a table or a list")
    return value


Values = Annotated[str | dict[str, Any] | list[Any], BeforeValidator(_text_or_values)]


class Request(Strict):
    """
    One kind of request.

    Templates are Liquid. They see the record's fields by their names; ``id`` where no field has
    that name, ``fields``, ``row`` with all columns, ``row_id``, ``object``, ``operation``,
    ``options``, ``settings`` and ``event_id``, which stays the same when the same is sent again; of
    a group, what its first row has, and ``records``, each with what is its own of these. With
    ``payload = "event"`` they see the canonical event's members in place of the fields, in camel
    and in snake case.
    """

    method: Literal["POST", "PUT", "PATCH", "DELETE"] = "POST"
    """The HTTP method."""
    url: UrlText
    """Where requests go; a template, whose values are percent-encoded."""
    query: Pairs = Field(default_factory=dict, repr=False)
    """Query parameters, after those in the URL; templates."""
    headers: dict[HeaderName, HeaderText] = Field(default_factory=dict, repr=False)
    """Headers; templates. One that comes out empty is not sent."""
    payload: Literal["record", "event", "none"] = "record"
    """What is sent of a row: `{operation, id, fields}`, the canonical event, or nothing."""
    template: Annotated[Values, _checked(parsed_template)] | None = Field(default=None, repr=False)
    """The payload in another form: the text of JSON, or JSON in which every text is a template."""
    encoding: Literal["json", "form"] = "json"
    """How the payload is written; a form needs a template that names its parameters."""
    omit_empty: bool = False
    """Members and parameters that come out null or as an empty text are not sent."""
    batching: Literal["none", "array"] = "none"
    """A payload for each request, or an array of up to `batch_size` of them."""
    wrapper: Annotated[Values, _checked(_wrapper)] | None = Field(default=None, repr=False)
    """What an array stands in: the name of a member, or JSON in which it is `{{ payloads }}`."""
    batch_size: Annotated[PositiveInt, Field(le=LARGEST_ARRAY)] | None = None
    """Payloads in one array; 100 by default."""
    max_batch_bytes: Size | None = None
    """Bytes of a body at most, such as `512KiB`; an array that is larger is sent in halves."""
    idempotent: bool = False
    """The same may be taken twice without harm: it is sent again after no answer."""
    answer: Answer = Answer()
    """How answers are read."""

    @property
    def most(self) -> int:
        """How many payloads one request takes."""
        return (self.batch_size or ARRAY_SIZE) if self.batching == "array" else 1

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if problems := [*self._of_form(), *self._of_batches(), *self._of_wrapper()]:
            raise ValueError("\n".join(problems))
        return self

    def _of_form(self) -> Iterator[str]:
        if self.encoding == "form" and not isinstance(self.template, dict):
            yield "template: a form needs one that is a table of its parameters"
        if self.encoding == "form" and isinstance(self.template, dict):
            yield from _problem(FormTemplate.parse, self.template)
        if self.payload == "none" and (self.template is not None or self.batching == "array"):
            yield "payload: none leaves nothing for a template or an array"

    def _of_batches(self) -> Iterator[str]:
        if self.batching == "none":
            return
        if self.encoding == "form":
            yield "encoding: a form cannot hold an array of payloads"
        for place, columns in self._addressing():
            if unknown := columns - SHARED:
                yield f"{place}: names {min(unknown)}: {ABOUT_BATCHES}"

    def _of_wrapper(self) -> Iterator[str]:
        if self.wrapper is not None and self.batching == "none":
            yield 'wrapper: needs batching = "array"'
        if isinstance(self.wrapper, dict | list):
            named = Structure.parse(self.wrapper).columns
            if "payloads" not in named:
                yield "wrapper: has no place for the array: write {{ payloads }} there"
            elif unknown := named - SHARED - {"payloads"}:
                yield f"wrapper: names {min(unknown)}: {ABOUT_BATCHES}"

    def _addressing(self) -> Iterator[tuple[str, frozenset[str]]]:
        yield "url", UrlTemplate.parse(self.url).columns
        yield "query", FormTemplate.parse(self.query).columns
        for name, source in self.headers.items():
            yield f"headers.{name}", HeaderTemplate.parse(name, source).columns


def _problem(parse: Callable[[Mapping[str, Any]], Any], value: Mapping[str, Any]) -> Iterator[str]:
    try:
        parse(value)
    except ConfigError as error:
        yield f"template: {error.message}"
