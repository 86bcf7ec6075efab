"""
The oracle: from what the vendor logged and what the caller was told, which promises were broken.

Pure, and from outside only: it knows nothing of the server but its answers. ::

    assert judge(exchanges, vendor.arrivals(), content=digest_of_what_is_sent) == []

A ``Violation`` is certain. What the evidence leaves open (which of two overlapping calls a
request was made for, whether a request read late was sent late) is decided for the server.
The rules are named as in the table of promises: D1 nothing lost unreported, D2 ids, D3 halving,
D4 deadline, D5 nothing sent afterwards, D6 duplicates, D11 reasons, R3 pauses, R4 retry budget,
P1 secrets.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from destination.errors import REASON_LENGTH, Code
from destination.testing.history import (
    MAYBE,
    Call,
    Content,
    History,
    Id,
    Row,
    Violation,
    identity,
    member,
)
from destination.testing.journal import Arrival, Exchange
from destination.testing.leaks import leaks
from destination.testing.pacing import bisected, pauses, persistent, retries

__all__ = ["Violation", "bisected", "judge", "leaks", "persistent"]

_CODES = frozenset(Code)


@dataclass(frozen=True, slots=True)
class _Case:
    history: History
    memory: bool
    extra: int
    down: Sequence[tuple[float, float]]
    tolerance: float
    flight: float


def judge(
    exchanges: Iterable[Exchange],
    arrivals: Iterable[Arrival],
    *,
    content: Content | None = None,
    memory: bool = True,
    extra: int = 0,
    down: Sequence[tuple[float, float]] = (),
    tolerance: float = 0.5,
    flight: float = 0.5,
) -> list[Violation]:
    """
    The broken promises of one sync to one destination, rule by rule; none if all were kept.

    Args:
        exchanges: All calls that could have caused an arrival.
        content: From a method and a row to the digest with which the vendor logs it. Without
            it, a row is known by its id only, and what concerns content is not judged.
        memory: The server remembers what it delivered: the same again, with nothing else for
            that id in between, is acknowledged without being sent.
        extra: Effects beyond the first that a call may have for each of its rows: 0, or 2 for
            a destination that makes three attempts because repeating is harmless.
        down: Spans, from and to, that excuse an open call's silence or delay: the server was
            killed, stopped or not yet started, or the caller hung up.
        tolerance: Seconds that an answer may be late.
        flight: Seconds that a request may be under way to the vendor, with what a proxy adds.
    """
    calls = [Call(each, content, each.deadline + tolerance, flight) for each in exchanges]
    history = History(calls, arrivals, known=content is not None)
    case = _Case(history, memory, extra, down, tolerance, flight)
    return [violation for rule in _RULES for violation in rule(case)]


def _answers(case: _Case) -> Iterator[Violation]:
    for call in case.history.calls:
        sent, answered = call.sent, call.exchange.answered
        excused = any(start <= call.end and sent <= end for start, end in case.down)
        late = call.exchange.deadline + case.tolerance
        if answered is None and not excused:
            yield Violation("D4", f"the call of {sent:.3f} was not answered")
        elif answered is not None and answered - sent > late and not excused:
            yield Violation("D4", f"the call of {sent:.3f} took {answered - sent:.3f} s")
        if call.outcome == "neither" and not (excused and call.exchange.answer is None):
            yield Violation("D1", f"the call of {sent:.3f} got neither one result nor one error")


def _losses(case: _Case) -> Iterator[Violation]:
    for call in case.history.calls:
        for row in call.rows:
            if call.acknowledges(row[:2]) and not _delivered(case, call, row):
                yield Violation("D1", f"row {row[1]!r} was acknowledged and not taken")


def _delivered(case: _Case, call: Call, row: Row) -> bool:
    history = case.history
    if history.during(history.taken, row, call):
        return True
    earlier = [each for each in history.taken[row] if each.at < call.sent] if case.memory else []
    if not earlier or row[2] is None:
        return bool(earlier)
    last = earlier[-1].at
    settled = max((each.end for each in history.open(row, last)), default=last)
    return all(
        digest == row[2] or not settled < arrival.at < call.sent
        for arrival, digest in history.contents[row[:2]]
    )


def _errors(case: _Case) -> Iterator[Violation]:
    for call in case.history.calls:
        if call.outcome == "error":
            taken = [row[1] for row in call.rows if _taken_for(case, call, row)]
            if taken:
                yield Violation("D1", f"the call failed as a whole, yet row {taken[0]!r} was taken")


def _taken_for(case: _Case, call: Call, row: Row) -> list[Arrival]:
    """The arrivals by which a row was taken that no other call can have caused."""
    history = case.history
    return [
        each
        for each in history.during(history.taken, row, call)
        if history.open(row, each.at) == [call]
    ]


def _rejections(case: _Case) -> Iterator[Violation]:
    for call in case.history.calls:
        if call.outcome != "result":
            continue
        if call.unusable:
            yield Violation("D2", f"a result, though row {call.unusable[0]} has no usable id")
        if call.entries is None:
            yield Violation("D2", "a result without a list of rejectedRows")
        seen: set[Id | None] = set()
        for entry in call.entries or ():
            id = identity(member(entry, "id"))
            if fault := _misnamed(call, id) or ("twice" if id in seen else ""):
                yield Violation("D2", f"rejected {fault}: {id and id[1]!r}")
            seen.add(id)


def _misnamed(call: Call, id: Id | None) -> str:
    if id is None:
        return "without an id"
    if id in call.ids:
        return ""
    alike = any(str(id[1]) == str(sent) for _, sent in call.ids)
    return "with its id as another type" if alike else "though not in the call"


def _reasons(case: _Case) -> Iterator[Violation]:
    for call in case.history.calls:
        for entry in call.entries or ():
            if fault := _fault(member(entry, "reason")):
                yield Violation("D11", f"the reason for {member(entry, 'id')!r} {fault}")
        for row in call.rows:
            code = call.reasons.get(row[:2], "").partition(":")[0]
            if not code or code in MAYBE or code == Code.IN_PROGRESS or call.ids[row[:2]] > 1:
                continue
            if any(not _denied(each) for each in _taken_for(case, call, row)):
                yield Violation("D11", f"row {row[1]!r} is {code} and was taken")


def _fault(reason: Any) -> str:
    if not isinstance(reason, str) or not (form := re.match(r"([A-Z_]+): .", reason)):
        return "is not of the form CODE: text"
    if reason.splitlines() != [reason]:
        return "has several lines"
    if len(reason) > REASON_LENGTH:
        return f"has {len(reason)} characters"
    return "" if form[1] in _CODES else f"has an unknown code, {form[1]}"


def _denied(arrival: Arrival) -> bool:
    """The vendor took it and said that it had not."""
    return arrival.answer[:1] in ("3", "4") or arrival.answer == "503"


def _afterwards(case: _Case) -> Iterator[Violation]:
    for arrival in case.history.arrivals:
        for row in case.history.rows(arrival):
            if not case.history.open(row, arrival.at):
                called = row in case.history.carriers
                fate = "while no call for it was open" if called else "which no call asked for"
                yield Violation("D5", f"row {row[1]!r} came at {arrival.at:.3f}, {fate}")
                break


def _duplicates(case: _Case) -> Iterator[Violation]:
    history = case.history
    for row, arrivals in history.taken.items():
        effects = [(each.at, (row,)) for each in arrivals if not _denied(each)]
        calls = history.occasions(effects, 1 + case.extra)
        for (at, _), call in zip(effects, calls, strict=True):
            if call is None and history.open(row, at):
                yield Violation("D6", f"row {row[1]!r} was taken once more at {at:.3f}")


def _forgotten(case: _Case) -> Iterator[Violation]:
    """The same effect several times in a row takes a doubt for each further time."""
    if not case.memory:
        return
    for id, effects in case.history.contents.items():
        believed = [each for each in effects if not _denied(each[0])]
        for run in case.history.runs(id, believed):
            calls = case.history.callers(id, run[0], run[-1]) if len(run) > 1 else ()
            doubts = sum(call.ids[id] for call in calls if call.uncertain(id))
            if len(run) > (1 + case.extra) * (1 + doubts):
                text = f"row {id[1]!r} was taken {len(run)} times and {doubts} outcomes were open"
                yield Violation("D6", text)


_RULES: tuple[Callable[[_Case], Iterator[Violation]], ...] = (
    _answers,
    _losses,
    _errors,
    _rejections,
    _reasons,
    _afterwards,
    _duplicates,
    _forgotten,
    lambda case: pauses(case.history, case.tolerance, case.flight),
    lambda case: retries(case.history, case.tolerance),
)
