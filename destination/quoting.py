"""A vendor's words, made fit for a reason: they may quote the row that they are about."""

import re
import unicodedata
from collections.abc import Iterator, Mapping
from typing import Any

from destination.errors import RowError
from destination.masking import hidden
from destination.model import Record

LONGEST = 1000
"""Characters of a vendor's text that are looked at."""

_WORD = re.compile(r"\w+")
_REPEATED = re.compile(r"(\[[^\[\]]*\])(?:[^\w\[\]]{0,3}\1)+")
_SHORT = 4
"""A value of fewer characters is looked for as a word only, or it would be found in others."""
_DIGITS = 4
"""A word with so many digits is kept back: it may be a value written in another way."""


def quoted(text: str, record: Record) -> str:
    """
    The text with whatever stands in the record's row replaced by its column's name.

    Not only whole values are found but their words, so a date in another order or an address in
    other letters too. ``ann@example.com is not valid`` becomes ``[email] is not valid``, and a
    credential of the destination ``[secret]``.
    """
    text = _plain(hidden(text[:LONGEST]))  # hidden first, while every secret is whole
    columns: dict[str, str] = {}
    try:
        parts = dict(record.row), record.fields
    except RowError:  # of a column that nobody has read; it may be what is quoted
        return "…"
    for part in parts:
        for name, value in part.items():
            for piece in _pieces(value):
                if len(piece) <= len(text):
                    columns.setdefault(piece, name)

    def replaced(match: re.Match[str]) -> str:
        piece = match[0].casefold()
        if piece in columns and (len(piece) > 1 or piece.isdigit()):
            return f"[{columns[piece]}]"
        return "…" if sum(map(str.isdigit, piece)) >= _DIGITS else match[0]

    wholes = [one for one in columns if len(one) >= _SHORT and not _WORD.fullmatch(one)]
    patterns = [*map(re.escape, sorted(wholes, key=len, reverse=True)), _WORD.pattern]
    return _REPEATED.sub(r"\1", re.sub("|".join(patterns), replaced, text, flags=re.IGNORECASE))


def _pieces(value: Any) -> Iterator[str]:
    """The value's texts and the words of each, in small letters."""
    match value:
        case None | bool():
            return
        case Mapping():
            for key, inner in value.items():
                yield from _pieces(key)
                yield from _pieces(inner)
        case list() | tuple():
            for inner in value:
                yield from _pieces(inner)
        case _:
            whole = _plain(str(value)).casefold().strip()
            yield whole
            yield from _WORD.findall(whole)


def _plain(text: str) -> str:
    return unicodedata.normalize("NFKC", text)
