"""A store that never fails: while the real one does, one in memory takes its place."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Self, TypeVar

import structlog

from destination.state.sqlite import SqliteStore
from destination.state.store import Claim, Outcome, Standing, Store, StoreError

log = structlog.get_logger()

T = TypeVar("T")

PATIENCE = 1.0
"""Seconds for one step of the real store; a disk that hangs must not hold up deliveries."""

LEFT_ALONE = 5.0
"""Seconds after a failure in which the real store is not tried."""


class FallbackStore:
    """
    The given store; rows are delivered whether it works or not.

    What is remembered while it fails lives as long as the process, and counts beside it.

    Args:
        required: Opening it must succeed; otherwise a store that cannot be opened is replaced.
        failed: Called at each failure.
    """

    def __init__(self, store: Store, *, required: bool, failed: Callable[[], None]) -> None:
        self._store = store
        self._required = required
        self._failed = failed
        self._substitute = SqliteStore(None)
        self._used = False
        self._alone_until = float("-inf")

    @property
    def degraded(self) -> bool:
        """Whether memory takes the store's place at this moment."""
        return _now() < self._alone_until

    async def __aenter__(self) -> Self:
        """Raises StoreError when the store is required and cannot be opened."""
        await self._substitute.__aenter__()
        try:
            await self._store.__aenter__()
        except StoreError as error:
            if self._required:
                await self._substitute.__aexit__()
                raise
            self._note(error, float("inf"))
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._alone_until < float("inf"):
            with suppress(TimeoutError):
                async with asyncio.timeout(PATIENCE / 10 if self.degraded else PATIENCE):
                    await self._store.__aexit__()
        await self._substitute.__aexit__()

    async def secret(self) -> bytes:
        """The real store's, or the substitute's."""
        return await self._tried(self._store.secret) or await self._substitute.secret()

    async def claim(
        self, claims: Sequence[Claim], *, remember: float, hold: bool
    ) -> list[Standing]:
        """How each row stands, as far as is known now."""
        standings = await self._tried(
            lambda: self._store.claim(claims, remember=remember, hold=hold)
        )
        if standings is not None and not self._used:
            return standings
        own = await self._substitute.claim(claims, remember=remember, hold=hold)
        if standings is None:
            return own
        return [
            theirs if mine is Standing.SEND else mine
            for mine, theirs in zip(own, standings, strict=True)
        ]

    async def settle(self, outcomes: Sequence[tuple[Claim, Outcome]], *, remember: float) -> None:
        """Note what became of claimed rows, wherever that is possible."""
        done = await self._tried(lambda: self._settled(outcomes, remember))
        if self._used or not done:
            await self._substitute.settle(outcomes, remember=remember)

    async def read(self, keys: Sequence[bytes]) -> list[str | None]:
        """
        The notes under these keys.

        Raises:
            StoreError: The real store fails and memory does not know them all: a note that is
                taken for missing would do harm.
        """
        found = await self._tried(lambda: self._store.read(keys))
        if found is not None and not self._used:
            return found
        own = await self._substitute.read(keys)
        if found is None and None in own:
            raise StoreError("the store cannot be read")
        return (
            own
            if found is None
            else [mine or theirs for mine, theirs in zip(own, found, strict=True)]
        )

    async def write(self, notes: Sequence[tuple[bytes, str | None]]) -> None:
        """Keep these notes, wherever that is possible."""
        done = await self._tried(lambda: self._written(notes))
        if self._used or not done:
            await self._substitute.write(notes)

    async def _written(self, notes: Sequence[tuple[bytes, str | None]]) -> bool:
        await self._store.write(notes)
        return True

    async def _settled(self, outcomes: Sequence[tuple[Claim, Outcome]], remember: float) -> bool:
        await self._store.settle(outcomes, remember=remember)
        return True

    async def _tried(self, step: Callable[[], Awaitable[T]]) -> T | None:
        """What the real store answers; None when it fails or is left alone after a failure."""
        if self.degraded:
            return None
        try:
            async with asyncio.timeout(PATIENCE):
                return await step()
        except (StoreError, TimeoutError) as error:
            self._note(error, _now() + LEFT_ALONE)
            return None

    def _note(self, error: Exception, until: float) -> None:
        self._used = True
        self._alone_until = until
        self._failed()
        log.warning("state.failed", error=str(error) or type(error).__name__)


def _now() -> float:
    return asyncio.get_running_loop().time()
