"""A log that never holds the server up: whoever reads it may be slow, stopped or gone."""

import io
import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TextIO

MANY_LINES = 10_000
"""Lines that wait to be written; beyond them lines are dropped, and counted."""

FAREWELL = 1.0
"""Seconds that the last lines have to be written when the server ends."""


class LogWriter:
    """
    Takes lines as a text file does; a thread of its own writes them.

    Args:
        file: None, as Python has it for a process that was started without one, takes nothing.
    """

    def __init__(self, file: TextIO | None) -> None:
        self._file = file and _unbuffered(file)
        self._lines: queue.Queue[str | None] = queue.Queue(MANY_LINES)
        self._dropped = 0
        self._thread = threading.Thread(target=self._work, name="log", daemon=True)
        self._thread.start()

    def write(self, text: str) -> int:
        """Take the text; never blocks and never raises."""
        try:
            self._lines.put_nowait(text)
        except queue.Full:
            self._dropped += 1
        return len(text)

    def flush(self) -> None:
        """Each line is flushed as it is written."""

    def isatty(self) -> bool:
        """Whether a person reads it."""
        return self._file is not None and self._file.isatty()

    def close(self) -> None:
        """Write what is left, if that is possible soon."""
        with suppress(queue.Full):
            self._lines.put(None, timeout=FAREWELL)
            self._thread.join(FAREWELL)

    def _work(self) -> None:
        while (text := self._lines.get()) is not None:
            if self._dropped:
                dropped, self._dropped = self._dropped, 0
                text += f'{{"event": "log.dropped", "lines": {dropped}}}\n'
            # A reader that is gone must not end the thread: one may come back to a pipe.
            with suppress(OSError, ValueError):
                if self._file is not None:
                    self._file.write(text)
                    self._file.flush()


def _unbuffered(file: TextIO) -> TextIO:
    """The same without a buffer, which Python would wait for at its end when nobody reads."""
    try:
        raw = io.FileIO(file.fileno(), "w", closefd=False)
    except (OSError, ValueError):
        return file  # nothing of the system's
    return io.TextIOWrapper(raw, file.encoding, "backslashreplace", write_through=True)


@contextmanager
def unblocked(file: TextIO | None) -> Iterator[LogWriter]:
    """A writer to the file for the block; what was written is flushed at its end."""
    writer = LogWriter(file)
    try:
        yield writer
    finally:
        writer.close()
