"""Calls that bring the same rows go one after another, in the order in which they arrived."""

import asyncio
from collections.abc import Hashable, Iterable, Iterator
from contextlib import contextmanager
from typing import Optional


class Turn:
    """One call's place: behind whom it comes, row by row."""

    def __init__(self) -> None:
        self._over = asyncio.Event()
        self._behind: dict[Hashable, Turn] = {}

    def must_wait(self, row: Hashable) -> bool:
        """Whether an earlier call that is still open has this row."""
        return self._ahead(row) is not None

    async def come(self, rows: Iterable[Hashable]) -> None:
        """Wait until no earlier call has any of these rows."""
        for row in rows:
            while ahead := self._ahead(row):
                await ahead._over.wait()

    def _ahead(self, row: Hashable) -> Optional["Turn"]:
        """The nearest call ahead that is open: one that gave up may have had others ahead."""
        ahead = self._behind.get(row)
        while ahead is not None and ahead._over.is_set():
            ahead = ahead._behind.get(row)
        return ahead

    def _leave(self) -> None:
        self._behind = {row: ahead for row in self._behind if (ahead := self._ahead(row))}
        self._over.set()


class Order:
    """Which call had each row last, as long as that call is open."""

    def __init__(self) -> None:
        self._last: dict[Hashable, Turn] = {}

    @contextmanager
    def turn(self, rows: Iterable[Hashable]) -> Iterator[Turn]:
        """
        A place behind all calls that have entered before, for each of these rows.

        Earlier calls never wait for later ones, so nobody waits in a circle.
        """
        turn, rows = Turn(), set(rows)
        for row in rows:
            if ahead := self._last.get(row):
                turn._behind[row] = ahead
            self._last[row] = turn
        try:
            yield turn
        finally:
            turn._leave()
            for row in rows:
                if self._last.get(row) is turn:
                    self._restore(row, turn)

    def _restore(self, row: Hashable, turn: Turn) -> None:
        if ahead := turn._ahead(row):
            self._last[row] = ahead
        else:
            del self._last[row]
