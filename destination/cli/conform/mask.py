"""What a report may show: no credentials, no values of rows, nothing that a terminal obeys."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from destination import masking
from destination.cli.conform.given import Given
from destination.cli.text import visible

LONGEST = 500
"""Characters that are shown of a body."""

_SHORT = 4
"""A value of fewer characters is looked for as a whole word only, or it would be everywhere."""

_VERSION = '"jsonrpc":"2.0"'
"""Stands in every message, and is no value of a row that has the number 2."""

_WORD = re.compile(r"\w+")
_REPEATED = re.compile(r"(.)\1{19,}")


class Mask:
    """Replaces every secret by ``[secret]`` and every value of a row by its column's name."""

    def __init__(self, given: Given) -> None:
        pieces: dict[str, str] = {}
        headers = (*given.headers.values(), *(given.second or {}).values())
        secrets = {word for value in headers for word in value.split()} - {"Bearer", "Basic"}
        self._secrets = masking.Mask(lambda: secrets)
        for parts in (_wholes, _words):
            for row in given.rows:
                for column, value in row.items():
                    for part in parts(value):
                        pieces.setdefault(part.casefold(), f"[{column}]")
        pieces.setdefault(_VERSION, _VERSION)
        self._pieces = pieces
        wholes = sorted((one for one in pieces if not _WORD.fullmatch(one)), key=len, reverse=True)
        patterns = [*map(_pattern, wholes), _WORD.pattern]
        self._pattern = re.compile("|".join(patterns), re.IGNORECASE)

    def text(self, text: str) -> str:
        """The text as it may be shown, on one line."""
        masked = self._pattern.sub(
            lambda found: self._pieces.get(found[0].casefold(), found[0]), self._secrets.text(text)
        )
        return visible(masked)

    def url(self, url: str) -> str:
        """A URL without its query, which may be a secret."""
        before, mark, _ = url.partition("?")
        return before + (f"{mark}…" if mark else "")

    def body(self, body: bytes) -> str:
        """The beginning of a body as it may be shown."""
        # What is cut off first could end within a value, of which the rest would not be known.
        beginning = body[: 100 * LONGEST].decode("utf-8", "backslashreplace")
        text = _REPEATED.sub(r"\1\1\1…", self.text(beginning))
        return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


def _pattern(piece: str) -> str:
    escaped = re.escape(piece)
    return escaped if len(piece) >= _SHORT else rf"(?<!\w){escaped}(?!\w)"


def _texts(value: Any) -> Iterator[str]:
    match value:
        case None | bool():
            return
        case Mapping():
            for inner in value.values():
                yield from _texts(inner)
        case list():
            for inner in value:
                yield from _texts(inner)
        case _:
            yield str(value)


def _wholes(value: Any) -> Iterator[str]:
    """The value as it may be written, in JSON too."""
    for text in filter(str.strip, _texts(value)):
        yield from {text, json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1]}


def _words(value: Any) -> Iterator[str]:
    """The longer words of it."""
    for text in _texts(value):
        yield from (word for word in _WORD.findall(text) if len(word) >= _SHORT)
