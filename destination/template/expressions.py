"""
Liquid's comparisons and ranges with liquidjs's answers, and what an expression costs.

The parser builds them by classes that cannot be configured, so ours take their places in the
parsed tree; none of them adds an attribute.
"""

import operator
from collections.abc import Callable
from typing import Any

from liquid import RenderContext
from liquid.builtin.expressions import FilteredExpression, Path, StringLiteral
from liquid.builtin.expressions.filtered import Filter
from liquid.builtin.expressions.logical import (
    ContainsExpression,
    GeExpression,
    GtExpression,
    LeExpression,
    LtExpression,
)
from liquid.builtin.expressions.primitive import RangeLiteral
from liquid.expression import Expression
from liquid.undefined import is_undefined

from destination.template.filters import FILTERS
from destination.template.rendering import MAX_LOOPS, ExhaustedError, Rendering
from destination.template.values import FilterError, equal, numeric, text

Compare = Callable[[Any, Any], bool]


def _ordered(compare: Compare, left: Any, right: Any) -> bool:
    """Texts compare as texts, anything else as numbers; what is no number is never ordered."""
    if isinstance(left, str) and isinstance(right, str):
        return compare(left, right)
    return compare(numeric(left), numeric(right))


class _Names(Path):
    """A path of names; all but ``size``, ``first`` and ``last`` lead through objects."""

    __slots__ = ()

    def evaluate(self, context: Rendering) -> object:  # type: ignore[override]  # always ours
        value: Any = context.names
        try:
            for name in self.path:
                value = value[name]
        except (KeyError, TypeError):
            return super().evaluate(context)
        context.take(value)
        return value


class _Filtered(FilteredExpression):
    __slots__ = ()

    def evaluate(self, context: RenderContext) -> object:
        value = self.left.evaluate(context)
        for filter in self.filters or ():
            value = filter.evaluate(value, context)
        return value


class _Filter(Filter):
    __slots__ = ()

    def evaluate(self, left: object, context: RenderContext) -> object:
        arguments, options = self.evaluate_args(context) if self.args else ((), {})
        try:
            return FILTERS[self.name](context, left, *arguments, **options)
        except FilterError as error:
            error.token = self.token
            raise


class _Less(LtExpression):
    __slots__ = ()

    def evaluate(self, context: RenderContext) -> object:
        return _ordered(operator.lt, self.left.evaluate(context), self.right.evaluate(context))


class _Greater(GtExpression):
    __slots__ = ()

    def evaluate(self, context: RenderContext) -> object:
        return _ordered(operator.gt, self.left.evaluate(context), self.right.evaluate(context))


class _AtMost(LeExpression):
    __slots__ = ()

    def evaluate(self, context: RenderContext) -> object:
        return _ordered(operator.le, self.left.evaluate(context), self.right.evaluate(context))


class _AtLeast(GeExpression):
    __slots__ = ()

    def evaluate(self, context: RenderContext) -> object:
        return _ordered(operator.ge, self.left.evaluate(context), self.right.evaluate(context))


class _Contains(ContainsExpression):
    __slots__ = ()

    def evaluate(self, context: RenderContext) -> object:
        whole, part = self.left.evaluate(context), self.right.evaluate(context)
        if part is None or is_undefined(part):
            return False
        if isinstance(whole, str):
            return text(part) in whole
        if isinstance(whole, range):  # a range looks for anything but a number one by one
            return isinstance(part, int) and part in whole
        return isinstance(whole, list) and any(equal(item, part) for item in whole)


class _Range(RangeLiteral):
    __slots__ = ()

    def evaluate(self, context: RenderContext) -> range:
        numbers = super().evaluate(context)
        if numbers.stop - numbers.start > MAX_LOOPS:
            raise ExhaustedError(f"a range is longer than {MAX_LOOPS:,}")
        return numbers


_OURS: dict[type[Expression], type[Expression]] = {
    FilteredExpression: _Filtered,
    LtExpression: _Less,
    GtExpression: _Greater,
    LeExpression: _AtMost,
    GeExpression: _AtLeast,
    ContainsExpression: _Contains,
    RangeLiteral: _Range,
}


def meter_expression(expression: Expression) -> int:
    """Puts a parsed expression under the meter and returns what it costs."""
    if ours := _OURS.get(type(expression)):
        expression.__class__ = ours
    cost = 1 + sum(map(meter_expression, expression.children()))
    if isinstance(expression, FilteredExpression):
        for filter in expression.filters or ():
            filter.__class__ = _Filter
    if isinstance(expression, Path):
        if all(isinstance(segment, str) for segment in expression.path):
            expression.__class__ = _Names
        return cost + len(expression.path)
    return cost + (len(expression.value) >> 6 if isinstance(expression, StringLiteral) else 0)
