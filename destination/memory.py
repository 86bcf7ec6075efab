"""
Delivery memory: what was delivered is not sent again because somebody asked again.

Of each row of a sync only the latest outcome is kept: the operation and the row, as one keyed
hash. The same again is known; anything else is sent. So add, remove, add sends three times.
"""

import asyncio
import hashlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeVar

from destination.fingerprint import content, id_bytes
from destination.model import Record
from destination.state.store import Claim, Outcome, Standing, Store

T = TypeVar("T")

HOUR = 3600.0

PIECE = 1_000
"""Rows in one step of the store: about 20 ms, after which others have their turn."""

LONG = 1.0
"""Seconds after which what is claimed is sent before more is claimed."""


class Memory:
    """
    What one call knows and notes of its rows.

    Args:
        secret: The key of all hashes: who sees one, and not the store, can test no guess by it.
        remember: Seconds for which an outcome counts.
        hold: Of a row whose same content may have been delivered, say so instead of sending it.
    """

    def __init__(
        self,
        store: Store,
        secret: bytes,
        scope: bytes,
        operation: str,
        *,
        remember: float,
        hold: bool,
    ) -> None:
        self._store = store
        self._key = _keyed(secret, b"key", scope)
        self._content = _keyed(secret, b"content", operation.encode())
        self._remember = remember
        self._hold = hold
        self._claims: dict[int, Claim] = {}
        self._waiting: list[tuple[Claim, Outcome]] = []
        self._next: asyncio.Task[None] | None = None
        self._writing = asyncio.Lock()

    async def claim(self, records: Sequence[Record]) -> list[Standing]:
        """
        How each of the first records stands; those to send are claimed.

        These are as many as a second is enough for: most often all of them.
        """
        standings, now = list[Standing](), asyncio.get_running_loop().time
        until = now() + LONG
        for piece in _pieces(records):
            if standings and now() > until:
                break
            claims = [self._claim(record) for record in piece]
            found = await self._store.claim(claims, remember=self._remember, hold=self._hold)
            for record, claim, standing in zip(piece, claims, found, strict=True):
                if standing is Standing.SEND:
                    self._claims[record.position] = claim
            standings += found
        return standings

    async def begin(self, records: Iterable[Record]) -> None:
        """Note that these go out now, where it matters which did when the server is killed."""
        if self._hold:
            claims = (self._claims.get(record.position) for record in records)
            await self._write([(claim, Outcome.UNDER_WAY) for claim in claims if claim])

    async def settle(self, outcomes: Iterable[tuple[Record, Outcome]]) -> None:
        """Note what became of claimed records; a record counts once."""
        claims = ((self._claims.pop(record.position, None), each) for record, each in outcomes)
        await self._write([(claim, each) for claim, each in claims if claim])

    async def _write(self, outcomes: Sequence[tuple[Claim, Outcome]]) -> None:
        """Written when this returns; what comes while others are being written goes together."""
        if not outcomes:
            return
        self._waiting += outcomes
        if self._next is None:
            self._next = asyncio.create_task(self._write_waiting())
        await asyncio.shield(self._next)

    async def _write_waiting(self) -> None:
        async with self._writing:
            together, self._waiting, self._next = self._waiting, [], None
            for piece in _pieces(together):
                await self._store.settle(piece, remember=self._remember)

    def _claim(self, record: Record) -> Claim:
        key, sent = self._key.copy(), self._content.copy()
        key.update(id_bytes(record.id))
        sent.update(content(record.row))
        return Claim(key.digest(), sent.digest())


class NoMemory:
    """Where sending twice is harmless: every record is sent."""

    async def claim(self, records: Sequence[Record]) -> list[Standing]:
        """Nothing stands against any."""
        return [Standing.SEND] * len(records)

    async def begin(self, records: Iterable[Record]) -> None:
        """Nothing is noted."""

    async def settle(self, outcomes: Iterable[tuple[Record, Outcome]]) -> None:
        """Nothing is noted."""


def _pieces(whole: Sequence[T]) -> Iterator[Sequence[T]]:
    return (whole[start : start + PIECE] for start in range(0, len(whole), PIECE))


def _keyed(secret: bytes, *parts: bytes) -> Any:
    """A keyed hash to be continued; each part's length goes in, so that none can run over."""
    started = hashlib.blake2b(key=secret, digest_size=16)
    for part in parts:
        started.update(len(part).to_bytes(8, "big") + part)
    return started
