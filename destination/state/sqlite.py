"""
The store in an SQLite file, for any number of processes on one machine; or in memory, for one.

Each method is one transaction, run on the store's own thread. A file is written ahead (WAL), so
that what was settled survives the death of the process, though not always that of the machine.
"""

import asyncio
import secrets
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, TypeVar

from destination.state.owners import Owners
from destination.state.store import Claim, Outcome, Standing, StoreError
from destination.state.thread import DaemonThread

T = TypeVar("T")

BUSY_SECONDS = 0.8
"""How long another process may hold the file locked."""

CACHE_KIB = 8 * 1024
"""KiB of the file kept in memory: keys are hashes, so rows that come together lie far apart."""

CHECKPOINT_PAGES = 4000
"""Pages (of 4 KiB) written ahead before they go to their places: one that was changed several
times meanwhile goes there once."""

CHUNK = 500
"""Keys in one query; SQLite takes 999 parameters at least."""

SLICES = 256
"""Each claim sweeps the outcomes that no longer count out of one such part of the table."""

VERSION = 1
"""Of the tables; a file of another version is left alone."""

SCHEMA = """
CREATE TABLE IF NOT EXISTS secret (only INTEGER PRIMARY KEY CHECK (only = 1), value BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS deliveries (
    key BLOB PRIMARY KEY,
    content BLOB,       -- of the latest outcome; NULL when there is none yet
    delivered INTEGER,  -- 1 when that was delivered, 0 when it is unknown
    expires REAL,       -- when that no longer counts
    claimed BLOB,       -- the content that is being sent; NULL when none is
    owner TEXT,         -- by whom
    sent INTEGER,       -- 1 when it may have gone out
    until REAL          -- when the claim no longer counts, should it never be settled
);                      -- in the order of the claims: rows that are settled together lie together
CREATE TABLE IF NOT EXISTS notes (key BLOB PRIMARY KEY, note TEXT NOT NULL) WITHOUT ROWID;
"""

FIND = "SELECT * FROM deliveries WHERE key IN"
READ = "SELECT key, note FROM notes WHERE key IN"
PUT = """
INSERT INTO deliveries VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (key) DO UPDATE
    SET content = excluded.content, delivered = excluded.delivered, expires = excluded.expires,
        claimed = excluded.claimed, owner = excluded.owner, sent = excluded.sent,
        until = excluded.until
"""
UPDATES = {
    Outcome.UNDER_WAY: "UPDATE deliveries SET sent = 1 WHERE key = ?",
    Outcome.NOT_SENT: """
        UPDATE deliveries SET claimed = NULL, owner = NULL, sent = NULL, until = NULL WHERE key = ?
    """,
}
SWEEP = """
DELETE FROM deliveries WHERE key >= ? AND key < ?
    AND coalesce(expires, 0) < ? AND coalesce(until, 0) < ?
"""


