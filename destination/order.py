"""Calls that bring the same rows go one after another, in the order in which they arrived."""

import asyncio
from collections.abc import Callable, Hashable, Iterable, Iterator
from contextlib import contextmanager
from functools import cached_property


class Turn:
    """
    One call's place: behind the calls that entered before it and have some of its rows.

    Args:
        scope: What tells its rows from those of other syncs.
        rows: Tells this call's, where there are others of its sync.
    """

    def __init__(
        self, scope: Hashable, rows: Callable[[], Iterable[Hashable]], ahead: Iterable["Turn"]
    ) -> None:
        self._scope = scope
        self._tell = rows
        rivals = [turn for turn in ahead if turn._scope == scope]
        self._ahead = [turn for turn in rivals if turn._has_any(self._rows)]
        self._over = asyncio.Event()

    @cached_property
    def _rows(self) -> frozenset[Hashable]:
        return frozenset(self._tell())

    @property
    def is_first(self) -> bool:
        """No earlier call that is still open has any of these rows."""
        return not any(turn._rows for turn in self._ahead)

    def must_wait(self, row: Hashable) -> bool:
        """Whether an earlier call that is still open has this row."""
        return any(row in turn._rows for turn in self._ahead)

    async def come(self, rows: Iterable[Hashable]) -> None:
        """Wait until no earlier call has any of these rows."""
        wanted = frozenset(rows)
        for turn in self._ahead:
            if turn._has_any(wanted):
                await turn._over.wait()

    def _has_any(self, rows: frozenset[Hashable]) -> bool:
        return not self._rows.isdisjoint(rows)

    def leave(self) -> None:
        """Let those behind have the rows."""
        self._rows = frozenset()
        self._ahead.clear()
        self._over.set()


class Order:
    """The calls that are open, in the order in which they entered."""

    def __init__(self) -> None:
        self._open: dict[Turn, None] = {}

    @contextmanager
    def turn(self, scope: Hashable, rows: Callable[[], Iterable[Hashable]]) -> Iterator[Turn]:
        """
        A place behind all calls that have entered before, for each of these rows of a sync.

        The rows are asked for once it matters which they are.

        Earlier calls never wait for later ones, so nobody waits in a circle.
        """
        turn = Turn(scope, rows, self._open)
        self._open[turn] = None
        try:
            yield turn
        finally:
            turn.leave()
            del self._open[turn]
