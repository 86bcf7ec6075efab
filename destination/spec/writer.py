"""Records to payloads: what templates see of each, and what they make of it."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from typing import Any

from destination.deadline import give_way
from destination.errors import DestinationError
from destination.fingerprint import anonymous_id, event_id
from destination.model import Batch, Record, Rejection
from destination.spec.event import canonical_event, in_both_spellings
from destination.spec.prepared import Outgoing, Payload, Prepared
from destination.spec.selection import Selection, group_of


class Writer:
    """
    Writes what one batch sends.

    Args:
        settings: What templates see as ``settings``.
        now: The moment of it all.
        names: What is read of a record; by default what the request's templates read.
    """

    def __init__(
        self,
        batch: Batch[Any],
        prepared: Prepared,
        selection: Selection,
        settings: Mapping[str, Any],
        now: datetime,
        names: Collection[str] | None = None,
    ) -> None:
        self.batch = batch
        self.prepared = prepared
        self.now = now
        self._selection = selection
        self._settings = settings
        self._names = prepared.columns if names is None else names
        # What takes a while to make is made where a template may come to it.
        self._event_ids = self._is_event or self._any_of("event_id", "records")
        self._rows = self._any_of("row", "records")

    @property
    def _is_event(self) -> bool:
        return self.prepared.request.payload == "event"

    def _any_of(self, *names: str) -> bool:
        return not frozenset(names).isdisjoint(self._names)

    @cached_property
    def shared(self) -> Mapping[str, Any]:
        """What is the same for all rows of the batch."""
        shared: dict[str, Any] = {
            "object": self.batch.object,
            "operation": str(self.batch.operation),
            "settings": self._settings,
        }
        if "options" in self._names:
            shared["options"] = self.batch.options.model_dump(mode="json", exclude_none=True)
        return shared

    async def payloads(self) -> tuple[list[Payload], list[Rejection]]:
        """The batch's payloads, and the records of which none can be made."""
        turn = asyncio.get_running_loop().time()
        payloads, rejections = list[Payload](), list[Rejection]()
        for records in self._groups():
            try:
                payloads.append(self._payload(records))
            except DestinationError as error:
                rejections += [record.reject(error) for record in records]
            turn = await give_way(turn)
        return payloads, rejections

    def outgoing(self, payloads: Sequence[Payload]) -> Outgoing:
        """The request that carries these payloads. Raises as ``Prepared.outgoing`` does."""
        shared = self.shared
        if self.prepared.batched and "event_id" in self._names:
            records = [record for payload in payloads for record in payload.records]
            shared = {**shared, "event_id": event_id(self.batch, records)}
        return self.prepared.outgoing(payloads, shared, self.now)

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
        each = [self._of(record) for record in records]
        values, plain = each[0]
        if self._selection.group_by is not None:
            values = {**values, "records": [own for own, _ in each]}
            if "event_id" in self._names:
                values["event_id"] = event_id(self.batch, records)
        return self.prepared.payload(records, {**values, **self.shared}, plain, self.now)

    def values(self, record: Record) -> Mapping[str, Any]:
        """What templates and conditions see of a record."""
        return {**self._of(record)[0], **self.shared}

    def _of(self, record: Record) -> tuple[dict[str, Any], Any]:
        """What templates see of a record alone, and the payload that needs no template."""
        members: Mapping[str, Any] = record.fields
        plain: Any = {"operation": self.batch.operation, "id": record.id, "fields": record.fields}
        id = event_id(self.batch, [record]) if self._event_ids else ""
        if self._is_event:
            plain = self._event(record, id)
            id = plain["event_id"]
            members = in_both_spellings(plain) if self._names else {}
        if not self._names:
            return {}, plain
        own = {"fields": record.fields, "row_id": record.id, "event_id": id}
        if self._rows:
            own["row"] = dict(record.row)
        return {"id": record.id, **members, **own}, plain

    def _event(self, record: Record, id: str) -> dict[str, Any]:
        someone = anonymous_id(self.batch.id_column, record.id)
        return canonical_event(record.fields, event_id=id, anonymous_id=someone, now=self.now)
