"""Each fault does on the wire what it is named for, and the proxy leaves nothing behind."""

import asyncio
import gzip
import ssl
import time
from contextlib import asynccontextmanager, suppress

import aiohttp
import pytest
import trustme

from destination.testing import answers, faults
from destination.testing.proxy import proxy
from destination.wire import Source, read_request, read_response

ASK = b"POST /rows HTTP/1.1\r\nHost: vendor\r\nContent-Length: 4\r\n\r\nbody"
ANSWER = b'HTTP/1.1 200 OK\r\nContent-Length: 11\r\nX-Vendor: yes\r\n\r\n{"ok":true}'


class Upstream:
    """A server that answers every request in the same way and remembers it."""

    def __init__(self):
        self.url = ""
        self.requests = []
        self.answer = ANSWER

    async def serve(self, reader, writer):
        source = Source(reader)
        try:
            while await source.begun():
                self.requests.append((await read_request(source)).raw)
                writer.write(self.answer)
        finally:
            writer.close()


@pytest.fixture
async def upstream():
    """An upstream that is up."""
    told = Upstream()
    server = await asyncio.start_server(told.serve, "127.0.0.1", 0)
    told.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    yield told
    server.close()
    await asyncio.sleep(0.01)  # its connections end with the proxy's


@pytest.fixture
async def between(upstream):
    """A proxy before it."""
    async with proxy(upstream.url) as made:
        yield made


class Client:
    """A connection whose every byte is a test's."""

    def __init__(self, reader, writer):
        self.reader, self.writer, self.source = reader, writer, Source(reader)

    async def ask(self, request=ASK):
        self.writer.write(request)
        return (await read_response(self.source, "POST")).raw

    async def told(self, request=ASK):
        """All that comes until the end."""
        self.writer.write(request)
        return await self.source.rest()


@asynccontextmanager
async def connected(between):
    """A connection to a proxy."""
    reader, writer = await asyncio.open_connection("127.0.0.1", between.port)
    try:
        async with asyncio.timeout(5):
            yield Client(reader, writer)
    finally:
        writer.transport.abort()
        await asyncio.gather(writer.wait_closed(), return_exceptions=True)


async def told(between, request=ASK):
    """What a new connection is told until its end."""
    async with connected(between) as client:
        return await client.told(request)


async def asked(between):
    """The answer to one request on a new connection."""
    async with connected(between) as client:
        return await client.ask()


async def test_bytes_pass_both_ways(between, upstream):
    """Without a fault every byte is copied, on one upstream connection for each of the client's."""
    async with connected(between) as client:
        assert [await client.ask(), await client.ask()] == [ANSWER, ANSWER]

    assert upstream.requests == [ASK, ASK]
    assert (between.connections, between.received, between.sent) == (
        1,
        2 * len(ASK),
        2 * len(ANSWER),
    )


async def test_ends_pass_too(between, upstream):
    """The upstream's end and the client's end are each passed on, after the bytes before them."""
    upstream.answer = b"HTTP/1.0 200 OK\r\n\r\nuntil the end"
    async with connected(between) as client:
        client.writer.write(ASK)
        client.writer.write_eof()
        assert await client.source.rest() == upstream.answer
    await asyncio.wait_for(between.over(), 5)


async def test_an_upstream_that_is_down_is_a_reset(between):
    """Who connects while the upstream does not listen is reset."""
    between.upstream = ("127.0.0.1", 1)
    with pytest.raises(ConnectionResetError):
        await told(between)


async def test_refusing_and_listening_again(between):
    """A closed listener refuses, lets open connections be, and opens again on its port."""
    async with connected(between) as kept:
        await kept.ask()
        between.refuse()
        with pytest.raises(ConnectionRefusedError):
            await told(between)
        assert await kept.ask() == ANSWER
    await between.listen()
    assert await asked(between) == ANSWER


async def test_a_black_hole(between):
    """A listener that ignores leaves a connection neither accepted nor refused."""
    between.ignore()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await asyncio.open_connection("127.0.0.1", between.port)
    await between.listen()
    assert await asked(between) == ANSWER


async def test_faults_are_used_in_order(between):
    """Each queued fault befalls one connection, and the next is well again."""
    between.next(faults.reset, faults.close)
    with pytest.raises(ConnectionResetError):
        await told(between)
    assert await told(between, b"") == b""
    assert between.queued == 0
    assert await asked(between) == ANSWER


async def test_always_until_healed(between):
    """A fault for all befalls every connection until it is taken back."""
    between.always = answers.HTML
    between.next(answers.redirect("http://169.254.169.254/", 307))
    assert [b" 307 " in await asked(between), b"<html>" in await asked(between)] == [True, True]
    between.heal()
    assert await asked(between) == ANSWER


async def test_a_kept_connection_meets_the_fault(between, upstream):
    """A fault befalls the next request on a connection that was kept, and the upstream no more."""
    async with connected(between) as client:
        await client.ask()
        between.next(faults.reset)
        with pytest.raises(ConnectionResetError):
            await client.told()
    assert (between.connections, len(upstream.requests)) == (1, 1)


