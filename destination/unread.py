"""
A call's rows as they came: JSON, which is read when it is asked for.

Rows are read where it is known what of them is wanted, and then once. So the array that they come
in is cut where one row seems to end and the next to begin, without being read. Reading shows
whether that was right: what can be read as rows and a comma, and rows, is an array of just these.
Where it cannot, the array is taken apart, and each row is read by itself.

Nothing may be sent before all rows were read in one way or the other, or were vetted: until then
ParseError and TooManyRows may be raised, and never again afterwards.
"""

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import Any, Protocol, overload

import msgspec

from destination.columns import MAX_ROW, Columns
from destination.errors import RowError
from destination.model import Row, RowId
from destination.raw import MAX_SEAM, TOO_MUCH, ParseError, is_too_much, members, seam

Decoder = msgspec.json.Decoder[list[Any]]
"""Reads an array of rows."""

_TOO_MUCH = "the rows of the call hold too many values for more than what is mapped to be read"


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
        between = seam(bytes(text[:MAX_SEAM]))
        start, last = 0, len(text) - 1
        begin = 1 if self else last
        while begin < last:
            end = _cut(text, begin, last, between)
            read = _read(text[begin:end], decoder) if end and decoder else None
            if read is None:
                yield start, None
                return
            if start + len(read) > self._most:
                raise TooManyRows(len(self._taken_apart()))
            yield start, read
            start, begin = start + len(read), end + 1
        self._count = start

    @cached_property
    def raw(self) -> Sequence[msgspec.Raw]:
        """Each row as it is written, but for marks of what is no text."""
        if self._count is not None:
            return self._taken_apart_again()
        raw = self._taken_apart()
        if len(raw) > self._most:
            raise TooManyRows(len(raw))
        self._count = len(raw)
        return raw

    def _taken_apart(self) -> Sequence[msgspec.Raw]:
        if self._is_too_much:
            raise ParseError(TOO_MUCH)
        return members(self._array)

    def _taken_apart_again(self) -> Sequence[msgspec.Raw]:
        try:
            return members(self._array)
        except ParseError:
            # What is nested as deeply as can just be read cannot be from a place that is deeper in
            # the stack than the one before. A thread has a stack of its own.
            with ThreadPoolExecutor(1) as thread:
                return thread.submit(members, self._array).result()

    @cached_property
    def _is_too_much(self) -> bool:
        """Whether rows may not be looked at one by one, whatever they hold."""
        return is_too_much(memoryview(self._array))

    @cached_property
    def ids(self) -> Sequence[RowId | None]:
        """By position; None where a row has none that is usable."""
        ids = list[RowId | None]()
        for start, read in self.parts(self._reading.decoder):
            if read is None:
                ids += self._reading.ids(self.raw[start:])
            else:
                ids += [each.id for each in read]
        return ids

    def vet(self) -> None:
        """Raises what reading a row may raise, for whichever row that is."""
        for position in (position for position, id in enumerate(self.ids) if id is None):
            _ = self[position]
        if self._is_too_much:
            raise ParseError(TOO_MUCH)

    def columns(self, position: int) -> Columns:
        """Those of one row; the same as before where it is the row that was asked for last."""
        if self._latest is None or self._latest[0] != position:
            problem = RowError(_TOO_MUCH) if self._is_too_much else None
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
        if self._is_too_much:
            raise ParseError(TOO_MUCH)
        return self._reading.rows((each, self.raw[each]) for each in positions)


def ids_of(rows: Sequence[Row]) -> Sequence[RowId | None]:
    """
    The rows' ids, without reading more of them; None where a row has none.

    There are none in rows that cannot be read: nothing of such a call is ever sent.
    """
    if not isinstance(rows, Unread):
        return [row.id for row in rows]
    try:
        return rows.ids
    except (ParseError, TooManyRows):
        return ()


def _cut(text: memoryview, begin: int, last: int, between: bytes) -> int:
    """Where rows end that begin here and are not too long for one; 0 where that is not found."""
    if last - begin <= MAX_ROW:
        return last
    at = bytes(text[begin : begin + MAX_ROW]).rfind(between) if between else -1
    return begin + at + 1 if at >= 0 else 0


def _read(rows: memoryview, decoder: Decoder) -> list[Any] | None:
    try:
        return decoder.decode(b"".join((b"[", rows, b"]")))
    except (ValueError, RecursionError):
        return None
