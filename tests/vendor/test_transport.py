"""httpx over aiohttp's connections: bytes pass unchanged, and errors say what was sent."""

import asyncio
import gzip
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from raw_server import OK, Answer, drip, full, hang, hang_up, nobody, raw, reset

from destination.vendor.transport import AiohttpTransport, TLSError


@asynccontextmanager
async def client(**options: Any) -> AsyncIterator[httpx.AsyncClient]:
    """A client over the transport, as an instance makes it."""
    transport = AiohttpTransport(**options)
    async with httpx.AsyncClient(
        transport=transport, follow_redirects=False, trust_env=False
    ) as http:
        yield http


def within(seconds: float) -> httpx.Timeout:
    """A timeout for the whole exchange, and a slightly shorter one for connecting."""
    return httpx.Timeout(seconds, connect=seconds * 0.9, pool=seconds)


class TestRequests:
    """What goes out."""

    @pytest.mark.parametrize(
        "path",
        [
            "/a%7Eb",
            "/a~b",
            "/http%3A%2F%2Fx",
            "/%41",
            "/%c3%a9",
            "/a%2Fb//c/../d",
            "/p?q=%7E&r=a+b%20c&empty=&x=%26%3D",
            "/p?a[]=1&b={}|",
        ],
    )
    async def test_urls_pass_byte_for_byte(self, path):
        """Nothing is quoted again or unquoted between httpx and the wire."""
        async with raw(OK) as server, client() as http:
            url = httpx.URL(server.url + path)
            await http.get(url)

        assert server.heads[0].split()[1] == url.raw_path.decode("ascii")

    @pytest.mark.parametrize("path", ["/a%7Eb", "/x%3A%2Fy", "/%41"])
    async def test_escapes_stay_as_they_were_written(self, path):
        """Escapes that need not be there are still the vendor's own spelling."""
        async with raw(OK) as server, client() as http:
            await http.get(server.url + path)

        assert server.heads[0].split()[1] == path

    async def test_headers_are_httpx_s_alone(self):
        """Nothing is added by aiohttp, and nothing repeated."""
        async with raw(OK) as server, client() as http:
            http.headers.clear()
            await http.post(
                f"{server.url}/x", content=b"{}", headers={"X-A": "1", "Authorization": "Bearer t"}
            )

        lines = server.heads[0].strip().split("\r\n")
        names = [line.split(":")[0].lower() for line in lines[1:]]
        assert lines[0] == "POST /x HTTP/1.1"
        assert sorted(names) == ["authorization", "content-length", "host", "x-a"]
        assert server.header("content-length") == ["2"]

    @pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
    @pytest.mark.parametrize("size", [0, 1, 70_000, 3_000_000])
    async def test_bodies_pass_whole(self, method, size):
        """Any method takes a body of any size; an empty one is empty."""
        async with raw(OK) as server, client() as http:
            body = b"x" * size
            await http.request(method, server.url, content=body, timeout=10)

        assert server.bodies == [body]

    async def test_a_header_that_is_not_ascii_passes(self):
        """Header values are UTF-8 on the wire."""
        async with raw(OK) as server, client() as http:
            await http.get(server.url, headers=[(b"X-Name", "Zoë".encode())])

        assert [value.encode("latin-1") for value in server.header("x-name")] == ["Zoë".encode()]

    async def test_proxies_of_the_environment_are_ignored(self, monkeypatch):
        """A proxy variable does not divert requests, nor the credentials in them."""
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "HTTPS_PROXY"):
            monkeypatch.setenv(name, "http://127.0.0.1:9")
        monkeypatch.delenv("NO_PROXY", raising=False)
        async with raw(OK) as server, client() as http:
            assert (await http.get(server.url)).text == "ok"

        assert server.heads[0].startswith("GET / ")

    async def test_cookies_are_not_kept(self):
        """A cookie that one answer sets is not sent with the next request."""
        answer = b"HTTP/1.1 200 OK\r\nSet-Cookie: session=1\r\nContent-Length: 0\r\n\r\n"
        async with raw(answer) as server, AiohttpTransport() as transport:
            for _ in range(2):
                request = httpx.Request("GET", server.url)
                response = await transport.handle_async_request(request)
                await response.aread()
                await response.aclose()

        assert server.header("cookie") == []
        assert len(server.heads) == 2

    async def test_connections_are_used_again(self):
        """A connection whose answer was read serves the next request."""
        async with raw(OK) as server, client() as http:
            for _ in range(10):
                await http.get(server.url)

        assert server.connections == 1

    async def test_no_more_connections_than_allowed(self):
        """Requests beyond the limit wait for a connection."""
        async with raw(OK) as server, client(connections=3) as http:
            answers = await asyncio.gather(*(http.get(server.url) for _ in range(30)))

        assert {answer.status_code for answer in answers} == {200}
        assert server.connections <= 3


