"""Templates whose rendering is text, or the value of a single expression."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from liquid import BoundTemplate, RenderContext
from liquid.ast import Node
from liquid.builtin.tags.assign_tag import AssignNode
from liquid.builtin.tags.capture_tag import CaptureNode
from liquid.builtin.tags.comment_tag import CommentNode
from liquid.builtin.tags.inline_comment_tag import InlineCommentNode
from liquid.exceptions import LiquidError, LiquidInterrupt, OutputStreamLimitError
from liquid.token import TOKEN_CONTENT, Token
from liquid.undefined import is_undefined

from destination.template.faults import TemplateError, TemplateSyntaxError, fault_at
from destination.template.filters import FILTERS, MISHAPS
from destination.template.rendering import Allowance, ExhaustedError, Rendering
from destination.template.sinks import MAX_BYTES, Escaping, PlaceError, Text, native
from destination.template.source import handlebars, unreadable
from destination.template.syntax import Block, Literal, MeteredEnvironment, Printed, meter
from destination.template.values import FilterError

ENVIRONMENT = MeteredEnvironment()
"""Where every template is parsed; it holds tags and filters and never changes."""

SILENT = (AssignNode, CaptureNode, CommentNode, InlineCommentNode)
"""Tags that write nothing where they stand."""


@dataclass(frozen=True, slots=True)
class Template:
    """
    A parsed template, to be made by ``parse``. It may be used by many rows at once.

    Args:
        columns: The top-level names it reads.
    """

    source: str
    columns: frozenset[str] = field(compare=False)
    _members: Mapping[str, frozenset[str]] = field(repr=False, compare=False)
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
        if problem := next(unreadable(source), None):
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
                raise fault_at(source, places[0].index, f"unknown filter '{name}'")
        members = {
            str(name): frozenset(filter(None, (_member(use.segments) for use in uses)))
            for name, uses in analysis.globals.items()
        }
        return cls(source, frozenset(members), members, bound, root, weights)

    def members(self, name: str) -> frozenset[str]:
        """What it reads of the object of this name, as far as its members are written out."""
        return self._members.get(name, frozenset())

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
        sink = Escaping(escape) if escape else Text()
        self.write(values, sink, now=now)
        return sink.getvalue()

    def write(
        self,
        values: Mapping[str, Any],
        sink: Text,
        *,
        now: datetime | None = None,
        allowance: Allowance | None = None,
    ) -> None:
        """
        Writes what ``render`` gives into a sink, which decides how values are written.

        Args:
            allowance: What it may use up, by default an allowance of its own.
        """
        try:
            self._root.render(self._rendering(values, now, allowance), sink)
        except LiquidInterrupt:
            pass  # a break outside a loop ends the text, as in liquidjs
        except (LiquidError, *MISHAPS) as error:
            raise _failure(error) from None

    def value(
        self,
        values: Mapping[str, Any],
        *,
        now: datetime | None = None,
        allowance: Allowance | None = None,
        missing: Any = None,
    ) -> Any:
        """
        The value of a template that is exactly one ``{{ expression }}``, else its text.

        A number stays a number and a list a list. Raises like ``render``.

        Args:
            missing: What a single name gives that the values do not have.
        """
        nodes = self._root.nodes
        if len(nodes) != 1 or not isinstance(nodes[0], Printed):
            sink = Text()
            self.write(values, sink, now=now, allowance=allowance)
            return sink.getvalue()
        try:
            result = nodes[0].expression.evaluate(self._rendering(values, now, allowance))
            return missing if is_undefined(result) else native(result)
        except (LiquidError, *MISHAPS) as error:
            raise _failure(error) from None

    def outline(self, sink: Text, stand_ins: Iterator[str]) -> bool:
        """
        Writes the template with stand-ins for its values, up to the first choice or loop.

        Returns whether that is all of it, so that each row's rendering has this form.

        Raises:
            TemplateSyntaxError: The sink has no place for a value where one stands.
        """
        for node in self._root.nodes:
            try:
                if isinstance(node, Literal):
                    sink.write(node.text, node.token)
                elif isinstance(node, Printed):
                    sink.insert(next(stand_ins), node.token)
                elif not isinstance(node, SILENT):
                    return False
            except PlaceError as error:
                raise fault_at(self.source, node.token.start_index, str(error.message)) from None
        return True

    def outputs(self) -> Iterable[Printed]:
        """Its output statements, wherever they stand."""
        return _printed([self._root], RenderContext(self._bound))

    def _rendering(
        self, values: Mapping[str, Any], now: datetime | None, allowance: Allowance | None
    ) -> Rendering:
        return Rendering(self._bound, values, self._weights, now, allowance)


def _printed(nodes: Iterable[Node], context: RenderContext) -> Iterator[Printed]:
    for node in nodes:
        if isinstance(node, Printed):
            yield node
        yield from _printed(node.children(context, include_partials=False), context)


def _member(segments: Sequence[Any]) -> str:
    """What is read of a variable, where that is written out."""
    return segments[1] if len(segments) > 1 and isinstance(segments[1], str) else ""


def _syntax_error(source: str, error: LiquidError) -> TemplateSyntaxError:
    index = max(error.token.start_index, 0) if error.token else 0
    if hint := handlebars(source, index):
        return fault_at(source, index, hint)
    if error.__cause__:  # not a fault that the parser knows
        return TemplateSyntaxError("the template cannot be parsed; it may be nested too deeply")
    return fault_at(source, index, str(error.message))


def _failure(error: Exception) -> TemplateError:
    token = error.token if isinstance(error, LiquidError) else None
    line = f"line {token.source.count(chr(10), 0, token.start_index) + 1}: " if token else ""
    return TemplateError(f"{line}{_cause(error)}")


def _cause(error: Exception) -> str:
    if isinstance(error, FilterError | ExhaustedError | PlaceError):
        return str(error.message)
    if isinstance(error, OutputStreamLimitError):
        return f"more than {MAX_BYTES // 1024} kB of text"
    return "the template cannot take this row's values"
