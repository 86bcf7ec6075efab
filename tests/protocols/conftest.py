"""What these tests share: bytes on a socket as they are, answers read strictly, the real log."""

import asyncio
import io
import json
import logging
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import msgspec
import pytest
import structlog
from multidict import CIMultiDict

from destination import logs

PATIENCE = 10.0
"""Seconds after which a server that has not answered will not."""


def strict(body: bytes) -> Any:
    """The JSON document; raises ValueError for what only lenient parsers take, such as NaN."""

    def refuse(constant: str) -> Any:
        raise ValueError(f"{constant} is not JSON")

    # Digits stay text: Python refuses to make a number of more than 4,300 of them.
    return json.loads(body.decode("utf-8"), parse_constant=refuse, parse_int=str, parse_float=str)


class _Answer(msgspec.Struct):
    id: msgspec.Raw


@dataclass
class Response:
    """A response as it came over the socket."""

    status: int
    headers: CIMultiDict[str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body as a document."""
        return msgspec.json.decode(self.body)

    @property
    def id(self) -> bytes:
        """The id of the response object, byte for byte."""
        return bytes(msgspec.json.decode(self.body, type=_Answer).id)

    @property
    def code(self) -> int:
        """The code of its error."""
        code: int = self.json["error"]["code"]
        return code


class Wire:
    """A connection that sends exactly the bytes it is given."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def send(self, *pieces: bytes) -> None:
        """Send the pieces; a server that has hung up is noticed when the answer is read."""
        for piece in pieces:
            self._writer.write(piece)
            await self._writer.drain()

    async def response(self) -> Response:
        """The next response, an interim one included."""
        async with asyncio.timeout(PATIENCE):
            head = await self._reader.readuntil(b"\r\n\r\n")
            status_line, *lines = head.decode("latin-1").strip().split("\r\n")
            headers = CIMultiDict(line.split(": ", 1) for line in lines)
            size = int(headers.get("Content-Length", 0))
            return Response(
                int(status_line.split()[1]), headers, await self._reader.readexactly(size)
            )

    async def closed(self) -> bool:
        """True once the server has closed the connection; fails when it keeps it open."""
        async with asyncio.timeout(PATIENCE):
            try:
                return await self._reader.read() == b""
            except ConnectionResetError:
                return True

    async def abort(self) -> None:
        """Hang up without a word."""
        self._writer.transport.abort()


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[Wire]:
    """A connection to the server."""
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    try:
        yield Wire(reader, writer)
    finally:
        writer.close()


@pytest.fixture(name="connected")
def _connected() -> Callable[..., Any]:
    """Open a connection on which the test writes the bytes."""
    return connected


@pytest.fixture(name="exchange")
def _exchange() -> Callable[..., Any]:
    """Send the pieces on a connection of their own; gives the response."""

    async def exchange(url: str, *pieces: bytes) -> Response:
        async with connected(url) as wire:
            await wire.send(*pieces)
            return await wire.response()

    return exchange


@pytest.fixture(name="strict")
def _strict() -> Callable[[bytes], Any]:
    """Read a JSON document as a strict parser does."""
    return strict


@pytest.fixture
def logged(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], str]]:
    """Configure the log as ``serve`` does, with everything on; gives what was written so far."""
    root = logging.getLogger()
    handlers, level, root.handlers = root.handlers, root.level, []
    loggers = [logging.getLogger(name) for name in logs.QUIET]
    levels = [each.level for each in loggers]
    written = io.StringIO()
    with monkeypatch.context() as patched:
        patched.setattr(sys, "stderr", written)
        logs.configure(level="debug", format="json")
    yield written.getvalue
    structlog.reset_defaults()
    root.handlers = handlers
    root.setLevel(level)
    for each, before in zip(loggers, levels, strict=True):
        each.setLevel(before)
