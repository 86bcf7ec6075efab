"""
The evidence in order, as the oracle asks for it: which calls carried a row, and when it was taken.

A row is known by its id and, where the digest of its content can be told, by that too. An id is
known with its JSON type, so that 7, 7.0 and "7" are three.
"""

from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, Literal

from destination.errors import Code
from destination.testing.journal import Arrival, Exchange

Content = Callable[[str, Mapping[str, Any]], str]
Id = tuple[type, Any]
Row = tuple[type, Any, str | None]

MAYBE = frozenset({Code.OUTCOME_UNKNOWN, Code.INTERNAL})
"""What is said of a row that may or may not have been delivered."""

_at = attrgetter("at")
_sent = attrgetter("sent")


def identity(id: Any) -> Id | None:
    """An id as it is compared; None for what cannot be one."""
    usable = isinstance(id, str | int | float) and not isinstance(id, bool)
    return (type(id), id) if usable else None


@dataclass(frozen=True, slots=True)
class Violation:
    """A broken promise: which, and how it shows. The text has ids in it, but no other values."""

    rule: str
    text: str

    def __str__(self) -> str:
        return f"{self.rule}: {self.text}"


def member(entry: Any, name: str) -> Any:
    """What a rejection says under a name; None if it does not."""
    return entry.get(name) if isinstance(entry, Mapping) else None


class Call:
    """
    An exchange, read once.

    Args:
        unanswered_for: Seconds after which a call without an answer has surely ended.
        flight: Seconds that a request may be on its way to the vendor.
    """

    def __init__(
        self, exchange: Exchange, content: Content | None, unanswered_for: float, flight: float
    ) -> None:
        self.exchange = exchange
        self.sent = exchange.sent
        self.rows: Counter[Row] = Counter()
        self.ids: Counter[Id] = Counter()
        self.versions: defaultdict[Id, set[str]] = defaultdict(set)
        self.unusable: list[int] = []
        for position, row in enumerate(exchange.rows):
            if known := identity(row.get(exchange.id_column)):
                digest = content and content(exchange.method, row)
                self.rows[*known, digest] += 1
                self.ids[known] += 1
                self.versions[known].add(digest or f"{exchange.method} {sorted(row.items())}")
            else:
                self.unusable.append(position)
        self.entries = self._entries()
        self.reasons = self._reasons()
        answered = exchange.answered
        self.end = self.sent + unanswered_for if answered is None else answered
        self._open_end = self.end + flight

    @property
    def outcome(self) -> Literal["result", "error", "none", "neither"]:
        """What came back: one of three things, or something that is neither."""
        answer = self.exchange.answer
        if answer is None:
            return "none" if self.exchange.answered is None else "neither"
        if ("result" in answer) == ("error" in answer):
            return "neither"
        return "result" if "result" in answer else "error"

    def acknowledges(self, id: Id) -> bool:
        """The caller was told, by silence about it, that a row was delivered."""
        return self.outcome == "result" and id not in self.reasons

    def uncertain(self, id: Id) -> bool:
        """The caller was not told whether a row was delivered, or told that it is not known."""
        if self.outcome in ("none", "neither"):
            return True
        return self.reasons.get(id, "").partition(":")[0] in MAYBE

    def until(self, id: Id) -> float:
        """The last moment at which a row may arrive for this call."""
        return self._open_end if self.uncertain(id) else self.end

    def _entries(self) -> list[Any] | None:
        result = (self.exchange.answer or {}).get("result")
        entries = result.get("rejectedRows") if isinstance(result, Mapping) else None
        return entries if isinstance(entries, list) else None

    def _reasons(self) -> dict[Id, str]:
        reasons: dict[Id, str] = {}
        for entry in self.entries or ():
            if known := identity(member(entry, "id")):
                reasons.setdefault(known, str(member(entry, "reason")))
        return reasons


