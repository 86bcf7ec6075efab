"""What is made for a sync is made once for the calls of a run, and anew when it no longer holds."""

import asyncio
import gc
import json
import weakref
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from pydantic import BaseModel

import destination as ht
from destination.errors import ConfigError
from destination.model import Operation
from destination.planning import DESCRIBED_FOR, Planner
from destination.protocols.envelope import InvalidParams
from destination.protocols.hightouch.configuration import MAX_KEPT, sync_of
from destination.sync import Sync
from destination.testing.clock import run_virtually

CONFIGURATION = {
    "mode": "send",
    "channel": "#a",
    "mappings": [{"type": "template", "template": "{{ a }}", "to": "x"}],
}


class Nothing(BaseModel):
    """No settings."""


class Channel(BaseModel):
    """What a marketer chooses."""

    channel: str


class Described(ht.Destination[Nothing, Channel]):
    """A destination whose fields only the vendor knows."""

    kind = "described"
    objects = (ht.Object(modes=(ht.Mode("send", add="send", change="send"),)),)
    type = ht.FieldType.STRING

    async def fields(self, object: ht.Object, mode: str | None) -> Sequence[ht.Field]:
        return [ht.Field("x", type=self.type)]

    async def deliver(self, batch: ht.Batch[Channel]) -> Sequence[ht.Rejection]:
        return ()


def known(id_column: str | None = "id", **changed: Any) -> Sync:
    """The sync of a call with this configuration, which is written anew for each."""
    return sync_of(msgspec.Raw(json.dumps(CONFIGURATION | changed).encode()), id_column)


def test_a_configuration_is_the_same_sync_in_every_call() -> None:
    """It is understood once; anything else, however much alike, is another sync."""
    assert known() is known()
    assert known() is not known("email")
    assert known(note=1) is not known(note=True)
    assert known(note="1") is not known(note=1)


def test_rows_are_known_by_the_first_mapped_identifier_where_no_column_is_named() -> None:
    """What the call names comes first; without any column none is known."""
    mapped = {"identifierMapping": [{"from": "email", "to": "x"}]}

    assert known(None, **mapped).id_column == "email"
    assert known("id", **mapped).id_column == "id"
    assert known(None).id_column == ""
    assert sync_of(msgspec.UNSET, None).id_column == ""


def test_a_configuration_that_is_large_is_not_kept() -> None:
    """Callers cannot fill the memory with what they send."""
    small, large = (weakref.ref(known(note="x" * size)) for size in (10, MAX_KEPT))
    gc.collect()

    assert small() is not None
    assert large() is None


@pytest.mark.parametrize("configuration", [b"1", b"[]", b'{"mode":"\\ud800"}', b'{"mode":1}'])
def test_what_is_no_configuration_is_refused_every_time(configuration: bytes) -> None:
    """Only what can be understood is kept."""
    for _ in range(2):
        with pytest.raises((InvalidParams, ConfigError)):
            sync_of(msgspec.Raw(configuration), "id")


async def test_the_calls_of_a_run_share_a_plan() -> None:
    """Mapping and templates are made ready once for each operation of a sync."""
    planner = Planner(Described(Nothing()))

    plan, batch = await planner.plan(known(), Operation.ADD)

    assert (await planner.plan(known(), Operation.ADD))[0] is plan
    assert (await planner.plan(known(), Operation.CHANGE))[0] is not plan
    assert (await planner.plan(known(channel="#b"), Operation.ADD))[0] is not plan
    assert (batch.operation, batch.options.channel, batch.id_column) == ("add", "#a", "id")


async def test_what_a_destination_does_to_the_options_does_not_outlast_the_call() -> None:
    """Every call has the options that the marketer chose."""
    planner = Planner(Described(Nothing()))

    (await planner.plan(known(), Operation.ADD))[1].options.channel = "#elsewhere"

    assert (await planner.plan(known(), Operation.ADD))[1].options.channel == "#a"


def test_a_plan_is_made_anew_when_the_vendor_may_have_changed() -> None:
    """Fields are asked for again after a while, and rows are mapped to those that there are."""

    async def scenario() -> None:
        plugin = Described(Nothing())
        planner = Planner(plugin)

        async def mapped() -> Any:
            plan, _ = await planner.plan(known(), Operation.ADD)
            return plan.record(0, 1, {"a": "7"}).fields

        assert await mapped() == {"x": "7"}
        plugin.type = ht.FieldType.NUMBER
        assert await mapped() == {"x": "7"}
        await asyncio.sleep(DESCRIBED_FOR + 1)
        assert await mapped() == {"x": 7}

    run_virtually(scenario())
