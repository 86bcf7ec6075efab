"""A server on loopback whose every byte a test decides."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import ExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Raw:
    """A server on loopback that does on its sockets what the test says."""

    url: str = ""
    connections: int = 0
    heads: list[str] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    _arrivals: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(0))

    async def received(self, count: int) -> None:
        """Wait until so many further requests have arrived."""
        for _ in range(count):
            await self._arrivals.acquire()

    async def read(self, reader: asyncio.StreamReader) -> None:
        """Take one request."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        self.heads.append(head)
        sizes = [line[15:] for line in head.splitlines() if line.lower()[:15] == "content-length:"]
        self.bodies.append(await reader.readexactly(int(sizes[0]) if sizes else 0))
        self._arrivals.release()

    def header(self, name: str) -> list[str]:
        """The latest request's values of a header."""
        lines = (line.partition(":") for line in self.heads[-1].splitlines()[1:])
        return [value.strip() for key, _, value in lines if key.lower() == name]


@asynccontextmanager
async def raw(answer: Answer | bytes, *, read: bool = True) -> AsyncIterator[Raw]:
    """
    Serve inside the block.

    Args:
        answer: Bytes with which each request of a connection is answered, or what to do with
            the connection once its request is read.
        read: False leaves the request unread.
    """
    server, tasks = Raw(), set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.current_task())
        server.connections += 1
        try:
            while not reader.at_eof():
                if read:
                    await server.read(reader)
                if isinstance(answer, bytes):
                    writer.write(answer)
                    await writer.drain()
                else:
                    await answer(reader, writer)
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    listener = await asyncio.start_server(serve, "127.0.0.1", 0)
    server.url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
    try:
        yield server
    finally:
        listener.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0)  # for the transports to close


async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Never answer."""
    await asyncio.Event().wait()


async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """End the connection without an answer."""


async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """End it with a reset."""
    linger = b"\x01\x00\x00\x00\x00\x00\x00\x00"
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)


def drip(first: bytes, each: bytes) -> Answer:
    """Send something, then little by little for ever."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(first)
        while True:
            writer.write(each)
            await writer.drain()
            await asyncio.sleep(0.02)

    return answer


@asynccontextmanager
async def full() -> AsyncIterator[str]:
    """The URL of a server that accepts no connection, and whose queue of waiting ones is full."""
    with socket.socket() as listener, ExitStack() as stack:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


def nobody() -> str:
    """A URL at which nobody listens."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{unused.getsockname()[1]}"
