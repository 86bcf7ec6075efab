"""
Webhook: rows to any HTTP API that takes JSON.

Each row is one request, or, with ``batching = "array"``, up to ``batch_size`` rows are one JSON
array. A record is ``{"operation", "id", "fields"}``: what happened to the row, the value of its
id column, and the mapped fields. A 2xx answer acknowledges all that a request carried.
"""

from contextlib import suppress
from typing import Annotated, Any, Literal

import httpx
from pydantic import Field

import destination
from destination import (
    Address,
    Auth,
    Batch,
    Connection,
    Destination,
    DestinationError,
    FieldType,
    HeaderName,
    HeaderValue,
    Limits,
    Mode,
    NoAuth,
    NoOptions,
    Object,
    Record,
    RefusedError,
    Rejection,
    Signing,
    Strict,
    TargetError,
    credentials,
)


class ReceiverField(Strict):
    """A field that the receiver knows, shown in the mapping form and coerced to its type."""

    id: Annotated[str, Field(min_length=1)]
    label: str = ""
    type: FieldType = FieldType.STRING
    description: str = ""
    required: bool = False
    identifier: bool = False
    choices: tuple[str, ...] = ()


class Settings(Strict):
    """Where the rows go; ``url`` and credentials belong to the operator."""

    url: Address
    """Where rows are sent."""
    method: Literal["POST", "PUT", "PATCH", "DELETE"] = "POST"
    """The HTTP method of every request."""
    auth: Auth = NoAuth()
    """The receiver's way of letting us in."""
    signing: Signing | None = None
    """How the receiver can tell that a request is ours, beside ``auth``."""
    headers: dict[HeaderName, HeaderValue] = Field(default_factory=dict)
    """Fixed headers for every request."""
    batching: Literal["none", "array"] = "none"
    """A JSON object for each row, or an array of up to ``batch_size`` of them."""
    fields: tuple[ReceiverField, ...] = ()
    """The receiver's fields, shown in the mapping form and coerced to their types."""
    idempotent: bool = False
    """The receiver takes the same record twice without harm: it is sent again after no answer."""
    custom_fields: bool = True
    """Fields that are not declared may be mapped too."""


MODES = (
    Mode("upsert", "Upsert", "upsert", "upsert", description="Sends added and changed rows."),
    Mode(
        "mirror", "Mirror", "upsert", "upsert", "delete", "Sends added, changed and removed rows."
    ),
    Mode("insert", "Insert", "upsert", description="Sends added rows only."),
)

ANY_ID = destination.Field(
    "id", "ID", identifier=True, description="What the receiver matches rows by."
)

ARRAY_SIZE, LARGEST_ARRAY = 100, 10_000


class Webhook(Destination[Settings, NoOptions]):
    """Rows as JSON requests to one URL."""

    kind = "webhook"
    label = "Webhook"

    def connection(self) -> Connection:
        """The configured URL is absolute; only credentials and headers come from here."""
        auth = credentials(self.settings.auth, self.settings.signing)
        return Connection(auth=auth, headers=self.settings.headers)

    async def check(self) -> None:
        """An OPTIONS request, which writes nothing: any answer but "who are you?" will do."""
        with suppress(RefusedError):
            await self.http.request("OPTIONS", str(self.settings.url))

    async def discover(self) -> tuple[Object, ...]:
        """One nameless object with the receiver's fields."""
        declared = tuple(destination.Field(**dict(each)) for each in self.settings.fields)
        fields = declared if any(each.identifier for each in declared) else (ANY_ID, *declared)
        return (Object(modes=MODES, fields=fields, custom_fields=self.settings.custom_fields),)

    def limits_for(self, mode: str | None, options: NoOptions | None) -> Limits:
        """One record a request, or an array of them."""
        remember = 0.0 if self.settings.idempotent else Limits().remember
        if self.settings.batching == "array":
            return Limits(batch_size=ARRAY_SIZE, largest_batch=LARGEST_ARRAY, remember=remember)
        return Limits(remember=remember)

    def classify(self, response: httpx.Response) -> DestinationError | None:
        """One address takes every array: if that is not there, no part of an array will find it."""
        if self.settings.batching == "array" and response.status_code in (404, 405):
            return TargetError(
                f"the receiver answered {response.status_code}: nothing takes rows here"
            )
        return None

    async def deliver(self, batch: Batch[NoOptions]) -> tuple[Rejection, ...]:
        """One request; a good answer acknowledges every record in it."""
        bodies = [_body(batch, record) for record in batch.records]
        if self.settings.batching == "none":
            [body] = bodies
        await self.http.request(
            self.settings.method,
            str(self.settings.url),
            json=bodies if self.settings.batching == "array" else body,
            repeatable=self.settings.idempotent or None,
            verdict="status",
        )
        return ()


def _body(batch: Batch[NoOptions], record: Record) -> dict[str, Any]:
    return {"operation": batch.operation, "id": record.id, "fields": record.fields}
