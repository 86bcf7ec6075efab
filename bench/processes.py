"""Processes: started for a block, asked line by line, measured from outside, and ended."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]

ENDING = 10.0
"""Seconds that a process has to end when it is asked to."""

LAST_WORDS = 500
"""Characters shown of what a process that failed had printed."""

_TICKS = os.sysconf("SC_CLK_TCK")


class Broken(Exception):
    """A contestant did not do what it was asked to; the message says which and what."""


@dataclass(frozen=True)
class Program:
    """
    A process that runs.

    Args:
        errors: The file with all that it wrote to standard error.
    """

    name: str
    process: subprocess.Popen[str]
    errors: Path

    def line(self) -> str:
        """The next line that it prints; raises Broken when there is none."""
        assert self.process.stdout is not None  # noqa: S101 - it was started with a pipe
        if line := self.process.stdout.readline():
            return line.strip()
        raise self.broken("ended")

    def ask(self, question: Any) -> Any:
        """What it answers to a line of JSON, which is one too."""
        assert self.process.stdin is not None  # noqa: S101 - it was started with a pipe
        with suppress(BrokenPipeError):  # said better by what it wrote before it ended
            self.process.stdin.write(json.dumps(question) + "\n")
            self.process.stdin.flush()
        return json.loads(self.line())

    def broken(self, what: str) -> Broken:
        """The error for what it did, with its last words."""
        words = self.errors.read_text("utf-8", "replace")[-LAST_WORDS:].strip()
        return Broken(f"{self.name} {what}" + (f"; it said: {words}" if words else ""))

    def cpu(self) -> float:
        """Seconds of processor time that all its threads have used."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS

    def memory(self) -> int:
        """Bytes that it has resident."""
        return self._status("VmRSS")

    def peak(self) -> int:
        """The most bytes that it had resident since the last ``forget_peak``."""
        return self._status("VmHWM")

    def forget_peak(self) -> None:
        """Let the peak be what is resident now."""
        Path(f"/proc/{self.process.pid}/clear_refs").write_text("5")

    def _status(self, name: str) -> int:
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith(name)) * 1024

    def end(self) -> None:
        """Ask it to end; kill it if it does not."""
        assert self.process.stdin is not None  # noqa: S101 - it was started with pipes
        assert self.process.stdout is not None  # noqa: S101
        self.process.terminate()
        try:
            self.process.wait(ENDING)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        finally:
            with suppress(BrokenPipeError):
                self.process.stdin.close()
            self.process.stdout.close()


@contextmanager
def started(
    name: str, command: Sequence[str], folder: Path, **environment: str
) -> Iterator[Program]:
    """
    A process for the block, in this folder.

    It has a session of its own: Ctrl-C is the bench's, which then ends it.

    Args:
        environment: All of its environment, beside what is needed to find programs.
    """
    errors = folder / f"{name.replace(' ', '-')}.err"
    with errors.open("wb") as written:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=_environment(folder) | environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=written,
            text=True,
            start_new_session=True,
        )
    program = Program(name, process, errors)
    try:
        yield program
    finally:
        program.end()


def _environment(folder: Path) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "HOME": str(folder), "PYTHONPATH": str(ROOT)}


def module(name: str, *arguments: str) -> list[str]:
    """The command that runs a module of this bench."""
    return [sys.executable, "-m", f"bench.{name}", *arguments]


async def end_of_input() -> None:
    """Wait until whoever started this process has ended it, or has ended."""
    loop, over = asyncio.get_running_loop(), asyncio.Event()

    def look() -> None:
        if not os.read(sys.stdin.fileno(), 1):
            over.set()

    loop.add_reader(sys.stdin.fileno(), look)
    await over.wait()
