"""The words of the domain as values: what a destination declares and what passes through it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Generic, TypeVar

import msgspec

from destination.errors import DestinationError, RowError

OptionsT = TypeVar("OptionsT")


class FieldType(StrEnum):
    """The field types Hightouch knows; it displays them and leaves checking to us."""

    STRING = "STRING"
    ENUM = "ENUM"
    NUMBER = "NUMBER"
    BOOLEAN = "BOOLEAN"
    DATE = "DATE"
    DATETIME = "DATETIME"
    EMAIL = "EMAIL"
    OBJECT = "OBJECT"
    ARRAY = "ARRAY"
    REFERENCE = "REFERENCE"
    UNKNOWN = "UNKNOWN"


class Operation(StrEnum):
    """What happened to a row since the last run."""

    ADD = "add"
    CHANGE = "change"
    REMOVE = "remove"


@dataclass(frozen=True, slots=True)
class Field:
    """
    One field of an object, as the mapping form shows it.

    Args:
        id: The name in mappings; dots make nested objects (``address.city``).
        type: Values are coerced to it; a value that cannot be rejects its row.
        required: A row whose value is missing or empty is rejected.
        identifier: The field may be chosen to match records by.
        choices: The values an ENUM takes.
    """

    id: str
    label: str = ""
    type: FieldType = FieldType.STRING
    description: str = ""
    required: bool = False
    identifier: bool = False
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Mode:
    """
    A way to sync: the verb for each operation, or None where rows are not sent.

    Args:
        skip_initial_run: The platform records the rows of the first run without sending them.
    """

    id: str
    label: str = ""
    add: str | None = None
    change: str | None = None
    remove: str | None = None
    description: str = ""
    skip_initial_run: bool = False

    def verb(self, operation: Operation) -> str | None:
        """The verb for an operation, None when this mode does not send it."""
        return {
            Operation.ADD: self.add,
            Operation.CHANGE: self.change,
            Operation.REMOVE: self.remove,
        }[operation]


@dataclass(frozen=True, slots=True)
class Object:
    """
    Something rows can be synced to.

    Args:
        id: None when the destination has nothing to choose between.
        fields: What can be mapped; a destination whose fields only the vendor knows
            overrides ``Destination.fields`` instead.
        custom_fields: Fields that are not declared are accepted too.
    """

    id: str | None = None
    label: str = ""
    modes: tuple[Mode, ...] = ()
    fields: tuple[Field, ...] = ()
    description: str = ""
    custom_fields: bool = False


@dataclass(frozen=True, slots=True)
class Rate:
    """At most ``per_second`` requests a second, with ``burst`` of them at once."""

    per_second: float
    burst: int = 1


def per_second(count: float, *, burst: int | None = None) -> Rate:
    """A rate; the burst defaults to a tenth of it, since vendors count whole windows."""
    return Rate(count, burst if burst is not None else max(1, int(count / 10)))


@dataclass(frozen=True, slots=True)
class Limits:
    """
    How fast a vendor may be called.

    Args:
        batch_size: The most records in one ``deliver`` call; groups of them, where a
            destination groups.
        concurrency: The most ``deliver`` calls at once, over all syncs of the destination.
        rate: Requests a second, attempts counted.
        latency: Seconds one ``deliver`` call is expected to take. ``behavior`` asks for no
            more rows than can be delivered in time at this pace.
        attempts: How often a request is tried in all, where it may be repeated.
        timeout: Seconds for one attempt.
        remember: Hours for which a delivered row is not sent again when the same call is
            repeated; 0 where sending twice is harmless.
        largest_batch: What an operator may raise ``batch_size`` to; by default no further.
        halve: A refused batch is cut in two to find the culprit. False for a vendor that
            may have applied part of a batch it refuses.
        in_order: Batches of one lane go one after another, in the order of the rows.
        call_size: The most rows that ``behavior`` asks for in a call, however fast they could
            be delivered.
        spare: Connections beside the deliveries', for forms and checks. No more than
            ``concurrency`` requests are under way for deliveries, however many one of them makes.
    """

    batch_size: int = 1
    concurrency: int = 10
    rate: Rate | None = None
    latency: float = 1.0
    attempts: int = 3
    timeout: float = 10.0
    halve: bool = True
    remember: float = 24.0
    largest_batch: int | None = None
    in_order: bool = False
    call_size: int | None = None
    spare: int = 10

    def __post_init__(self) -> None:
        """Refuse what nothing could be delivered with."""
        most = (self.batch_size, self.concurrency, self.attempts, self.timeout, self.latency)
        if min(most) <= 0:
            raise ValueError("limits are greater than zero")


RowId = str | int | float
"""The value of a row's id column."""


