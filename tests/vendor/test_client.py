"""One request to a vendor: what goes out, and what each way of answering means."""

import asyncio
import gzip
import math
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import httpx
import pytest
from aiohttp import web
from raw_server import Answer, drip, full, hang_up, nobody, raw
from support import within

from destination.deadline import LEAST
from destination.errors import (
    AuthError,
    Code,
    ConfigError,
    DestinationError,
    ForbiddenError,
    NoAnswer,
    RateLimited,
    RefusedError,
    TargetError,
    UnavailableError,
)
from destination.listen import listening
from destination.metrics import Metrics
from destination.model import Rate
from destination.testing.clock import run_virtually
from destination.vendor.answers import MAX_ANSWER
from destination.vendor.auth import HeaderAuth, bearer
from destination.vendor.client import VendorClient
from destination.vendor.encoding import encode
from destination.vendor.limiter import Limiter
from destination.vendor.sender import Sender
from destination.vendor.transport import AiohttpTransport, BlockedError, TLSError

Handle = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class Kept:
    """What a vendor was sent."""

    paths: list[str] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    headers: list[Any] = field(default_factory=list)


@asynccontextmanager
async def client(
    transport: httpx.AsyncBaseTransport | None = None,
    *,
    classify: Callable[[httpx.Response], DestinationError | None] = lambda _: None,
    rate: Rate | None = None,
    seconds: float = 5.0,
    **options: Any,
) -> AsyncIterator[VendorClient]:
    """A client as an instance makes it."""
    async with Sender(transport or AiohttpTransport(), **options) as http:
        yield VendorClient(
            http, meter=Metrics().of("x"), limiter=Limiter(rate), classify=classify, timeout=seconds
        )


async def fine(request: web.Request) -> web.Response:
    """Whatever it is, it is taken."""
    return web.json_response({"ok": True})


def answering(status: int, **options: Any) -> Handle:
    """Always the same answer."""

    async def handle(request: web.Request) -> web.Response:
        return web.Response(status=status, **options)

    return handle


@asynccontextmanager
async def vendor(handle: Handle = fine, **options: Any) -> AsyncIterator[tuple[VendorClient, Kept]]:
    """A vendor on loopback, a client whose base URL it is, and what it was sent."""
    kept = Kept()

    async def serve(request: web.Request) -> web.StreamResponse:
        kept.paths.append(request.raw_path)
        kept.bodies.append(await request.read())
        kept.headers.append(request.headers)
        return await handle(request)

    app = web.Application(client_max_size=2**26)
    app.router.add_route("*", "/{path:.*}", serve)
    async with (
        listening(app, "127.0.0.1", 0, grace=0.1) as url,
        client(base_url=url, **options) as made,
    ):
        yield made, kept


async def failure(handle: Handle, **options: Any) -> DestinationError:
    """What a request raises that is answered so."""
    async with vendor(handle, **options) as (client, _):
        with pytest.raises(DestinationError) as raised:
            await client.request("POST", "/rows", json={})
    return raised.value