class TestAnswers:
    """What comes back."""

    async def test_status_headers_and_body_come_as_they_are(self):
        """Repeated headers stay repeated."""
        answer = (
            b"HTTP/1.1 418 Teapot\r\nX-A: 1\r\nX-A: 2\r\nContent-Type: text/plain\r\n"
            b"Content-Length: 3\r\n\r\npot"
        )
        async with raw(answer) as server, client() as http:
            response = await http.get(server.url)

        assert response.status_code == 418
        assert response.headers.get_list("x-a") == ["1", "2"]
        assert response.content == b"pot"

    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    async def test_redirects_are_not_followed(self, status):
        """A redirect is an answer like any other; nothing goes to its target."""
        async with raw(OK) as other:
            answer = (
                f"HTTP/1.1 {status} Moved\r\nLocation: {other.url}/\r\nContent-Length: 0\r\n\r\n"
            )
            async with raw(answer.encode()) as server, client() as http:
                response = await http.post(server.url, content=b"secret")

        assert response.status_code == status
        assert other.heads == []

    async def test_bodies_are_left_encoded(self):
        """The stream is what was sent, so that whoever inflates it can bound it."""
        body = gzip.compress(b"hello")
        head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n"
        async with raw(head % len(body) + body) as server, client() as http:
            response = await http.send(http.build_request("GET", server.url), stream=True)
            sent = b"".join([piece async for piece in response.aiter_raw()])
            await response.aclose()

        assert sent == body

    async def test_chunked_bodies_are_joined(self):
        """A body without a length is read to its end."""
        answer = (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
        )
        async with raw(answer) as server, client() as http:
            assert (await http.get(server.url)).content == b"abcde"


async def error(answer: Answer | bytes, *, seconds: float = 5.0, read: bool = True) -> Exception:
    """What a request raises that is answered so."""
    async with raw(answer, read=read) as server, client() as http:
        with pytest.raises(httpx.TransportError) as raised:
            await http.post(server.url, content=b"{}", timeout=within(seconds))
    return raised.value