async def test_a_kept_connection_outlives_the_fault(between, upstream):
    """After a fault that leaves the connection whole, copying goes on."""
    async with connected(between) as client:
        await client.ask()
        between.next(answers.HTML)
        assert b"<html>" in await client.ask()
        assert await client.ask() == ANSWER
    assert (between.connections, len(upstream.requests)) == (1, 2)


async def test_a_connection_that_is_closing_is_cut(between):
    """A connection that waits for its client to take the last bytes ends with a cut, in order."""
    closing = asyncio.Event()

    async def leave_much(link):
        await link.request()
        with suppress(TimeoutError):
            await asyncio.wait_for(link.send(bytes(20_000_000)), 0.05)
        link.close()
        closing.set()

    between.next(leave_much)
    async with connected(between) as client:
        client.writer.write(ASK)
        client.writer.transport.pause_reading()
        await closing.wait()

        await between.cut()

        assert between.open == 0


@pytest.mark.parametrize("rudely", [True, False])
async def test_idle_connections_are_cut(between, rudely):
    """An idle connection can be ended at once, in order or with a reset."""
    async with connected(between) as client:
        await client.ask()
        await between.cut(rudely=rudely)
        if rudely:
            with pytest.raises(ConnectionResetError):
                await client.source.rest()
        else:
            assert await client.source.rest() == b""
    assert between.open == 0


async def test_stale_when_the_next_request_comes(between, upstream):
    """A stale connection serves one request and ends at the first byte of the next."""
    between.next(faults.stale(faults.reset))
    async with connected(between) as client:
        assert await client.ask() == ANSWER
        with pytest.raises(ConnectionResetError):
            await client.told(b"P")
    assert len(upstream.requests) == 1


async def test_stale_after_a_while(between):
    """An idle connection ends after its time."""
    between.next(faults.idle(0.02))
    async with connected(between) as client:
        assert await client.ask() == ANSWER
        assert await client.source.rest() == b""


async def test_a_reset_before_any_byte(between):
    """A reset befalls a connection before a byte of it is read."""
    between.next(faults.reset)
    async with connected(between) as client:
        with pytest.raises(ConnectionResetError):
            await client.source.rest()
    assert between.received == 0


@pytest.mark.parametrize(("when", "taken"), [(faults.received, 0), (faults.forwarded, 1)])
async def test_a_reset_after_the_request(between, upstream, when, taken):
    """After a whole request the upstream has had it or not, as the fault says."""
    between.next(when(faults.reset))
    with pytest.raises(ConnectionResetError):
        await told(between)
    assert (len(upstream.requests), between.received, between.sent) == (taken, len(ASK), 0)


async def test_a_hang_ends_with_the_client(between):
    """A connection that hangs is read, never answered, and over when the client leaves."""
    between.next(faults.hang)
    async with connected(between) as client:
        client.writer.write(ASK)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.03):
                await client.source.rest()
        assert between.received == len(ASK)
    await asyncio.wait_for(between.over(), 5)


@pytest.mark.parametrize("fault", [faults.stall, faults.stop_reading(len(ASK))])
async def test_a_closed_window(upstream, fault):
    """Who does not read takes in no more than buffers hold: the client cannot send the rest."""
    size = 16 * 1024 * 1024
    async with proxy(upstream.url, window=4096) as between:
        between.next(fault)
        async with connected(between) as client:
            client.writer.write(ASK + bytes(size))
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05):
                    await client.writer.drain()
            assert client.writer.transport.get_write_buffer_size() > size / 4
        assert between.received < 1024 * 1024


async def test_latency_before_and_after(between, upstream):
    """A late request reaches the upstream late; a late answer was given long before."""
    between.next(faults.late(0.03), faults.late_answer(0.03))
    for seen in (0, 2):
        started = time.monotonic()
        asking = asyncio.create_task(asked(between))
        await asyncio.sleep(0.015)
        assert len(upstream.requests) == seen
        assert await asking == ANSWER
        assert time.monotonic() - started >= 0.03


async def test_dripping(between):
    """A dripped answer is whole in the end, having come a few bytes at a time."""
    between.next(faults.drip(20, 0.005), faults.drip(4, 0.005, after_head=True))
    for first in (20, len(ANSWER) - 11):
        async with connected(between) as client:
            client.writer.write(ASK)
            assert len(await client.reader.read(1000)) == first
            rest = await client.reader.readexactly(len(ANSWER) - first)
            assert ANSWER.endswith(rest)


async def test_truncation(between):
    """A truncated answer ends before the length that it promised, in order or with a reset."""
    between.next(faults.truncated(3), faults.truncated(3, faults.reset))
    assert await told(between) == ANSWER[:-8]
    async with connected(between) as client:
        client.writer.write(ASK)
        with pytest.raises(ConnectionResetError):
            await client.source.exactly(len(ANSWER))


