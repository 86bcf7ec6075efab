"""
Webhook: rows to any HTTP API.

Each row is one request, or, with ``batching = "array"``, up to ``batch_size`` rows are one JSON
array. What is sent of a row is ``{"operation", "id", "fields"}``, a canonical event, or what a
template makes of either. A 2xx answer acknowledges all that a request carried, except for the rows
that the answer names, where it is told how.
"""

from collections.abc import Collection, Iterator
from contextlib import suppress
from functools import cached_property
from typing import Any, Self

from pydantic import Field, ValidationError, model_validator

import destination
from destination import (
    Auth,
    Connection,
    Declared,
    FieldDeclaration,
    FieldType,
    HttpDestination,
    Mode,
    NoAuth,
    NoOptions,
    Object,
    Operation,
    RefusedError,
    Request,
    Selection,
    Signing,
    credentials,
    explained,
    ungrouped,
)


class Settings(Selection, Request):
    """Where the rows go, and how; ``url`` and credentials belong to the operator."""

    auth: Auth = NoAuth()
    """The receiver's way of letting us in."""
    signing: Signing | None = None
    """How the receiver can tell that a request is ours, beside `auth`."""
    operations: dict[Operation, dict[str, Any]] = Field(default_factory=dict, repr=False)
    """What is different for rows to `add`, `change` or `remove`, such as `method` and `url`."""
    fields: tuple[FieldDeclaration, ...] = ()
    """The receiver's fields, shown in the mapping form and coerced to their types."""
    custom_fields: bool = True
    """Fields that are not declared may be mapped too."""

    @model_validator(mode="after")
    def _coherent(self) -> Self:
        """Each operation's request is whole, and goes to an address of its own."""
        problems = dict.fromkeys((*self._of_requests(), *self._of_fields()))
        if problems:
            raise ValueError("\n".join(problems))
        return self

    def _of_requests(self) -> Iterator[str]:
        for operation, request in self.requests.items():
            if not request.url.strip().lower().startswith(("http://", "https://")):
                where = f"operations.{operation}.url" if request.url != self.url else "url"
                yield f"{where}: must start with https:// (or http://)"
        requests = {self._where(operation): one for operation, one in self.requests.items()}
        yield from ungrouped(self, requests)

    def _where(self, operation: str) -> str:
        """Where a request is said: with an operation's own words, or with those for all."""
        return f"operations.{operation}" if Operation(operation) in self.operations else "template"

    def _of_fields(self) -> Iterator[str]:
        names = [field.id for field in self.fields]
        for name in names:
            if names.count(name) > 1:
                yield f"fields: {name} is declared twice"

    @cached_property
    def requests(self) -> dict[str, Request]:
        """The request for each operation."""
        every = self.model_dump(include=set(Request.model_fields), exclude_unset=True)
        return {str(one): _request(one, every, self.operations.get(one, {})) for one in Operation}


LEAVES_OUT: dict[tuple[str, str], Collection[str]] = {
    ("payload", "none"): {"template", "encoding", "batching", "batch_size", "wrapper"},
    ("batching", "none"): {"batch_size", "wrapper"},
}
"""What an operation does not take over, where it says what leaves nothing for it."""


def _request(operation: Operation, every: dict[str, Any], own: dict[str, Any]) -> Request:
    without = [LEAVES_OUT[said] for said in LEAVES_OUT if own.get(said[0]) == said[1]]
    taken = {name: every[name] for name in every if not any(name in each for each in without)}
    try:
        return Request.model_validate(taken | own)
    except ValidationError as error:
        raise ValueError("\n".join(explained(error, Request, f"operations.{operation}"))) from None


MODES = (
    Mode("upsert", "Upsert", "add", "change", description="Sends added and changed rows."),
    Mode("mirror", "Mirror", "add", "change", "remove", "Sends added, changed and removed rows."),
    Mode("insert", "Insert", "add", description="Sends added rows only."),
)

ANY_ID = destination.Field(
    "id", "ID", identifier=True, description="What the receiver matches rows by."
)

EVENT = (
    destination.Field("userId", "User ID", identifier=True, description="Who did it."),
    destination.Field("anonymousId", "Anonymous ID", description="By default one for each row."),
    destination.Field(
        "type", "Type", FieldType.ENUM, choices=("track", "page", "identify", "group")
    ),
    destination.Field("event", "Event", description="What was done, for events of type track."),
    destination.Field("timestamp", "Time", FieldType.DATETIME, "When; by default now."),
    destination.Field("messageId", "Message ID", description="By default one that never changes."),
)


class Webhook(HttpDestination[Settings, NoOptions]):
    """Rows as requests to any HTTP API."""

    kind = "webhook"
    label = "Webhook"

    def declared(self) -> Declared:
        """The operator's settings say it all."""
        return Declared(
            self.settings.requests,
            MODES,
            self.settings,
            identified=self.settings.signing is not None,
        )

    def connection(self) -> Connection:
        """URLs are absolute; only credentials come from here."""
        return Connection(
            auth=credentials(self.settings.auth, self.settings.signing),
            max_answer=self.longest_answer,
        )

    async def check(self) -> str | None:
        """An OPTIONS request, which writes nothing: any answer but "who are you?" will do."""
        url = self.settings.url.strip()
        if "{{" in url or "{%" in url:
            return "the address depends on the row, so nothing was asked"
        with suppress(RefusedError):
            await self.http.request("OPTIONS", url)
        return None

    async def discover(self) -> tuple[Object, ...]:
        """One nameless object with the receiver's fields."""
        declared = tuple(one.field() for one in self.settings.fields)
        if not any(one.identifier for one in declared):
            usual = EVENT if self.settings.payload == "event" else (ANY_ID,)
            names = {one.id for one in declared}
            declared = (*(one for one in usual if one.id not in names), *declared)
        return (Object(modes=MODES, fields=declared, custom_fields=self.settings.custom_fields),)
