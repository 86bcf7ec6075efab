"""One connection of a client's through the fault proxy: what a fault has in its hands."""

import asyncio
from collections.abc import Awaitable, Callable

from destination.wire import Message, Source, read_request, read_response, reset

GONE = (OSError, EOFError, ValueError)
"""What a method of ``Link`` raises when a peer is gone or speaks no HTTP."""


class Link:
    """
    A client's connection, and the one upstream that belongs to it.

    Its methods raise ``OSError`` or ``EOFError`` when a peer is gone, which a fault lets pass.

    Args:
        number: Counts connections from 1.
        upstream: The host and port of the upstream.
        armed: Whether a fault is due for the client's next request.
    """

    def __init__(
        self,
        number: int,
        upstream: tuple[str, int],
        armed: Callable[[], bool],
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self.number = number
        self.client = Source(reader)
        """What the client sends."""
        self.sent = 0
        """Bytes written to the client."""
        self._address, self._armed, self._writer = upstream, armed, writer
        self._secure = writer.get_extra_info("sslcontext") is not None
        self._upstream: tuple[Source, asyncio.StreamWriter] | None = None
        self._quiet = False

    @property
    def ended(self) -> bool:
        """The client's connection is closed, or about to be."""
        return self._writer.is_closing()

    async def send(self, data: bytes) -> None:
        """To the client, waiting while it does not read."""
        self._writer.write(data)
        self.sent += len(data)
        await self._writer.drain()

    async def upstream(self) -> tuple[Source, asyncio.StreamWriter]:
        """The connection to the upstream, opened when first asked for."""
        if self._upstream is None:
            reader, writer = await asyncio.open_connection(*self._address)
            self._upstream = Source(reader), writer
        return self._upstream

    async def request(self) -> Message:
        """The client's next request, read whole."""
        return await read_request(self.client)

    async def forward(self, request: Message) -> Message:
        """The upstream's whole answer to a request."""
        source, writer = await self.upstream()
        writer.write(request.raw)
        await writer.drain()
        return await read_response(source, request.start[0])

    async def relay(self) -> None:
        """Copy both ways, until an end or until a fault is due for the client's next request."""
        source, writer = await self.upstream()
        self._quiet = False
        back = asyncio.create_task(self._back(source))
        try:
            while await self.client.begun():
                if self._quiet and self._armed():
                    return
                self._quiet = False
                writer.write(await self.client.some())
                await writer.drain()
            if not self.ended:
                writer.write_eof()
                await back
        finally:
            back.cancel()
            await asyncio.wait([back])

    async def _back(self, source: Source) -> None:
        try:
            while await source.begun():
                await self.send(await source.some())
                self._quiet = True
        except GONE:
            self.reset()
        self.close()

    def reset(self) -> None:
        """End the client's connection with a reset, at once."""
        reset(self._writer)

    def close(self) -> None:
        """End the client's connection in order, after all that was sent to it."""
        self._writer.close()

    def deafen(self) -> None:
        """Read nothing more from the client; that it leaves is not noticed either."""
        transport = self._writer.transport
        assert isinstance(transport, asyncio.ReadTransport)  # noqa: S101 - as any socket's
        transport.pause_reading()

    async def closed(self) -> None:
        """Wait until the client has taken, or refused, all that was sent before ``close``."""
        await _gone(self._writer)

    async def release(self) -> None:
        """Let go of both connections without waiting for anybody."""
        if self._upstream:
            await _drop(self._upstream[1])
        await _drop(self._writer, secure=self._secure)


async def _drop(writer: asyncio.StreamWriter, *, secure: bool = False) -> None:
    # A transport of TLS that was closed twice fails when it is asked for anything.
    if secure or writer.transport.get_write_buffer_size():
        writer.transport.abort()
    writer.close()
    await _gone(writer)


async def _gone(writer: asyncio.StreamWriter) -> None:
    # A cancelled wait would cancel what it waits for, and with it everybody else's wait.
    waiting = asyncio.ensure_future(writer.wait_closed())
    waiting.add_done_callback(lambda done: done.cancelled() or done.exception())
    await asyncio.wait({waiting})


Fault = Callable[[Link], Awaitable[None]]
