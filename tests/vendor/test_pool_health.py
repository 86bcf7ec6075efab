"""The pool stays whole: M1 to M5 and C6, measured over our transport, and kept connections."""

import asyncio
import os
import random
import socket
import threading
import time
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import httpx
import pytest
from raw_server import OK, drip, raw

from destination.vendor.transport import AiohttpTransport, BlockedError

SLOTS, WORKERS, ANSWERS_AFTER = 10, 40, 0.02
SECONDS = float(os.environ.get("POOL_SECONDS", "1.5"))
"""Of a crowd; more, for figures to publish."""
SPARE = 5
"""File descriptors more or less, for what the event loop and others open meanwhile."""


@dataclass
class Tally:
    """How requests ended."""

    good: int = 0
    timed_out: int = 0
    other: list[str] = field(default_factory=list)


@pytest.fixture
async def slow():
    """A vendor that answers in 20 ms."""

    async def answer(reader, writer):
        while True:
            await reader.readuntil(b"\r\n\r\n")
            await asyncio.sleep(ANSWERS_AFTER)
            writer.write(OK)

    async with raw(answer, read=False) as server:
        yield server.url


@asynccontextmanager
async def pool(**options):
    """A client over a transport with few connections."""
    transport = AiohttpTransport(connections=SLOTS, **options)
    async with httpx.AsyncClient(transport=transport, trust_env=False) as http:
        yield http


def within(seconds, connect=None):
    """A timeout for the whole exchange, as the vendor's client asks for it."""
    return httpx.Timeout(seconds, connect=connect or 0.9 * seconds)


async def crowd(work, seconds):
    """So many workers as there are, each at it again and again."""
    end = time.monotonic() + seconds

    async def worker(number):
        chance = random.Random(number)
        while time.monotonic() < end:
            await work(chance)

    await asyncio.gather(*(worker(number) for number in range(WORKERS)))


async def healthy(http, url):
    """How many of twenty ordinary requests at once succeed."""
    requests = (http.get(url, timeout=httpx.Timeout(5, pool=5)) for _ in range(20))
    outcomes = await asyncio.gather(*requests, return_exceptions=True)
    return sum(isinstance(each, httpx.Response) and each.status_code == 200 for each in outcomes)


def descriptors():
    """How many file descriptors this process has open."""
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


async def settled(most):
    """How many are open once the event loop has closed what was given up."""
    for _ in range(250):
        if descriptors() <= most:
            break
        await asyncio.sleep(0.02)
    return descriptors()


async def test_m1_cancelled_requests_leave_the_pool_whole(slow):
    """After thousands of requests cut off from outside, twenty of twenty succeed."""
    tally = Tally()
    async with pool() as http:
        before = descriptors()

        async def work(chance):
            # On a slow machine nothing would succeed: there they have more time, bit by bit.
            slowness = 1 + tally.timed_out / (200 * (tally.good + 1))
            try:
                async with asyncio.timeout(slowness * chance.uniform(0.0005, 0.05)):
                    await http.get(slow)
                tally.good += 1
            except TimeoutError:
                tally.timed_out += 1

        await crowd(work, SECONDS)
        assert await healthy(http, slow) == 20
        assert await settled(before + 2 * SLOTS + SPARE) <= before + 2 * SLOTS + SPARE

    print(tally)  # the figures, with -rP
    assert min(tally.good, tally.timed_out) >= 1


@pytest.mark.parametrize("share", [0.9, 0.3], ids=["attempt", "connecting"])
async def test_m2_m3_c6_contended_and_timed_out(slow, share):
    """Four times as many requests as connections, half of them in vain: then all succeed."""
    tally = Tally()
    baseline = descriptors()
    async with pool() as http:

        async def work(chance):
            seconds = chance.uniform(0.005, 0.2)
            try:
                await http.get(slow, timeout=within(seconds, share * seconds))
                tally.good += 1
            except httpx.TimeoutException:
                tally.timed_out += 1
            except httpx.TransportError as error:
                tally.other.append(type(error).__name__)

        await crowd(work, SECONDS)
        assert [await healthy(http, slow) for _ in range(5)] == [20] * 5

    print(tally)  # the figures, with -rP
    assert tally.other == []
    assert min(tally.good, tally.timed_out) >= 1
    assert abs(await settled(baseline + SPARE) - baseline) <= SPARE


