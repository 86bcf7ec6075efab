"""Files that hold people's data: written whole or not at all, and for their owner alone."""

import contextlib
import os
import tempfile
from pathlib import Path

from destination.cli import Stop


def check_writable(path: Path) -> None:
    """Raise Stop when a file cannot be made there: better now than when rows have been sent."""
    try:
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        raise Stop(
            f"{path} cannot be written.", error.strerror or "", "Name another file."
        ) from None


def write_whole(path: Path, content: bytes) -> None:
    """Put the content in the file's place at once. Raises OSError."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # mode 0600
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(handle)
        Path(name).replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(name).unlink()
        raise