class TestErrors:
    """What was certainly not sent is told apart from what may have been."""

    async def test_a_refused_connection(self):
        """Nobody listens: nothing was sent."""
        async with client() as http:
            with pytest.raises(httpx.ConnectError):
                await http.post(nobody(), content=b"{}")

    async def test_a_name_that_does_not_exist(self):
        """No address: nothing was sent."""
        async with client() as http:
            with pytest.raises(httpx.ConnectError):
                await http.post("http://nowhere.invalid", content=b"{}", timeout=within(5))

    async def test_a_connection_that_hangs(self):
        """A connection that is not accepted in time carried nothing."""
        async with full() as url, client() as http:
            with pytest.raises(httpx.ConnectTimeout):
                await http.post(url, content=b"{}", timeout=within(0.3))

    async def test_waiting_for_a_connection_in_vain(self):
        """While all connections are taken nothing was sent."""
        async with raw(hang) as server, client(connections=1) as http:
            first = asyncio.create_task(http.get(server.url, timeout=within(5)))
            await server.received(1)
            with pytest.raises((httpx.ConnectTimeout, httpx.PoolTimeout)):
                await http.post(server.url, content=b"{}", timeout=within(0.2))
            first.cancel()
            await asyncio.gather(first, return_exceptions=True)

        assert len(server.heads) == 1

    async def test_tls_with_a_server_that_has_none(self):
        """A handshake that fails is an error of its own: nothing was sent."""
        async with raw(b"this is no handshake\r\n\r\n", read=False) as server, client() as http:
            with pytest.raises(TLSError):
                await http.get(server.url.replace("http", "https"), timeout=within(5))

    @pytest.mark.parametrize("answer", [hang_up, reset])
    async def test_a_server_that_ends_after_reading(self, answer):
        """The request was read: it may have been applied, and is no failed connection."""
        raised = await error(answer)

        assert not isinstance(raised, httpx.ConnectError | httpx.ConnectTimeout)

    async def test_a_server_that_never_answers(self):
        """The time runs out while waiting: the request may have been applied."""
        assert isinstance(await error(hang, seconds=0.3), httpx.ReadTimeout)

    @pytest.mark.parametrize(
        "answer",
        [
            drip(b"", b"H"),
            drip(b"HTTP/1.1 200 OK\r\n", b"X-A: 1\r\n"),
            drip(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", b"x"),
            drip(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
        ],
        ids=["status", "headers", "body", "chunks"],
    )
    async def test_a_dripping_answer_is_cut_by_the_clock(self, answer):
        """However often something arrives, the whole exchange takes no longer than it may."""
        started = asyncio.get_running_loop().time()

        raised = await error(answer, seconds=0.3)

        assert not isinstance(raised, httpx.ConnectError | httpx.ConnectTimeout)
        assert asyncio.get_running_loop().time() - started < 2

    @pytest.mark.parametrize(
        "answer",
        [
            b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
            b"HTTP/1.1 200",
            b"SSH-2.0-OpenSSH_9.9\r\n\r\n",
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nX: " + b"x" * 70_000 + b"\r\n\r\n",
        ],
        ids=["short", "chunk", "chunk-size", "length", "status", "ssh", "tls", "long-header"],
    )
    async def test_an_answer_that_is_none(self, answer):
        """Half an answer, or something else than HTTP, leaves open what became of the request."""

        async def send(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(answer)
            await writer.drain()

        raised = await error(send)

        assert not isinstance(raised, httpx.ConnectError | httpx.ConnectTimeout)

    async def test_texts_hold_no_urls(self):
        """An error's text is its kind alone: URLs may hold secrets."""
        async with raw(hang_up) as server, client() as http:
            with pytest.raises(httpx.TransportError) as raised:
                await http.get(f"{server.url}/T00/SECRET?token=hunter2")

        assert "hunter2" not in str(raised.value)
        assert "SECRET" not in str(raised.value)
        assert raised.value.__cause__ is None


class TestCancellation:
    """A caller that gives up leaves no damage."""

    async def test_the_pool_survives(self):
        """After twenty cancelled requests on two connections twenty others succeed."""
        slow = asyncio.Event()

        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await slow.wait()
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            await writer.drain()

        async with raw(answer) as server, client(connections=2) as http:
            for _ in range(10):
                pair = [asyncio.create_task(http.get(server.url)) for _ in range(2)]
                await server.received(2)
                for task in pair:
                    task.cancel()
                outcomes = await asyncio.gather(*pair, return_exceptions=True)
                assert all(isinstance(each, asyncio.CancelledError) for each in outcomes)
            slow.set()
            answers = [await http.get(server.url, timeout=within(5)) for _ in range(20)]

        assert {each.status_code for each in answers} == {200}

    async def test_an_answer_that_is_left_unread_does_not_come_back(self):
        """A connection whose answer was not read to its end serves no other request."""
        long = b"HTTP/1.1 200 OK\r\nContent-Length: 3000000\r\n\r\n" + b"x" * 3_000_000

        async with raw(long) as server, client(connections=1) as http:
            for _ in range(3):
                async with http.stream("GET", server.url, timeout=within(5)) as response:
                    async for _piece in response.aiter_raw():
                        break

        assert server.connections == 3
