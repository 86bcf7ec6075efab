"""A vendor's words, made fit for a reason: they may quote the row that they are about."""

import re
import unicodedata
from collections.abc import Iterator, Mapping
from typing import Any

from destination.model import Record

LONGEST = 1000
"""Characters of a vendor's text that are looked at."""

_WORD = re.compile(r"\w+")
_REPEATED = re.compile(r"(\[[^\[\]]*\])(?:[^\w\[\]]{0,3}\1)+")
_DIGITS = 4
"""A word with so many digits is kept back: it may be a value written in another way."""


def quoted(text: str, record: Record) -> str:
    """
    The text with every word that stands in the record's row replaced by its column's name.

    Words are compared, not values: so a date in another order or an address in other letters
    is found too. ``ann@example.com is not valid`` becomes ``[email] is not valid``.
    """
    columns: dict[str, str] = {}
    for part in (record.row, record.fields):
        for name, value in part.items():
            for word in _words(value):
                columns.setdefault(word, name)

    def replaced(match: re.Match[str]) -> str:
        word = match[0].casefold()
        if word in columns and (len(word) > 1 or word.isdigit()):
            return f"[{columns[word]}]"
        return "…" if sum(map(str.isdigit, word)) >= _DIGITS else match[0]

    return _REPEATED.sub(r"\1", _WORD.sub(replaced, _plain(text[:LONGEST])))


def _words(value: Any) -> Iterator[str]:
    match value:
        case None | bool():
            return
        case Mapping():
            for key, inner in value.items():
                yield from _words(key)
                yield from _words(inner)
        case list() | tuple():
            for inner in value:
                yield from _words(inner)
        case _:
            yield from _WORD.findall(_plain(str(value)).casefold())


def _plain(text: str) -> str:
    return unicodedata.normalize("NFKC", text)
