"""What a destination notes about rows outlives the server, and tells nobody anything."""

from pathlib import Path

import pytest

from destination.errors import UnavailableError
from destination.notes import LONGEST, Notes
from destination.state.fallback import FallbackStore
from destination.state.sqlite import SqliteStore


async def test_a_note_is_kept_by_row_and_scope(tmp_path: Path) -> None:
    """Ids of other types, scopes and destinations are other rows; a restart changes nothing."""
    path = tmp_path / "state.db"
    async with SqliteStore(path) as store:
        notes = Notes(store, await store.secret(), "team")
        await notes.write("C1/id", {7: "C1 1.5", "7": "C1 2.5", 8: "C1 3.5"})
        await notes.write("C1/id", {8: None})

    async with SqliteStore(path) as store:
        secret = await store.secret()
        notes = Notes(store, secret, "team")
        assert await notes.read("C1/id", [7, "7", 8, 9]) == ["C1 1.5", "C1 2.5", None, None]
        assert await notes.read("C2/id", [7]) == [None]
        assert await Notes(store, secret, "other").read("C1/id", [7]) == [None]


def on_disk(folder: Path) -> bytes:
    """All that the store has written."""
    return b"".join(each.read_bytes() for each in folder.glob("state.db*"))


async def test_no_row_id_is_stored(tmp_path: Path) -> None:
    """What is on disk has the note and no id in any form that could be read."""
    path = tmp_path / "state.db"
    async with SqliteStore(path) as store:
        await Notes(store, await store.secret(), "team").write("C1", {"canary@example.org": "ts"})
        held = on_disk(tmp_path)

    assert b"ts" in held
    assert b"canary" not in held


async def test_a_note_is_short(tmp_path: Path) -> None:
    """A note is a reference: what is longer is a mistake."""
    async with SqliteStore(None) as store:
        notes = Notes(store, b"s", "team")
        with pytest.raises(ValueError, match="characters"):
            await notes.write("C1", {1: "x" * (LONGEST + 1)})


async def test_notes_that_cannot_be_read_stop_the_row(tmp_path: Path) -> None:
    """Where the store is gone, a row is rejected rather than posted a second time."""
    store = FallbackStore(SqliteStore(tmp_path / "x" / "y"), required=False, failed=lambda: None)
    async with store:
        notes = Notes(store, b"s", "team")
        with pytest.raises(UnavailableError, match="not sent"):
            await notes.read("C1", [1])
        await notes.write("C1", {1: "ts"})
        assert await notes.read("C1", [1]) == ["ts"]
