"""
A vendor that does what a script says, in a process of its own, and logs every request it read.

From a test::

    async with Vendor(tmp_path / "log") as vendor:
        await vendor.play(Script(rows={"7": (Step(503), Step())}))
        ...  # have rows sent to vendor.url
        assert [arrival.answer for arrival in vendor.arrivals()] == ["503", "200"]

By hand: ``python -m destination.testing.vendor --log FILE [--script FILE] [--port PORT]``, and
``PUT /_script`` with another script (JSON) at any time, which starts all counts anew.

The log has a line (``journal.Arrival``) for each request that arrived whole, appended before the
answer goes out, so that a kill loses none; one that came to both reject and take rows has a line
for each of the two, with the same time and connection. A row is an object with an ``id``, which
is the body or stands in an array that is; an id that is no string or number is logged as its JSON.
"""

import argparse
import asyncio
import select
import subprocess
import sys
from collections.abc import Sequence
from http.client import HTTPConnection
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

import msgspec

from destination.testing.journal import Arrival, arrivals
from destination.testing.script import Script
from destination.testing.vendor_server import CONTROL, serve

STARTS_WITHIN = 20.0


class Vendor:
    """
    A scripted vendor's process.

    It ends with the block, with ``stop``, and with the process that started it, however that
    ends. It can be started again, on the same log and port.

    Args:
        log: Where its log is appended to.
        port: On loopback; 0 for any free one.
    """

    def __init__(self, log: Path, *, port: int = 0) -> None:
        self.log = log
        self.url = ""
        self._port = port
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The running process's number, for signals."""
        if self._process is None:
            raise RuntimeError("the vendor is not running")
        return self._process.pid

    def start(self) -> None:
        """
        Start the process and wait until it listens.

        Raises:
            RuntimeError: It ended, or did not listen in time.
        """
        command = [sys.executable, "-m", "destination.testing.vendor", "--attached"]
        command += ["--log", str(self.log), "--port", str(self._port)]
        self._process = subprocess.Popen(  # noqa: S603 - our own module
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        try:
            self.url = _first_line(self._process)
            self._port = urlsplit(self.url).port or 0
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Kill the process, if it runs; its log is complete at any moment."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            with process:
                pass  # the block's end closes the pipes and waits

    def script(self, script: Script) -> None:
        """
        Play another script from now on, from its beginning.

        Raises:
            ValueError: The script says what none can.
        """
        parts = urlsplit(self.url)
        connection = HTTPConnection(parts.hostname or "", parts.port, timeout=STARTS_WITHIN)
        try:
            connection.request("PUT", CONTROL, msgspec.json.encode(script))
            answer = connection.getresponse()
            reason = answer.read().decode()
        finally:
            connection.close()
        if answer.status != 200:
            raise ValueError(reason)

    async def play(self, script: Script) -> None:
        """As ``script``, without holding up the event loop."""
        await asyncio.to_thread(self.script, script)

    def arrivals(self) -> list[Arrival]:
        """What it has received so far, in the order in which it was read."""
        return list(arrivals(self.log))

    async def __aenter__(self) -> Self:
        starting = asyncio.create_task(asyncio.to_thread(self.start))
        try:
            await asyncio.shield(starting)
        except asyncio.CancelledError:
            await asyncio.wait([starting])
            self.stop()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


def _first_line(process: subprocess.Popen[bytes]) -> str:
    assert process.stdout is not None  # noqa: S101 - it was asked for
    ready, _, _ = select.select([process.stdout], [], [], STARTS_WITHIN)
    line = process.stdout.readline() if ready else b""
    if not line.endswith(b"\n"):
        raise RuntimeError("the vendor did not start; standard error says why")
    return line.decode().strip()


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve until interrupted."""
    parser = argparse.ArgumentParser(description="A vendor that does what a script says.")
    parser.add_argument("--log", type=Path, required=True, help="file to append to")
    parser.add_argument("--port", type=int, default=0, help="on loopback; 0 for any free one")
    parser.add_argument("--script", type=Path, help="JSON file to start with")
    parser.add_argument("--attached", action="store_true", help="end when standard input does")
    chosen = parser.parse_args(arguments)
    script = (
        msgspec.json.decode(chosen.script.read_bytes(), type=Script) if chosen.script else Script()
    )
    asyncio.run(serve(chosen.log, script, chosen.port, attached=chosen.attached))


if __name__ == "__main__":
    main()
