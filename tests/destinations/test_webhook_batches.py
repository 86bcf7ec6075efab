"""Several rows in a request: arrays, what they stand in, how large they are; groups of rows."""

import asyncio
from typing import Any

import pytest
from aiohttp import web
from webhooks import Arrived, person, reasons, receiver, sync

from destination.app import make_instance
from destination.deadline import Deadline
from destination.listen import listening
from destination.mapping import Column, Entry, FieldMapping
from destination.metrics import Metrics
from destination.model import Operation, Row
from destination.settings import Server
from destination.state.sqlite import SqliteStore
from destination.sync import Sync
from destination.testing.clock import run_virtually

ORDERS = ("order", "sku")


def line(id: Any, order: Any, **columns: Any) -> dict[str, Any]:
    """A line of an order."""
    return person(id, order=order, sku=f"sku-{id}", **columns)


GROUPED = {
    "group_by": "order",
    "template": {"order": "{{ order }}", "skus": "{{ records | map: 'sku' }}"},
}


def choosy(bad: Any, status: int = 422) -> Any:
    """A receiver that refuses whatever holds this."""

    def answer(arrived: Arrived) -> web.Response:
        refused = str(bad).encode() in arrived.content
        return web.Response(status=status if refused else 200)

    return answer


class TestArrays:
    """Arrays, and what they stand in."""

    async def test_an_array_may_have_a_name(self, serve):
        """The wrapper is the name of the only member."""
        async with receiver(serve, batching="array", wrapper="events") as (served, received):
            assert await reasons(served, "add", sync(person(1), person(2))) == {}

        [body] = received.bodies
        assert body.keys() == {"events"}
        assert [one["id"] for one in body["events"]] == [1, 2]

    async def test_an_array_may_stand_in_a_structure(self, serve):
        """With what all rows share beside it."""
        wrapper = {
            "data": ["{{ payloads }}"],
            "count": "{{ payloads.size }}",
            "what": "{{ operation }}",
        }
        request = {"template": {"email": "{{ email }}"}, "headers": {"X-What": "{{ operation }}"}}
        async with receiver(serve, batching="array", wrapper=wrapper, **request) as (
            served,
            received,
        ):
            assert await reasons(served, "change", sync(person(1), person(2))) == {}

        assert received.bodies == [
            {
                "data": [[{"email": "1@example.com"}, {"email": "2@example.com"}]],
                "count": 2,
                "what": "change",
            }
        ]
        assert received.headers[0]["X-What"] == "change"

    async def test_the_operator_s_size_holds(self, serve):
        """More than a hundred, up to ten thousand."""
        async with receiver(serve, batching="array", batch_size=150) as (served, received):
            await reasons(served, "add", sync(*(person(n) for n in range(300))))

        assert [len(body) for body in received.bodies] == [150, 150]

    async def test_an_operation_has_a_size_of_its_own(self, serve):
        """No array of an operation is larger than that operation's."""
        operations = {"remove": {"batch_size": 2}}
        settings = {"batching": "array", "operations": operations}
        async with receiver(serve, **settings) as (served, received):
            await reasons(served, "remove", sync(*(person(n) for n in range(5))))

        assert sorted(len(body) for body in received.bodies) == [1, 2, 2]


class TestBytes:
    """How many bytes a body may have."""

    async def test_a_large_array_is_halved(self, serve):
        """Until it fits; every row arrives, and no request was larger."""
        settings = {"batching": "array", "max_batch_bytes": "1KiB"}
        async with receiver(serve, **settings) as (served, received):
            assert await reasons(served, "add", sync(*(person(n) for n in range(64)))) == {}

        assert max(len(each.content) for each in received.requests) <= 1024
        assert sorted(row["id"] for body in received.bodies for row in body) == list(range(64))

    @pytest.mark.parametrize("batching", ["none", "array"])
    async def test_a_row_that_is_too_large_is_never_sent(self, serve, batching):
        """Its neighbours are."""
        settings = {"batching": batching, "max_batch_bytes": 500}
        async with receiver(serve, **settings) as (served, received):
            rows = person(1), person(2, first_name="hunter2" * 100), person(3)
            rejected = await reasons(served, "add", sync(*rows))

        assert rejected == {2: "TOO_LARGE: not sent: larger than 500 bytes"}
        assert b"hunter2" not in b"".join(each.content for each in received.requests)
        sent = [
            row for body in received.bodies for row in (body if batching == "array" else [body])
        ]
        assert sorted(row["id"] for row in sent) == [1, 3]

    async def test_what_a_wrapper_adds_counts(self, serve):
        """The bytes are those of the whole body."""
        settings = {"batching": "array", "wrapper": "x" * 100, "max_batch_bytes": 100}
        async with receiver(serve, **settings) as (served, received):
            rejected = await reasons(served, "add", sync(person(1)))

        assert rejected == {1: "TOO_LARGE: not sent: larger than 100 bytes"}
        assert received.requests == []