class History:
    """All calls and arrivals of one destination, in order of time, and found by row."""

    def __init__(self, calls: Iterable[Call], arrivals: Iterable[Arrival], *, known: bool) -> None:
        self.calls = sorted(calls, key=_sent)
        self.arrivals = sorted((each for each in arrivals if each.ids), key=_at)
        self._known = known
        self.carriers: defaultdict[Row, list[Call]] = defaultdict(list)
        self._longest = 0.0
        self._callers: defaultdict[Id, list[Call]] = defaultdict(list)
        for call in self.calls:
            for id in call.ids:
                self._callers[id].append(call)
            for row in call.rows:
                self.carriers[row].append(call)
                self._longest = max(self._longest, call.until(row[:2]) - call.sent)
        self.seen: defaultdict[Row, list[Arrival]] = defaultdict(list)
        self.taken: defaultdict[Row, list[Arrival]] = defaultdict(list)
        self.contents: defaultdict[Id, list[tuple[Arrival, str]]] = defaultdict(list)
        for arrival in self.arrivals:
            for row, digest in zip(self.rows(arrival), arrival.contents, strict=True):
                self.seen[row].append(arrival)
                if arrival.taken:
                    self.taken[row].append(arrival)
                    self.contents[row[:2]].append((arrival, digest))

    def rows(self, arrival: Arrival) -> tuple[Row, ...]:
        """The rows that a request carried."""
        pairs = zip(arrival.ids, arrival.contents, strict=True)
        return tuple((type(id), id, digest if self._known else None) for id, digest in pairs)

    def open(self, row: Row, at: float) -> list[Call]:
        """The calls for which the row may arrive at a moment."""
        return self._within(self.carriers.get(row, ()), row[:2], at, at)

    def callers(self, id: Id, began: float, ended: float) -> list[Call]:
        """The calls for which the id may have arrived in a span."""
        return self._within(self._callers.get(id, ()), id, began, ended)

    def _within(self, calls: Sequence[Call], id: Id, began: float, ended: float) -> list[Call]:
        first = bisect_left(calls, began - self._longest, key=_sent)
        last = bisect_right(calls, ended, key=_sent)
        return [call for call in calls[first:last] if call.until(id) >= began]

    def during(
        self, arrivals: Mapping[Row, Sequence[Arrival]], row: Row, call: Call
    ) -> list[Arrival]:
        """The row's arrivals while a call was open."""
        found = arrivals.get(row, ())
        first, last = bisect_left(found, call.sent, key=_at), bisect_right(found, call.end, key=_at)
        return list(found[first:last])

    def requests(self) -> list[tuple[float, tuple[Row, ...]]]:
        """When which rows came in one request, of which a log may have two lines."""
        merged: dict[tuple[float, int], list[Row]] = {}
        for arrival in self.arrivals:
            merged.setdefault((arrival.at, arrival.connection), []).extend(self.rows(arrival))
        return [
            (at, tuple(sorted(rows, key=lambda row: (row[0].__name__, row[1], row[2] or ""))))
            for (at, _), rows in merged.items()
        ]

    def occasions(
        self, requests: Iterable[tuple[float, tuple[Row, ...]]], each: int = 1
    ) -> Iterator[Call | None]:
        """
        For each request the call that it was made for; None for those beyond what calls ask for.

        A call asks ``each`` times for every time that it carries the rows. Where several calls
        are open, the one that ends first is served, so that as few as possible are left over.
        """
        used: Counter[tuple[Call, tuple[Row, ...]]] = Counter()
        for at, rows in requests:
            asking = [
                call
                for call in self.open(rows[0], at)
                if used[call, rows] < each * min(call.rows[row] for row in rows)
            ]
            chosen = min(asking, key=lambda call: call.until(rows[0][:2]), default=None)
            if chosen:
                used[chosen, rows] += 1
            yield chosen

    def runs(self, id: Id, effects: Iterable[tuple[Arrival, str]]) -> Iterator[list[float]]:
        """The moments of like effects, between which nothing else was asked for the same id."""
        run: list[float] = []
        before = ""
        for arrival, digest in effects:
            if run and (digest != before or self._varied(id, run[-1], arrival.at)):
                yield run
                run = []
            run.append(arrival.at)
            before = digest
        if run:
            yield run

    def _varied(self, id: Id, began: float, ended: float) -> bool:
        calls = self.callers(id, began, ended)
        return len(set[str]().union(*(call.versions[id] for call in calls))) > 1

    def unseen(self, began: float, at: float) -> int:
        """How many rows of calls open in a span may have been tried by its end and had not come."""
        count = 0
        first = bisect_left(self.calls, began - self._longest, key=_sent)
        for call in self.calls[first : bisect_right(self.calls, at, key=_sent)]:
            if call.end < began:
                continue
            for row, times in call.rows.items():
                came = self.during(self.seen, row, call)
                tried = bool(came) or not call.acknowledges(row[:2])
                if tried and not (came and came[0].at <= at):
                    count += times
        return count
