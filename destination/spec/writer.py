"""Records to payloads: what templates see of each, and what they make of it."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import cached_property
from typing import Any

from destination.errors import DestinationError
from destination.fingerprint import anonymous_id, event_id
from destination.model import Batch, Record, Rejection
from destination.spec.event import canonical_event, in_both_spellings
from destination.spec.prepared import Payload, Prepared
from destination.spec.selection import Selection, group_of

TURN = 0.05
"""Seconds for which payloads may be written before others have a turn."""


class Writer:
    """
    Writes what one batch sends.

    Args:
        settings: What templates see as ``settings``.
        now: The moment of it all.
        names: What a condition reads, beside the request's templates.
    """

    def __init__(
        self,
        batch: Batch[Any],
        prepared: Prepared,
        selection: Selection,
        settings: Mapping[str, Any],
        now: datetime,
        names: Collection[str] = (),
    ) -> None:
        self.batch = batch
        self.prepared = prepared
        self.now = now
        self._selection = selection
        self._settings = settings
        self._names = prepared.columns.union(names)

    @cached_property
    def shared(self) -> Mapping[str, Any]:
        """What is the same for all rows of the batch."""
        shared: dict[str, Any] = {
            "object": self.batch.object,
            "operation": str(self.batch.operation),
            "settings": self._settings,
        }
        if "options" in self._names:
            shared["options"] = self.batch.options.model_dump(mode="json")
        if self.prepared.batched and "event_id" in self._names:
            shared["event_id"] = event_id(self.batch, self.batch.records)
        return shared

    async def payloads(self) -> tuple[list[Payload], list[Rejection]]:
        """The batch's payloads, and the records of which none can be made."""
        now = asyncio.get_running_loop().time
        payloads, rejections, turn = list[Payload](), list[Rejection](), now()
        for records in self._groups():
            try:
                payloads.append(self._payload(records))
            except DestinationError as error:
                rejections += [record.reject(error) for record in records]
            if now() - turn > TURN:
                await asyncio.sleep(0)
                turn = now()
        return payloads, rejections

    def _groups(self) -> Sequence[Sequence[Record]]:
        if self._selection.group_by is None:
            return [(record,) for record in self.batch.records]
        groups: dict[Any, list[Record]] = {}
        for record in self.batch.records:
            group = group_of(self._selection, record.fields)
            groups.setdefault(("alone", record.position) if group is None else group, []).append(
                record
            )
        return list(groups.values())

    def _payload(self, records: Sequence[Record]) -> Payload:
        values, plain = self._of(records[0])
        if self._selection.group_by is not None:
            values = {**values, "records": [self._of(record)[0] for record in records]}
            if "event_id" in self._names:
                values["event_id"] = event_id(self.batch, records)
        payload = Payload(records, values)
        return replace(payload, body=self.prepared.written(payload, plain, self.now))

    def values(self, record: Record) -> Mapping[str, Any]:
        """What templates and conditions see of a record."""
        return self._of(record)[0]

    def _of(self, record: Record) -> tuple[dict[str, Any], Any]:
        """What templates see of a record, and the payload that needs no template."""
        members: Mapping[str, Any] = record.fields
        plain: Any = {"operation": self.batch.operation, "id": record.id, "fields": record.fields}
        id = ""
        if self.prepared.request.payload == "event" or "event_id" in self._names:
            id = event_id(self.batch, [record])
        if self.prepared.request.payload == "event":
            plain = canonical_event(
                record.fields,
                event_id=id,
                anonymous_id=anonymous_id(self.batch.id_column, record.id),
                now=self.now,
            )
            members = in_both_spellings(plain) if self._names else {}
        if not self._names:
            return {}, plain
        return {
            "id": record.id,
            **members,
            "fields": record.fields,
            "row": record.row,
            "row_id": record.id,
            **self.shared,
            "event_id": id,
        }, plain
