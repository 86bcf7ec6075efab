"""Filters on numbers. Anything is taken as a number first, so none of them fails on text."""

import math
import operator
from collections.abc import Callable
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from destination.template.values import number

_SAFE = 2**53
"""Up to here a float holds every whole number."""

_MAX_DIGITS = 400


def _divide(left: float, right: float, whole: float = 0) -> float:
    if not right:
        return math.copysign(math.inf, left) if left else math.nan
    if isinstance(left, int) and isinstance(right, int) and (whole or left % right == 0):
        return left // right
    return math.floor(left / right) if whole else left / right


def _modulo(left: float, right: float) -> float:
    return left % right if right else math.nan


def _round(value: float, digits: float = 0) -> float:
    """Half away from zero; unchanged where a float could not hold the difference."""
    places = int(max(min(digits, _MAX_DIGITS), -_MAX_DIGITS))
    if round(value, places) == value:  # as short as that already
        return value
    scaled = Decimal(str(value)).scaleb(places)
    if abs(scaled) >= _SAFE:
        return value
    rounded = scaled.quantize(Decimal(1), ROUND_HALF_UP)
    return float(rounded.scaleb(-places))


def _tidy(result: float) -> float:
    """A float without a fraction becomes an int, so that it encodes as one."""
    whole = isinstance(result, float) and result.is_integer() and abs(result) < _SAFE
    return int(result) if whole else result


def _on_numbers(function: Callable[..., float]) -> Callable[..., float]:
    def calculated(*values: Any) -> float:
        return _tidy(function(*map(number, values)))

    return calculated


_ON_NUMBERS: dict[str, Callable[..., Any]] = {
    "abs": abs,
    "at_least": max,
    "at_most": min,
    "ceil": math.ceil,
    "divided_by": _divide,
    "floor": math.floor,
    "minus": operator.sub,
    "modulo": _modulo,
    "plus": operator.add,
    "round": _round,
    "times": operator.mul,
}

NUMBER_FILTERS = {name: _on_numbers(function) for name, function in _ON_NUMBERS.items()}
