"""How many requests it takes, and how long: halving, the size of a call, a vendor that is slow."""

import asyncio
import os
import time
from collections import deque
from dataclasses import dataclass
from typing import Any

import httpx
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scene import SYNC, Scene, rows
from support import a_call, opened

from destination.deadline import Deadline
from destination.instance import Instance
from destination.metrics import Metrics
from destination.model import Operation, Record, Row
from destination.sync import Sync
from destination.testing.clock import run_virtually
from destination.testing.oracle import bisected
from destination.testing.script import Rate, Script, Step
from destination.tuning import Tuning
from destination.vendor import session
from destination.vendor.client import VendorClient
from destination.vendor.limiter import Limiter
from destination.vendor.sender import Sender
from destinations.webhook import Settings, Webhook

URL = "https://v.example/rows"


class Particular(httpx.AsyncBaseTransport):
    """A vendor that refuses every array in which a row stands that it does not like."""

    def __init__(self, poison: set[int]) -> None:
        self.poison = poison
        self.requests = 0
        self.taken: list[int] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.requests += 1
        ids = [each["id"] for each in msgspec.json.decode(request.content)]
        bad = not self.poison.isdisjoint(ids)
        self.taken += [] if bad else ids
        return httpx.Response(400 if bad else 200, stream=httpx.ByteStream(b""))


def halved(count: int, poison: set[int]) -> None:
    """One array of so many rows: the bad ones are found within the bound, the others arrive."""
    vendor = Particular(poison)
    plugin = Webhook(Settings(url=URL, batching="array"))
    limits = Tuning(batch_size=count).applied(plugin.limits_for(None, None))

    async def scenario() -> set[int]:
        async with Sender(vendor) as http:
            plugin.http = VendorClient(
                http,
                meter=Metrics().of("x"),
                limiter=Limiter(None),
                classify=plugin.classify,
                timeout=10,
                attempts=limits.attempts,
            )
            call = a_call(plugin, limits, asyncio.Semaphore(limits.concurrency), 25)
            records = [Record(n, n, {}, {}) for n in range(count)]
            return {each.position for each in await call.deliver(records)}

    assert run_virtually(scenario()) == poison
    assert sorted(vendor.taken) == sorted(set(range(count)) - poison)
    assert bisected(vendor.requests, count, len(poison)) == []


ARRAYS = st.integers(1, 128).flatmap(
    lambda count: st.tuples(st.just(count), st.sets(st.integers(0, count - 1)))
)


class TestHalving:
    """An array that is refused as a whole is cut in two."""

    @pytest.mark.parametrize("count", [1, 2, 3, 7, 16, 31, 33, 100])
    def test_d3_a_bad_row_is_found_wherever_it_stands(self, count):
        """One bad row of n takes at most 2 log n + 1 requests, at each position."""
        for position in range(count):
            halved(count, {position})

    @given(ARRAYS)
    @settings(deadline=None)
    def test_d3_bad_rows_are_found_however_many_there_are(self, chosen):
        """K bad rows of n take at most 2 k log n + 1 requests, and cost no other row anything."""
        halved(*chosen)

    @pytest.mark.parametrize("poison", [{1}, {100}, {1, 2}, {50, 51}, {7, 33, 64, 99}])
    async def test_d3_f27_over_a_wire(self, stage, poison):
        """The same of a webhook that takes arrays of a hundred."""
        scene = await stage(batching="array")
        await scene.vendor.play(Script(rows={str(n): (Step(422),) for n in poison}))

        answer = await scene.call("add", rows(100))

        assert answer.codes == dict.fromkeys(poison, "VENDOR_REJECTED")
        assert scene.effects() == dict.fromkeys(set(range(1, 101)) - poison, 1)
        assert bisected(scene.requests(), 100, len(poison)) == []
        await scene.heals()


