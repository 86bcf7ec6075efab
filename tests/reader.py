"""A reader of the documentation: a clone of the repository, a terminal, and a server beside it."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterable
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Self

from pages import ROOT, Command, File
from terminal import Terminal

PORTS = ("8000", "9000")
"""Those that pages speak of. A reader here takes free ones in their place."""

PLACEHOLDERS = {
    'url = "https://crm.example.com/rows"': (
        'url = "http://127.0.0.1:{receiver}/rows"\nallow_private_networks = true'
    )
}
"""A receiver that no reader has, and the one that answers 200 to everything in its place."""

CLONED = ("Makefile", "Procfile", "examples", "pyproject.toml", "requirements-dev.txt")
"""What commands of the documentation read; the packages are found on Python's path."""

SECONDS = 30.0


class Reader:
    """
    Somebody who types what a page shows, inside ``with``.

    The folder is a clone in which ``make`` has been run: ``.venv`` has the commands, and the files
    are the repository's own. What a page has them write comes beside them.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._ports = {port: _free_port() for port in PORTS}
        self._environment = {
            "PATH": os.pathsep.join((str(folder / ".venv/bin"), *_places("make", "curl", "sh"))),
            "HOME": str(folder),
            "HOST": "127.0.0.1",
            "PORT": self._ports["8000"],
            "LOG_FORMAT": "console",
        }
        self._beside: list[subprocess.Popen[bytes]] = []
        self._server: subprocess.Popen[bytes] | None = None
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        _clone(self._folder)
        self._receiver = self._stack.enter_context(_Receiver())
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._beside:
            _stop(process)
        self._stack.close()

    def writes(self, file: File) -> None:
        """Write a file, to the folder."""
        text = self._own(file.text)
        for placeholder, real in PLACEHOLDERS.items():
            text = text.replace(placeholder, real.format(receiver=self._receiver.port))
        (self._folder / file.name).write_text(text)

    def types(self, command: Command, answers: Iterable[tuple[str, str]] = ()) -> tuple[int, str]:
        """
        Type a command and wait for its end; its exit code and what the terminal shows.

        A server is left to run, as in another terminal, once it listens; one that ran before is
        stopped. What is typed with ``&`` is left to run too.

        Args:
            answers: What is typed at each of its questions.
        """
        line = self._own(command.line)
        if re.search(r"\b(?:make|destination) serve\b(?!.*--help)", line):
            return self._serves(line.removesuffix("&"))
        if line.endswith("&"):
            self._starts(line.removesuffix("&"), self._folder / "output")
            return 0, ""
        if line.startswith(("export ", "unset ")):
            return self._sets(line)
        if "destination call" in line and "--url" not in line:
            line += f" --url http://127.0.0.1:{self._ports['8000']}"
        with Terminal(
            self._folder, "-c", line, program=("/bin/sh",), **self._environment
        ) as terminal:
            terminal.answers(answers)
            code = terminal.ends()
            return code, self._shown(terminal.text)

    def _own(self, text: str) -> str:
        for port, own in self._ports.items():
            text = re.sub(rf"\b{port}\b", own, text)
        return text

    def _shown(self, text: str) -> str:
        for port, own in self._ports.items():
            text = text.replace(own, port)
        return text

    def _sets(self, line: str) -> tuple[int, str]:
        told = subprocess.run(
            ["/bin/sh", "-c", f"{line}\nenv -0"],
            cwd=self._folder,
            env=self._environment | {"PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=SECONDS,
        )
        pairs = (each.partition("=") for each in told.stdout.split("\0") if each)
        self._environment = {
            name: value for name, _, value in pairs if name not in {"PWD", "OLDPWD", "SHLVL", "_"}
        }
        return told.returncode, told.stderr

    def _serves(self, line: str) -> tuple[int, str]:
        if self._server is not None:
            _stop(self._server)
        output = self._folder / "serve"
        process = self._server = self._starts(line, output)
        until = time.monotonic() + SECONDS
        while "server.started" not in output.read_text() and time.monotonic() < until:
            if process.poll() is not None:
                return process.returncode, self._shown(output.read_text())
            time.sleep(0.02)
        return 0, self._shown(re.sub(r"\x1b\[\d*m", "", output.read_text()))

    def _starts(self, line: str, output: Path) -> subprocess.Popen[bytes]:
        with output.open("wb") as file:
            process = subprocess.Popen(
                ["/bin/sh", "-c", f"exec {line}" if " > " not in line else line],
                cwd=self._folder,
                env=self._environment | {"PYTHONPATH": str(ROOT)},
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C goes to all of it, as a terminal's does
            )
        self._beside.append(process)
        return process


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Press Ctrl-C."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGINT)
    process.wait(SECONDS)


class _Receiver:
    """Answers 200 to everything, inside ``with``."""

    def __enter__(self) -> Self:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Agreeable)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Agreeable(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def do_OPTIONS(self) -> None:
        self.do_POST()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


def _clone(folder: Path) -> None:
    for name in CLONED:
        (folder / name).symlink_to(ROOT / name)
    shutil.copytree(ROOT / "docs", folder / "docs")  # commands write to it
    installed = folder / ".venv" / "bin"
    installed.mkdir(parents=True)
    for name, arguments in {"python": "", "python3": "", "destination": "-m destination "}.items():
        script = installed / name
        script.write_text(f'#!/bin/sh\nexec "{sys.executable}" {arguments}"$@"\n')
        script.chmod(0o755)
    (installed / "activate").touch()  # it is active already
    (folder / ".venv" / "ready").touch()


def _places(*programs: str) -> list[str]:
    found = (shutil.which(program) for program in programs)
    return list(dict.fromkeys(str(Path(each).parent) for each in found if each))


def _free_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])
