"""What a rendering writes to, and which values it takes."""

import math
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from liquid.builtin.expressions.primitive import Blank, Empty
from liquid.exceptions import LiquidError, OutputStreamLimitError
from liquid.token import TOKEN_CONTENT, Token
from liquid.undefined import is_undefined

from destination.template.values import JsonText, text

MAX_BYTES = 64 * 1024
"""The most that a rendering writes, and that its variables hold."""


class PlaceError(LiquidError):
    """A value does not fit into its place; the message does not hold it."""

    def __init__(self, message: str) -> None:
        super().__init__(message, token=None)


class Text:
    """Text as it is, and values as Liquid prints them; line ends are left alone."""

    def __init__(self, limit: int = MAX_BYTES) -> None:
        self._parts: list[str] = []
        self._limit = limit
        self._size = 0

    def write(self, text: str, token: Token | None = None) -> int:
        """Takes literal text, which may stand in the template where the token says."""
        self._size += len(text) if text.isascii() else len(text.encode())
        if self._size > self._limit:
            raise OutputStreamLimitError("", token=None)
        self._parts.append(text)
        return len(text)

    def insert(self, value: Any, token: Token) -> int:
        """Takes the value of an output statement."""
        return self.write(text(value), token)

    def insert_raw(self, value: Any, token: Token) -> int:
        """Takes a value whose last filter is ``raw``, which only what escapes tells apart."""
        return self.insert(value, token)

    def capture(self) -> "Text":
        """
        A sink for a variable's text.

        It holds plain text: what prints the variable writes it for the place where it goes.
        """
        return Text(MAX_BYTES - self._size)

    def getvalue(self) -> str:
        """What was written."""
        return "".join(self._parts)


class Escaped(str):
    """A captured text, whose values were escaped when it was put together."""

    __slots__ = ()


class Escaping(Text):
    """
    Text in which values are escaped, and the template's own text is not.

    Both may stand in a captured text, so there values are escaped as well, and once.
    """

    def __init__(self, escape: Callable[[str], str], limit: int = MAX_BYTES) -> None:
        super().__init__(limit)
        self._escape = escape

    def insert(self, value: Any, token: Token) -> int:
        """Takes a value, which is escaped unless it is a captured text."""
        if type(value) is not str:
            if isinstance(value, Escaped):
                return self.write(value, token)
            value = text(value)
        return self.write(self._escape(value), token)

    def insert_raw(self, value: Any, token: Token) -> int:
        """Takes a value as it is."""
        return self.write(text(value), token)

    def capture(self) -> "Escaping":
        """A sink that escapes too."""
        return _Capturing(self._escape, MAX_BYTES - self._size)


class _Capturing(Escaping):
    def getvalue(self) -> Escaped:
        """The text, which is not escaped again."""
        return Escaped(super().getvalue())


class Traced(Text):
    """Remembers which part of the template each character comes from."""

    def __init__(self) -> None:
        super().__init__()
        self._marks: list[tuple[Token | None, int]] = []

    def write(self, text: str, token: Token | None = None) -> int:
        """Takes literal text."""
        self._marks.append((token, len(text)))
        return super().write(text)

    def origin(self, position: int) -> int:
        """The index in the template's source of what wrote the character at this position."""
        known: Token | None = None
        offset = 0
        for token, length in self._marks:
            known = token or known
            offset, position = position, position - length
            if position < 0:
                break
        if known is None:
            return 0
        if known.kind != TOKEN_CONTENT:
            return known.start_index
        # The token of a stripped or raw text starts before the text.
        return known.source.find(known.value, known.start_index) + min(offset, len(known.value))


def native(result: Any) -> Any:
    """An expression's result as a value of JSON; raises PlaceError when it is none."""
    if is_undefined(result) or isinstance(result, Blank | Empty):
        return None
    if isinstance(result, float | Decimal) and not math.isfinite(result):
        raise PlaceError("the result is not a finite number")
    if isinstance(result, JsonText):
        return str(result)
    return list(result) if isinstance(result, range) else result
