"""A row's columns, of which only those are decoded that somebody reads."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, TypedDict, overload

import msgspec

from destination.errors import Code, RowError
from destination.literals import depth
from destination.model import Row, RowId

MAX_DEPTH = 64
"""How deep a row may nest."""

TOO_DEEP = f"the row is nested more than {MAX_DEPTH} deep"
MAX_ROW = 256 * 1024
"""Bytes of one row; a longer one is rejected alone."""

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
        """All columns, and from now on. Raises RowError where one cannot be read."""
        if self._read is None:
            self._read = self.once()
        return self._read

    def once(self) -> dict[str, Any]:
        """All columns, for now: they are not kept. Raises RowError where one cannot be read."""
        if self._read is not None:
            return self._read
        try:
            return _all.decode(self._raw)
        except (ValueError, RecursionError):
            raise RowError(UNREADABLE) from None

    @property
    def raw(self) -> bytes:
        """The row as it was written."""
        return bytes(self._raw)


class Reader:
    """
    Reads some columns of rows and passes over the others.

    Args:
        shallow: No row is nested too deeply, so that none need be looked at.
    """

    def __init__(self, names: Iterable[str], *, shallow: bool = False) -> None:
        self._decoder = _decoder(frozenset(names))
        self._shallow = shallow

    def read(self, rows: Iterable[msgspec.Raw]) -> Iterator[Columns | RowError]:
        """
        Each row's columns, some of them read.

        In place of a row that is no object, not Unicode, too long or too deep comes an error.
        """
        decode, shallow = self._decoder.decode, self._shallow
        for raw in rows:
            if len(memoryview(raw)) > MAX_ROW:  # it is not even read: that takes time and room
                told = f"the row is longer than {MAX_ROW // 1024} KiB"
                yield RowError(told, code=Code.TOO_LARGE)
                continue
            try:
                columns = Columns(raw, decode(raw))
                yield columns if shallow or not _too_deep(columns) else RowError(TOO_DEEP)
            except RowError as error:
                yield error
            except (ValueError, RecursionError):
                yield RowError(UNREADABLE)


def _too_deep(row: Columns) -> bool:
    text = row.raw
    return text.count(b"[") + text.count(b"{") > MAX_DEPTH and depth(row.once()) > MAX_DEPTH


@lru_cache(maxsize=64)
def _decoder(names: frozenset[str]) -> msgspec.json.Decoder[dict[str, Any]]:
    if not all(map(str.isascii, names)):
        return _all  # msgspec 0.22 does not find keys of a TypedDict that are not ASCII
    shape: Any = TypedDict("Ahead", dict.fromkeys(sorted(names), Any), total=False)  # type: ignore[misc]
    return msgspec.json.Decoder(shape)


class ReadLater(Sequence[Row]):
    """
    Rows of which only the ids are known until they are asked for; they are read anew each time.

    Args:
        ids: By position.
        read: Reads the rows from a position up to another.
    """

    def __init__(self, ids: Sequence[RowId], read: Callable[[int, int], list[Row]]) -> None:
        self.ids = ids
        self._read = read

    def __len__(self) -> int:
        return len(self.ids)

    @overload
    def __getitem__(self, index: int) -> Row: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Row]: ...
    def __getitem__(self, index: int | slice) -> Row | Sequence[Row]:
        if isinstance(index, int):
            position = range(len(self.ids))[index]
            return self._read(position, position + 1)[0]
        start, end, step = index.indices(len(self.ids))
        return self._read(start, end)[::step]


def ids_of(rows: Sequence[Row]) -> Sequence[RowId]:
    """The rows' ids, without reading more of them."""
    return rows.ids if isinstance(rows, ReadLater) else [row.id for row in rows]