class Row(msgspec.Struct, frozen=True):
    """A row as it arrived: its position and id, and its columns or why they cannot be read."""

    position: int
    id: RowId
    columns: Mapping[str, Any] | RowError


class Record(msgspec.Struct, frozen=True, gc=False):  # nothing that it holds leads back to it
    """
    A row mapped to the destination's fields.

    Args:
        position: Index in the call; the identity of the row while it is delivered.
        id: The value of the row's id column: text or a number.
        fields: Mapped and coerced values; nested where a field's id has dots.
        source: The row's columns, or what gives them for a position; most rows are never asked
            for more than was mapped.
    """

    position: int
    id: RowId
    fields: Mapping[str, Any]
    source: Mapping[str, Any] | Callable[[int], Mapping[str, Any]]

    @property
    def row(self) -> Mapping[str, Any]:
        """All columns under their source names, read when one is asked for."""
        return self.source(self.position) if callable(self.source) else self.source

    def reject(self, error: DestinationError) -> "Rejection":
        """This record was not delivered, because of that."""
        return Rejection(self.position, error)


class Rejection(msgspec.Struct, frozen=True):
    """A record that was not delivered: its position in the call, and why."""

    position: int
    error: DestinationError

    def __post_init__(self) -> None:
        # An error holds every frame that it passed, and so the request and the answer: 10 kB for
        # each rejected row until the call is answered.
        if isinstance(self.error, DestinationError):
            self.error.__traceback__ = self.error.__context__ = None


class Batch(msgspec.Struct, Generic[OptionsT], frozen=True):
    """
    Valid records that share one verb, one sync's options and one lane.

    Args:
        id_column: The name of the column that the records' ids come from.
        scope: What tells this sync from others, for ids that must not change.
    """

    object: str | None
    mode: str
    operation: Operation
    verb: str
    options: OptionsT
    records: Sequence[Record]
    id_column: str = ""
    scope: bytes = b""


@dataclass(frozen=True, slots=True)
class Form:
    """
    What a destination adds to the form made from its options model.

    Args:
        choices: For an option, the values it takes and the text shown for each.
        ui: react-jsonschema-form's uiSchema, by option.
    """

    choices: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    ui: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Checked:
    """
    What asking the vendor showed before the first sync.

    Args:
        says: Whose account it is and the like, for the operator.
        warnings: What works less well than it could, each a sentence that says what to do.
    """

    says: str = ""
    warnings: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Report:
    """
    What became of the rows of one call; every row not rejected or skipped was delivered.

    Args:
        skipped: The positions of rows that the destination does not want; they are no errors.
        suppressed: Of the delivered rows, those that an earlier call had delivered already.
        attempts: Requests that went to the vendor.
    """

    rows: int
    rejections: tuple[Rejection, ...] = ()
    skipped: tuple[int, ...] = ()
    suppressed: int = 0
    attempts: int = 0

    @property
    def delivered(self) -> int:
        """Rows that the vendor acknowledged, in this call or in an earlier one."""
        return self.rows - len(self.rejections) - len(self.skipped)
