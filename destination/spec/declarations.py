"""What is declared beside requests: objects, modes, fields, limits, and a spec file's tests."""

from typing import Annotated, Any, Self

from pydantic import AfterValidator, PositiveFloat, PositiveInt, model_validator
from pydantic import Field as Setting

from destination.model import Field, FieldType, Limits, Mode, Object, Operation, per_second
from destination.strict import Some, Strict

Id = Annotated[str, Setting(min_length=1)]

FieldId = Annotated[str, Setting(pattern=r"^[^.]+(\.[^.]+)*$")]


class FieldDeclaration(Strict):
    """A field, shown in the mapping form and coerced to its type."""

    id: FieldId
    """The name in mappings; dots make nested objects."""
    label: str = ""
    """What the form calls it; by default its id."""
    type: FieldType = FieldType.STRING
    """What values are coerced to; a row whose value cannot be is rejected."""
    description: str = ""
    """What it is, in a sentence."""
    required: bool = False
    """A row without a value is rejected."""
    identifier: bool = False
    """The field may be chosen to match records by; of a removed row only such fields are sure."""
    choices: tuple[str, ...] = ()
    """The values that an ENUM takes."""

    @model_validator(mode="after")
    def _has_choices(self) -> Self:
        if (self.type is FieldType.ENUM) is not bool(self.choices):
            raise ValueError("choices are the values of an ENUM, which has some")
        return self

    def field(self) -> Field:
        """The field itself."""
        return Field(**dict(self))


class ModeDeclaration(Strict):
    """A way to sync: the request for each operation, where rows are sent."""

    id: Id
    """The name in a sync's configuration."""
    label: str = ""
    """What the form calls it; by default its id."""
    description: str = ""
    """What it does, in a sentence."""
    add: str | None = None
    """The request for added rows."""
    change: str | None = None
    """The request for changed rows."""
    remove: str | None = None
    """The request for removed rows."""
    skip_initial_run: bool = False
    """The platform records the rows of the first run without sending them."""

    @model_validator(mode="after")
    def _sends_something(self) -> Self:
        if not (self.add or self.change or self.remove):
            raise ValueError("names no request to add, change or remove rows by")
        return self

    def mode(self) -> Mode:
        """The mode itself."""
        return Mode(**dict(self))


class ObjectDeclaration(Strict):
    """Something rows can be synced to."""

    id: Id | None = None
    """May be left out where there is one object only."""
    label: str = ""
    """What the form calls it; by default its id."""
    description: str = ""
    """What it is, in a sentence."""
    modes: Annotated[tuple[ModeDeclaration, ...], Some]
    """The ways to sync, of which the first is the default."""
    fields: tuple[FieldDeclaration, ...] = ()
    """What can be mapped."""
    custom_fields: bool = False
    """Fields that are not declared may be mapped too."""

    def object(self) -> Object:
        """The object itself."""
        parts = {
            "modes": tuple(one.mode() for one in self.modes),
            "fields": tuple(one.field() for one in self.fields),
        }
        return Object(**{**dict(self), **parts})


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
    timeout: PositiveFloat = 10.0
    """Seconds for one attempt."""
    attempts: PositiveInt = 3
    """Attempts in all, for a request that may be repeated."""
    remember: Annotated[float, Setting(ge=0)] = 24.0
    """Hours for which a delivered row is not sent again, where a request is not idempotent."""

    @model_validator(mode="after")
    def _burst_of_a_rate(self) -> Self:
        if self.burst is not None and self.rate is None:
            raise ValueError("burst is within a rate, and there is none")
        return self

    def limits(self) -> Limits:
        """The limits, of requests that carry one record each."""
        rate = None if self.rate is None else per_second(self.rate, burst=self.burst)
        return Limits(
            rate=rate,
            concurrency=self.concurrency,
            latency=self.latency,
            timeout=self.timeout,
            attempts=self.attempts,
            remember=self.remember,
        )


class ExpectedRequest(Strict):
    """A request that a test expects; a text that is ``*`` stands for any value."""

    method: str = "POST"
    """The HTTP method."""
    url: str
    """The whole URL."""
    headers: dict[str, str] = Setting(default_factory=dict)
    """Headers that it must have; it may have others."""
    body: Any = None
    """The body: JSON, or the parameters of a form."""


class Reply(Strict):
    """What the vendor answers in a test."""

    status: Annotated[int, Setting(ge=200, le=599)] = 200
    """The HTTP status."""
    headers: dict[str, str] = Setting(default_factory=dict)
    """The headers."""
    body: Any = None
    """JSON, or text."""


def _row(value: dict[str, Any]) -> dict[str, Any]:
    id = value.get("id", 0)
    if isinstance(id, bool) or not isinstance(id, str | int | float):
        raise ValueError("id is text or a number")
    return value


class Trial(Strict):
    """Records in, requests and rejections out."""

    name: Id
    """What is true, in a sentence."""
    settings: dict[str, Any] = Setting(default_factory=dict)
    """What the operator configured."""
    options: dict[str, Any] = Setting(default_factory=dict)
    """What the marketer chose."""
    object: str | None = None
    """Which object rows go to; may be left out where there is one only."""
    mode: str | None = None
    """By default the object's first."""
    operation: Operation = Operation.ADD
    """What happened to the rows."""
    records: tuple[Annotated[dict[str, Any], AfterValidator(_row)], ...]
    """
    By field, dots included. `id` is the row's id too, which is otherwise its position from 1; it is
    a field only where one is declared.
    """
    replies: tuple[Reply, ...] = ()
    """To one request after another; the last goes on. Without any each is a 200 with `{}`."""
    requests: tuple[ExpectedRequest, ...] = ()
    """What is to be sent, in this order."""
    rejections: dict[str, str] = Setting(default_factory=dict)
    """By row id: how the reason starts."""
    error: str | None = None
    """How the reason starts for which the call as a whole fails."""
