"""Which records are sent, and which of them together."""

from collections.abc import Hashable, Mapping
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
    ``canonical``. What cannot be read as true is not granted.
    """
    if not selection.consent:
        return True
    held = at(fields, selection.consent_at)
    places = [held, at(held, "categories"), at(held, "canonical")]
    return all(any(_granted(at(place, each)) for place in places) for each in selection.consent)


def group_of(selection: Selection, fields: Mapping[str, Any]) -> Hashable | None:
    """What groups a record; None where it does not have the field. Raises RowError for a list."""
    value = at(fields, selection.group_by) if selection.group_by else None
    if isinstance(value, list | dict):
        raise RowError(f"{selection.group_by}: a list or an object cannot group rows")
    return value if value is None else (type(value), value)


def at(value: Any, path: str) -> Any:
    """What stands at a dotted path; None where nothing does."""
    for name in path.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def _granted(value: Any) -> bool:
    try:
        return coerce(DeclaredField("consent", type=FieldType.BOOLEAN), value) is True
    except RowError:
        return False
