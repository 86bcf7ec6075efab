"""
The template language: Liquid, rendering what liquidjs renders, within limits.

Templates come from whoever configures a sync and values from a warehouse, so neither is
trusted: what a rendering reads, computes and writes is metered, and a template that asks for
too much fails on that row. Nothing but the given values can be reached.
"""

import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from liquid import BoundTemplate, RenderContext
from liquid.builtin.expressions.primitive import Blank, Empty
from liquid.exceptions import LiquidError, LiquidInterrupt, OutputStreamLimitError
from liquid.token import TOKEN_CONTENT, Token
from liquid.undefined import is_undefined

from destination.errors import Code, ConfigError, RowError
from destination.template.filters import FILTERS, MISHAPS
from destination.template.rendering import MAX_BYTES, ExhaustedError, Rendering
from destination.template.syntax import Block, MeteredEnvironment, Printed, meter
from destination.template.values import FilterError

MAX_SOURCE = 64 * 1024
"""The most bytes of a template's source."""

ENVIRONMENT = MeteredEnvironment()
"""Where every template is parsed; it holds tags and filters and never changes."""

# The lexer searches ahead from every blank and parenthesis of a statement, and from every
# opening of a raw block: in time that grows with the square of their number.
_STATEMENT = re.compile(r"\{[{%].*?[%}]\}", re.DOTALL)
_BLANKS = re.compile(r"\s{64}")
_MAX_PARENTHESES = 50
_RAW = re.compile(r"\{%-?\s*(?:raw|doc)\b")
_MAX_RAW = 100


class TemplateSyntaxError(ConfigError):
    """
    The template does not parse; the message starts with line and column.

    Args:
        line: Where, counted from 1.
        column: Where in that line, counted from 1.
    """

    def __init__(self, problem: str, *, line: int = 1, column: int = 1) -> None:
        super().__init__(f"line {line}, column {column}: {problem}")
        self.line = line
        self.column = column


class TemplateError(RowError):
    """The template fails on this row; the message names line and cause, and no values."""

    default_code = Code.TEMPLATE_ERROR


@dataclass(frozen=True, slots=True)
class Template:
    """
    A parsed template, to be made by ``parse``. It may be used by many rows at once.

    Args:
        columns: The top-level names it reads.
    """

    source: str
    columns: frozenset[str] = field(compare=False)
    _bound: BoundTemplate = field(repr=False, compare=False)
    _root: Block = field(repr=False, compare=False)
    _weights: Mapping[int, int] = field(repr=False, compare=False)

    @classmethod
    def parse(cls, source: str) -> "Template":
        """
        A template for this Liquid source of at most 64 kB.

        Raises:
            TemplateSyntaxError: It cannot be parsed, or names a tag or filter that does not
                exist.
        """
        if problem := next(_unreadable(source), None):
            raise problem
        weights: dict[int, int] = {}
        try:
            bound = ENVIRONMENT.from_string(source)
            root = Block(Token(TOKEN_CONTENT, "", 0, source), bound.nodes)
            meter([root], RenderContext(bound), weights)
            analysis = bound.analyze(include_partials=False)
        except LiquidError as error:
            raise _syntax_error(source, error) from None
        except MISHAPS:
            raise TemplateSyntaxError("the template is nested too deeply") from None
        for name, places in analysis.filters.items():
            if name not in FILTERS:
                raise _error_at(source, places[0].index, f"unknown filter '{name}'")
        return cls(source, frozenset(map(str, analysis.globals)), bound, root, weights)

    def render(
        self,
        values: Mapping[str, Any],
        *,
        now: datetime | None = None,
        escape: Callable[[str], str] | None = None,
    ) -> str:
        """
        The text for these values; names that they do not have are empty.

        Args:
            now: What ``"now" | date`` shows; by default the clock's time.
            escape: What every inserted value goes through, so that it cannot leave its place.
                The template's own text does not, nor a value whose last filter is ``raw``.

        Raises:
            TemplateError: It fails on these values, or asks for too much.
        """
        rendering = self._rendering(values, now, escape)
        buffer = rendering.get_buffer()
        try:
            self._root.render(rendering, buffer)
        except LiquidInterrupt:
            pass  # a break outside a loop ends the text, as in liquidjs
        except (LiquidError, *MISHAPS) as error:
            raise _failure(error) from None
        return buffer.getvalue()

    def value(self, values: Mapping[str, Any], *, now: datetime | None = None) -> Any:
        """
        The value of a template that is exactly one ``{{ expression }}``, else its text.

        A number stays a number and a list a list; a name that does not exist gives None.
        Raises like ``render``.
        """
        nodes = self._root.nodes
        if len(nodes) != 1 or not isinstance(nodes[0], Printed):
            return self.render(values, now=now)
        try:
            result = nodes[0].expression.evaluate(self._rendering(values, now))
        except (LiquidError, *MISHAPS) as error:
            raise _failure(error) from None
        return _native(result)

    def _rendering(
        self,
        values: Mapping[str, Any],
        now: datetime | None,
        escape: Callable[[str], str] | None = None,
    ) -> Rendering:
        return Rendering(self._bound, values, self._weights, now, escape)


def _native(result: Any) -> Any:
    if is_undefined(result) or isinstance(result, Blank | Empty):
        return None
    if isinstance(result, float) and not math.isfinite(result):
        raise TemplateError("the result is not a finite number")
    return list(result) if isinstance(result, range) else result


def _unreadable(source: str) -> Iterator[TemplateSyntaxError]:
    """Reasons not to give a source to the lexer, whose time may grow with its square."""
    if len(source) > MAX_SOURCE or len(source.encode("utf-8", "replace")) > MAX_SOURCE:
        yield TemplateSyntaxError(f"the template is larger than {MAX_SOURCE // 1024} kB")
    for opener, closer in (("{{", "}}"), ("{%", "%}")):
        last = source.rfind(opener)
        if last > source.rfind(closer):
            yield _error_at(source, last, f"'{opener}' without '{closer}'")
    for statement in _STATEMENT.finditer(source):
        if _BLANKS.search(statement[0]) or statement[0].count("(") > _MAX_PARENTHESES:
            yield _error_at(source, statement.start(), "too many blanks or parentheses")
    if len(_RAW.findall(source)) > _MAX_RAW:
        yield TemplateSyntaxError(f"more than {_MAX_RAW} raw blocks")


def _error_at(source: str, index: int, problem: str) -> TemplateSyntaxError:
    line = source.count("\n", 0, index) + 1
    column = index - source.rfind("\n", 0, index)
    return TemplateSyntaxError(problem, line=line, column=column)


def _syntax_error(source: str, error: LiquidError) -> TemplateSyntaxError:
    if error.__cause__:  # not a fault that the parser knows
        return TemplateSyntaxError("the template cannot be parsed; it may be nested too deeply")
    index = error.token.start_index if error.token else 0
    return _error_at(source, max(index, 0), str(error.message))


def _failure(error: Exception) -> TemplateError:
    token = error.token if isinstance(error, LiquidError) else None
    line = f"line {token.source.count(chr(10), 0, token.start_index) + 1}: " if token else ""
    return TemplateError(f"{line}{_cause(error)}")


def _cause(error: Exception) -> str:
    if isinstance(error, FilterError | ExhaustedError):
        return str(error.message)
    if isinstance(error, OutputStreamLimitError):
        return f"more than {MAX_BYTES // 1024} kB of text"
    return "the template cannot take this row's values"
