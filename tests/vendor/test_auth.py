"""Credentials reach the vendor, and nobody else."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st
from raw_server import nobody

from destination.errors import DestinationError
from destination.listen import listening
from destination.metrics import Metrics
from destination.vendor.auth import QueryAuth
from destination.vendor.client import VendorClient
from destination.vendor.limiter import Limiter
from destination.vendor.sender import Sender
from destination.vendor.transport import AiohttpTransport

KEY = "s3cret/+&= ü%41"
SENT = "s3cret%2F%2B%26%3D%20%C3%BC%2541"


@asynccontextmanager
async def vendor(status: int = 200) -> AsyncIterator[tuple[VendorClient, str, list[str]]]:
    """A client with a key, a vendor's URL and the paths that it was asked for."""
    paths: list[str] = []

    async def take(request: web.Request) -> web.Response:
        paths.append(request.raw_path)
        return web.Response(status=status)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", take)
    async with (
        listening(app, "127.0.0.1", 0, grace=0.1) as url,
        Sender(AiohttpTransport(), auth=QueryAuth("api key", KEY)) as http,
    ):
        client = VendorClient(
            http,
            meter=Metrics().of("x"),
            limiter=Limiter(None),
            classify=lambda _: None,
            timeout=5,
        )
        yield client, url, paths


@pytest.mark.parametrize(
    ("path", "sent"),
    [
        ("/r", f"/r?api%20key={SENT}"),
        ("/r?", f"/r?api%20key={SENT}"),
        ("/r?a=b", f"/r?a=b&api%20key={SENT}"),
        ("/%7Er?key=%7E&list[]=a%20b&x", f"/%7Er?key=%7E&list[]=a%20b&x&api%20key={SENT}"),
    ],
)
async def test_a_key_is_the_last_query_parameter(path, sent):
    """It is percent-encoded, and what stands before it is left as it was."""
    async with vendor() as (client, url, paths):
        await client.request("POST", url + path, json={"a": 1})

    assert paths == [sent]


async def test_a_key_is_not_shown(caplog):
    """An answer, its request, errors and what is logged by us do not have it."""
    caplog.set_level(logging.INFO)
    async with vendor() as (client, url, _):
        response = await client.request("POST", f"{url}/r", json={})
    async with vendor(status=422) as (client, url, _):
        with pytest.raises(DestinationError) as refused:
            await client.request("POST", f"{url}/r", json={})
    async with vendor() as (client, *_):
        with pytest.raises(DestinationError) as unreachable:
            await client.request("POST", f"{nobody()}/r", json={})

    shown = [response, response.request, response.url, response.request.headers]
    shown += [refused.value, unreachable.value, refused.value.__context__]
    shown += [record for record in caplog.records if not record.name.startswith("httpx")]
    assert not any("s3cret" in f"{each!r} {each}" for each in shown)


@given(st.text(min_size=1), st.text(min_size=1))
def test_a_key_cannot_be_anything_else(name, value):
    """Whatever it holds, it is one parameter with that name and that value."""
    request = httpx.Request("POST", "https://example.com/a?b=c", content=b"body")
    sent = next(QueryAuth(name, value).auth_flow(request))

    assert sent.url.params.multi_items() == [("b", "c"), (name, value)]
    assert (sent.url.host, sent.url.path, sent.url.fragment) == ("example.com", "/a", "")
    assert str(request.url) == "https://example.com/a?b=c"
