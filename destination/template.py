"""
The one template language: Liquid, as the platform's users know it, with limits.

Nothing but JSON values is ever reachable from a template: there are no attributes, no loaders,
and every filter is bounded before it computes, since Liquid's own limits do not cover filters.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import lru_cache, wraps
from math import floor, isfinite
from typing import Any

import msgspec
from liquid import BoundTemplate, Environment
from liquid.builtin.output import OutputNode
from liquid.context import RenderContext
from liquid.exceptions import FilterArgumentError, FilterError, LiquidError, ResourceLimitError

from destination.errors import Code, ConfigError, RowError

MAX_SOURCE = 64 * 1024
MAX_TEXT = 100 * 1024
MAX_ITEMS = 10_000
MAX_RANGE = 1_000
MAX_BITS = 1_024
"""The most characters, items, numbers of a range and bits of a number that a filter handles."""


class TemplateSyntaxError(ConfigError):
    """The template does not parse. ``line`` and ``column`` count from 1."""

    def __init__(self, message: str, line: int, column: int) -> None:
        super().__init__(f"line {line}, column {column}: {message}")
        self.line = line
        self.column = column


@dataclass(frozen=True, slots=True)
class Template:
    """A parsed template; equal to another of the same source."""

    source: str
    columns: frozenset[str] = field(compare=False)
    """The top-level names it reads."""
    _bound: BoundTemplate = field(compare=False, repr=False)

    @classmethod
    def parse(cls, source: str) -> "Template":
        """Parse; raises TemplateSyntaxError. Templates are remembered by their source."""
        return _parsed(source)

    def render(self, values: Mapping[str, Any]) -> str:
        """The text for these values; a name that is not among them is empty. Raises RowError."""
        return str(self._guarded(lambda: self._bound.render(_plain_all(values))))

    def value(self, values: Mapping[str, Any]) -> Any:
        """The native value of a template that is one ``{{ expression }}``, the text of others."""
        nodes = self._bound.nodes
        if len(nodes) != 1 or not isinstance(nodes[0], OutputNode):
            return self.render(values)
        expression = nodes[0].expression
        context = RenderContext(self._bound, globals=_plain_all(values))
        value = self._guarded(lambda: expression.evaluate(context))
        return value if isinstance(value, _NATIVE) else None

    def _guarded(self, compute: Callable[[], Any]) -> Any:
        try:
            return compute()
        except LiquidError as error:
            text = f"the template failed{_line(error)}: {_cause(error)}"
            raise RowError(text, code=Code.TEMPLATE_ERROR) from None
        except (ArithmeticError, LookupError, TypeError, ValueError, RecursionError, MemoryError):
            text = "the template failed: a value it cannot handle"
            raise RowError(text, code=Code.TEMPLATE_ERROR) from None


_NATIVE = (str, int, float, Decimal, list, dict)


def _line(error: LiquidError) -> str:
    context = error.context()
    return f" in line {context[0]}" if context else ""


def _cause(error: LiquidError) -> str:
    match error:
        case ResourceLimitError() | _TooMuch():
            return "it does or produces too much"
        case FilterError():
            return "a filter got a value it cannot take"
        case _:
            return "a value it cannot handle"


@lru_cache(maxsize=256)
def _parsed(source: str) -> Template:
    if len(source.encode("utf-8", "surrogatepass")) > MAX_SOURCE:
        raise TemplateSyntaxError(f"longer than {MAX_SOURCE // 1024} KiB", 1, 1)
    try:
        bound = _ENVIRONMENT.from_string(source)
        columns = frozenset(bound.global_variables())
    except LiquidError as error:
        raise TemplateSyntaxError(_message(error), *_position(source, error)) from None
    except RecursionError:
        raise TemplateSyntaxError("nested too deeply", 1, 1) from None
    unknown = [name for name in bound.filter_names() if name not in _ENVIRONMENT.filters]
    if unknown:
        at = source.find(unknown[0])
        raise TemplateSyntaxError(f'unknown filter "{unknown[0]}"', *_line_column(source, at))
    return Template(source, columns, bound)


def _message(error: LiquidError) -> str:
    return str(error.message or "unexpected text")[:120]


def _position(source: str, error: LiquidError) -> tuple[int, int]:
    """Where the error is; where that is unknown, the first expression that fails on its own."""
    if context := error.context():
        return context[0], context[1] + 1
    for output in re.finditer(r"\{\{.*?\}\}", source, re.DOTALL):
        try:
            _ENVIRONMENT.from_string(output[0])
        except LiquidError:
            return _line_column(source, output.start())
    return _line_column(source, len(source))


def _line_column(source: str, at: int) -> tuple[int, int]:
    before = source[: max(at, 0)]
    return before.count("\n") + 1, len(before) - before.rfind("\n")


# Filters ----------------------------------------------------------------------------------------


class _TooMuch(FilterError):
    """A filter was asked for more than it may compute."""

    def __init__(self) -> None:
        super().__init__("too much", token=None)


def _within(value: Any) -> Any:
    match value:
        case str() if len(value) > MAX_TEXT:
            raise _TooMuch
        case range() if len(value) > MAX_RANGE:
            raise _TooMuch
        case list() | tuple() | dict() if len(value) > MAX_ITEMS:
            raise _TooMuch
        case int() if value.bit_length() > MAX_BITS:
            raise _TooMuch
    return value


def _bounded(name: str, function: Any) -> Callable[..., Any]:
    @wraps(function)
    def bounded(left: Any, *args: Any, **kwargs: Any) -> Any:
        for each in (left, *args):
            _within(each)
        if name in _GROWTH and _GROWTH[name](left, *args) > 10 * MAX_TEXT:
            raise _TooMuch
        return _within(_plain(function(left, *args, **kwargs)))

    return bounded


def _length(value: Any) -> int:
    return len(value) if isinstance(value, str) else len(str(value))


def _replaced(left: Any, old: Any = "", new: Any = "", *_: Any) -> int:
    text = _length(left)
    return text + (text // max(_length(old), 1) + 1) * _length(new)


def _joined(left: Any, separator: Any = " ", *_: Any) -> int:
    if not isinstance(left, list | tuple | range):
        return _length(left)
    return sum(_length(each) + _length(separator) for each in left)


_GROWTH: dict[str, Callable[..., int]] = {"replace": _replaced, "join": _joined}
"""The most characters that a filter may produce, for those where that is not obvious."""


def _plain(value: Any) -> Any:
    """Whole floats as JavaScript prints them: 10.0 is 10."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    return value


