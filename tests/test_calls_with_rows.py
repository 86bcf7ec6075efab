"""Calls whose rows are read late are answered as if the whole body had been read at once."""

import json
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from pydantic import BaseModel
from support import opened

import destination as ht
from destination.deadline import Deadline
from destination.errors import RowError
from destination.instance import Instance
from destination.model import Batch, Rejection
from destination.protocols import hightouch, rpc
from destination.raw import ParseError, members
from destination.tuning import Tuning

CONFIGURATION = {
    "mode": "add",
    "identifierMapping": [{"from": "id", "to": "id"}],
    "mappings": [{"from": "n", "to": "n"}],
    "tags": ["a"],
}
ROWS = '[{"id":0,"n":1},{"id":1,"n":1}]'


class Nothing(BaseModel):
    """No settings."""


class Tagged(BaseModel):
    """Options that can be changed within."""

    tags: list[str] = []


class Taker(ht.Destination[Nothing, Tagged]):
    """Takes every row, and rejects the first of each call."""

    kind = "taker"
    objects = (
        ht.Object(
            modes=(ht.Mode("add", add="add"),),
            fields=(ht.Field("n", type=ht.FieldType.NUMBER),),
            custom_fields=True,
        ),
    )
    limits = ht.Limits(batch_size=500, concurrency=1, remember=0)

    def __init__(self) -> None:
        super().__init__(Nothing())
        self.taken: list[Any] = []
        self.told: Callable[[Batch[Tagged]], None] = lambda _: None

    async def deliver(self, batch: Batch[Tagged]) -> Iterable[Rejection]:
        self.told(batch)
        self.taken += [record.id for record in batch.records]
        return [each.reject(RowError("no")) for each in batch.records if each.position == 0]


@asynccontextmanager
async def taking() -> AsyncIterator[tuple[Taker, Any]]:
    """A destination, and what asks it: a body, and how many rows it may bring."""
    plugin = Taker()
    instance = Instance("taker", plugin, Tuning(), deadline=25, max_rows=100_000)

    async def ask(body: bytes, most: int = 100_000) -> Any:
        call = rpc.Call(instance, Deadline(25), most)
        return json.loads(await rpc.answer(hightouch.SERVED, body, call) or b"null")

    async with opened(instance):
        yield plugin, ask


def request(
    rows: str = ROWS, *, more: str = "", method: str = "add", **configuration: Any
) -> bytes:
    """A call as JSON.stringify writes it, with more of its params as they are given."""
    params = f'"idColumn":"id","configuration":{json.dumps(CONFIGURATION | configuration)}'
    return (
        f'{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{{{params},"rows":{rows}{more}}}}}'
    ).encode()


def deepest() -> int:
    """How many lists within each other can just be read from here."""
    low, high = 100, 200_000
    while high - low > 1:
        middle = (low + high) // 2
        try:
            members(b"[" + b"[" * middle + b"]" * middle + b"]")
        except ParseError:
            high = middle
        else:
            low = middle
    return low


async def test_what_can_just_be_read_is_delivered_or_nothing_is() -> None:
    """The stack is not as deep everywhere: no row is taken in a call that is then no JSON."""
    outcomes = set()
    for depth in range(deepest() - 40, deepest() + 5):
        deep = f'[{{"id":0,"n":1}},{{"id":1,"n":1,"x":{"[" * depth}{"]" * depth}}}]'
        async with taking() as (plugin, ask):
            answer = await ask(request(deep))
        if "error" in answer:
            assert (answer["error"]["code"], answer["id"]) == (rpc.PARSE_ERROR, None)
            assert plugin.taken == []
        else:
            assert [each["id"] for each in answer["result"]["rejectedRows"]] == [0]
            assert plugin.taken == [0, 1]
        outcomes.add("error" in answer)

    assert outcomes == {True, False}


@pytest.mark.parametrize(
    ("more", "taken"),
    [
        (',"rows":[{"id":2,"n":2}]', [2]),
        (',"more":[{"id":2},{"id":3}]', [0, 1]),
        (',"more":{"rows":[{"id":2},{"id":3}]}', [0, 1]),
        ('},"more":{"y":[{"id":2},{"id":3}]', [0, 1]),
    ],
    ids=["twice", "param", "within", "member"],
)
async def test_what_looks_like_rows_is_not_taken_for_them(more: str, taken: list[int]) -> None:
    """Where the guess of where rows end was wrong, the body is read as a whole."""
    async with taking() as (plugin, ask):
        answer = await ask(request(more=more))

    assert "result" in answer
    assert plugin.taken == taken


async def test_what_stands_behind_the_rows_is_not_overlooked() -> None:
    """The configuration too, where something that looks like rows comes after it."""
    params = (
        f'"rows":{ROWS},"configuration":{json.dumps(CONFIGURATION)},"more":[{{"id":2}},{{"id":3}}]'
    )
    async with taking() as (plugin, ask):
        answer = await ask(
            f'{{"jsonrpc":"2.0","id":1,"method":"add","params":{{{params}}}}}'.encode()
        )

    assert [each["id"] for each in answer["result"]["rejectedRows"]] == [0]
    assert plugin.taken == [0, 1]


async def test_what_a_destination_does_to_its_batch_stays_there() -> None:
    """Options and fixed values are as the marketer chose them, for every row and every call."""
    fixed = {"from": "n", "to": "n"}, {"type": "static", "value": {"k": [1]}, "to": "fixed"}
    seen = []

    def spoil(batch: Batch[Tagged]) -> None:
        for record in batch.records:
            seen.append((list(batch.options.tags), json.dumps(record.fields["fixed"])))
            record.fields["fixed"]["k"].append(2)
        batch.options.tags.append("more")

    async with taking() as (plugin, ask):
        plugin.told = spoil
        for _ in range(2):
            await ask(request(mappings=fixed))

    assert seen == [(["a"], '{"k": [1]}')] * 4


async def test_rows_without_ids_are_never_reported_as_null() -> None:
    """Where an outcome could not be reported the call fails, whatever else is wrong."""
    async with taking() as (_, ask):
        answer = await ask(request('[{"n":1},{"id":null,"n":2},{"id":3}]', method="remove"))

    assert answer["error"]["code"] == rpc.INVALID_PARAMS
    assert "row 0 has no usable id" in answer["error"]["message"]


async def test_a_call_that_fails_uses_up_what_it_brought() -> None:
    """Members of an array share the rows that a body may bring, however they end."""

    def refuse(_: Batch[Tagged]) -> None:
        raise ht.AuthError("no")

    async with taking() as (plugin, ask):
        plugin.told = refuse
        answers = await ask(b"[%s]" % b",".join([request()] * 3), most=4)

    codes = [each["error"]["code"] for each in answers]
    assert codes == [rpc.AUTH_ERROR, rpc.AUTH_ERROR, rpc.INVALID_PARAMS]


async def test_the_name_of_the_id_column_has_a_limit() -> None:
    """What is kept for a sync grows with names that callers choose."""
    async with taking() as (_, ask):
        answer = await ask(
            request().replace(b'"idColumn":"id"', b'"idColumn":"%s"' % (b"x" * 2000))
        )

    assert answer["error"]["code"] == rpc.INVALID_PARAMS
