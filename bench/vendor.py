"""
A vendor that takes everything, each request after a set latency, and counts what it took.

It reads just enough HTTP not to be what is measured. Run as a process of its own:
``python -m bench.vendor MILLISECONDS`` prints its address and ends with its standard input.
"""

import asyncio
import json
import re
import sys
from typing import cast

from bench.processes import end_of_input

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
TAKEN = ANSWER % (2, b"{}")
NO_LENGTH = b"HTTP/1.1 411 Length Required\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
RECORD = b'"fields":'
"""What each record in a body has once."""

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


class Counts:
    """What was taken so far."""

    def __init__(self) -> None:
        self.requests = self.records = 0

    def answer(self) -> bytes:
        """To who asks for it."""
        body = json.dumps({"requests": self.requests, "records": self.records}).encode()
        return ANSWER % (len(body), body)


class Connection(asyncio.Protocol):
    """One connection; a GET asks for the counts, anything else is taken."""

    def __init__(self, counts: Counts, latency: float) -> None:
        self._counts = counts
        self._latency = latency
        self._loop = asyncio.get_running_loop()
        self._unread = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep what answers are written to."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Take every request that is there as a whole."""
        self._unread += data
        while (end := self._unread.find(b"\r\n\r\n")) >= 0:
            head, start = self._unread[:end], end + 4
            if head.startswith(b"GET "):
                self._unread = self._unread[start:]
                self._transport.write(self._counts.answer())
                continue
            if not (length := _LENGTH.search(head)):
                self._transport.write(NO_LENGTH)
                self._transport.close()
                return
            whole = start + int(length[1])
            if len(self._unread) < whole:
                return
            self._counts.requests += 1
            self._counts.records += self._unread.count(RECORD, start, whole)
            self._unread = self._unread[whole:]
            self._answer()

    def _answer(self) -> None:
        if self._latency:
            self._loop.call_later(self._latency, self._transport.write, TAKEN)
        else:
            self._transport.write(TAKEN)


async def serve(latency: float) -> None:
    """Take requests until the standard input ends."""
    loop, counts = asyncio.get_running_loop(), Counts()
    server = await loop.create_server(lambda: Connection(counts, latency), "127.0.0.1", 0)
    async with server:
        print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
        await end_of_input()


if __name__ == "__main__":
    asyncio.run(serve(float(sys.argv[1]) / 1000))
