"""
What a destination notes about rows, such as where the message about a row stands.

Notes have no end: a message is to be edited or deleted however late. They are kept under keyed
hashes of the rows' ids, and must hold nothing of a row.
"""

import hashlib
from collections.abc import Mapping, Sequence

import msgspec

from destination.errors import Code, UnavailableError
from destination.model import RowId
from destination.state.store import Store, StoreError

LONGEST = 1000
"""Characters of a note at most: it is a reference, not data."""


class Notes:
    """
    One destination's notes.

    Args:
        secret: The key of all hashes.
    """

    def __init__(self, store: Store, secret: bytes, destination: str) -> None:
        self._store = store
        self._secret = secret
        self._destination = destination

    async def read(self, scope: str, ids: Sequence[RowId]) -> list[str | None]:
        """
        The note on each row, None where there is none.

        Args:
            scope: What the notes are about, beside the destination: such as a channel and the
                name of the id column. Ids of two scopes are different rows.

        Raises:
            UnavailableError: The store cannot be read; nothing must be done that a note may forbid.
        """
        try:
            return await self._store.read([self._key(scope, id) for id in ids])
        except StoreError:
            raise UnavailableError(
                "not sent: the server's notes on earlier messages cannot be read",
                code=Code.INTERNAL,
            ) from None

    async def write(self, scope: str, notes: Mapping[RowId, str | None]) -> None:
        """Keep these notes in place of earlier ones; None forgets."""
        if any(len(note or "") > LONGEST for note in notes.values()):
            raise ValueError(f"a note has at most {LONGEST} characters")
        await self._store.write([(self._key(scope, id), note) for id, note in notes.items()])

    def _key(self, scope: str, id: RowId) -> bytes:
        named = msgspec.json.encode((self._destination, scope, id))
        return hashlib.blake2b(b"note" + named, key=self._secret, digest_size=16).digest()
