"""
The filters of the template language, answering what liquidjs answers.

Every filter measures what goes in and what comes out. One whose result could be much larger
than its values works out the size first, so no template can exhaust the process.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any, Protocol

from liquid.undefined import is_undefined

from destination.template.dates import date
from destination.template.lists import LIST_FILTERS
from destination.template.numbers import NUMBER_FILTERS
from destination.template.texts import TEXT_FILTERS
from destination.template.values import FilterError, JsonText, to_json, truthy, weigh

MISHAPS = (
    ArithmeticError,
    AttributeError,
    LookupError,
    MemoryError,
    RecursionError,
    TypeError,
    ValueError,
)
"""What a filter or an expression may raise on values it was not made for."""


class Meter(Protocol):
    """Counts the work of one rendering, and stops it when it is too much."""

    now: datetime | None

    def spend(self, characters: int) -> None:
        """Raises when no work is left."""


def _default(value: Any, fallback: Any = "", *, allow_false: bool = False) -> Any:
    if isinstance(value, str | list):
        return value or fallback
    if value is False and allow_false:
        return value
    return value if truthy(value) else fallback


def _json(value: Any, space: Any = None) -> JsonText:
    """Always compact: indentation could make a deep value many times larger."""
    return JsonText("" if is_undefined(value) else to_json(value))


def _raw(value: Any) -> Any:
    return value


def _measured(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    cost = _COSTS.get(name, 0)

    def measured(meter: Meter, value: Any, /, *arguments: Any, **options: Any) -> Any:
        size = cost + weigh(value)
        meter.spend(size + sum(map(weigh, arguments)) if arguments else size)
        if function is date:
            options["now"] = meter.now
        try:
            result = function(value, *arguments, **options)
        except FilterError:
            raise
        except MISHAPS:
            raise FilterError(f"{name} cannot take these values") from None
        meter.spend(weigh(result))
        return result

    return measured


_COSTS = {"date": 2_400}
"""What a filter costs beside its values, in characters that another handles in that time."""

_UNMEASURED: dict[str, Callable[..., Any]] = {
    **NUMBER_FILTERS,
    **TEXT_FILTERS,
    **LIST_FILTERS,
    "date": date,
    "default": _default,
    "inspect": _json,
    "json": _json,
    "jsonify": _json,
    "raw": _raw,
}

FILTERS: Mapping[str, Callable[..., Any]] = MappingProxyType(
    {name: _measured(name, function) for name, function in _UNMEASURED.items()}
)
"""Filters by name; each takes the rendering's meter before the value."""