class Slow(httpx.AsyncBaseTransport):
    """A vendor that takes a second for each request."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await asyncio.sleep(1)
        return httpx.Response(200, stream=httpx.ByteStream(b""))


class TestCallSize:
    """``behavior`` asks for no more rows than can be delivered in time."""

    @pytest.mark.parametrize(
        ("chosen", "tuning", "deadline", "size"),
        [
            ({}, {}, 25, 220),
            ({}, {"rate": 1}, 25, 22),
            ({}, {"rate": 1}, 10, 7),
            ({}, {"rate": 5, "concurrency": 2}, 25, 44),
            ({}, {"rate": 50}, 25, 220),
            ({"batching": "array"}, {"rate": 1, "batch_size": 50}, 25, 1100),
            ({"batching": "array"}, {}, 25, 10_000),
        ],
    )
    def test_d9_a_call_of_that_size_meets_its_deadline(
        self, monkeypatch, chosen, tuning, deadline, size
    ):
        """A call as large as ``behavior`` says is delivered whole by a vendor as expected."""
        monkeypatch.setattr(session, "AiohttpTransport", lambda **_: Slow())
        plugin = Webhook(Settings(url=URL, **chosen))
        hook = Instance("hook", plugin, Tuning(**tuning), deadline=deadline, max_rows=10_000)

        async def scenario() -> tuple[int, tuple[Any, ...], float]:
            async with opened(hook):
                asked = (await hook.behavior(Sync())).batch_size
                sent = [Row(n, n, {}) for n in range(asked)]
                end = Deadline(deadline)
                report = await hook.deliver(Sync(), Operation.ADD, sent, end)
                return asked, report.rejections, asyncio.get_running_loop().time()

        asked, rejections, seconds = run_virtually(scenario())

        assert asked == size
        assert rejections == ()
        assert seconds <= deadline - 0.5


@dataclass
class Figures:
    """What it took to deliver all."""

    calls: int
    seconds: float
    size: int
    throttled: int
    requests: int


async def deliver_all(scene: Scene, count: int, size: int | None = None) -> Figures:
    """A caller that asks how many rows to send, and sends again what was rejected."""
    if size is None:
        assert scene.served is not None
        behavior = await scene.served.result("behavior", {"configuration": SYNC}, path=scene.path)
        size = behavior["batchSize"]
    waiting, began, calls = deque(rows(count)), time.monotonic(), 0
    while waiting:
        sent = [waiting.popleft() for _ in range(min(size, len(waiting)))]
        rejected = (await scene.call("add", sent)).rejected
        waiting.extend(row for row in sent if row["id"] in rejected)
        calls += 1
    seconds = time.monotonic() - began
    throttled = sum(each.answer == "429" for each in scene.vendor.arrivals())
    return Figures(calls, seconds, size, throttled, scene.requests())


class TestSlowVendor:
    """A vendor that takes one message a second, as chat services do, and calls with a deadline."""

    @pytest.mark.parametrize("size", [None, 60])
    async def test_rows_take_as_long_as_the_vendor_wants(self, stage, size):
        """At twenty a second: several calls, and no row is lost, repeated or late."""
        scene = await stage(deadline=2, rate=20, concurrency=20)
        await scene.vendor.play(Script(rate=Rate(20)))

        figures = await deliver_all(scene, 60, size)

        assert figures.size == (size or 20)
        assert figures.calls >= 2
        assert 2.5 <= figures.seconds <= 10
        assert scene.effects() == dict.fromkeys(range(1, 61), 1)
        await scene.heals()

    @pytest.mark.skipif(not os.environ.get("FULL"), reason="takes 100 s; FULL=1 runs it")
    async def test_a_hundred_rows_take_a_hundred_seconds(self, stage):
        """One a second and 25 s a call: a hundred rows are there after about a hundred seconds."""
        scene = await stage(deadline=25, rate=1)
        await scene.vendor.play(Script(rate=Rate(1)))

        figures = await deliver_all(scene, 100)

        print(figures)
        assert figures.size == 22
        assert 98 <= figures.seconds <= 125
        assert scene.effects() == dict.fromkeys(range(1, 101), 1)
        await scene.heals()