def _plain_all(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _plain(value) for name, value in values.items()}


def _number(value: Any) -> int | float:
    if isinstance(value, bool) or value is None:
        raise FilterArgumentError("a number is needed", token=None)
    if isinstance(value, int | float):
        return value
    number = float(str(value))
    if not isfinite(number):
        raise FilterArgumentError("a number is needed", token=None)
    return number


def _divided_by(left: Any, right: Any) -> Any:
    return _number(left) / _number(right)


def _round(left: Any, digits: Any = 0) -> Any:
    """Halves go up, as JavaScript's do."""
    scale = 10.0 ** min(max(int(_number(digits)), 0), 15)
    return floor(_number(left) * scale + 0.5) / scale


def _json(left: Any, *_: Any) -> str:
    return msgspec.json.encode(left if isinstance(left, _NATIVE) else None).decode()


def _xml_escape(left: Any) -> str:
    text = "" if left is None else str(left)
    for character, entity in (
        ("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("'", "&apos;"), ('"', "&quot;")
    ):  # fmt: skip
        text = text.replace(character, entity)
    return text


class _Limited(Environment):
    context_depth_limit = 20
    block_nesting_limit = 20
    loop_iteration_limit = 10_000
    local_namespace_limit = 64 * 1024
    output_stream_limit = 64 * 1024


def _environment() -> Environment:
    environment = _Limited()
    for tag in ("include", "render"):
        del environment.tags[tag]
    own = {"divided_by": _divided_by, "round": _round, "xml_escape": _xml_escape}
    own |= dict.fromkeys(("json", "jsonify", "inspect"), _json)
    for name, function in (environment.filters | own).items():
        environment.add_filter(name, _bounded(name, function))
    return environment


_ENVIRONMENT = _environment()
