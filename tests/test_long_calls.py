"""Calls of more rows than are delivered at a time: in parts, and yet as one call."""

import asyncio
import json
from collections.abc import Iterable
from typing import Any

import msgspec
import pytest
from pydantic import BaseModel
from support import opened

import destination as ht
from destination.deadline import Deadline
from destination.instance import Instance
from destination.model import Batch, Rejection
from destination.protocols import hightouch, rpc
from destination.protocols.hightouch.rows import read_rows
from destination.records import CHUNK
from destination.tuning import Tuning

MANY = 2 * CHUNK + 5_000
CONFIGURATION = {
    "mode": "add",
    "identifierMapping": [{"from": "id", "to": "id"}],
    "mappings": [{"from": "n", "to": "n"}],
}


class Nothing(BaseModel):
    """No settings."""


class Keeper(ht.Destination[Nothing, ht.NoOptions]):
    """Keeps what it is sent; fails for ever once it has so many records."""

    kind = "keeper"
    objects = (
        ht.Object(
            modes=(ht.Mode("add", add="add"),),
            fields=(ht.Field("n", type=ht.FieldType.NUMBER),),
            custom_fields=True,
        ),
    )
    limits = ht.Limits(batch_size=500, concurrency=1)

    def __init__(self, most: float = float("inf")) -> None:
        super().__init__(Nothing())
        self.most = most
        self.kept: list[tuple[Any, Any]] = []

    async def deliver(self, batch: Batch[ht.NoOptions]) -> Iterable[Rejection]:
        if len(self.kept) >= self.most:
            raise ht.AuthError("enough")
        self.kept += [(record.id, record.fields["n"]) for record in batch.records]
        return ()


async def answered(plugin: Keeper, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """The response to one call with these rows."""
    instance = Instance("keeper", plugin, Tuning(), deadline=25, max_rows=100_000)
    params = {"configuration": CONFIGURATION, "idColumn": "id", "rows": rows}
    request = {"jsonrpc": "2.0", "id": 1, "method": "add", "params": params}
    async with opened(instance):
        deadline = Deadline(asyncio.get_running_loop().time() + 25)
        call = rpc.Call(instance, deadline, 100_000)
        answer = await rpc.answer(hightouch.SERVED, msgspec.json.encode(request), call)
    assert answer is not None
    response: dict[str, Any] = msgspec.json.decode(answer)
    return response


def rows(count: int = MANY) -> list[dict[str, Any]]:
    """Rows with ids and numbers of their own."""
    return [{"id": n, "n": n} for n in range(count)]


async def test_every_row_is_delivered_once_and_in_order():
    """However many parts a call has, its rows arrive once each, and bad ones are named."""
    plugin, sent = Keeper(), rows()
    bad = [0, CHUNK - 1, CHUNK, 2 * CHUNK + 1, MANY - 1]
    for n in bad:
        sent[n]["n"] = "many"

    answer = await answered(plugin, sent)

    assert [each["id"] for each in answer["result"]["rejectedRows"]] == bad
    assert plugin.kept == [(n, n) for n in range(MANY) if n not in bad]


async def test_versions_of_a_row_keep_their_order_across_parts():
    """The same row in two parts arrives twice, the later version later."""
    plugin, sent = Keeper(), rows(CHUNK + 2)
    sent[-1] = {"id": 3, "n": 333}

    assert (await answered(plugin, sent))["result"] == {"rejectedRows": []}

    assert [n for id, n in plugin.kept if id == 3] == [3, 333]


@pytest.mark.parametrize("at", [50, CHUNK - 5, CHUNK + 50, MANY - 9])
async def test_a_row_that_is_converted_keeps_its_place(at: int):
    """Rows that are mapped one by one go between their neighbours, wherever the parts end."""
    plugin, sent = Keeper(), [row | {"more": "x" * 80} for row in rows()]
    sent[at]["n"] = str(at)
    sent[at + 3] = {"id": at, "n": -1}

    assert (await answered(plugin, sent))["result"] == {"rejectedRows": []}

    expected = [(row["id"], int(row["n"])) for row in sent]
    assert sorted(plugin.kept) == sorted(expected)
    assert [n for id, n in plugin.kept if id == at] == [at, -1]
    assert [each for each in plugin.kept if each[1] >= 0] == [
        each for each in expected if each[1] >= 0
    ]


@pytest.mark.parametrize("id", [None, True, [1]])
async def test_an_id_that_is_missing_at_the_end_is_noticed_at_the_start(id):
    """A row whose outcome could not be reported fails the call before anything is sent."""
    plugin, sent = Keeper(), rows()
    sent[-1]["id"] = id

    answer = await answered(plugin, sent)

    assert answer["error"]["code"] == rpc.INVALID_PARAMS
    assert f"row {MANY - 1} " in answer["error"]["message"]
    assert plugin.kept == []


async def test_fatal_in_a_later_part_rejects_what_is_left():
    """What was delivered before a fatal error is not told as failed; nothing follows it."""
    plugin = Keeper(most=CHUNK + 1_000)

    answer = await answered(plugin, rows())

    rejected = answer["result"]["rejectedRows"]
    assert [each["id"] for each in rejected] == list(range(CHUNK + 1_000, MANY))
    assert all(each["reason"].startswith("AUTH_FAILED: ") for each in rejected)
    assert len(plugin.kept) == CHUNK + 1_000


async def test_fatal_from_the_start_fails_the_call():
    """Where no row of any part was delivered, the call as a whole has the error."""
    answer = await answered(Keeper(most=0), rows())

    assert answer["error"]["code"] == rpc.AUTH_ERROR


@pytest.mark.parametrize("column", ["id", 'od"d'])
@pytest.mark.parametrize("last", ['"x"', "7.0", '"\\ud800"'], ids=["text", "float", "not-unicode"])
def test_ids_are_those_of_a_short_call(column: str, last: str):
    """However they are read, ids of any kind are the same; what is no text is as it was written."""
    name = json.dumps(column)
    written = [f'{{{name}:{id},"v":[1]}}' for id in ("1", '"1"', last)]

    short, long = (
        read_rows(msgspec.Raw(f"[{','.join(rows)}]".encode()), column, ["v"], most=2 * CHUNK)
        for rows in (written, written + [f'{{{name}:1,"x":"{"x" * 20}"}}'] * CHUNK)
    )

    assert [row.id for row in short] == list(short.ids) == list(long.ids)[:3]
    assert [*map(type, short.ids)] == [*map(type, long.ids[:3])]
    assert len(long.ids) == len(long) == CHUNK + 3
