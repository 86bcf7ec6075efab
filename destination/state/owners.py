"""Which processes that share a state file are alive."""

import fcntl
import glob
import os
import secrets
from contextlib import suppress
from pathlib import Path


class Owners:
    """
    This process among those that share a file.

    Each holds a lock on a small file of its own beside it. The system lets go of the lock when
    the process ends, however it ends, so nobody has to wait for a lease to run out.

    Args:
        path: The shared file; None when nothing is shared.
    """

    def __init__(self, path: Path | None) -> None:
        self.me = secrets.token_hex(8)
        self._path = path
        self._lock = None if path is None else _locked(self._file(self.me))
        if self._lock is not None:
            self._remove_the_dead()

    def alive(self, owner: str) -> bool:
        """Whether another process goes by this name; the traces of a dead one are removed."""
        if self._path is None or owner == self.me:
            return False
        try:
            lock = os.open(self._file(owner), os.O_RDWR)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        else:
            self._remove(owner)
            return False
        finally:
            os.close(lock)

    def close(self) -> None:
        """Be alive no longer."""
        if self._lock is not None:
            self._remove(self.me)
            os.close(self._lock)

    def _remove_the_dead(self) -> None:
        """The marks of processes that were killed: nobody may ever ask after them."""
        assert self._path is not None  # noqa: S101 - there is a lock
        prefix = self._file("").name
        for mark in self._path.parent.glob(f"{glob.escape(prefix)}*"):
            self.alive(mark.name.removeprefix(prefix))

    def _file(self, owner: str) -> Path:
        assert self._path is not None  # noqa: S101 - nobody asks without one
        return self._path.with_name(f"{self._path.name}-alive-{owner}")

    def _remove(self, owner: str) -> None:
        with suppress(OSError):
            self._file(owner).unlink()


def _locked(mark: Path) -> int:
    """The file, made and locked: another process may take it for a dead one's in between."""
    while True:
        lock = os.open(mark, os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(lock, fcntl.LOCK_EX)
        if mark.exists() and os.path.samestat(os.fstat(lock), mark.stat()):
            return lock
        os.close(lock)
