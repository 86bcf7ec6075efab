"""The shapes of the nine methods' params and results, as Hightouch documents them."""

from typing import Annotated, Any, NotRequired, TypedDict

import msgspec

from destination.model import FieldType

Object = Annotated[msgspec.Raw, msgspec.Meta(extra_json_schema={"type": ["object", "null"]})]
Objects = Annotated[
    msgspec.Raw, msgspec.Meta(extra_json_schema={"type": "array", "items": {"type": "object"}})
]


class Choice(msgspec.Struct):
    """The object and the mode that are chosen, as far as they are."""

    object: str | None = None
    mode: str | None = None


class Configured(msgspec.Struct):
    """A sync's configuration; ``columns`` are those of its model, where a caller knows them."""

    configuration: dict[str, Any] | None = None
    columns: list[str] | None = None


class Rows(msgspec.Struct):
    """A batch of rows, and the column by which they are known."""

    rows: Objects
    idColumn: str | None = None  # noqa: N815 - the wire's name
    configuration: Object | msgspec.UnsetType = msgspec.UNSET


class Choosable(TypedDict):
    """An object or a mode."""

    id: str
    label: str
    description: NotRequired[str]


class ObjectsResult(TypedDict):
    """The objects."""

    objects: list[Choosable] | None


class ModesResult(TypedDict):
    """The modes."""

    modes: list[Choosable] | None


class Mappable(Choosable):
    """A field."""

    type: FieldType
    required: NotRequired[bool]
    identifier: NotRequired[bool]


class FieldsResult(TypedDict):
    """The fields."""

    fields: list[Mappable] | None


class Options(TypedDict):
    """A form."""

    schema: dict[str, Any]
    uiSchema: dict[str, Any]


class OptionsResult(TypedDict):
    """The form, null where there is nothing to ask."""

    options: Options | None


class ValidateResult(TypedDict):
    """What is wrong; nothing when it is empty."""

    errors: list[str]


class Operations(TypedDict):
    """Which rows are to be sent."""

    add: bool
    change: bool
    remove: bool


class BehaviorResult(TypedDict):
    """How rows should be sent."""

    batchSize: Annotated[int, msgspec.Meta(ge=1)]
    operations: Operations
    skipInitialRun: bool


class RejectedRow(TypedDict):
    """A row that was not delivered: its id as it came, and ``CODE: text``."""

    id: str | int | float
    reason: str


class RejectedResult(TypedDict):
    """The rows that were not delivered; all others were."""

    rejectedRows: list[RejectedRow]
