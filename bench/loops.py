"""
Bare loops of posts, as fast as a client can be driven: what our server is measured against.

Run as a process of its own, ``python -m bench.loops CLIENT URL``: for each line on its standard
input, such as ``{"rows": 1000}``, it posts so many records and prints what that took.
"""

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any, cast
from urllib.parse import urlsplit

import aiohttp
import httpx

from bench.rows import MAPPED, rows
from destination.vendor.transport import AiohttpTransport

CONCURRENCY = 100

Post = Callable[[dict[str, Any]], Awaitable[Any]]


@asynccontextmanager
async def over_httpx(url: str) -> AsyncIterator[Post]:
    """By httpx over the transport that the server uses."""
    transport = AiohttpTransport(connections=CONCURRENCY)
    async with httpx.AsyncClient(transport=transport) as client:

        async def post(record: dict[str, Any]) -> None:
            (await client.post(url, json=record)).raise_for_status()

        yield post


@asynccontextmanager
async def over_aiohttp(url: str) -> AsyncIterator[Post]:
    """By aiohttp alone."""
    connector = aiohttp.TCPConnector(limit=CONCURRENCY)
    async with aiohttp.ClientSession(connector=connector) as session:

        async def post(record: dict[str, Any]) -> None:
            async with session.post(url, json=record) as response:
                response.raise_for_status()
                await response.read()

        yield post


class _Socket(asyncio.Protocol):
    """A connection on which one request is under way; any bytes that come are its answer."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def send(self, request: bytes) -> asyncio.Future[None]:
        """Resolved by the answer."""
        self._answered: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return self._answered

    def data_received(self, data: bytes) -> None:
        self._answered.set_result(None)


@asynccontextmanager
async def over_sockets(url: str) -> AsyncIterator[Post]:
    """By no client at all: what the stand-in of the vendor can take."""
    address, loop = urlsplit(url), asyncio.get_running_loop()
    idle: list[_Socket] = []

    async def post(record: dict[str, Any]) -> None:
        body = json.dumps(record, separators=(",", ":")).encode()
        head = f"POST {address.path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
        if not idle:
            made = await loop.create_connection(_Socket, str(address.hostname), address.port or 80)
            idle.append(made[1])
        socket = idle.pop()
        await socket.send(head.encode() + body)
        idle.append(socket)

    yield post


CLIENTS = {"httpx": over_httpx, "aiohttp": over_aiohttp, "sockets": over_sockets}


def records(count: int) -> list[dict[str, Any]]:
    """What our server makes of new rows."""
    return [
        {"operation": "add", "id": row["id"], "fields": {name: row[name] for name in MAPPED}}
        for row in rows(count)
    ]


async def posted(post: Post, count: int) -> dict[str, float]:
    """Post so many; the seconds and the processor's seconds that it took."""
    left = iter(records(count))
    began, used = time.perf_counter(), time.process_time()
    await asyncio.gather(*(_work(post, left) for _ in range(CONCURRENCY)))
    return {"seconds": time.perf_counter() - began, "cpu": time.process_time() - used}


async def _work(post: Post, left: Iterator[dict[str, Any]]) -> None:
    for record in left:
        await post(record)


async def main(client: str, url: str) -> None:
    """Answer every line until there are no more."""
    async with CLIENTS[client](url) as post:
        while line := await asyncio.to_thread(sys.stdin.readline):
            print(json.dumps(await posted(post, json.loads(line)["rows"])), flush=True)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
