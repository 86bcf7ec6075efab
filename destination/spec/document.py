"""
A spec file: a whole destination as one document.

It declares and does not compute: there are no conditions, loops or inheritance between its parts. A
vendor that needs them is a module under ``destinations``.
"""

from collections.abc import Collection, Iterator, Mapping
from typing import Annotated, Any, Self

from pydantic import (
    Field,
    PositiveFloat,
    PositiveInt,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from destination.errors import ConfigError
from destination.model import Limits, Mode, Operation, per_second
from destination.schema import RESERVED
from destination.spec.declarations import Id, ObjectDeclaration
from destination.spec.forms import FormSchema
from destination.spec.prepared import Prepared, ungrouped
from destination.spec.request import SHARED, Request, UrlText
from destination.spec.selection import Selection
from destination.strict import Strict
from destination.template import Structure, Template
from destination.vendor.access import Auth, Signing

NAMES = SHARED | {"id", "fields", "row", "row_id", "records"}
"""What templates can name beside the fields."""


class LimitsDeclaration(Strict):
    """How fast the vendor may be called."""

    rate: PositiveFloat | None = None
    """Requests a second."""
    burst: PositiveInt | None = None
    """Requests at once, within the rate; by default a tenth of it."""
    concurrency: PositiveInt = 10
    """Requests under way at once."""
    latency: PositiveFloat = 1.0
    """Seconds that a request usually takes; it decides how many rows a call may bring."""
    attempts: PositiveInt = 3
    """Attempts in all, for a request that may be repeated."""
    remember: Annotated[float, Field(ge=0)] = 24.0
    """Hours for which a delivered row is not sent again, where a request is not idempotent."""

    def limits(self) -> Limits:
        """The limits, of requests that carry one record each."""
        rate = None if self.rate is None else per_second(self.rate, burst=self.burst)
        return Limits(
            rate=rate,
            concurrency=self.concurrency,
            latency=self.latency,
            attempts=self.attempts,
            remember=self.remember,
        )


class CheckDeclaration(Strict):
    """A request that reads, by which ``destination check`` sees whether we are let in."""

    url: UrlText
    """What is asked for by GET."""


class ExpectedRequest(Strict):
    """A request that a test expects; a text that is ``*`` stands for any value."""

    method: str = "POST"
    url: str
    """The whole URL."""
    headers: dict[str, str] = Field(default_factory=dict)
    """Headers that it must have; it may have others."""
    body: Any = None
    """The body: JSON, or the parameters of a form."""


class Reply(Strict):
    """What the vendor answers in a test."""

    status: Annotated[int, Field(ge=200, le=599)] = 200
    headers: dict[str, str] = Field(default_factory=dict)
    body: Any = None
    """JSON, or text."""


class Trial(Strict):
    """Records in, requests and rejections out."""

    name: Id
    """What is true, in a sentence."""
    settings: dict[str, Any] = Field(default_factory=dict)
    options: dict[str, Any] = Field(default_factory=dict)
    object: str | None = None
    mode: str | None = None
    operation: Operation = Operation.ADD
    records: tuple[dict[str, Any], ...]
    """By field, dots included; `id` is the row's id too, which is otherwise its position from 1."""
    replies: tuple[Reply, ...] = ()
    """To one request after another; the last goes on, and without any all is well."""
    requests: tuple[ExpectedRequest, ...] = ()
    rejections: dict[str, str] = Field(default_factory=dict)
    """By row id: how the reason starts."""
    error: str | None = None
    """How the reason starts for which the call as a whole fails."""


class Document(Selection):
    """The whole file."""

    schema_: Annotated[str | None, Field(alias="$schema")] = None
    """Where an editor finds this schema."""
    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=64)]
    """The name of the kind."""
    label: str = ""
    """The vendor's name as people write it."""
    description: str = ""
    """What it does, in a sentence."""
    docs: str = ""
    """Where the vendor describes the API."""
    base_url: str
    """What the requests' paths are below; it may name `settings`."""
    settings: FormSchema = Field(default_factory=dict)
    """What the operator configures, as JSON Schema; `"writeOnly": true` marks a secret."""
    options: FormSchema = Field(default_factory=dict)
    """What the marketer chooses for a sync, as JSON Schema."""
    auth: dict[str, Any] = Field(default_factory=lambda: {"scheme": "none"})
    """How to be let in, by one of the schemes of a webhook; texts may name `settings`."""
    signing: dict[str, Any] | None = None
    """How requests are signed, by one of the schemes of a webhook; texts may name `settings`."""
    limits: LimitsDeclaration = LimitsDeclaration()
    """How fast the vendor may be called."""
    check: CheckDeclaration | None = None
    """How to see whether we are let in."""
    objects: tuple[ObjectDeclaration, ...]
    """What rows can be synced to."""
    requests: Annotated[dict[Id, Request], Field(min_length=1)]
    """The requests, by the names that modes call them by."""
    tests: tuple[Trial, ...] = ()
    """Records in, requests and rejections out; `destination check` and pytest run them."""

    @property
    def modes(self) -> tuple[Mode, ...]:
        """The modes of all objects."""
        return tuple(mode.mode() for object in self.objects for mode in object.modes)

    @model_validator(mode="after")
    def _coherent(self) -> Self:
        problems = (
            *self._of_objects(),
            *self._of_requests(),
            *self._of_names(),
            *(f"requests.{each}" for each in ungrouped(self, self.requests)),
            *_of_access("auth", self.auth, Auth),
            *(_of_access("signing", self.signing, Signing) if self.signing else ()),
        )
        if problems:
            raise ValueError("\n".join(problems))
        return self

    def _of_objects(self) -> Iterator[str]:
        ids = [object.id for object in self.objects]
        if not ids:
            yield "objects: there must be one"
        if len(ids) > 1 and (None in ids or len(set(ids)) < len(ids)):
            yield "objects: of several objects each needs an id of its own"
        for taken in RESERVED & self.options.get("properties", {}).keys():
            yield f"options.{taken}: the platform reserves this name"
        for object in self.objects:
            if not object.modes:
                yield f"objects.{object.id or 0}.modes: there must be one"
            names = [field.id for field in object.fields]
            for name in {name for name in names if names.count(name) > 1}:
                yield f"objects.{object.id or 0}.fields: {name} is declared twice"

    def _of_requests(self) -> Iterator[str]:
        used = {mode.verb(each) for mode in self.modes for each in Operation} - {None}
        for name in sorted(str(one) for one in used - self.requests.keys()):
            yield f'objects: a mode names the request "{name}", which is not among requests'
        for name in sorted(self.requests.keys() - used):
            yield f"requests.{name}: no mode names it"

    def _of_names(self) -> Iterator[str]:
        """Names in templates that nothing could ever stand for."""
        if "{{" in self.base_url and (beside := _named(self.base_url) - {"settings"}):
            yield f"base_url: names {min(beside)}, but only settings are known there"
        if any(object.custom_fields for object in self.objects):
            return
        fields = {field.id.partition(".")[0] for object in self.objects for field in object.fields}
        for name, request in self.requests.items():
            if request.payload != "event":
                for unknown in sorted(Prepared(request).columns - NAMES - fields):
                    yield f"requests.{name}: a template names {unknown}, which is no field"


