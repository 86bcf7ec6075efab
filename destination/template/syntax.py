"""
Liquid's syntax with liquidjs's answers, under the meter.

The parser builds blocks and literal text by classes that cannot be configured, so ours take
their places in the parsed tree; none of them adds an attribute. They are given the rendering
and the sink that the root was given, which are ours as well.
"""

from collections.abc import Callable, Iterable
from typing import Any, ClassVar, TextIO

from liquid import Environment, RenderContext
from liquid.ast import BlockNode, Node
from liquid.builtin.content import ContentNode
from liquid.builtin.expressions import FilteredExpression
from liquid.builtin.expressions.filtered import Filter
from liquid.builtin.output import Output, OutputNode
from liquid.builtin.tags.case_tag import CaseNode, CaseTag, MultiExpressionBlockNode
from liquid.builtin.tags.cycle_tag import CycleNode, CycleTag
from liquid.builtin.tags.echo_tag import EchoTag
from liquid.exceptions import LiquidError
from liquid.token import Token

from destination.template.expressions import meter_expression
from destination.template.filters import FILTERS, MISHAPS
from destination.template.rendering import Rendering
from destination.template.sinks import Text
from destination.template.values import text, weigh


class Literal(ContentNode):
    """Text of the template, which tells where it stands."""

    __slots__ = ()

    def render(self, context: Rendering, buffer: Text) -> int:  # type: ignore[override]
        """Writes the text."""
        return buffer.write(self.text, self.token)


class Block(BlockNode):
    """A sequence of nodes that pays before it renders, and tells where an error arose."""

    __slots__ = ()

    def render(self, context: Rendering, buffer: Text) -> int:  # type: ignore[override]
        """Writes what the nodes print; any failure is a LiquidError with its node's token."""
        context.charge(context.weights[id(self)])
        written = 0
        for node in self.nodes:
            try:
                written += node.render(context, buffer)  # type: ignore[arg-type]
            except LiquidError as error:
                error.token = error.token or node.token
                raise
            except MISHAPS:
                raise LiquidError("", token=node.token) from None
        return written


class Printed(OutputNode):
    """An output statement; its value is printed as the place it goes to prints it."""

    __slots__ = ()

    def render(self, context: Rendering, buffer: Text) -> int:  # type: ignore[override]
        """Writes the value."""
        value = self.expression.evaluate(context)
        context.spend(weigh(value))
        return buffer.insert(value, self.token)

    def settle(self) -> None:
        """Decides what no row can change."""
        last = self.last_filter()
        if last and last.name == "raw":
            self.__class__ = _Raw
        elif not last and isinstance(self.expression, FilteredExpression):
            self.expression = self.expression.left

    def last_filter(self) -> Filter | None:
        """The filter that gives the value, if any does."""
        filters = self.expression.filters if isinstance(self.expression, FilteredExpression) else ()
        return filters[-1] if filters else None


class _Raw(Printed):
    """One whose last filter is ``raw``."""

    __slots__ = ()

    def render(self, context: Rendering, buffer: Text) -> int:  # type: ignore[override]
        return _print(self.expression.evaluate(context), context, buffer.insert_raw, self.token)


def _print(
    value: Any, context: Rendering, insert: Callable[[Any, Token], int], token: Token
) -> int:
    context.spend(weigh(value))
    return insert(value, token)


class _Cycle(CycleNode):
    __slots__ = ()

    def render(self, context: Rendering, buffer: Text) -> int:  # type: ignore[override]
        group = text(self.group.evaluate(context)) if self.group else ""
        position = context.cycle((group, *map(str, self.args)), len(self.args))
        return _print(self.args[position].evaluate(context), context, buffer.insert, self.token)


class _Case(CaseNode):
    """Renders each branch that fits once, and the others' when none does."""

    __slots__ = ()

    def render_to_output(self, context: RenderContext, buffer: TextIO) -> int:
        choices = [block for block in self.blocks if isinstance(block, MultiExpressionBlockNode)]
        fitting = [choice.block for choice in choices if any(choice.expression.evaluate(context))]
        others = [block for block in self.blocks if isinstance(block, BlockNode)]
        return sum(block.render(context, buffer) for block in fitting or others)


class _OutputStatement(Output):
    node_class = Printed


class _EchoTag(EchoTag):
    node_class = Printed  # type: ignore[assignment]  # an echo is an output statement


class _CycleTag(CycleTag):
    node_class = _Cycle


class _CaseTag(CaseTag):
    node_class = _Case


class MeteredEnvironment(Environment):
    """Liquid as liquidjs has it: other filters, and no tags that load other templates."""

    suppress_blank_control_flow_blocks = False
    context_depth_limit: ClassVar[int] = 30
    block_nesting_limit: ClassVar[int] = 30

    def setup_tags_and_filters(self, *, extra: bool = False) -> None:
        """Registers what liquidjs has."""
        super().setup_tags_and_filters(extra=extra)
        for name in ("include", "render", "ifchanged", "doc"):
            del self.tags[name]
        for tag in (_OutputStatement, _EchoTag, _CycleTag, _CaseTag):
            self.add_tag(tag)
        self.filters = dict(FILTERS)

    def error(
        self,
        exc: type[LiquidError] | LiquidError,
        msg: str | None = None,
        token: Token | None = None,
    ) -> None:
        """Raises the error; one found at the end of an expression gets a place all the same."""
        if isinstance(exc, LiquidError) and exc.token and exc.token.start_index < 0:
            exc.token = token
        super().error(exc, msg, token)


def meter(nodes: Iterable[Node], context: RenderContext, weights: dict[int, int]) -> int:
    """
    Puts parsed nodes under the meter and returns what they cost.

    What a block costs is kept in ``weights`` and paid when it renders, so an alternative
    that is not taken costs nothing.
    """
    cost = 0
    for node in nodes:
        cost += 1 + sum(map(meter_expression, node.expressions()))
        inner = meter(node.children(context, include_partials=False), context, weights)
        if isinstance(node, BlockNode):
            node.__class__ = Block
            weights[id(node)] = inner
        else:
            cost += inner
        if isinstance(node, Printed):
            node.settle()
        if isinstance(node, ContentNode):
            node.__class__ = Literal
            cost += len(node.text) >> 6
    return cost
