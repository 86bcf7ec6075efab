"""A row's columns, of which only those are decoded that somebody reads."""

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Any, TypedDict

import msgspec

from destination.errors import Code, RowError
from destination.literals import depth

MAX_DEPTH = 64
"""How deep a row may nest, as far as it is read."""

TOO_DEEP = f"the row is nested more than {MAX_DEPTH} deep"

MAX_NAMES = 16 * 1024
"""Characters of columns' names for which the reader is kept."""

MAX_ROW = 256 * 1024
"""Bytes of one row; a longer one is rejected alone."""

UNREADABLE = "the row cannot be read: not an object, or text that is not Unicode"

NONE: Mapping[str, Any] = MappingProxyType({})

_all = msgspec.json.Decoder(dict[str, Any])


class Columns(Mapping[str, Any]):
    """
    The columns of one row, as JSON until another than those read ahead is asked for.

    Args:
        raw: The row's JSON: an object.
        ahead: Columns that were read already, by name; a row may lack some of them.
        problem: Why no more than these may be read.
    """

    __slots__ = ("_problem", "_raw", "_read", "ahead")

    def __init__(
        self,
        raw: msgspec.Raw,
        ahead: Mapping[str, Any] = NONE,
        problem: RowError | None = None,
    ) -> None:
        self._raw = raw
        self._problem = problem
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
        """All columns, and from now on. Raises RowError as ``once`` does."""
        if self._read is None:
            self._read = self.once()
        return self._read

    def once(self) -> dict[str, Any]:
        """
        All columns, for now: they are not kept.

        Raises:
            RowError: They may not be read, one cannot be, or is nested too deeply.
        """
        if self._read is not None:
            return self._read
        if self._problem is not None:
            raise self._problem
        try:
            columns = _all.decode(self._raw)
        except (ValueError, RecursionError):
            raise RowError(UNREADABLE) from None
        if self.brackets > MAX_DEPTH and depth(columns) > MAX_DEPTH:
            raise RowError(TOO_DEEP)
        return columns

    @property
    def brackets(self) -> int:
        """Lists and objects in it, at most: brackets that stand in text count too."""
        text = bytes(self._raw)
        return text.count(b"[") + text.count(b"{")

    @property
    def raw(self) -> bytes:
        """The row as it was written."""
        return bytes(self._raw)


class Reader:
    """Reads some columns of rows and passes over the others."""

    def __init__(self, names: Iterable[str]) -> None:
        names = frozenset(names)
        kept = sum(map(len, names)) <= MAX_NAMES
        self._decoder = _decoder(names) if kept else _decoder.__wrapped__(names)

    def read(self, row: msgspec.Raw) -> Columns | RowError:
        """
        A row's columns, some of them read.

        In place of a row that is no object, not Unicode, too long or too deep comes an error.
        """
        if len(memoryview(row)) > MAX_ROW:  # it is not even read: that takes time and room
            told = f"the row is longer than {MAX_ROW // 1024} KiB"
            return RowError(told, code=Code.TOO_LARGE)
        try:
            columns = Columns(row, self._decoder.decode(row))
        except (ValueError, RecursionError):
            return RowError(UNREADABLE)
        if columns.brackets > MAX_DEPTH and depth(columns.ahead) > MAX_DEPTH:
            return RowError(TOO_DEEP)
        return columns


@lru_cache(maxsize=64)
def _decoder(names: frozenset[str]) -> msgspec.json.Decoder[dict[str, Any]]:
    if not all(map(str.isascii, names)):
        return _all  # msgspec 0.22 does not find keys of a TypedDict that are not ASCII
    shape: Any = TypedDict("Ahead", dict.fromkeys(sorted(names), Any), total=False)  # type: ignore[misc]
    return msgspec.json.Decoder(shape)