class TestGroups:
    """Rows of one key are one payload."""

    async def test_rows_of_a_key_are_one_payload(self, serve):
        """However far apart they stand; a row without a key is one of its own."""
        async with receiver(serve, **GROUPED) as (served, received):
            rows = [line(n, order) for n, order in enumerate(["a", "b", "a", None, "", "b"])]
            assert await reasons(served, "add", sync(*rows, names=ORDERS)) == {}

        assert sorted(received.bodies, key=str) == [
            {"order": "", "skus": ["sku-4"]},
            {"order": "a", "skus": ["sku-0", "sku-2"]},
            {"order": "b", "skus": ["sku-1", "sku-5"]},
            {"order": None, "skus": ["sku-3"]},
        ]

    async def test_arrays_hold_groups(self, serve):
        """The size counts payloads, not rows."""
        settings = {"batching": "array", "batch_size": 2, **GROUPED}
        async with receiver(serve, **settings) as (served, received):
            rows = [line(n, "abc"[n % 3]) for n in range(9)]
            assert await reasons(served, "add", sync(*rows, names=ORDERS)) == {}

        assert sorted([one["order"] for one in body] for body in received.bodies) == [
            ["a", "b"],
            ["c"],
        ]

    @pytest.mark.parametrize("batching", ["none", "array"])
    async def test_a_refused_group_is_rejected_whole(self, serve, batching):
        """And never sent in parts; the other groups arrive."""
        settings = {"batching": batching, "answers": choosy("sku-4"), **GROUPED}
        async with receiver(serve, **settings) as (served, received):
            rows = [line(n, "abc"[n % 3]) for n in range(9)]
            rejected = await reasons(served, "add", sync(*rows, names=ORDERS))

        assert rejected == dict.fromkeys((1, 4, 7), "VENDOR_REJECTED: the vendor answered 422")
        sent = [
            one for body in received.bodies for one in (body if batching == "array" else [body])
        ]
        assert {len(one["skus"]) for one in sent} == {3}

    async def test_a_group_that_is_too_large_is_rejected_whole(self, serve):
        """It is not sent in parts either."""
        settings = {"batching": "array", "max_batch_bytes": 60, **GROUPED}
        async with receiver(serve, **settings) as (served, received):
            rows = [line(1, "a"), *(line(n, "b") for n in range(2, 9))]
            rejected = await reasons(served, "add", sync(*rows, names=ORDERS))

        assert set(rejected) == set(range(2, 9))
        assert set(rejected.values()) == {"TOO_LARGE: not sent: larger than 60 bytes"}
        assert [body[0]["order"] for body in received.bodies] == ["a"]

    async def test_a_row_that_makes_no_payload_takes_its_group_along(self, serve):
        """What belongs together is told together or not at all."""
        settings = {"payload": "event", "group_by": "order", "template": ["{{ records }}"]}
        async with receiver(serve, **settings) as (served, received):
            rows = line(1, "a"), line(2, "a") | {"kind": "track"}, line(3, "b")
            mapped = sync(*rows, names=ORDERS)
            mapped["configuration"]["mappings"].append({"from": "kind", "to": "type"})
            rejected = await reasons(served, "add", mapped)

        assert rejected == dict.fromkeys(
            (1, 2), "INVALID_ROW: event: required for events of type track"
        )
        assert len(received.requests) == 1

    async def test_a_key_that_is_a_list_rejects_its_row(self, serve):
        """The reason names the field."""
        async with receiver(serve, **GROUPED) as (served, received):
            rejected = await reasons(served, "add", sync(line(1, [1]), line(2, "b"), names=ORDERS))

        assert rejected == {1: "INVALID_ROW: order: a list or an object cannot group rows"}
        assert len(received.requests) == 1


def test_the_rate_is_the_operator_s():
    """So many requests at once, and then so many a second."""

    async def scenario() -> list[float]:
        arrived: list[float] = []
        loop = asyncio.get_running_loop()

        async def take(request: web.Request) -> web.Response:
            arrived.append(loop.time())
            return web.Response()

        app = web.Application()
        app.router.add_post("/rows", take)
        async with listening(app, "127.0.0.1", 0, grace=0.1) as url, SqliteStore(None) as store:
            hook = {"kind": "webhook", "url": f"{url}/rows", "allow_private_networks": True}
            instance = make_instance("hook", {**hook, "rate": 2, "burst": 3}, Server())
            async with instance.opened(store, Metrics().of("hook")) as opened:
                mapping = FieldMapping((Entry("email", Column("email"), identifier=True),))
                rows = [Row(n, n, {"email": "a@b.c"}) for n in range(9)]
                sync = Sync(None, "upsert", mapping, {}, id_column="id")
                report = await opened.deliver(sync, Operation.ADD, rows, Deadline(25))
        assert report.rejections == ()
        return arrived

    times = run_virtually(scenario())
    since = [round(time - times[0], 2) for time in times]

    assert since == [0, 0, 0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0]
