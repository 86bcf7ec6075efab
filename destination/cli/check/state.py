"""Whether what was delivered can be remembered, and for how long."""

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from glob import escape
from pathlib import Path

from destination.cli.check.finding import Finding, failed, ok, warning
from destination.cli.check.platform import Platform
from destination.errors import ConfigError
from destination.state import file_at
from destination.state.sqlite import SqliteStore
from destination.state.store import StoreError

SUBJECT = "state"

LEAST_SPACE = 100 * 2**20
"""Bytes that should be free beside the file."""


async def state(url: str, where: Platform | None) -> list[Finding]:
    """
    What there is to say of the store that STATE_URL names.

    It is opened, written and read. A file that is not there yet is not left behind.
    """
    try:
        path = file_at(url)
    except ConfigError as error:
        return [failed(SUBJECT, error.message)]
    if path is None:
        return [ok(SUBJECT, "deliveries are remembered until the server stops (STATE_URL)")]
    try:
        await _tried(path)
    except (StoreError, OSError) as error:
        why = getattr(error, "strerror", None) or str(error)
        return [_unusable(path, why, named=bool(url))]
    found = [*_space(path), *_lost(path, where)]
    return found or [ok(SUBJECT, f"{path} can be written and read")]


async def _tried(path: Path) -> None:
    """Write a note and read it; raises StoreError."""
    with _place(path) as tried:
        async with SqliteStore(tried) as store:
            key, note = secrets.token_bytes(32), "destination check"
            await store.write([(key, note)])
            kept = await store.read([key])
            await store.write([(key, None)])
    if kept != [note]:
        raise StoreError("what was written does not come back")


@contextmanager
def _place(path: Path) -> Iterator[Path]:
    """The file, or where there is none another beside it that is removed again."""
    path = Path(os.path.realpath(path))  # a link may lead elsewhere, and to nothing
    if path.exists():
        yield path
        return
    tried = path.with_name(f"{path.name}-check-{secrets.token_hex(4)}")
    try:
        yield tried
    finally:
        for file in path.parent.glob(f"{escape(tried.name)}*"):
            with suppress(OSError):
                file.unlink()


def _unusable(path: Path, why: str, *, named: bool) -> Finding:
    told = f"{path} cannot be used as a store ({why})"
    if named:
        return failed(SUBJECT, f"{told}: the server does not start; name another in STATE_URL")
    return warning(
        SUBJECT,
        f"{told}: what was delivered is forgotten when the server stops; "
        "set STATE_URL=sqlite:///FILE to a file that can be written",
    )


def _space(path: Path) -> Iterator[Finding]:
    free = shutil.disk_usage(path.parent).free
    if free < LEAST_SPACE:
        yield warning(
            SUBJECT,
            f"only {free // 2**20} MiB are free beside {path}: make room, or name a file on "
            "another disk in STATE_URL",
        )


def _lost(path: Path, where: Platform | None) -> Iterator[Finding]:
    """A file that is gone after the platform's next restart."""
    if where is None or (where.disks and mounted(path)):
        return
    remedy = (
        "mount a disk, and name a file on it in STATE_URL"
        if where.disks
        else "there, rows may be sent again after a restart"
    )
    yield warning(
        SUBJECT,
        f"{path} is lost whenever {where.name} restarts the server, and with it what was "
        f"delivered: {remedy}",
    )


def mounted(path: Path) -> bool:
    """Whether a file lies on something that is mounted, and not on the machine's own root."""
    folder = path.resolve().parent
    return next(each for each in (folder, *folder.parents) if each.is_mount()) != Path("/")
