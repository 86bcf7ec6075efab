"""A caller of destinations: what it sends, and the name that it gives to each way of failing."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from aiohttp import web
from odd_server import Error, odd
from raw_server import Answer, drip, hang, hang_up, nobody, raw, reset

from destination.cli.caller import Caller, CallError, NotConnected, Unreachable


async def call(url: str, *, seconds: float = 20.0) -> Any:
    """The result of one call."""
    async with Caller(url, {"X-Secret": "canary"}, seconds=seconds) as caller:
        return await caller.call("behavior", {"a": 1})


PAGE = web.Response


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (
            lambda _: PAGE(text="<html>", content_type="text/html"),
            "answered 200 with a web page, not with JSON-RPC",
        ),
        (lambda _: PAGE(), "answered 200 with nothing, not with JSON-RPC"),
        (lambda _: PAGE(text="[" * 100_000), "answered 200 with something else, not with"),
        (lambda _: PAGE(body=b'{"result": "\xff"}'), "answered 200 with something else, not with"),
        (lambda _: PAGE(text='{"jsonrpc": "2.0"}'), "answered 200 with something else, not with"),
        (lambda _: PAGE(status=500, text="oops"), "answered 500"),
        (lambda _: PAGE(status=302, headers={"Location": "/x"}), "answered 302, a redirect"),
        (lambda _: PAGE(status=401), "answered 401: it refused the credentials"),
        (
            lambda _: PAGE(status=503, text='{"error": {"code": 1, "message": "Full"}}'),
            "answered 503 (Full)",
        ),
        (
            lambda _: PAGE(body=b"\x1f\x8b", headers={"Content-Encoding": "br"}),
            "answered in an encoding nobody asked for",
        ),
    ],
)
async def test_an_answer_that_is_none_is_named(
    answer: Callable[[Any], web.Response], said: str
) -> None:
    """What a server says instead of JSON-RPC is named, without a word of it."""
    async with odd(behavior=answer) as server:
        with pytest.raises(Unreachable, match=re.escape(said)) as raised:
            await call(server.url)

    assert not isinstance(raised.value, NotConnected)
    assert "canary" not in str(raised.value)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (hang_up, "broke off before it had answered"),
        (reset, "broke off before it had answered"),
        (hang, "gave no answer within 0.5 s"),
        (drip(b"HTTP/1.1 200 OK\r\n\r\n", b" "), "gave no answer within 0.5 s"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n[[[[[[[[[", "with something else"),
        (b"SSH-2.0-OpenSSH_9.6\r\n", "broke off before it had answered"),
    ],
)
async def test_a_connection_that_fails_is_named(answer: Answer | bytes, said: str) -> None:
    """A server that hangs, drips, breaks off or speaks another protocol may have been reached."""
    async with raw(answer) as server:
        with pytest.raises(Unreachable, match=said) as raised:
            await call(server.url, seconds=0.5 if "within" in said else 20)

    assert not isinstance(raised.value, NotConnected)


async def test_where_nobody_listens_nothing_is_sent() -> None:
    """Where nobody listens there is no connection, which is told apart."""
    with pytest.raises(NotConnected, match="does not answer: there is no connection"):
        await call(nobody())


async def test_an_endless_answer_is_cut_off() -> None:
    """An answer of more than 64 MiB is not read to its end."""
    async with odd(behavior=web.Response(body=b" " * (65 * 2**20))) as server:
        with pytest.raises(Unreachable, match="answered more than 64 MiB"):
            await call(server.url)


async def test_an_error_is_shown_on_one_line() -> None:
    """A JSON-RPC error's message is one line without control characters, whatever it holds."""

    def failing(_: Any) -> Any:
        raise Error(-32000, "away\n\x1b[2J" + "x" * 9999)

    async with odd(behavior=failing) as server:
        with pytest.raises(CallError) as raised:
            await call(server.url)

    assert str(raised.value).startswith("-32000: away [2Jxxx")
    assert len(str(raised.value)) < 400


@pytest.mark.parametrize("error", [7, "away", ["away"], {}, {"code": {}, "message": []}])
async def test_an_error_may_have_any_shape(error: Any) -> None:
    """An error that is no object is an error all the same."""
    async with odd(behavior=web.json_response({"id": "1", "error": error})) as server:
        with pytest.raises(CallError):
            await call(server.url)


async def test_a_null_error_beside_a_result_is_none() -> None:
    """Some servers answer both: what counts is the one that is there."""
    response = web.json_response({"id": "1", "error": None, "result": {"a": 1}})
    async with odd(behavior=response) as server:
        assert await call(server.url) == {"a": 1}
    assert server.calls == [("behavior", {"a": 1})]
    assert server.headers[0]["X-Secret"] == "canary"
    assert server.headers[0]["Accept-Encoding"] == "identity"
