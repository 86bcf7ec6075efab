"""
A call's rows as they came: JSON, of which a part at a time is read, and when it is asked for.

Rows are read where it is known what of them is wanted, and then once. So the array that they come
in is cut where one row seems to end and the next to begin, without being read. Reading shows
whether that was right: what can be read as rows and a comma, and rows, is an array of just these.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import Any, Protocol, overload

import msgspec

from destination.columns import MAX_ROW, Columns
from destination.errors import RowError
from destination.model import Row, RowId
from destination.raw import MAX_TOKENS, Body, ParseError, check_tokens, members, tokens

Decoder = msgspec.json.Decoder[list[Any]]
"""Reads all rows of a part at once."""

_MAX_SEAM = 256
"""Bytes of a seam; a name that is longer is not looked for."""


class TooManyRows(ValueError):
    """There are more rows than there may be."""

    def __init__(self, count: int) -> None:
        super().__init__(f"{count} rows")
        self.count = count


class Part:
    """
    Rows that stand together.

    Args:
        start: The position of the first.
        array: What they are part of.
        begin: The first byte of them in the array's JSON.
        end: The first that is no longer theirs.
        weigh: Is asked before columns that were not mapped are read, and raises ParseError where
            the rows of the call hold too much for that.
    """

    __slots__ = ("_array", "_columns", "_problem", "_rows", "_weigh", "begin", "end", "start")

    def __init__(
        self, start: int, array: msgspec.Raw, begin: int, end: int, weigh: Callable[["Part"], None]
    ) -> None:
        self.start, self.begin, self.end = start, begin, end
        self._array, self._weigh = array, weigh
        self._rows: Sequence[msgspec.Raw] | None = None
        self._columns: dict[int, Columns] = {}
        self._problem: RowError | None = None

    @property
    def json(self) -> msgspec.Raw | bytes:
        """An array of these rows, and of no others."""
        whole = memoryview(self._array)
        if (self.begin, self.end) == (1, len(whole) - 1):
            return self._array
        return b"".join((b"[", whole[self.begin : self.end], b"]"))

    def read(self, decoder: Decoder | None) -> list[Any] | None:
        """All rows at once; None where one does not fit, or may be longer than a row may be."""
        if decoder is None or self.end - self.begin > MAX_ROW:
            return None
        try:
            return decoder.decode(self.json)
        except (ValueError, RecursionError):
            return None

    @property
    def rows(self) -> Sequence[msgspec.Raw]:
        """Each row as JSON; raises ParseError where this is no array."""
        if self._rows is None:
            self._rows = members(self.json)
        return self._rows

    def columns(self, position: int) -> Columns:
        """Those of one row, by its position in the call."""
        if not self._columns:
            try:
                self._weigh(self)
            except ParseError as error:
                self._problem = RowError(f"the row cannot be read: {error}")
        if (columns := self._columns.get(position)) is None:
            raw = self.rows[position - self.start]
            columns = self._columns[position] = Columns(raw, problem=self._problem)
        return columns


class Reading(Protocol):
    """
    How a protocol reads rows.

    Args:
        column: The one with their ids.
        decoder: Reads the ids of a part at once, as ``id`` of what it makes of a row.
    """

    column: str
    decoder: Decoder | None

    def rows(self, raw: Sequence[msgspec.Raw], start: int) -> list[Row]:
        """Those that begin at this position; it may raise where one's outcome has no name."""

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
        self._array = array
        self._text = memoryview(array)
        self._reading = reading
        self._most = most
        self._last = len(self._text) - 1
        self._seam = _seam(bytes(self._text[: _MAX_SEAM + 2]))
        self._known: list[tuple[int, int, int]] = []
        self._next = self._last if _is_blank(self._text[1:-1]) else 1
        self._count = 0
        self._tokens: dict[int, int] = {}
        self._latest: Part | None = None

    def parts(self, decoder: Decoder | None = None) -> Iterator[tuple[Part, list[Any] | None]]:
        """
        All rows, those together that stand together.

        Args:
            decoder: Reads the rows of a part at once, where that can be done: see ``Part.read``.
        """
        index = 0
        while index < len(self._known) or self._next < self._last:
            if index < len(self._known):
                part = self._known_part(index)
                yield part, part.read(decoder)
            else:
                yield self._found(decoder)
            index += 1

    def _found(self, decoder: Decoder | None) -> tuple[Part, list[Any] | None]:
        """The part behind those that are known."""
        begin, end = self._next, self._cut()
        part = self._made(self._count, begin, end)
        read = part.read(decoder)
        if read is None:
            part = self._split(part)
        self._known.append((part.start, part.begin, part.end))
        self._count += len(part.rows if read is None else read)
        self._next = min(part.end + 1, self._last)  # behind the comma
        if self._count > self._most:
            self._refuse()
        return part, read

    def _cut(self) -> int:
        """Where the next part ends: behind as many rows as together are not too long for one."""
        if self._last - self._next <= MAX_ROW or not self._seam:
            return self._last
        at = bytes(self._text[self._next : self._next + MAX_ROW]).rfind(self._seam)
        return self._last if at < 0 else self._next + at + 1

    def _split(self, part: Part) -> Part:
        """
        The part, whose rows will be looked at one by one, whatever they hold.

        Where it was cut in the middle of something, it is all that is left.
        """
        self._weigh(part)
        try:
            _ = part.rows
        except ParseError:
            if part.end == self._last:
                raise
            return self._split(self._made(part.start, part.begin, self._last))
        return part

    def _weigh(self, part: Part) -> None:
        """Raises ParseError when all parts that were weighed hold too many values together."""
        if len(self._text) > MAX_TOKENS:
            self._tokens[part.begin] = tokens(bytes(part.json))
            check_tokens(sum(self._tokens.values()))

    def _refuse(self) -> None:
        """Raises TooManyRows, once it is known how many there are."""
        self._most = self._last  # there cannot be so many
        raise TooManyRows(len(self))

    def vet(self) -> None:
        """Raises what reading a row raises, for whichever row that is."""
        if None in self.ids:
            _ = self[self.ids.index(None)]

    @cached_property
    def ids(self) -> Sequence[RowId | None]:
        """By position; None where a row has none that is usable."""
        ids = list[RowId | None]()
        for part, read in self.parts(self._reading.decoder):
            ids += self._reading.ids(part.rows) if read is None else [each.id for each in read]
        return ids

    def raw(self, position: int) -> msgspec.Raw:
        """One row as it is written, but for marks of what is no text."""
        part = self._part(position)
        return part.rows[position - part.start]

    def rows(self, part: Part, span: range) -> Sequence[Row]:
        """Those of a part with these positions, read."""
        raw = part.rows[span.start - part.start : span.stop - part.start]
        return self._reading.rows(raw, span.start)

    def _part(self, position: int) -> Part:
        """The one with this row; the last that was asked for is at hand, as rows go in order."""
        part = self._latest
        if part is None or not part.start <= position < part.start + len(part.rows):
            index = bisect_right(self._known, position, key=lambda each: each[0]) - 1
            part = self._latest = self._known_part(index)
        return part

    def _known_part(self, index: int) -> Part:
        return self._made(*self._known[index])

    def _made(self, start: int, begin: int, end: int) -> Part:
        return Part(start, self._array, begin, end, self._weigh)

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self._known) or self._next < self._last

    def __len__(self) -> int:
        while self._next < self._last:
            self._found(None)
        return self._count

    @overload
    def __getitem__(self, index: int) -> Row: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Row]: ...
    def __getitem__(self, index: int | slice) -> Row | Sequence[Row]:
        positions = range(len(self))[index]
        if isinstance(positions, int):
            return self._reading.rows([self.raw(positions)], positions)[0]
        return [self[position] for position in positions]


def ids_of(rows: Sequence[Row]) -> Sequence[RowId | None]:
    """The rows' ids, without reading more of them; None where a row has none."""
    return rows.ids if isinstance(rows, Unread) else [row.id for row in rows]


def _seam(beginning: Body) -> bytes:
    """
    What stands between two rows, written as JSON.stringify writes: ``},{"id":``.

    The first column's name is part of it, as objects within a row hardly begin with the same;
    empty where that is not how the first row begins.
    """
    name = beginning.find(b'":')
    return b"}," + beginning[1 : name + 2] if beginning.startswith(b'[{"') and name > 0 else b""


def _is_blank(text: memoryview) -> bool:
    return not text or (text[0] in b" \t\r\n" and bytes(text).isspace())
