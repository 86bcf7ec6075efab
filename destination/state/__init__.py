"""What outlives a call: which rows were delivered. Keyed hashes only; never a row, never an id."""

from collections.abc import Callable
from pathlib import Path

from destination.errors import ConfigError
from destination.state.fallback import FallbackStore
from destination.state.sqlite import SqliteStore

SCHEME = "sqlite:///"
DEFAULT_URL = f"{SCHEME}destination-state.db"
IN_MEMORY = f"{SCHEME}:memory:"


def store_at(url: str, failed: Callable[[], None]) -> FallbackStore:
    """
    The store that STATE_URL names, which memory takes the place of whenever it fails.

    Args:
        failed: Called each time that happens.

    Raises:
        ConfigError: It names none. A file that was named must be usable when the store is
            opened; the default one need not be.
    """
    return FallbackStore(SqliteStore(file_at(url)), required=bool(url), failed=failed)


def file_at(url: str) -> Path | None:
    """
    The file that STATE_URL names, None for memory; where it is empty, one in the working directory.

    Raises:
        ConfigError: It names none.
    """
    place = (url or DEFAULT_URL).removeprefix(SCHEME)
    if not place or place == url:
        raise ConfigError(
            f"STATE_URL: is not a store. Set {DEFAULT_URL} (a file), {IN_MEMORY}, or nothing."
        )
    return None if url == IN_MEMORY else Path(place)