def _named(source: str) -> frozenset[str]:
    try:
        return Template.parse(source).columns
    except ConfigError:
        return frozenset()


def _of_access(where: str, parts: Mapping[str, Any], model: Any) -> Iterator[str]:
    """What is wrong with a way of being let in, as far as it shows before there are settings."""
    try:
        named = Structure.parse(dict(parts)).columns
    except ConfigError as error:
        yield f"{where}: {error.message}"
        return
    if beside := named - {"settings"}:
        yield f"{where}: names {min(beside)}, but only settings are known there"
    try:
        TypeAdapter(model).validate_python(dict(parts))
    except ValidationError as error:
        for detail in error.errors(include_url=False, include_input=False):
            path = detail["loc"][1:]  # the first is the scheme
            if "{{" not in str(_at(parts, path)):
                yield f"{'.'.join(map(str, (where, *path)))}: {_message(detail)}"


def _message(detail: Any) -> str:
    if detail["type"] == "extra_forbidden":
        return "does not exist here"
    if detail["type"] == "union_tag_invalid":
        return f"scheme must be one of {detail['ctx']['expected_tags']}"
    return str(detail["msg"].removeprefix("Value error, "))


def _at(value: Any, path: Collection[Any]) -> Any:
    for part in path:
        try:
            value = value[part]
        except (KeyError, IndexError, TypeError):
            return None
    return value
