"""What a rendering writes to."""

from typing import Any

from liquid.exceptions import LiquidError
from liquid.output import LimitedStringIO
from liquid.token import TOKEN_CONTENT, Token

from destination.template.values import text

MAX_BYTES = 64 * 1024
"""The most that a rendering writes, and that its variables hold."""


class PlaceError(LiquidError):
    """A value does not fit into its place; the message does not hold it."""

    def __init__(self, message: str) -> None:
        super().__init__(message, token=None)


class Text(LimitedStringIO):
    """Text as it is, and values as Liquid prints them; line ends are left alone."""

    def __init__(self, limit: int = MAX_BYTES) -> None:
        super().__init__(limit, newline="")

    def write(self, text: str, token: Token | None = None) -> int:
        """Takes literal text, which may stand in the template where the token says."""
        return super().write(text)

    def insert(self, value: Any, token: Token) -> int:
        """Takes the value of an output statement."""
        return self.write(text(value), token)


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
