"""Who can read what is stored."""

import os
from pathlib import Path

from destination.state.sqlite import SqliteStore


def modes_of(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mode & 0o777 for path in folder.iterdir()}


async def test_only_the_owner_can_read_the_file(tmp_path: Path) -> None:
    """The file, and what SQLite keeps beside it, are nobody else's, whatever the umask is."""
    before = os.umask(0)
    try:
        async with SqliteStore(tmp_path / "state.db") as store:
            await store.secret()
            modes = modes_of(tmp_path)
    finally:
        os.umask(before)

    assert modes["state.db"] == modes["state.db-wal"] == 0o600
    assert set(modes.values()) == {0o600}
