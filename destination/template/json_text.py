"""
Templates whose rendering is JSON text.

Literal text is followed to know whether a value stands inside a JSON string, where its text
is escaped, or outside, where it is written as JSON with blanks around it: so it is whole, and
can neither end a string nor join with what stands beside it.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from typing import Any

from liquid.token import Token

from destination.literals import depth, parse_number
from destination.template.faults import TemplateError, fault_at, position
from destination.template.plain import Template
from destination.template.rendering import Allowance
from destination.template.sinks import PlaceError, Traced, native
from destination.template.values import JsonText, quoted, text, to_json

MAX_DEPTH = 128
"""How many lists and objects of a result may stand inside each other."""

_PAIR = re.compile(r"\\.", re.DOTALL)
_UNFINISHED = 12  # no name, number or escape that a text breaks off in is found further back


class _NotJsonError(Exception):
    def __init__(self, problem: str, position: int | None = None) -> None:
        super().__init__(problem)
        self.problem = problem
        self.position = position


@dataclass(frozen=True, slots=True)
class JsonTemplate:
    """
    A template that gives a JSON value, to be made by ``parse``.

    ``"{{ name }}"`` is text; ``{{ name }}`` outside quotes is the value as it is: a number
    with all its digits, true, a quoted text, a list, an object, or null when the row does not
    have it. What the filter ``json`` gave is taken as JSON outside quotes, and is text inside.
    A value stands alone: ``{{ a }}{{ b }}`` and ``-{{ a }}`` outside quotes are no JSON.
    Variables and filters work on plain text.
    """

    template: Template

    @classmethod
    def parse(cls, source: str) -> "JsonTemplate":
        """
        A template for this source.

        Raises:
            TemplateSyntaxError: Liquid cannot parse it, or what it gives can never be JSON:
                in a template without conditions and loops that is always found.
        """
        template, sink = Template.parse(source), _Sink()
        whole = template.outline(sink, (f"\ue000{number}" for number in count()))
        outline = sink.getvalue()
        try:
            _decode(outline)
        except _NotJsonError as error:
            at = error.position or 0
            if whole or at + _UNFINISHED < len(outline):
                raise fault_at(source, sink.origin(at), error.problem) from None
        return cls(template)

    @property
    def source(self) -> str:
        """What it was parsed from."""
        return self.template.source

    @property
    def columns(self) -> frozenset[str]:
        """The top-level names it reads."""
        return self.template.columns

    def value(
        self,
        values: Mapping[str, Any],
        *,
        now: datetime | None = None,
        allowance: Allowance | None = None,
    ) -> Any:
        """
        The JSON value for this row, of None, bool, int, float, Decimal, str, list and dict.

        Numbers are exact: a Decimal is one that no float is. Members keep their order, and text
        can be encoded as UTF-8.

        Raises:
            TemplateError: It fails on these values, or gives no JSON, or an object with one
                name twice; the message names line and column in the template, and no values.
        """
        sink = _Sink()
        self.template.write(values, sink, now=now, allowance=allowance)
        try:
            return _decode(sink.getvalue())
        except _NotJsonError as error:
            if error.position is None:
                raise TemplateError(error.problem) from None
            line, column = position(self.source, sink.origin(error.position))
            raise TemplateError(f"line {line}, column {column}: {error.problem}") from None


class _Sink(Traced):
    def __init__(self) -> None:
        super().__init__()
        self._inside = self._escaping = False

    def write(self, text: str, token: Token | None = None) -> int:
        """Takes literal text and follows its quotes."""
        if self._escaping or "\\" in text:
            # Outside a string a backslash is no JSON at all, so it may count as one inside.
            rest = _PAIR.sub("", "\\" + text if self._escaping else text)
            self._escaping = rest.endswith("\\")
            self._inside ^= rest.count('"') % 2 == 1
        elif text.count('"') % 2:
            self._inside = not self._inside
        return super().write(text, token)

    def insert(self, value: Any, token: Token) -> int:
        """Takes a value, which leaves everything around it as it was."""
        if self._escaping:
            raise PlaceError("a value cannot follow a backslash")
        written = quoted(text(value))[1:-1] if self._inside else f" {_whole(value)} "
        return super().write(written, token)


def _whole(value: Any) -> str:
    if isinstance(value, JsonText):
        return value or "null"
    return to_json(native(value))


def _decode(source: str) -> Any:
    try:
        value = _decoder.decode(source)
        if "\\u" in source:
            _readable.encode(value).encode()
        if source.count("[") + source.count("{") > MAX_DEPTH and depth(value) > MAX_DEPTH:
            raise _NotJsonError(f"more than {MAX_DEPTH} lists and objects inside each other")
    except json.JSONDecodeError as error:
        problem = error.msg[:1].lower() + error.msg[1:].removesuffix(" at")
        raise _NotJsonError(f"this is no JSON: {problem}", error.pos) from None
    except UnicodeEncodeError:
        raise _NotJsonError("half a surrogate pair is no text") from None
    except (ValueError, ArithmeticError):
        raise _NotJsonError("a number is too long, or none that JSON knows") from None
    except RecursionError:
        raise _NotJsonError("too many lists and objects inside each other") from None
    return value


def _object(members: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(members)
    if len(result) != len(members):
        raise _NotJsonError("an object has one name twice")
    return result


def _number(text: str) -> Any:
    number = parse_number(text)
    if number is None:
        raise ValueError(text)
    return number


_decoder = json.JSONDecoder(parse_float=_number, parse_constant=_number, object_pairs_hook=_object)
_readable = json.JSONEncoder(ensure_ascii=False, default=str)
