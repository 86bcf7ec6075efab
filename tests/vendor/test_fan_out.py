"""A delivery may make many requests: no more are under way than there may be deliveries."""

import asyncio
from contextlib import asynccontextmanager

import httpx
import pytest
from support import within

from destination.errors import DestinationError, NoAnswer, UnavailableError
from destination.metrics import Metrics
from destination.testing.clock import run_virtually
from destination.vendor.client import VendorClient
from destination.vendor.limiter import Limiter
from destination.vendor.sender import Sender

URL = "https://vendor.example"


class Slow(httpx.AsyncBaseTransport):
    """A vendor that takes a second for each request, and answers so many bytes."""

    def __init__(self, size: int = 2) -> None:
        self.size = size
        self.running = self.most = self.asked = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.running += 1
        self.asked += 1
        self.most = max(self.most, self.running)
        await asyncio.sleep(1)
        self.running -= 1
        return httpx.Response(200, stream=httpx.ByteStream(b"x" * self.size))


@asynccontextmanager
async def client(vendor, **options):
    """A client of this vendor."""
    async with Sender(vendor) as http:
        yield VendorClient(
            http,
            limiter=Limiter(None),
            classify=lambda _: None,
            timeout=10,
            meter=Metrics().of("x"),
            **options,
        )


def test_a_delivery_that_fans_out_keeps_to_the_concurrency():
    """Twelve requests of one delivery go four at a time; a form's request need not wait."""
    vendor = Slow()

    async def form(made):
        await made.request("GET", URL)
        return asyncio.get_running_loop().time()

    async def scenario():
        async with client(vendor, concurrency=4) as made:
            asked = asyncio.create_task(form(made))  # before it is a delivery
            within(25)
            await asyncio.gather(*(made.request("GET", URL) for _ in range(12)))
            return await asked, asyncio.get_running_loop().time()

    asked, seconds = run_virtually(scenario())

    assert (asked, seconds) == (1, 3)
    assert vendor.most == 5


def test_what_has_no_turn_in_time_is_not_sent():
    """At the end of the call the answered requests count, and the others say why they do not."""
    vendor = Slow()

    async def scenario():
        async with client(vendor, concurrency=2) as made:
            within(4)
            requests = [made.request("GET", URL) for _ in range(12)]
            return await asyncio.gather(*requests, return_exceptions=True)

    outcomes = run_virtually(scenario())

    failed = [one for one in outcomes if isinstance(one, DestinationError)]
    assert vendor.asked == len(outcomes) - len(failed) == 6
    assert {type(one) for one in failed} == {UnavailableError}
    assert {one.reason for one in failed} == {
        "DEADLINE_NOT_SENT: not sent: the call's time was used up"
    }


def test_a_destination_may_expect_long_answers():
    """An answer beyond the usual length is read where the destination says so."""

    async def scenario(**options):
        async with client(Slow(300 * 1024), **options) as made:
            return await made.request("POST", URL)

    assert len(run_virtually(scenario(max_answer=2**20)).content) == 300 * 1024
    with pytest.raises(NoAnswer, match="too long"):
        run_virtually(scenario())