@pytest.mark.parametrize(
    "answer",
    [
        drip(b"HTTP/1.1 200 ", b"O"),
        drip(b"HTTP/1.1 200 OK\r\n", b"X-A: 1\r\n"),
        drip(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", b"x"),
    ],
    ids=["status", "headers", "body"],
)
async def test_m4_what_drips_ends_by_the_clock(answer):
    """Fifty dripping answers end when their time is over, and leave the pool as it was."""
    async with raw(answer) as dripping, raw(OK) as well, pool() as http:
        spans = []

        async def one():
            started = time.monotonic()
            with pytest.raises(httpx.TimeoutException):
                await http.get(dripping.url, timeout=within(0.5))
            spans.append(time.monotonic() - started)

        for _ in range(2):
            await asyncio.gather(*(one() for _ in range(SLOTS)))
        assert await healthy(http, well.url) == 20

    assert min(spans) >= 0.45
    assert max(spans) <= 0.75


async def test_m5_refused_addresses_leave_the_pool_whole(slow):
    """Forty workers that are refused at the door, over and over, use up no connection."""
    refused = Tally()
    baseline = descriptors()
    async with pool(public_only=True) as http:

        async def work(chance):
            with pytest.raises(BlockedError):
                await http.get(chance.choice((slow, slow.replace("127.0.0.1", "localhost"))))
            refused.good += 1

        await crowd(work, 0.5)
        assert descriptors() <= baseline + SPARE

    assert refused.good > 100
    async with pool() as http:
        assert await healthy(http, slow) == 20


async def test_m5_connections_that_hang_leave_the_pool_whole(slow):
    """Connections that are never accepted give their places back when their time is over."""
    async with pool() as http:
        with socket.socket() as hole:
            hole.bind(("127.0.0.1", 0))
            hole.listen(0)
            url = f"http://127.0.0.1:{hole.getsockname()[1]}"
            timed_out = Tally()

            async def work(chance):
                try:
                    await http.get(url, timeout=within(chance.uniform(0.02, 0.1)))
                except httpx.TimeoutException:
                    timed_out.good += 1

            await crowd(work, 0.5)
        assert timed_out.good > 40
        assert await healthy(http, slow) == 20


@contextmanager
def on_a_thread(behaviour):
    """A vendor that goes on while the client's event loop is busy with something else."""
    place = socket.create_server(("127.0.0.1", 0))
    place.settimeout(10)
    seen = []

    def serve():
        with suppress(OSError):
            while True:
                connection, _ = place.accept()
                with connection, suppress(ConnectionError):
                    connection.settimeout(10)
                    behaviour(connection, seen)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"http://127.0.0.1:{place.getsockname()[1]}", seen
    finally:
        place.shutdown(socket.SHUT_RDWR)
        place.close()
        thread.join()


def request(connection):
    """The next request's body; b"" at the end."""
    data = b""
    while b"\r\n\r\n" not in data or not data.endswith(b"."):
        piece = connection.recv(65536)
        if not piece:
            return b""
        data += piece
    return data.partition(b"\r\n\r\n")[2]


def closes(connection, seen):
    """Answers once, then closes in order."""
    seen.append(request(connection))
    connection.sendall(OK)


def resets(connection, seen):
    """Answers once, then resets."""
    seen.append(request(connection))
    connection.sendall(OK)
    time.sleep(0.02)  # for the answer to be read: a reset would take it back
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01" + b"\x00" * 7)


def talks(connection, seen):
    """Answers once, then says something that nobody asked for; refuses what comes after it."""
    seen.append(request(connection))
    connection.sendall(OK)
    time.sleep(0.02)
    connection.sendall(OK)
    if later := request(connection):
        seen.append(later)
        connection.sendall(b"HTTP/1.1 422 No\r\nContent-Length: 0\r\n\r\n")


@pytest.mark.parametrize("ending", [closes, resets, talks])
async def test_f15_what_ended_unnoticed_is_not_written_to(ending):
    """A connection that the vendor ended, or spoke on, while we were busy gets no request."""
    with on_a_thread(ending) as (url, seen):
        async with pool() as http:
            for number in range(10):
                body = b"%d." % number
                assert (await http.post(url, content=body)).status_code == 200
                time.sleep(0.05)  # noqa: ASYNC251 - the event loop is busy and hears nothing

    assert seen == [b"%d." % number for number in range(10)]


@pytest.mark.parametrize("ending", [closes, resets, talks])
async def test_f15_nor_what_ended_while_idle(ending):
    """Nor when the event loop had the time to hear of it."""
    with on_a_thread(ending) as (url, seen):
        async with pool() as http:
            for number in range(5):
                body = b"%d." % number
                assert (await http.post(url, content=body)).status_code == 200
                await asyncio.sleep(0.05)

    assert seen == [b"%d." % number for number in range(5)]


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
async def test_f15_a_request_is_written_once(method):
    """A connection closed just when the request was written: the transport tries nothing again."""

    def stale(connection, seen):
        seen.append(request(connection))
        connection.sendall(OK)
        seen.append(request(connection))

    with on_a_thread(stale) as (url, seen):
        async with pool() as http:
            await http.request(method, url, content=b"1.")
            with pytest.raises(httpx.RemoteProtocolError):
                await http.request(method, url, content=b"2.")

    assert seen == [b"1.", b"2."]


async def test_f12_a_new_connection_that_ended_before_the_request(monkeypatch):
    """Between connecting and writing the vendor is gone: certainly nothing was sent."""
    ended = asyncio.Event()
    connect = aiohttp.TCPConnector.connect

    async def slowly(self, *args, **options):
        made = await connect(self, *args, **options)
        await ended.wait()
        return made

    async def leave(reader, writer):
        writer.close()
        await writer.wait_closed()
        ended.set()

    monkeypatch.setattr(aiohttp.TCPConnector, "connect", slowly)
    async with raw(leave, read=False) as server, pool() as http:
        with pytest.raises(httpx.ConnectError):
            await http.post(server.url, content=b"2.")
    assert server.heads == []


async def test_credentials_in_a_url_become_a_header():
    """What httpx made a header of is not refused by aiohttp, and not part of the address."""
    async with raw(OK) as server, pool() as http:
        url = server.url.replace("//", "//user:pass%40word@")
        assert (await http.get(f"{url}/a%7Eb")).status_code == 200

    assert server.heads[0].startswith("GET /a%7Eb HTTP/1.1")
    assert server.header("authorization") == ["Basic dXNlcjpwYXNzQHdvcmQ="]
