"""Values as liquidjs sees them: their text, their number, their size, when they are equal."""

import json
import math
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from liquid.exceptions import FilterArgumentError
from liquid.undefined import is_undefined

from destination.literals import number_text, parse_number

MAX_TEXT = 100_000
"""The most characters a filter takes or gives; each item of a list counts eight more."""

MAX_RANGE = 1_000
"""The most numbers in a range that is given to a filter or printed."""

SCALARS = frozenset({bool, int, float, type(None)})
"""Types of most values that are no text."""

_NUMBERS = (int, float, Decimal)
_ITEM = 8
_SHORT = 2**64
_MAX_BITS = 14_000  # about 4,200 digits: Python prints no more than 4,300


class FilterError(FilterArgumentError):
    """A filter refuses its values; the message holds none of them."""

    def __init__(self, message: str) -> None:
        super().__init__(message, token=None)


def weigh(value: Any) -> int:
    """About how many characters a value takes; raises FilterError beyond MAX_TEXT."""
    kind = type(value)
    if kind is str and len(value) <= MAX_TEXT:
        return len(value)
    if kind in SCALARS and (kind is not int or -_SHORT < value < _SHORT):
        return _ITEM
    total, pending = 0, [value]
    while pending:
        item = pending.pop()
        total = within(total + _weight(item))
        if isinstance(item, dict):
            pending += item
            pending += item.values()
        elif isinstance(item, list | tuple):
            pending += item
    return total


def within(size: int) -> int:
    """The size of a value or of a result to come; raises FilterError beyond MAX_TEXT."""
    if size > MAX_TEXT:
        raise FilterError(f"a value is larger than {MAX_TEXT // 1000} kB")
    return size


def _weight(item: Any) -> int:
    if isinstance(item, str):
        return len(item)
    if isinstance(item, range):
        if item.stop - item.start > MAX_RANGE:
            raise FilterError(f"a range is longer than {MAX_RANGE:,}")
        return len(item) * _ITEM
    if isinstance(item, dict | list | tuple):
        return len(item) * _ITEM
    if isinstance(item, int) and item.bit_length() > _MAX_BITS:
        raise FilterError("a number is too long")
    return _ITEM


def text(value: Any) -> str:
    """A value as liquidjs prints it: null and unknown names are empty, lists run together."""
    if isinstance(value, str):
        return value
    if type(value) is int:
        return str(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, _NUMBERS):
        return number_text(value)
    if isinstance(value, list | tuple | range):
        return "".join(map(text, value))
    return "[object Object]" if isinstance(value, dict) else ""


def number(value: Any) -> float:
    """A value as a number; 0 for what is none."""
    result = numeric(value)
    return 0 if isinstance(result, float) and math.isnan(result) else result


def numeric(value: Any) -> float:
    """A value as JavaScript compares it with a number: null is 0, other words are NaN."""
    if type(value) is int or type(value) is float:
        return value
    if isinstance(value, str):
        value = parse_number(value) if value.strip() else 0
        value = math.nan if value is None else value
    if isinstance(value, bool) or value is None:
        return int(value or 0)
    if isinstance(value, Decimal):
        return float(value)
    return value if isinstance(value, int | float) else math.nan


def equal(left: Any, right: Any) -> bool:
    """Equality in which true is not 1."""
    return isinstance(left, bool) is isinstance(right, bool) and bool(left == right)


def truthy(value: Any) -> bool:
    """Everything is true but false, null and unknown names."""
    return not (value is None or value is False or is_undefined(value))


def to_json(value: Any) -> str:
    """JSON as JSON.stringify writes it, except that numbers keep all their digits."""
    if value is None or (isinstance(value, float | Decimal) and not math.isfinite(value)):
        return "null"
    if isinstance(value, dict):
        items = (f"{quoted(str(name))}:{to_json(value[name])}" for name in value)
        return "{" + ",".join(items) + "}"
    if isinstance(value, list | tuple | range):
        return "[" + ",".join(map(to_json, value)) + "]"
    return quoted(value) if isinstance(value, str) else text(value) or "null"


quoted: Callable[[str], str] = json.JSONEncoder(ensure_ascii=False).encode
"""A text as a JSON string."""


class JsonText(str):
    """JSON that the json filter has made; no other text is of this type."""

    __slots__ = ()