class TestStatuses:
    """What a status means."""

    @pytest.mark.parametrize("status", [200, 201, 202, 204, 207, 299])
    async def test_a_success_is_returned(self, status):
        """Any 2xx is an answer to use."""
        async with vendor(answering(status)) as (client, _):
            response = await client.request("POST", "/rows", json={})

        assert response.status_code == status

    @pytest.mark.parametrize(
        ("status", "kind", "code"),
        [
            *((s, TargetError, Code.REDIRECT_REFUSED) for s in (300, 301, 302, 303, 304, 307, 308)),
            (401, AuthError, Code.AUTH_FAILED),
            (403, ForbiddenError, Code.AUTH_FAILED),
            (410, ConfigError, Code.CONFIG_INVALID),
            (429, RateLimited, Code.RATE_LIMITED),
            *((s, UnavailableError, Code.RATE_LIMITED) for s in (408, 425, 503)),
            *((s, NoAnswer, Code.OUTCOME_UNKNOWN) for s in (500, 502, 504, 507, 520, 522, 599)),
            *(
                (s, RefusedError, Code.VENDOR_REJECTED)
                for s in (400, 402, 404, 405, 409, 413, 415, 418, 422, 431, 451, 501, 505)
            ),
        ],
    )
    async def test_every_other_is_an_error(self, status, kind, code):
        """Each status has its class, and the reason says whether the vendor may have the row."""
        headers = {"Location": "/elsewhere"} if 300 <= status < 400 else None

        error = await failure(answering(status, headers=headers))

        assert type(error) is kind
        assert error.code is code
        assert str(status) in error.message
        assert ("may have been delivered" in error.message) == (kind is NoAnswer)
        assert ("not sent" in error.message) == (kind in {RateLimited, UnavailableError})

    async def test_a_redirect_is_not_followed(self):
        """The credentials and the rows go nowhere else."""

        async def handle(request: web.Request) -> web.Response:
            if request.path == "/elsewhere":
                return web.Response()
            return web.Response(status=307, headers={"Location": "/elsewhere"})

        async with vendor(handle) as (client, kept):
            with pytest.raises(TargetError):
                await client.request("POST", "/rows", json={})

        assert kept.paths == ["/rows"]

    async def test_the_answer_s_text_is_not_shown(self):
        """What a vendor writes may quote rows or secrets: the reason has the status alone."""
        error = await failure(answering(422, text="hunter2 is not a valid password"))

        assert error.reason == "VENDOR_REJECTED: the vendor answered 422"

    async def test_the_destination_s_reading_comes_first(self):
        """A vendor that says no with a 200, or means another thing by a status, is understood."""

        def classify(response: httpx.Response) -> DestinationError | None:
            return TargetError("no such channel") if not response.json()["ok"] else None

        async def handle(request: web.Request) -> web.Response:
            return web.json_response({"ok": request.path == "/good"}, status=200)

        async with vendor(handle, classify=classify) as (client, _):
            assert (await client.request("GET", "/good")).json() == {"ok": True}
            with pytest.raises(TargetError, match="no such channel"):
                await client.request("GET", "/bad")

    async def test_a_status_may_be_accepted(self):
        """A request can take a status beside 2xx as a success, and no other one by that."""
        async with vendor(answering(409)) as (client, _):
            response = await client.request("POST", "/rows", json={}, accept=(404, 409))
            with pytest.raises(RefusedError):
                await client.request("POST", "/rows", json={}, accept=(404,))

        assert response.status_code == 409


class TestRequests:
    """What goes out."""

    @pytest.mark.parametrize(
        ("value", "text"),
        [
            (123456789012345678901234567890, b"123456789012345678901234567890"),
            (-(10**40), b"-1" + b"0" * 40),
            (Decimal("0.1234567890123456789012345"), b"0.1234567890123456789012345"),
            (Decimal("1.10"), b"1.10"),
            (0.1, b"0.1"),
            (1e22, b"1e+22"),
            ('Zoë 名前 👩‍👩‍👧 " \\ \n \x00', '"Zoë 名前 👩‍👩‍👧 \\" \\\\ \\n \\u0000"'.encode()),
            ({"a": [None, True, {}]}, b'{"a":[null,true,{}]}'),
            ([], b"[]"),
            (False, b"false"),
            (0, b"0"),
        ],
    )
    async def test_json_is_exact(self, value, text):
        """Integers and decimals keep all their digits, text its characters."""
        async with vendor() as (client, kept):
            await client.request("POST", "/rows", json=value)

        assert kept.bodies == [text]
        assert kept.headers[0]["Content-Type"] == "application/json"
        assert kept.headers[0]["Content-Length"] == str(len(text))

    @pytest.mark.parametrize("value", [math.nan, math.inf, Decimal("NaN"), Decimal("-Infinity")])
    def test_numbers_that_json_does_not_have_never_go_out(self, value):
        """What is encoded is JSON, or nothing is."""
        import json

        def refuse(constant: str) -> None:
            raise AssertionError(constant)

        try:
            encoded = encode({"n": value})
        except ValueError:
            return
        json.loads(encoded, parse_constant=refuse)

    async def test_options_are_httpx_s(self):
        """Params, headers and content pass to httpx, beside a body in JSON or without one."""
        async with vendor() as (client, kept):
            await client.request("GET", "/a", params={"q": "x y"})
            await client.request("PUT", "/b", json={}, headers={"X-A": "1"})
            await client.request("POST", "/c", content=b"raw", headers={"Content-Type": "text/x"})

        assert kept.paths == ["/a?q=x+y", "/b", "/c"]
        assert "Content-Type" not in kept.headers[0]
        assert kept.headers[1]["X-A"] == "1"
        assert kept.headers[1]["Content-Type"] == "application/json"
        assert kept.bodies[2] == b"raw"
        assert kept.headers[2]["Content-Type"] == "text/x"

    async def test_a_content_type_of_its_own_replaces_ours(self):
        """A vendor with a media type of its own gets that."""
        async with vendor() as (client, kept):
            headers = {"Content-Type": "application/vnd.x+json"}
            await client.request("POST", "/a", json={}, headers=headers)

        assert kept.headers[0].getall("Content-Type") == ["application/vnd.x+json"]

    @pytest.mark.parametrize("path", ["/a%7Eb", "/http%3A%2F%2Fx", "/%41"])
    async def test_paths_keep_their_spelling(self, path):
        """Escapes in a path reach the vendor as they were written."""
        async with vendor() as (client, kept):
            await client.request("GET", path)

        assert kept.paths == [path]

    @pytest.mark.parametrize(
        ("auth", "name", "value"),
        [
            (bearer("t0ken"), "Authorization", "Bearer t0ken"),
            (HeaderAuth("X-Api-Key", "k"), "X-Api-Key", "k"),
            (httpx.BasicAuth("u", "p"), "Authorization", "Basic dTpw"),
        ],
    )
    async def test_credentials_are_on_every_request(self, auth, name, value):
        """The connection's auth signs each request, once."""
        async with vendor(auth=auth) as (client, kept):
            for _ in range(2):
                await client.request("GET", "/")

        assert [headers.getall(name) for headers in kept.headers] == [[value]] * 2

    async def test_cookies_are_not_sent_back(self):
        """A vendor's cookie does not tie one row's request to another's."""
        handle = answering(200, headers={"Set-Cookie": "session=1; Path=/"})
        async with vendor(handle) as (client, kept):
            for _ in range(2):
                await client.request("GET", "/")

        assert all("Cookie" not in headers for headers in kept.headers)


