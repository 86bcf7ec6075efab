"""Which records are sent, and which of them together."""

from collections.abc import Hashable, Mapping, Sequence
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from destination.coercion import coerce
from destination.errors import ConfigError, RowError
from destination.model import Field as DeclaredField
from destination.model import FieldType
from destination.strict import Strict
from destination.template import Condition


def _parsed(source: str) -> str:
    try:
        Condition.parse(source)
    except ConfigError as error:
        raise ValueError(error.message) from None
    return source


class Selection(Strict):
    """What is asked of a record before it is sent. A removal is always sent."""

    consent: tuple[str, ...] = ()
    """Categories of consent that a row must have; without one it is skipped, which is no error."""
    consent_at: Annotated[str, Field(min_length=1)] = "context.consent"
    """The field that holds the categories, each true or false."""
    filter: Annotated[str, AfterValidator(_parsed)] | None = None
    """A Liquid condition such as `plan == "pro"`; a row for which it does not hold is skipped."""
    group_by: Annotated[str, Field(min_length=1)] | None = None
    """A field; the rows of a call that agree in it become one payload, with all of `records`."""


def consents(selection: Selection, fields: Mapping[str, Any]) -> bool:
    """
    Whether every category that is required is granted.

    Categories stand in the field itself or one level down, under ``categories`` or
    ``canonical``; where several of these tell of one, all must grant it. An object may be the text
    of one. What cannot be read as true is not granted.
    """
    if not selection.consent:
        return True
    held: Any = fields
    for name in selection.consent_at.split("."):
        held = _object(held).get(name)
    held = _object(held)
    places = (held, _object(held.get("categories")), _object(held.get("canonical")))
    return all(_granted([place.get(each) for place in places]) for each in selection.consent)


def group_of(selection: Selection, fields: Mapping[str, Any]) -> Hashable | None:
    """What groups a record; None where its field is empty. Raises RowError for a list."""
    value = at(fields, selection.group_by) if selection.group_by else None
    if isinstance(value, list | dict):
        raise RowError(f"{selection.group_by}: a list or an object cannot group rows")
    return None if value in (None, "") else (type(value), value)


def at(value: Any, path: str) -> Any:
    """What stands at a dotted path; None where nothing does."""
    for name in path.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


_OBJECT = DeclaredField("consent", type=FieldType.OBJECT)
_BOOLEAN = DeclaredField("consent", type=FieldType.BOOLEAN)


def _object(value: Any) -> Mapping[str, Any]:
    """The object that a value is, or is the text of; else an empty one."""
    if not isinstance(value, str):
        return value if isinstance(value, Mapping) else {}
    try:
        return coerce(_OBJECT, value) or {}
    except RowError:
        return {}


def _granted(told: Sequence[Any]) -> bool:
    """Whether something tells of it, and nothing tells otherwise."""
    try:
        told = [coerce(_BOOLEAN, each) for each in told if each is not None]
    except RowError:
        return False
    return bool(told) and all(told)
