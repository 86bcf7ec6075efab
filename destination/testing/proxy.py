"""
A TCP proxy in the test's own process that fails on demand.

It copies bytes both ways until a fault is due. A fault is an async callable that is handed a
client's connection, a ``Link``; ``faults`` has the usual ones::

    async with proxy(vendor.url) as between:
        between.next(faults.reset, faults.forwarded(faults.reset))
        ...  # have two requests sent to between.url
        between.always = faults.stall

A fault is used up by whichever comes first: a new connection, before any byte of it is read, or
the next request on a connection that was kept. Requests under way are left alone; ``cut`` ends
them. A client must not send a request before the last one on its connection was answered.
"""

import asyncio
import socket
import ssl
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

from destination.testing.link import GONE, Fault, Link

_FILLED_BY = 4  # connections are more than a queue for none takes in


class Proxy:
    """
    A listener on loopback in front of an upstream.

    Args:
        upstream: Its host and port.
        window: Bytes that the system takes in for a connection that is not read.

    Attributes:
        always: What befalls every connection and request that no fault was queued for.
        url: Where it listens, the same for its whole life.
    """

    def __init__(
        self, upstream: tuple[str, int], tls: ssl.SSLContext | None, window: int | None
    ) -> None:
        self.upstream = upstream
        self.always: Fault | None = None
        self.links: list[Link] = []
        self._queue: deque[Fault] = deque()
        self._tls = tls
        self._window = window
        self._tasks: dict[asyncio.Task[None], Link] = {}
        self._news = asyncio.Event()
        self._listener: asyncio.Server | None = None
        self._holes: list[socket.socket] = []
        # Bound for good, so that nobody else is given the port while nothing listens.
        self._place = self._bound(0)
        self.port: int = self._place.getsockname()[1]
        self.url = f"http{'s' if tls else ''}://127.0.0.1:{self.port}"

    @property
    def connections(self) -> int:
        """How many it accepted so far."""
        return len(self.links)

    @property
    def open(self) -> int:
        """How many of them have not ended."""
        return len(self._tasks)

    @property
    def received(self) -> int:
        """Bytes read from clients, on all connections."""
        return sum(link.client.count for link in self.links)

    @property
    def sent(self) -> int:
        """Bytes written to clients, on all connections."""
        return sum(link.sent for link in self.links)

    @property
    def armed(self) -> bool:
        """Whether the next request will not just be copied."""
        return bool(self._queue or self.always)

    @property
    def queued(self) -> int:
        """How many faults nothing has met yet."""
        return len(self._queue)

    def next(self, *faults: Fault) -> None:
        """Queue faults, one for each of the next connections or requests."""
        self._queue.extend(faults)

    def heal(self) -> None:
        """Drop all faults that have not begun."""
        self._queue.clear()
        self.always = None

    async def accepted(self, count: int) -> None:
        """Wait until it has accepted so many connections in all."""
        while self.connections < count:
            self._news.clear()
            await self._news.wait()

    async def over(self) -> None:
        """Wait until no connection is open."""
        while self._tasks:
            await asyncio.wait(list(self._tasks))

    async def cut(self, *, rudely: bool = False) -> None:
        """End every open connection, idle or not; with a reset, if rudely."""
        under_way = dict(self._tasks)
        for task, link in under_way.items():
            if rudely:
                link.reset()
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)
        for link in under_way.values():
            await link.release()

    def refuse(self) -> None:
        """Refuse further connections; open ones stay."""
        if self._listener is not None:
            self._listener.close()
        for hole in self._holes:
            hole.close()
        self._listener, self._holes = None, []

    def ignore(self) -> None:
        """Leave further connections without any reply, as a black hole does; open ones stay."""
        self.refuse()
        hole = self._bound(self.port)
        hole.listen(0)
        self._holes = [hole]
        for _ in range(_FILLED_BY):
            waiting = socket.socket()
            waiting.setblocking(False)  # noqa: FBT003 - socket's signature
            waiting.connect_ex(("127.0.0.1", self.port))
            self._holes.append(waiting)

    async def listen(self) -> None:
        """Accept connections (again), on the same port."""
        if self._listener is None:
            self.refuse()
            self._listener = await asyncio.start_server(
                self._accept, sock=self._bound(self.port), ssl=self._tls
            )

    async def end(self) -> None:
        """Give back the port, every connection and every task."""
        self.refuse()
        await asyncio.sleep(0)  # for what was being accepted
        await self.cut()
        self._place.close()

    def _bound(self, port: int) -> socket.socket:
        place = socket.socket()
        place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if self._window is not None:
            place.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self._window)
        place.bind(("127.0.0.1", port))
        return place

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        link = Link(self.connections + 1, self.upstream, lambda: self.armed, reader, writer)
        self.links.append(link)
        self._news.set()
        task = asyncio.create_task(self._serve(link, self._due()))
        self._tasks[task] = link
        task.add_done_callback(self._tasks.pop)

    def _due(self) -> Fault:
        return self._queue.popleft() if self._queue else self.always or Link.relay

    async def _serve(self, link: Link, fault: Fault) -> None:
        try:
            await fault(link)
            while not link.ended and await link.client.begun():
                await self._due()(link)
            link.close()
        except EOFError:
            link.close()
        except GONE:
            if not link.ended:
                link.reset()  # as the client would see it without a proxy
        await link.closed()
        await link.release()


@asynccontextmanager
async def proxy(
    upstream: str, *, tls: ssl.SSLContext | None = None, window: int | None = None
) -> AsyncIterator[Proxy]:
    """
    A proxy in front of an upstream's URL, for the length of the block.

    Args:
        upstream: Connected to as needed, without TLS; nothing need listen there.
        tls: What clients are served with; without it a fault such as ``stall`` hangs or breaks
            a client's handshake.
        window: Bytes that the system takes in for a connection that is not read; by default
            megabytes.
    """
    parts = urlsplit(upstream)
    between = Proxy((parts.hostname or "127.0.0.1", parts.port or 80), tls, window)
    try:
        await between.listen()
        yield between
    finally:
        await between.end()