class TestAnswers:
    """What comes back."""

    @pytest.mark.parametrize(
        ("encoding", "compress"), [("gzip", gzip.compress), ("deflate", zlib.compress)]
    )
    async def test_an_encoded_answer_is_inflated(self, encoding, compress):
        """A vendor that compresses though nobody asked is understood."""
        body = compress(b'{"ok": true}')
        handle = answering(200, body=body, headers={"Content-Encoding": encoding, "X-A": "1"})
        async with vendor(handle) as (client, _):
            response = await client.request("GET", "/")

        assert response.json() == {"ok": True}
        assert response.headers["X-A"] == "1"
        assert "Content-Encoding" not in response.headers

    @pytest.mark.parametrize(
        ("body", "encoding"),
        [
            (b"x" * (MAX_ANSWER + 1), "identity"),
            (gzip.compress(b"x" * (MAX_ANSWER + 1)), "gzip"),
            (gzip.compress(b"\0" * 100_000_000, 1), "gzip"),
            (zlib.compress(b"\0" * 100_000_000, 1), "deflate"),
        ],
        ids=["plain", "gzip", "gzip-bomb", "deflate-bomb"],
    )
    async def test_an_answer_that_is_too_long_is_left(self, body, encoding):
        """No more of an answer is kept than the limit, counted after inflating."""
        error = await failure(answering(200, body=body, headers={"Content-Encoding": encoding}))

        assert type(error) is NoAnswer
        assert "too long" in error.message
        assert "may have been delivered" in error.message

    async def test_an_answer_as_long_as_allowed_is_read(self):
        """The limit itself is within it."""
        async with vendor(answering(200, body=b"x" * MAX_ANSWER)) as (client, _):
            assert len((await client.request("GET", "/")).content) == MAX_ANSWER

    @pytest.mark.parametrize(
        ("body", "encoding"),
        [
            (b"this is not gzip", "gzip"),
            (gzip.compress(b"x" * 1000)[:-10], "gzip"),
            (b"x", "br"),
            (b"x", "gzip, gzip"),
        ],
        ids=["not-gzip", "cut-short", "unknown", "twice"],
    )
    async def test_an_answer_that_cannot_be_read(self, body, encoding):
        """A success that nobody can read is no acknowledgement."""
        error = await failure(answering(200, body=body, headers={"Content-Encoding": encoding}))

        assert type(error) is NoAnswer
        assert "not readable" in error.message


async def unanswered(answer: Answer, *, seconds: float = 0.3) -> tuple[DestinationError, int]:
    """What a request raises that is answered so, and how often it was sent."""
    async with raw(answer) as server, client(seconds=seconds) as made:
        with pytest.raises(DestinationError) as raised:
            await made.request("POST", f"{server.url}/T00/SECRET", json={})
    assert "SECRET" not in raised.value.reason
    return raised.value, len(server.heads)


