"""A row's columns, of which only those are decoded that somebody reads."""

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any, TypedDict

import msgspec

from destination.errors import RowError
from destination.literals import depth

MAX_DEPTH = 64
"""How deep a row may nest."""

TOO_DEEP = f"the row is nested more than {MAX_DEPTH} deep"
UNREADABLE = "the row cannot be read: not an object, or text that is not Unicode"

_all = msgspec.json.Decoder(dict[str, Any])


class Columns(Mapping[str, Any]):
    """
    The columns of one row, as JSON until another than those read ahead is asked for.

    Args:
        raw: The row's JSON: an object.
        ahead: Columns that were read already, by name; a row may lack some of them.
    """

    __slots__ = ("_raw", "_read", "ahead")

    def __init__(self, raw: msgspec.Raw, ahead: Mapping[str, Any]) -> None:
        self._raw = raw
        self.ahead = ahead
        self._read: dict[str, Any] | None = None

    def __getitem__(self, name: str) -> Any:
        if name in self.ahead:
            return self.ahead[name]
        return self.read()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.read())

    def __len__(self) -> int:
        return len(self.read())

    def read(self) -> dict[str, Any]:
        """All columns. Raises RowError where one that nobody asked for cannot be read."""
        if self._read is None:
            try:
                self._read = _all.decode(self._raw)
            except (ValueError, RecursionError):
                raise RowError(UNREADABLE) from None
            if depth(self._read) > MAX_DEPTH:
                raise RowError(TOO_DEEP)
        return self._read

    @property
    def raw(self) -> bytes:
        """The row as it was written."""
        return bytes(self._raw)


class Reader:
    """Reads some columns of rows and passes over the others."""

    def __init__(self, names: Iterable[str]) -> None:
        self._decoder = _decoder(frozenset(names))

    def read(self, raw: msgspec.Raw) -> Columns:
        """
        A row's columns, some of them read.

        Raises:
            RowError: It is no object, its text is not Unicode, or it is nested too deeply.
        """
        try:
            ahead = self._decoder.decode(raw)
        except (ValueError, RecursionError):
            raise RowError(UNREADABLE) from None
        columns, text = Columns(raw, ahead), bytes(raw)
        if text.count(b"[") + text.count(b"{") > MAX_DEPTH:
            columns.read()  # which looks how deep it is
        return columns


@lru_cache(maxsize=64)
def _decoder(names: frozenset[str]) -> msgspec.json.Decoder[dict[str, Any]]:
    if not all(map(str.isascii, names)):
        return _all  # msgspec 0.22 does not find keys of a TypedDict that are not ASCII
    shape: Any = TypedDict("Ahead", dict.fromkeys(sorted(names), Any), total=False)  # type: ignore[misc]
    return msgspec.json.Decoder(shape)
