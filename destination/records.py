"""Rows to records: many together where all is as it should be, else row by row."""

import asyncio
from collections.abc import Iterator, Sequence

from destination.bulk import Bulk
from destination.columns import MAX_ROW
from destination.deadline import Deadline, give_way
from destination.errors import DestinationError, RowError
from destination.mapping import Plan
from destination.model import Record, Rejection, Row
from destination.unread import Unread

CHUNK = 10_000
"""Rows of a call that are mapped and delivered at a time; those of a longer call wait as JSON."""

PIECE = 100
"""Rows that are mapped together in a part in which not all are as they should be."""

Mapped = tuple[list[Record], list[Rejection]]
"""Records, and the rows of which none can be made."""


class Mapper:
    """A call's rows on their way to be records."""

    def __init__(self, plan: Plan, rows: Sequence[Row], deadline: Deadline) -> None:
        self._rows = rows
        self._pieces = _pieces(plan, rows, deadline)
        self._ahead: Mapped | None = None
        self._is_first = True

    async def chunk(self) -> Mapped | None:
        """
        Some rows more than ``CHUNK``, or all that are left; None when none is.

        A long call leaves room for others meanwhile. Before the first come, it is certain that what
        becomes of any row can be reported: this raises whatever reading one of them raises.
        """
        turn = asyncio.get_running_loop().time()
        records, rejections = self._ahead or (list[Record](), list[Rejection]())
        self._ahead = None
        for piece in self._pieces:
            turn = await give_way(turn)
            if len(records) + len(rejections) >= CHUNK:
                self._ahead = piece
                break
            records += piece[0]
            rejections += piece[1]
        if self._ahead and self._is_first and isinstance(self._rows, Unread):
            self._rows.vet()
        self._is_first = False
        return (records, rejections) if records or rejections else None


def _pieces(plan: Plan, rows: Sequence[Row], deadline: Deadline) -> Iterator[Mapped]:
    """As many rows at a time as take no time to speak of."""
    now = asyncio.get_running_loop().time
    bulk = plan.bulk(rows.id_column) if isinstance(rows, Unread) else None
    if not isinstance(rows, Unread) or bulk is None:
        yield from _one_by_one(plan, rows, range(len(rows)), deadline)
        return
    for start, read in rows.parts(bulk.many):
        in_time = now() <= deadline.end
        if in_time and read and (records := bulk.records(read, start, rows.columns)):
            yield records, []
            continue
        for span in _spans(range(start, len(rows) if read is None else start + len(read))):
            in_time = now() <= deadline.end
            if in_time and (records := _alike(bulk, rows, span)):
                yield records, []
            else:
                yield from _one_by_one(plan, rows, span, deadline)


def _spans(whole: range) -> Iterator[range]:
    return (whole[start : start + PIECE] for start in range(0, len(whole), PIECE))


def _alike(bulk: Bulk, rows: Unread, span: range) -> list[Record] | None:
    """The records of some rows, where these are as they should be."""
    raw = rows.raw[span.start : span.stop]
    if max(len(memoryview(each)) for each in raw) > MAX_ROW:
        return None
    try:
        read = [*map(bulk.one.decode, raw)]
    except (ValueError, RecursionError):
        return None
    return bulk.records(read, span.start, rows.columns)


def _one_by_one(
    plan: Plan, rows: Sequence[Row], span: range, deadline: Deadline
) -> Iterator[Mapped]:
    now = asyncio.get_running_loop().time
    for piece in _spans(span):
        for row in rows[piece.start : piece.stop]:
            if now() > deadline.end:
                yield [], [Rejection(row.position, deadline.not_sent())]
            elif isinstance(row.columns, RowError):
                yield [], [Rejection(row.position, row.columns)]
            else:
                try:
                    record = plan.record(row.position, row.id, row.columns)
                except DestinationError as error:
                    yield [], [Rejection(row.position, error)]
                else:
                    yield [record], []
