"""What makes two syncs, or two rows of one, the same."""

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

import msgspec

from destination.columns import Columns
from destination.errors import RowError
from destination.mapping import Column, FieldMapping, Rendered, Source, Static, Unresolved
from destination.model import Batch, Record

NAMESPACE = UUID("6d4d7a4e-2f0c-4c39-9c0b-1f3a55d0c1a7")
"""Of the ids of events; it never changes, or what is sent again would have another."""

_NAMESPACE = NAMESPACE.bytes

_encoder = msgspec.json.Encoder(order="deterministic", enc_hook=str)


def scope_of(destination: str, mapping: FieldMapping, batch: Batch[Any]) -> bytes:
    """What makes two syncs different: destination, object, mode, mapping and options."""
    entries = [(each.to, each.identifier, *_written(each.source)) for each in mapping.entries]
    options = batch.options.model_dump(mode="json")
    return _encoder.encode((destination, batch.object, batch.mode, entries, options))


def _written(source: Source) -> tuple[str, Any]:
    match source:
        case Column(name):
            return "column", name
        case Rendered(template):
            return "template", template.source
        case Static(value):
            return "static", value
        case Unresolved(problem):
            return "unresolved", problem


def id_bytes(id: str | float) -> bytes:
    """A row's id as bytes; those of ``7`` and ``"7"`` differ."""
    return _encoder.encode(id)


def content(row: Mapping[str, Any]) -> bytes:
    """A row's columns as bytes, the same in whatever order they came."""
    if not isinstance(row, Columns):
        return _encoder.encode(row)
    try:
        return _encoder.encode(row.once())
    except RowError:  # of a column that nobody reads
        return row.raw


def event_id(batch: Batch[Any], records: Iterable[Record]) -> str:
    """
    An id for what is sent of these records: the same whenever the same is sent again.

    It is a UUID made from sync, operation, row ids and rows, so that neither a restart nor another
    machine changes it, and nothing of a row can be read from it.
    """
    digest = hashlib.blake2b(digest_size=16)
    for part in _identifying(batch, records):
        digest.update(len(part).to_bytes(8, "big") + part)
    return _uuid(digest.hexdigest())


def anonymous_id(id_column: str, id: str | float) -> str:
    """An id for whoever a row is about: the same in every sync by this column, and no more."""
    return _uuid(f"{id_column}\n{id_bytes(id).decode()}")


def _uuid(name: str) -> str:
    """What ``uuid.uuid5`` gives for this name, in a third of its time."""
    digits = hashlib.sha1(_NAMESPACE + name.encode(), usedforsecurity=False).hexdigest()
    variant = "89ab"[int(digits[16], 16) % 4]
    parts = digits[:8], digits[8:12], "5" + digits[13:16], variant + digits[17:20], digits[20:32]
    return "-".join(parts)


def _identifying(batch: Batch[Any], records: Iterable[Record]) -> Iterable[bytes]:
    yield batch.scope
    yield batch.operation.encode()
    for record in records:
        yield id_bytes(record.id)
        yield content(record.row)