async def test_a_cut_chunk(between):
    """A chunked answer ends inside a chunk, which a real client takes for a broken one."""
    between.always = faults.cut_chunk(3)
    assert (await told(between)).endswith(b'\r\n\r\n4\r\n{"o')
    async with aiohttp.ClientSession() as session, session.post(between.url, data=b"x") as answer:
        with pytest.raises(aiohttp.ClientPayloadError):
            await answer.read()


async def test_a_lie_about_the_length(between):
    """Content-Length is what the fault says, the body is as it was, the connection stays."""
    between.next(faults.lying(5))
    async with connected(between) as client:
        assert (await client.ask()).endswith(b'Content-Length: 5\r\n\r\n{"ok"')
        assert await client.source.exactly(6) == b":true}"
        assert not client.reader.at_eof()


async def test_any_change(between):
    """An answer can be altered at will."""
    between.next(faults.altered(lambda answer: answer.raw.replace(b"true", b"null")))
    assert await asked(between) == ANSWER.replace(b"true", b"null")


async def test_a_fault_of_ones_own(between):
    """A fault is any async callable that takes the connection."""

    async def teapot(link):
        request = await link.request()
        await link.send(answers.response(418, request.content))

    between.next(teapot)
    assert (await asked(between)).endswith(b"\r\n\r\nbody")


async def test_garbage(between):
    """Garbage is nothing that a client takes for HTTP."""
    between.next(answers.GARBAGE)
    async with aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.ClientError):
            await session.post(between.url)


@pytest.mark.parametrize("lines", [answers.huge_headers(), answers.huge_header()])
async def test_huge_headers(between, lines):
    """A head of 200 kB comes before a good answer."""
    between.next(lines)
    answer = await asked(between)
    assert 200_000 < len(answer) < 210_000
    assert answer.endswith(b"{}")


@pytest.mark.parametrize(
    ("endless", "bit"),
    [
        (answers.ENDLESS_INTERIM, b"HTTP/1.1 103 Early Hints\r\n\r\n"),
        (answers.ENDLESS_HEADERS, b"\r\nX-Padding: x"),
        (answers.ENDLESS_BODY, b"\r\n10000\r\n   "),
        (answers.body_of(2**30), b"Content-Length: 1073741824\r\n"),
    ],
)
async def test_what_does_not_end(between, endless, bit):
    """It comes for as long as the client reads, in bounded memory, and stops when it leaves."""
    between.next(endless)
    async with connected(between) as client:
        client.writer.write(ASK)
        begun = await client.reader.readexactly(1_000_000)
        assert bit in begun
    await asyncio.wait_for(between.over(), 5)
    assert between.sent < 2**26


async def test_a_body_of_a_size(between):
    """A sized body has just that size."""
    between.next(answers.body_of(200_001))
    assert len((await asked(between)).partition(b"\r\n\r\n")[2]) == 200_001


async def test_a_bomb(between):
    """A bomb is small on the wire and as large as asked for when it is unpacked."""
    between.next(answers.bomb(3_000_001))
    head, _, packed = (await asked(between)).partition(b"\r\n\r\n")
    assert b"Content-Encoding: gzip" in head
    assert len(packed) < 10_000
    assert len(gzip.decompress(packed)) == 3_000_001


async def test_what_is_not_compressed(between):
    """A false Content-Encoding breaks a client that believes it."""
    between.next(answers.NOT_GZIP)
    async with aiohttp.ClientSession() as session, session.post(between.url) as answer:
        with pytest.raises(aiohttp.ClientPayloadError):
            await answer.read()


async def test_tls(upstream):
    """With a certificate the proxy serves TLS, and its faults befall that."""
    ours = trustme.CA()
    server, client = contexts(ours)
    async with proxy(upstream.url, tls=server) as between:
        between.next(faults.exchange, faults.forwarded(faults.reset))
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=client)) as session:
            async with session.post(between.url, data=b"x") as answer:
                assert await answer.json(content_type=None) == {"ok": True}
            with pytest.raises(aiohttp.ClientConnectionError):
                await session.post(between.url, data=b"x")
    assert len(upstream.requests) == 2


def contexts(authority):
    """What a server shows and what a client trusts."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(server)
    client = ssl.create_default_context()
    authority.configure_trust(client)
    return server, client


async def test_nothing_is_left(upstream):
    """Leaving the block ends every connection and task, whatever they were at."""
    before = asyncio.all_tasks()
    async with proxy(upstream.url) as between:
        between.next(faults.stall, faults.hang, answers.ENDLESS_BODY, faults.drip(1, 60))
        clients = [await asyncio.open_connection("127.0.0.1", between.port) for _ in range(5)]
        for _, writer in clients:
            writer.write(ASK)
        await between.accepted(5)
        await asyncio.sleep(0.02)
        assert between.open == 5
    assert between.open == 0
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", between.port)
    for _, writer in clients:
        writer.transport.abort()
    await asyncio.sleep(0.01)
    assert asyncio.all_tasks() <= before
