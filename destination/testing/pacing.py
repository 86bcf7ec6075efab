"""The oracle's rules about how often and how soon a server tries: D3, R3 and R4."""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from operator import attrgetter

from destination.testing.history import History, Row, Violation
from destination.testing.journal import Arrival

WINDOW, SHARE, LEAST = 10.0, 0.2, 3
"""In so many seconds so many retries for each first attempt, or so many if that is more."""

LONGEST_PAUSE = 24 * 3600.0
"""A vendor that asks for a longer pause need not be believed."""

_at = attrgetter("at")


def bisected(requests: int, rows: int, poison: int) -> list[Violation]:
    """D3: how many requests it may take to find so many bad rows among all by halving."""
    most = 2 * poison * (max(rows, 1) - 1).bit_length() + 1
    if requests <= most:
        return []
    return [Violation("D3", f"{requests} requests for {poison} bad of {rows} rows; at most {most}")]


def persistent(attempts: int, rows: int) -> list[Violation]:
    """R4: how many attempts there may be in all when the vendor fails every one."""
    most = 1.2 * rows + 10
    if attempts <= most:
        return []
    return [Violation("R4", f"{attempts} attempts for {rows} rows, all failed; at most {most:g}")]


def pauses(history: History, tolerance: float, flight: float) -> Iterator[Violation]:
    """
    R3: what came although the vendor had asked for a pause.

    Other rows may have been under way; the row that was asked to wait cannot have been. The
    pause's end may be missed by the tolerance, or by half of a short pause.
    """
    for position, arrival in enumerate(history.arrivals):
        wait = arrival.wait or 0.0
        if not 0 < wait <= LONGEST_PAUSE:
            continue
        end = arrival.at + wait - min(tolerance, wait / 2)
        last = bisect_left(history.arrivals, end, key=_at)
        for later in history.arrivals[position + 1 : last]:
            start = 0 if _same_try(history, arrival, later) else flight
            if later.at > arrival.at + start:
                early = f"{later.at - arrival.at:.3f} s after being asked for {wait:g} s"
                yield Violation("R3", f"row {later.ids[0]!r} came {early}")
                break


def _same_try(history: History, arrival: Arrival, later: Arrival) -> bool:
    """Both carry a row that one and the same call, and no other, can have sent."""
    for row in set(history.rows(arrival)) & set(history.rows(later)):
        calls = history.open(row, arrival.at)
        if len(calls) == 1 and calls == history.open(row, later.at):
            return True
    return False


def retries(history: History, tolerance: float) -> Iterator[Violation]:
    """
    R4: the first moment at which there had been more retries than the window allows.

    Rows that had not come yet but may have been tried count as first attempts, and so does what
    was first tried in the window before the failure that is being retried.
    """
    firsts: list[float] = []
    repeats: list[tuple[float, float]] = []
    latest: dict[tuple[Row, ...], float] = {}
    requests = history.requests()
    for (at, rows), call in zip(requests, history.occasions(requests), strict=True):
        if call is None and history.open(rows[0], at):
            repeats.append((at, latest.get(rows, at)))
        else:
            firsts.append(at)
        latest[rows] = at
    for position, (at, failed) in enumerate(repeats):
        start = bisect_right(repeats, at - WINDOW + tolerance, key=lambda repeat: repeat[0])
        count = position + 1 - start
        began = failed - WINDOW - tolerance
        beside = bisect_right(firsts, at + tolerance) - bisect_left(firsts, began)
        if count > _allowed(beside) and count > _allowed(beside + history.unseen(began, at)):
            yield Violation("R4", f"{count} retries in {WINDOW:g} s beside {beside} first attempts")
            return


def _allowed(firsts: int) -> int:
    return max(LEAST, math.ceil(SHARE * firsts))
