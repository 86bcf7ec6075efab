"""What a declared request makes of rows, without anything being sent."""

import asyncio
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl

from destination.errors import DestinationError
from destination.model import Batch, Operation, Record
from destination.plugin import NoOptions
from destination.spec.prepared import Outgoing, Prepared
from destination.spec.request import Request
from destination.spec.selection import Selection
from destination.spec.writer import Writer

NOW = datetime(2026, 2, 25, 14, 30, tzinfo=UTC)
URL = "https://example.com/rows"


def record(id: Any = 1, position: int = 0, /, **fields: Any) -> Record:
    """A record whose row has columns of the fields' names."""
    return Record(position, id, fields, fields)


def writer(
    request: Mapping[str, Any],
    *records: Record,
    operation: Operation = Operation.ADD,
    **selection: Any,
) -> Writer:
    """What writes this request for these records."""
    batch: Batch[Any] = Batch(
        None, "upsert", operation, str(operation), NoOptions(), records, "id", b"scope"
    )
    prepared = Prepared(Request.model_validate({"url": URL, **request}))
    return Writer(batch, prepared, Selection(**selection), {"region": "eu"}, NOW)


def made(request: Mapping[str, Any], *records: Record, **more: Any) -> list[Outgoing]:
    """The requests for these records: one for each, or one for all where there is an array."""
    writing = writer(request, *records, **more)
    payloads, rejections = asyncio.run(writing.payloads())
    if rejections:
        raise rejections[0].error
    parts = [payloads] if writing.prepared.batched else [[one] for one in payloads]
    return [writing.outgoing(part) for part in parts]


def body(request: Mapping[str, Any], *records: Record, **more: Any) -> Any:
    """The JSON of the only request."""
    [outgoing] = made(request, *(records or (record(),)), **more)
    assert outgoing.content is not None
    return json.loads(outgoing.content)


def pairs(request: Mapping[str, Any], *records: Record) -> list[tuple[str, str]]:
    """The pairs of the only request's form."""
    [outgoing] = made({"encoding": "form", **request}, *records)
    assert outgoing.content is not None
    return parse_qsl(outgoing.content.decode("ascii"), keep_blank_values=True, strict_parsing=True)


def refused(request: Mapping[str, Any], *records: Record, **more: Any) -> DestinationError:
    """Why the records are not sent."""
    try:
        sent = made(request, *records, **more)
    except DestinationError as error:
        return error
    raise AssertionError(sent)
