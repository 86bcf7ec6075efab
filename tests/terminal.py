"""A person at a terminal: what a command shows there, and what is typed."""

import os
import pty
import re
import select
import struct
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from fcntl import ioctl
from pathlib import Path
from termios import TIOCSWINSZ

ROOT = Path(__file__).parents[1]
SECONDS = 30.0

_START = (
    "import fcntl, os, sys, termios; os.setsid(); fcntl.ioctl(0, termios.TIOCSCTTY, 0); "
    "os.execv(sys.argv[1], sys.argv[1:])"
)
"""Makes the terminal the controlling one, as a login does: Ctrl-C reaches the command."""


class Terminal:
    """
    A command whose input, output and errors are one terminal, inside ``with``.

    Args:
        program: What the arguments are for.
        output: Where standard output goes instead, as with ``> FILE``.
    """

    def __init__(
        self,
        folder: Path,
        *arguments: str,
        program: Sequence[str] = (sys.executable, "-m", "destination"),
        output: Path | None = None,
        **environment: str,
    ) -> None:
        self._own, theirs = pty.openpty()
        ioctl(self._own, TIOCSWINSZ, struct.pack("HHHH", 40, 100, 0, 0))
        base = {
            "PATH": "/usr/bin:/bin",
            "PYTHONPATH": str(ROOT),
            "TERM": "xterm",
            "LANG": "C.UTF-8",
        }
        with (output or Path(os.devnull)).open("wb") as file:
            self._process = subprocess.Popen(
                [sys.executable, "-c", _START, *program, *arguments],
                cwd=folder,
                env=base | environment,
                stdin=theirs,
                stdout=file if output else theirs,
                stderr=theirs,
            )
        os.close(theirs)
        self._screen = Screen()
        self._seen = 0

    def __enter__(self) -> "Terminal":
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._own)

    @property
    def text(self) -> str:
        """All that the terminal shows, lines that have scrolled away included."""
        return self._screen.text

    def waits_for(self, text: str) -> None:
        """Wait until this is shown, after what was waited for before."""
        until = time.monotonic() + SECONDS
        while text not in self._screen.text[self._seen :]:
            assert self._read(until), f"{text!r} was not shown, but: {self._screen.text}"
        self._seen = self._screen.text.index(text, self._seen) + len(text)

    def types(self, text: str) -> None:
        """Type a line."""
        os.write(self._own, text.encode() + b"\n")

    def answers(self, questions: Iterable[tuple[str, str]]) -> None:
        """Wait for each question, then type its answer."""
        for question, answer in questions:
            self.waits_for(question)
            self.types(answer)

    def presses_ctrl_c(self) -> None:
        """Interrupt what runs in the foreground."""
        os.write(self._own, b"\x03")

    def ends(self, *, pressing: bool = False) -> int:
        """
        The exit code, once the command is over.

        Args:
            pressing: Ctrl-C is pressed again whenever nothing comes of it for a while. Python does
                not notice it in the moment before it begins to wait for a line.
        """
        until = time.monotonic() + SECONDS
        while self._process.poll() is None and time.monotonic() < until:
            if pressing:
                self.presses_ctrl_c()
            while self._read(time.monotonic() + 2 if pressing else until):
                pass
        while self._read(until):
            pass
        return self._process.wait(SECONDS)

    def _read(self, until: float) -> bool:
        """Take what there is; False when nothing will come any more."""
        ready, _, _ = select.select([self._own], [], [], max(0.0, until - time.monotonic()))
        try:
            piece = os.read(self._own, 65536) if ready else b""
        except OSError:  # the other end is closed
            piece = b""
        self._screen.feed(piece)
        return bool(piece)


class Screen:
    """What a terminal makes of the bytes that it is sent; it only knows what our commands use."""

    def __init__(self) -> None:
        self._lines = [""]
        self._row = self._column = 0
        self._rest = b""

    @property
    def text(self) -> str:
        """The lines, without the spaces at their ends."""
        return "\n".join(line.rstrip() for line in self._lines)

    def feed(self, piece: bytes) -> None:
        """Take the next bytes."""
        whole = self._rest + piece
        cut = re.search(rb"(?:\x1b(?:\[[0-9;?]*)?|[\xc0-\xff][\x80-\xbf]{0,2})$", whole)
        end = len(whole)
        if cut and not _complete(cut[0]):
            end = cut.start()
        self._rest = whole[end:]
        for control, text in re.findall(
            r"(\x1b\[[0-9;?]*[A-Za-z]|[\r\n\x08\x07])|([^\x1b\r\n\x08\x07]+)", whole[:end].decode()
        ):
            self._control(control) if control else self._write(text)

    def _control(self, control: str) -> None:
        match control[-1]:
            case "\r":
                self._column = 0
            case "\n":
                self._row += 1
                self._lines += [""] * (self._row + 1 - len(self._lines))
            case "\x08":
                self._column = max(0, self._column - 1)
            case "A":
                self._row = max(0, self._row - int(control[2:-1] or 1))
            case "K":
                line = self._lines[self._row]
                self._lines[self._row] = "" if control[2:-1] == "2" else line[: self._column]
            case "m" | "h" | "l" | "\x07":
                pass
            case _:
                raise AssertionError(f"the terminal does not know {control!r}")

    def _write(self, text: str) -> None:
        line = self._lines[self._row].ljust(self._column)
        end = self._column + len(text)
        self._lines[self._row] = line[: self._column] + text + line[end:]
        self._column = end


def _complete(sequence: bytes) -> bool:
    """Whether these last bytes are a whole character."""
    try:
        return not sequence.startswith(b"\x1b") and bool(sequence.decode())
    except UnicodeDecodeError:
        return False