def then_close(piece: bytes) -> Answer:
    """Send something and end the connection."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(piece)
        await writer.drain()

    return answer


class TestFailures:
    """What is known when no answer comes."""

    async def test_a_refused_connection_was_not_sent(self):
        """Nobody listens: the row may be sent again."""
        async with client() as made:
            with pytest.raises(UnavailableError) as raised:
                await made.request("POST", nobody(), json={})

        assert raised.value.reason == "CONNECT_FAILED: not sent: could not connect to the vendor"

    async def test_a_connection_that_hangs_was_not_sent(self):
        """A vendor that does not accept in time has nothing."""
        async with full() as url, client(seconds=0.3) as made:
            with pytest.raises(UnavailableError) as raised:
                await made.request("POST", url, json={})

        assert raised.value.code is Code.CONNECT_FAILED

    async def test_tls_that_fails_is_the_target_s_fault(self):
        """A handshake that is refused says so, and nothing was sent."""
        async with raw(then_close(b"no handshake\r\n"), read=False) as server, client() as made:
            url = server.url.replace("http", "https")
            with pytest.raises(TargetError) as raised:
                await made.request("POST", url, json={})

        assert raised.value.code is Code.TLS_ERROR
        assert "not sent" in raised.value.message

    @pytest.mark.parametrize(
        "answer",
        [
            hang_up,
            then_close(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"),
            then_close(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab"),
            then_close(b"SSH-2.0-OpenSSH_9.9\r\n\r\n"),
            then_close(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000 + b"\r\n\r\n"),
        ],
        ids=["closed", "truncated", "chunk", "not-http", "long-header"],
    )
    async def test_after_the_request_was_read_the_outcome_is_unknown(self, answer):
        """A vendor that had the request may have acted on it, and is not sent it twice."""
        error, requests = await unanswered(answer, seconds=5)

        assert type(error) is NoAnswer
        assert error.reason == (
            "OUTCOME_UNKNOWN: no usable answer (connection lost); may have been delivered"
        )
        assert requests == 1

    @pytest.mark.parametrize(
        "answer",
        [
            drip(b"HTTP/1.1 200 OK\r\n", b"X: 1\r\n"),
            drip(b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n", b"x"),
        ],
        ids=["headers", "body"],
    )
    async def test_a_dripping_answer_is_cut_by_the_clock(self, answer):
        """However steadily something arrives, an attempt takes no longer than it may."""
        started = asyncio.get_running_loop().time()

        error, _ = await unanswered(answer)

        assert error.reason == (
            "OUTCOME_UNKNOWN: no usable answer (timed out); may have been delivered"
        )
        assert asyncio.get_running_loop().time() - started < 0.7

    async def test_a_cancelled_request_harms_no_other(self):
        """Rows that a deadline cut off do not take the connections with them."""
        arrived, release = asyncio.Semaphore(0), asyncio.Event()

        async def handle(request: web.Request) -> web.Response:
            arrived.release()
            await release.wait()
            return web.Response()

        async with vendor(handle, transport=AiohttpTransport(connections=2)) as (client, _):
            for _ in range(20):
                task = asyncio.create_task(client.request("POST", "/", json={}))
                await arrived.acquire()
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
            release.set()
            answers = [await client.request("POST", "/", json={}) for _ in range(20)]

        assert {answer.status_code for answer in answers} == {200}


def transport_errors(
    cls: type[httpx.TransportError] = httpx.TransportError,
) -> Iterator[type[httpx.TransportError]]:
    """All errors that a transport may raise, ours among them."""
    yield cls
    for child in cls.__subclasses__():
        yield from transport_errors(child)


NOT_SENT = {
    httpx.ConnectError: Code.CONNECT_FAILED,
    httpx.ConnectTimeout: Code.CONNECT_FAILED,
    httpx.PoolTimeout: Code.CONNECT_FAILED,
    httpx.UnsupportedProtocol: Code.CONNECT_FAILED,
    TLSError: Code.TLS_ERROR,
    BlockedError: Code.BLOCKED_URL,
}


class Raising(httpx.AsyncBaseTransport):
    """A transport that fails in one way, before the answer or in the midst of it."""

    def __init__(self, error: Exception, *, late: bool) -> None:
        self.error = error
        self.late = late

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if not self.late:
            raise self.error

        async def body() -> AsyncIterator[bytes]:
            yield b"{"
            raise self.error

        return httpx.Response(200, content=body())


@pytest.mark.parametrize("late", [False, True], ids=["early", "late"])
@pytest.mark.parametrize("cls", sorted(set(transport_errors()), key=lambda cls: cls.__name__))
async def test_every_transport_error_is_handled(cls, late):
    """No error of the layer below is a bug, and each says whether the vendor may have the row."""
    async with client(Raising(cls("https://secret.example/T00"), late=late)) as made:
        with pytest.raises(DestinationError) as raised:
            await made.request("POST", "https://example.com", json={})

    error = raised.value
    assert error.code is NOT_SENT.get(cls, Code.OUTCOME_UNKNOWN)
    assert ("not sent" in error.message) == (cls in NOT_SENT)
    assert ("may have been delivered" in error.message) == (cls not in NOT_SENT)
    assert "secret" not in error.reason


class Instant(httpx.AsyncBaseTransport):
    """A transport that answers at once, and notes when and with which time left."""

    def __init__(self) -> None:
        self.times: list[float] = []
        self.timeouts: list[dict[str, float]] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.times.append(asyncio.get_running_loop().time())
        self.timeouts.append(request.extensions["timeout"])
        return httpx.Response(200, stream=httpx.ByteStream(b""))


class TestLimits:
    """Rate and deadline, in virtual time."""

    def test_requests_keep_to_the_rate(self):
        """Every request waits for its turn."""
        transport = Instant()

        async def scenario() -> None:
            async with client(transport, rate=Rate(2)) as made:
                await asyncio.gather(
                    *(made.request("GET", "https://example.com") for _ in range(5))
                )

        run_virtually(scenario())

        assert transport.times == [0, 0.5, 1, 1.5, 2]

    def test_each_lane_has_its_own_rate(self):
        """Requests made for one lane do not wait for another's."""
        transport = Instant()

        async def scenario() -> None:
            async with client(transport, rate=Rate(1)) as made:

                async def one(lane: str) -> None:
                    within(1000, lane)
                    await made.request("GET", "https://example.com")

                await asyncio.gather(*(asyncio.create_task(one("ab"[n % 2])) for n in range(4)))

        run_virtually(scenario())

        assert transport.times == [0, 0, 1, 1]

    def test_a_request_may_be_counted_elsewhere(self):
        """A request that names a lane waits for that one, whatever lane its records are on."""
        transport = Instant()

        async def scenario() -> None:
            async with client(transport, rate=Rate(1)) as made:

                async def one(lane: str) -> None:
                    within(1000, lane)
                    await made.request("GET", "https://example.com", lane="edits")
                    await made.request("GET", "https://example.com")

                await asyncio.gather(*(asyncio.create_task(one(lane)) for lane in "ab"))

        run_virtually(scenario())

        assert transport.times == [0, 0, 1, 1]

    def test_a_pause_holds_every_request_back(self):
        """Who is told by a header to wait makes all requests wait, an hour at most."""
        transport = Instant()

        async def scenario() -> None:
            async with client(transport) as made:
                for seconds in (-5, 7, 2, 1e9):
                    made.pause(seconds)
                    await made.request("GET", "https://example.com")

        run_virtually(scenario())

        assert transport.times == [0, 7, 9, 3609]

    def test_what_would_go_too_late_is_not_sent(self):
        """A turn that comes when too little time is left is not waited for."""
        transport = Instant()

        async def scenario() -> list[Any]:
            within(3.5)
            async with client(transport, rate=Rate(1)) as made:
                requests = (made.request("GET", "https://example.com") for _ in range(10))
                return await asyncio.gather(*requests, return_exceptions=True)

        outcomes = run_virtually(scenario())

        assert transport.times == [0, 1, 2]
        late = [each for each in outcomes if isinstance(each, UnavailableError)]
        assert len(late) == 7
        assert {each.reason for each in late} == {
            "DEADLINE_NOT_SENT: not sent: the call's time was used up"
        }

    @pytest.mark.parametrize(
        ("deadline", "most", "seconds"), [(25.0, 10.0, 10.0), (4.0, 10.0, 3.56), (math.inf, 7, 7)]
    )
    def test_an_attempt_ends_with_the_call(self, deadline, most, seconds):
        """An attempt may take its own time, and ends a moment before the call does."""
        transport = Instant()

        async def scenario() -> None:
            within(deadline)
            async with client(transport, seconds=most) as made:
                await made.request("GET", "https://example.com")

        run_virtually(scenario())

        [timeouts] = transport.timeouts
        assert timeouts["pool"] == timeouts["read"] == seconds
        assert timeouts["connect"] < seconds

    def test_an_attempt_without_time_is_not_made(self):
        """Less than the least is no time."""
        transport = Instant()

        async def scenario() -> None:
            within(-LEAST)
            async with client(transport) as made:
                await made.request("GET", "https://example.com")

        with pytest.raises(UnavailableError) as raised:
            run_virtually(scenario())

        assert raised.value.code is Code.DEADLINE_NOT_SENT
        assert transport.times == []
