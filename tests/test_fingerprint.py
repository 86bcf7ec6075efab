"""Ids of what is sent: the same for the same, and for nothing else."""

import json
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid5

import pytest
from msgspec.structs import replace

import destination as ht
from destination.fingerprint import NAMESPACE, anonymous_id
from destination.model import Batch, Record

BATCH: Batch[Any] = Batch("user", "mirror", ht.Operation.ADD, "upsert", None, (), "id", b"scope")


def record(position: int = 0, id: Any = 7, **row: Any) -> Record:
    return Record(position, id, {}, row or {"email": "ann@example.com", "total": Decimal("12.50")})


def test_an_event_id_is_a_uuid_that_stays():
    """The same row of the same sync has the same id in every process, wherever it stands."""
    first = ht.event_id(BATCH, [record(0)])

    assert first == ht.event_id(BATCH, [record(5)]) == "d908bd71-2e2c-520a-a0b4-a9c09a2282a2"
    assert UUID(first).version == 5


@pytest.mark.parametrize(
    ("batch", "records"),
    [
        (replace(BATCH, scope=b"other"), [record()]),
        (replace(BATCH, operation=ht.Operation.REMOVE), [record()]),
        (BATCH, [record(id="7")]),
        (BATCH, [record(email="bea@example.com")]),
        (BATCH, [record(), record()]),
        (BATCH, []),
    ],
)
def test_anything_else_has_another_id(batch, records):
    """Another sync, operation, row id, row or number of rows makes another id."""
    assert ht.event_id(batch, records) != ht.event_id(BATCH, [record()])


def test_the_order_of_columns_does_not_matter():
    """A row is the same row in whatever order its columns came."""
    one, other = record(a=1, b=2), record(b=2, a=1)

    assert ht.event_id(BATCH, [one]) == ht.event_id(BATCH, [other])


@pytest.mark.parametrize("name", ["", "7", "zoë", "x" * 1000, *map(str, range(50))])
def test_ids_are_what_the_standard_library_makes(name):
    """Anybody can make the id anew from what it stands for."""
    made = anonymous_id("id", name)

    assert made == str(uuid5(NAMESPACE, f"id\n{json.dumps(name, ensure_ascii=False)}"))