class SqliteStore:
    """
    A store in a file.

    Args:
        path: None keeps everything in memory, for as long as the process lives.
        now: The clock, in seconds; it is read once, from then on time is what passes.
    """

    def __init__(
        self,
        path: Path | None,
        *,
        now: Callable[[], float] = time.time,
        passing: Callable[[], float] = time.monotonic,
    ) -> None:
        self._path = path
        # A clock that is set while we run must neither forget deliveries nor keep them for ever.
        offset = now() - passing()
        self._clock: Callable[[], float] = lambda: offset + passing()
        self._thread = DaemonThread("state")
        self._slice = 0
        self._closing = ExitStack()

    async def __aenter__(self) -> Self:
        try:
            await self._run(self._open)
        except StoreError:
            await self.__aexit__()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        with suppress(StoreError):
            await self._run(self._closing.close)
        self._thread.shutdown()

    async def secret(self) -> bytes:
        """The random key of all hashes: made when the file was made."""
        return await self._run(self._secret)

    async def claim(
        self, claims: Sequence[Claim], *, remember: float, hold: bool
    ) -> list[Standing]:
        """How each row stands; those to send are claimed. See ``Store.claim``."""
        return await self._run(lambda: self._claim(claims, remember, hold=hold))

    async def settle(self, outcomes: Sequence[tuple[Claim, Outcome]], *, remember: float) -> None:
        """Note what became of claimed rows. See ``Store.settle``."""
        await self._run(lambda: self._settle(outcomes, remember))

    async def read(self, keys: Sequence[bytes]) -> list[str | None]:
        """The notes under these keys. See ``Store.read``."""
        return await self._run(lambda: self._read(keys))

    async def write(self, notes: Sequence[tuple[bytes, str | None]]) -> None:
        """Keep these notes. See ``Store.write``."""
        await self._run(lambda: self._write(notes))

    async def _run(self, step: Callable[[], T]) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, step)
        except sqlite3.Error as error:
            raise StoreError(str(error)) from None  # SQLite's messages hold names, never values
        except OSError as error:
            raise StoreError(error.strerror or type(error).__name__) from None

    def _open(self) -> None:
        if self._path is not None and not self._path.exists():
            self._path.touch(mode=0o600)
        self._owners = Owners(self._path)
        self._closing.callback(self._owners.close)
        self._db = sqlite3.connect(
            self._path or ":memory:",
            timeout=BUSY_SECONDS,
            isolation_level=None,
            check_same_thread=False,
        )
        self._closing.callback(self._db.close)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = NORMAL")
        self._db.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
        self._db.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
        [[version]] = self._db.execute("PRAGMA user_version")
        if version not in (0, VERSION):
            raise sqlite3.DatabaseError("the file is of another version of this server")
        self._db.executescript(SCHEMA)
        self._db.execute(f"PRAGMA user_version = {VERSION}")

    def _secret(self) -> bytes:
        self._db.execute("INSERT OR IGNORE INTO secret VALUES (1, ?)", (secrets.token_bytes(32),))
        [[value]] = self._db.execute("SELECT value FROM secret")
        return bytes(value)

    def _claim(self, claims: Sequence[Claim], remember: float, *, hold: bool) -> list[Standing]:
        now = self._clock()
        with self._transaction():
            self._sweep(now)
            known = self._known(claims)
            before = [known.get(each.key, _NOTHING) for each in claims]
            standings = [
                each.standing(claim.content, now, hold=hold)
                for each, claim in zip(before, claims, strict=True)
            ]
            self._db.executemany(
                PUT,
                (
                    (
                        claim.key,
                        *each.outcome,
                        claim.content,
                        self._owners.me,
                        not hold,
                        now + remember,
                    )
                    for claim, each, standing in zip(claims, before, standings, strict=True)
                    if standing is Standing.SEND
                ),
            )
        return standings

    def _known(self, claims: Sequence[Claim]) -> dict[bytes, "_Known"]:
        known = {}
        alive: dict[str, bool] = {}
        for keys in _chunks([each.key for each in claims]):
            for row in self._db.execute(f"{FIND} ({','.join('?' * len(keys))})", keys):
                owner = row[5]
                if owner is not None and owner not in alive:
                    alive[owner] = self._owners.alive(owner)
                known[row[0]] = _Known.read(row, busy=owner is not None and alive[owner])
        return known

    def _settle(self, outcomes: Sequence[tuple[Claim, Outcome]], remember: float) -> None:
        expires = self._clock() + remember
        with self._transaction():
            self._db.executemany(
                PUT,
                (
                    (claim.key, claim.content, outcome is Outcome.DELIVERED, expires, *_NO_CLAIM)
                    for claim, outcome in outcomes
                    if outcome not in UPDATES
                ),
            )
            for outcome, statement in UPDATES.items():
                self._db.executemany(
                    statement, ((claim.key,) for claim, each in outcomes if each is outcome)
                )

    def _read(self, keys: Sequence[bytes]) -> list[str | None]:
        found: dict[bytes, str] = {}
        for some in _chunks(keys):
            found.update(self._db.execute(f"{READ} ({','.join('?' * len(some))})", some))
        return [found.get(key) for key in keys]

    def _write(self, notes: Sequence[tuple[bytes, str | None]]) -> None:
        with self._transaction():
            self._db.executemany(
                "REPLACE INTO notes VALUES (?, ?)", [each for each in notes if each[1] is not None]
            )
            self._db.executemany(
                "DELETE FROM notes WHERE key = ?", [(key,) for key, note in notes if note is None]
            )

    def _sweep(self, now: float) -> None:
        """Remove what no longer counts from a part of the table, another part each time."""
        start, self._slice = self._slice, (self._slice + 1) % SLICES
        end = bytes([start + 1]) if start + 1 < SLICES else b"\xff" * 64
        self._db.execute(SWEEP, (bytes([start]), end, now, now))

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")


def _chunks(keys: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    for start in range(0, len(keys), CHUNK):
        yield keys[start : start + CHUNK]


@dataclass(frozen=True, slots=True)
class _Known:
    """What the table says of a row."""

    content: bytes | None = None
    delivered: bool = False
    expires: float | None = None
    busy: bool = False

    @classmethod
    def read(cls, row: Any, *, busy: bool) -> "_Known":
        """A claim that went out and that nobody can settle leaves its content's outcome unknown."""
        _, content, delivered, expires, claimed, _, sent, until = row
        if claimed is not None and sent and not busy:
            return cls(claimed, delivered=False, expires=until)
        return cls(content, bool(delivered), expires, busy)

    @property
    def outcome(self) -> tuple[bytes | None, bool, float | None]:
        """The latest outcome, as it is stored."""
        return self.content, self.delivered, self.expires

    def standing(self, content: bytes, now: float, *, hold: bool) -> Standing:
        if self.busy:
            return Standing.BUSY
        if self.content != content or self.expires is None or self.expires < now:
            return Standing.SEND
        if self.delivered:
            return Standing.DELIVERED
        return Standing.UNKNOWN if hold else Standing.SEND


_NOTHING = _Known()
_NO_CLAIM = (None, None, None, None)
