"""
A call's rows as they came: JSON, which is read when it is asked for.

Rows are read where it is known what of them is wanted, and then once. So the array that they come
in is cut where one row seems to end and the next to begin, without being read. Reading shows
whether that was right: what can be read as rows and a comma, and rows, is an array of just these.
Where it cannot, the array is taken apart, and each row is read by itself.
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from typing import Any, Protocol, overload

import msgspec

from destination.columns import MAX_ROW, Columns
from destination.errors import RowError
from destination.model import Row, RowId
from destination.raw import MAX_TOKENS, ParseError, check_tokens, members, tokens

Decoder = msgspec.json.Decoder[list[Any]]
"""Reads an array of rows."""

_MAX_SEAM = 256
"""Bytes of a seam; a name that is longer is not looked for."""


class TooManyRows(ValueError):
    """There are more rows than there may be."""

    def __init__(self, count: int) -> None:
        super().__init__(f"{count} rows")
        self.count = count


class Reading(Protocol):
    """
    How a protocol reads rows.

    Args:
        column: The one with their ids.
        decoder: Reads the ids of an array, as ``id`` of what it makes of a row.
    """

    column: str
    decoder: Decoder | None

    def rows(self, raw: Iterable[tuple[int, msgspec.Raw]]) -> Iterator[Row]:
        """Those of which positions and JSON are given; it may raise where one has no usable id."""

    def ids(self, raw: Sequence[msgspec.Raw]) -> list[RowId | None]:
        """The ids alone; None for those that are not usable."""


class Unread(Sequence[Row]):
    """
    Rows of which nothing is known until it is asked for; they are read anew each time.

    Whatever reads them may raise ParseError, or TooManyRows.

    Args:
        array: Their JSON, perhaps; it begins and ends with a bracket.
        most: How many there may be.
    """

    def __init__(self, array: msgspec.Raw, reading: Reading, most: int) -> None:
        self.id_column = reading.column
        self._reading = reading
        self._array = array
        self._most = most
        self._count: int | None = None
        self._latest: tuple[int, Columns] | None = None

    def parts(self, decoder: Decoder | None) -> Iterator[tuple[int, list[Any] | None]]:
        """
        The rows as the decoder reads them, as many at a time as are no longer than one may be.

        With each part comes the position of its first row. None comes in place of the first part
        that cannot be read like this, and of all behind it: these are to be read one by one.
        """
        text = memoryview(self._array)
        seam = _seam(bytes(text[:_MAX_SEAM]))
        start, last = 0, len(text) - 1
        begin = 1 if self else last
        while begin < last:
            end = _cut(text, begin, last, seam)
            read = _read(text[begin:end], decoder) if end and decoder else None
            if read is None:
                yield start, None
                return
            if start + len(read) > self._most:
                _ = self.raw  # it counts them all, and raises
            yield start, read
            start, begin = start + len(read), end + 1
        self._count = start

    @cached_property
    def raw(self) -> Sequence[msgspec.Raw]:
        """Each row as it is written, but for marks of what is no text."""
        if self._count is None and self._too_much:
            raise self._too_much
        raw = members(self._array)
        if len(raw) > self._most:
            raise TooManyRows(len(raw))
        return raw

    @cached_property
    def _too_much(self) -> ParseError | None:
        """Why the rows may not be looked at one by one, whatever they hold."""
        if len(memoryview(self._array)) > MAX_TOKENS:
            try:
                check_tokens(tokens(memoryview(self._array)))
            except ParseError as error:
                return error
        return None

    @cached_property
    def ids(self) -> Sequence[RowId | None]:
        """By position; None where a row has none that is usable."""
        ids = list[RowId | None]()
        for start, read in self.parts(self._reading.decoder):
            one_by_one = self._reading.ids(self.raw[start:]) if read is None else ()
            ids += [each.id for each in read or ()] or one_by_one
        return ids

    def vet(self) -> None:
        """Raises what reading a row raises, for whichever row that is."""
        if None in self.ids:
            _ = self[self.ids.index(None)]
        if self._too_much:
            raise self._too_much

    def columns(self, position: int) -> Columns:
        """Those of one row; the same as before where it is the row that was asked for last."""
        if self._latest is None or self._latest[0] != position:
            why = self._too_much
            problem = RowError(f"the row cannot be read: {why}") if why else None
            self._latest = position, Columns(self.raw[position], problem=problem)
        return self._latest[1]

    def __bool__(self) -> bool:
        """Whether there are any."""
        inside = memoryview(self._array)[1:-1]
        return bool(inside) and not (inside[0] in b" \t\r\n" and bytes(inside).isspace())

    def __len__(self) -> int:
        return len(self.raw) if self._count is None else self._count

    @overload
    def __getitem__(self, index: int) -> Row: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Row]: ...
    def __getitem__(self, index: int | slice) -> Row | Sequence[Row]:
        positions = range(len(self))[index]
        return (
            next(self.some([positions])) if isinstance(positions, int) else [*self.some(positions)]
        )

    def some(self, positions: Iterable[int]) -> Iterator[Row]:
        """The rows at these positions."""
        if self._too_much:
            raise self._too_much
        return self._reading.rows((each, self.raw[each]) for each in positions)


def ids_of(rows: Sequence[Row]) -> Sequence[RowId | None]:
    """The rows' ids, without reading more of them; None where a row has none."""
    return rows.ids if isinstance(rows, Unread) else [row.id for row in rows]


def _seam(beginning: bytes) -> bytes:
    """
    What stands between two rows, written as JSON.stringify writes: ``},{"id":``.

    The first column's name is part of it, as objects within a row hardly begin with the same;
    empty where that is not how the first row begins.
    """
    opening, colon, _ = beginning.partition(b'":')
    return b"}," + opening[1:] + colon if colon and opening.startswith(b'[{"') else b""


def _cut(text: memoryview, begin: int, last: int, seam: bytes) -> int:
    """Where rows end that begin here and are not too long for one; 0 where that is not found."""
    if last - begin <= MAX_ROW:
        return last
    at = bytes(text[begin : begin + MAX_ROW]).rfind(seam) if seam else -1
    return begin + at + 1 if at >= 0 else 0


def _read(rows: memoryview, decoder: Decoder) -> list[Any] | None:
    try:
        return decoder.decode(b"".join((b"[", rows, b"]")))
    except (ValueError, RecursionError):
        return None
