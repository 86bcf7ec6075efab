"""The log never holds the server up."""

import io
import os
import threading
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest

from destination import log_writer
from destination.log_writer import LogWriter, unblocked


class Slow(io.StringIO):
    """A file whose reader has stopped until the test lets it go on."""

    def __init__(self) -> None:
        super().__init__()
        self.reached = threading.Event()
        self.free = threading.Event()

    def write(self, text: str) -> int:
        self.reached.set()
        self.free.wait(10)
        return super().write(text)


class Broken(io.StringIO):
    """A file whose reader is gone, for so many lines."""

    def __init__(self, error: Exception, lines: int) -> None:
        super().__init__()
        self.error, self.left = error, lines

    def write(self, text: str) -> int:
        if self.left:
            self.left -= 1
            raise self.error
        return super().write(text)


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """Both ends of a pipe that holds a page."""
    ends = os.pipe()
    yield ends
    for end in ends:
        with suppress(OSError):
            os.close(end)


def test_lines_are_written_in_order() -> None:
    """What was written is in the file, in its order, when the block ends."""
    file = io.StringIO()

    with unblocked(file) as writer:
        for number in range(1000):
            assert writer.write(f"{number}\n") == len(f"{number}\n")
            writer.flush()

    assert file.getvalue() == "".join(f"{number}\n" for number in range(1000))


def test_a_line_is_written_without_waiting_for_the_next() -> None:
    """A line does not wait in a buffer."""
    file = Slow()
    file.free.set()

    with unblocked(file) as writer:
        writer.write("first\n")
        assert file.reached.wait(5)


def test_a_reader_that_stops_holds_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines beyond those that may wait are dropped and counted, and the log then says how many."""
    monkeypatch.setattr(log_writer, "MANY_LINES", 10)
    file = Slow()

    with unblocked(file) as writer:
        writer.write("taken\n")
        assert file.reached.wait(5)
        began = time.monotonic()
        for number in range(1000):
            writer.write(f"{number}\n")
        assert time.monotonic() - began < 1.0
        file.free.set()

    lines = file.getvalue().splitlines()
    assert lines[:2] == ["taken", "0"]
    assert lines[2] == '{"event": "log.dropped", "lines": 990}'
    assert lines[3:] == [str(number) for number in range(1, 10)]


def test_a_reader_that_stops_for_good_does_not_hold_up_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The end waits a little for the last lines, and no longer, be there few or many."""
    monkeypatch.setattr(log_writer, "FAREWELL", 0.2)
    monkeypatch.setattr(log_writer, "MANY_LINES", 3)
    for lines in (1, 10):
        file = Slow()
        writer = LogWriter(file)
        for number in range(lines):
            writer.write(f"{number}\n")
        assert file.reached.wait(5)

        began = time.monotonic()
        writer.close()

        assert 0.1 < time.monotonic() - began < 2.0
        file.free.set()


@pytest.mark.parametrize(
    "error", [BrokenPipeError("no reader"), OSError("no space"), ValueError("closed file")]
)
def test_a_reader_that_is_gone_may_come_back(error: Exception) -> None:
    """A line that cannot be written is lost; those after it are written."""
    file = Broken(error, lines=2)

    with unblocked(file) as writer:
        for number in range(4):
            writer.write(f"{number}\n")

    assert file.getvalue() == "2\n3\n"


def test_no_file_at_all_is_no_trouble() -> None:
    """A process that was started without standard error has nobody to tell anything."""
    with unblocked(None) as writer:
        assert not writer.isatty()
        writer.write("to nobody\n")
        writer.write("nor this\n")


def test_a_pipe_that_is_full_or_closed_is_no_trouble(pipe: tuple[int, int]) -> None:
    """With a real pipe: neither a reader that does not read nor none at all stops the writer."""
    reading, writing = pipe
    file = open(writing, "w", closefd=False)  # noqa: SIM115 - a descriptor

    with unblocked(file) as writer:
        began = time.monotonic()
        for _ in range(200):
            writer.write("x" * 1000 + "\n")
        assert time.monotonic() - began < 1.0
        os.close(reading)
        writer.write("after\n")
    with suppress(BrokenPipeError):
        file.close()


def test_it_says_whether_a_person_reads() -> None:
    """What decides about colours is the file behind it."""
    with unblocked(io.StringIO()) as writer:
        assert not writer.isatty()
