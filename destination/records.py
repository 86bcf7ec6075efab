"""Rows to records: many together where all is as it should be, else row by row."""

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, count
from operator import attrgetter
from typing import Any

from destination.bulk import Bulk
from destination.columns import MAX_ROW
from destination.deadline import Deadline, give_way
from destination.errors import DestinationError, RowError
from destination.mapping import Plan
from destination.model import Record, Rejection, Row
from destination.unread import Unread

CHUNK = 10_000
"""Rows that are mapped and delivered at a time, at least; the others of a call wait as JSON."""

SPAN = 1_000
"""Rows that are sorted at a time where not all are as they should be."""

Mapped = tuple[list[Record], list[Rejection]]
"""Records, and the rows of which none can be made."""


class Mapper:
    """A call's rows on their way to be records."""

    def __init__(self, plan: Plan, rows: Sequence[Row], deadline: Deadline) -> None:
        self._rows = rows
        self._mapped = _mapped(plan, rows, deadline)
        self._ahead: list[Mapped] = []
        self._is_first = True

    async def chunk(self) -> Mapped | None:
        """
        At least ``CHUNK`` rows, or all that are left; None when none is.

        A long call leaves room for others meanwhile. Before the first come, it is certain that what
        becomes of any row can be reported: this raises whatever reading one of them raises.
        """
        turn = asyncio.get_running_loop().time()
        records, rejections = list[Record](), list[Rejection]()
        furthest, in_order = -1, True
        for each in chain(self._ahead, self._mapped):
            turn = await give_way(turn)
            some = each[0] or each[1]
            is_next = some[0].position > furthest
            if is_next and len(records) + len(rejections) >= CHUNK:
                self._ahead = [each]
                break
            in_order = in_order and is_next
            furthest = max(furthest, some[-1].position)
            records += each[0]
            rejections += each[1]
        else:
            self._ahead = []
        if not in_order:
            records.sort(key=attrgetter("position"))
        if self._ahead and self._is_first and isinstance(self._rows, Unread):
            self._rows.vet()
        self._is_first = False
        return (records, rejections) if records or rejections else None


def _mapped(plan: Plan, rows: Sequence[Row], deadline: Deadline) -> Iterator[Mapped]:
    """As many rows at a time as take no time to speak of; never none."""
    now = asyncio.get_running_loop().time
    bulk = plan.bulk(rows.id_column) if isinstance(rows, Unread) else None
    if not isinstance(rows, Unread) or bulk is None:
        for span in _spans(range(len(rows))):
            yield from _one_by_one(plan, rows[span.start : span.stop], deadline)
        return
    worthwhile = True
    for start, read in rows.parts(bulk.many):
        if read and now() <= deadline.end and bulk.all_fit(read):
            yield bulk.records(read, count(start), rows.columns), []
            continue
        for span in _spans(range(start, len(rows) if read is None else start + len(read))):
            alike = _alike(bulk, rows, span) if worthwhile and now() <= deadline.end else {}
            worthwhile = len(alike) > len(span) / 2
            if alike:
                yield bulk.records(alike.values(), alike, rows.columns), []
            others = (position for position in span if position not in alike)
            yield from _one_by_one(plan, rows.some(others), deadline)


def _spans(whole: range) -> Iterator[range]:
    return (whole[start : start + SPAN] for start in range(0, len(whole), SPAN))


def _alike(bulk: Bulk, rows: Unread, span: range) -> dict[int, Any]:
    """What is read of those of some rows in which nothing is to be converted, by position."""
    read, decode = dict[int, Any](), bulk.one.decode
    for position, row in zip(span, rows.raw[span.start : span.stop], strict=True):
        try:
            if len(memoryview(row)) <= MAX_ROW:
                read[position] = decode(row)
        except (ValueError, RecursionError):
            continue
    if bulk.all_fit([*read.values()]):
        return read
    return {position: one for position, one in read.items() if bulk.fits(one)}


def _one_by_one(plan: Plan, rows: Iterable[Row], deadline: Deadline) -> Iterator[Mapped]:
    now = asyncio.get_running_loop().time
    for row in rows:
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
