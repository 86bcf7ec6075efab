"""
Connectif: rows become custom events, which start workflows.

The vendor's public API takes events with a key; its webhooks take them nested in any way and
without one. An event that is sent twice happens twice, so none is repeated after no answer.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import httpx

from destination import (
    Batch,
    Code,
    ConfigError,
    Connection,
    Destination,
    DestinationError,
    Field,
    FieldType,
    Form,
    Limits,
    Object,
    Record,
    RefusedError,
    Rejection,
    RowError,
    Sync,
    encode,
)
from destinations.connectif.answers import NotListed, Problem, pause, refusal
from destinations.connectif.events import TYPED, EventType
from destinations.connectif.form import Options, Settings, form, problems
from destinations.connectif.listing import Listing
from destinations.connectif.payload import LARGEST, event_body


class Connectif(Destination[Settings, Options]):
    """Rows as custom events of Connectif, which start workflows there."""

    kind = "connectif"
    label = "Connectif"
    # How many requests a store may make is told by each answer only.
    limits = Limits(concurrency=8, call_size=100)

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self._webhook = settings.transport == "webhook"
        self._events: dict[str, EventType] = {}

    def connection(self) -> Connection:
        """The public API. The key goes to it alone, so it stands on its requests."""
        return Connection("https://api.connectif.cloud", max_answer=2**20)

    def _key(self) -> dict[str, str]:
        key = self.settings.api_key
        return {"Authorization": f"apiKey {key.get_secret_value()}"} if key else {}

    async def check(self) -> str:
        """Which events the key may list; without a key, whether anything answers."""
        if self.settings.api_key is None:
            with suppress(RefusedError):
                await self.http.request("OPTIONS", self._address(""))
            return "the webhook address answers; without an api_key nothing more can be asked"
        try:
            if self.settings.integrations == ():
                await self._listing().integrations()  # which shows whether the key is known
            events = await self._listed()
        except NotListed as error:
            return f"{error.message}; aliases are typed"
        names = ", ".join(str(event.alias) for event in events[:20])
        return f"{len(events)} events for transport {self.settings.transport}: {names}"

    async def discover(self) -> Sequence[Object]:
        """The events, or one object for the alias that is typed where they are not listed."""
        try:
            events = await self._listed()
        except NotListed:
            self._events = {}
            return (TYPED,)
        self._events = {str(event.alias): event for event in events}
        return [event.object(custom_fields=self._webhook) for event in self._events.values()]

    async def _listed(self) -> list[EventType]:
        """The events that this transport takes; raises NotListed."""
        wanted = self.settings.integrations
        if self.settings.api_key is None or wanted == ():
            raise NotListed("the settings say that no events are listed")
        events = await self._listing().events(wanted)
        return [event for event in events if event.takes(self.settings.transport)]

    def _listing(self) -> Listing:
        return Listing(self.http, self._key())

    def fields_for(self, fields: Sequence[Field], options: Options) -> Sequence[Field]:
        """A list may come as its only item, which is made a list when the event is."""
        return [
            replace(one, type=FieldType.UNKNOWN) if one.type is FieldType.ARRAY else one
            for one in fields
        ]

    async def form(self, object: Object, mode: str | None) -> Form:
        """The options that mode and transport use."""
        names = {alias: event.name or alias for alias, event in self._events.items()}
        return form(object, mode, names, webhook=self._webhook)

    async def validate(self, sync: Sync, options: Options) -> Sequence[str]:
        """The alias that must be typed, and the event for removed rows."""
        return list(problems(sync, options, self._events))

    def classify(self, response: httpx.Response) -> DestinationError | None:
        """Refusals. They count against the window too, and all answers pass here."""
        if wait := pause(response, datetime.now(UTC)):
            self.http.pause(wait)
        return refusal(response, webhook=self._webhook)

    def wanted(self, record: Record, batch: Batch[Options]) -> bool:
        """Removed rows are told of where the form names an event for them."""
        return batch.verb != "remove" or batch.options.removal_alias is not None

    async def deliver(self, batch: Batch[Options]) -> Sequence[Rejection]:
        """One event."""
        [record] = batch.records
        alias = self._alias(batch)
        body = self._body(batch, record, alias)
        if len(encode(body)) > LARGEST:
            raise RowError(f"the event is longer than {LARGEST:,} bytes", code=Code.TOO_LARGE)
        try:
            await self._send(alias, body, batch.options)
        except Problem as problem:
            raise problem.about(record) from None
        return ()

    async def _send(self, alias: str, body: dict[str, Any], options: Options) -> None:
        path = f"/custom-events/alias/{quote(alias, safe='')}"
        if self._webhook:
            asked: dict[str, Any] = {"url": self._address(path)}
        else:
            create = {"createContact": options.create_contact}
            asked = {"url": path, "params": create, "headers": self._key()}
        await self.http.request("POST", json=body, verdict="status", **asked)

    def _address(self, path: str) -> str:
        """Of the store's webhooks."""
        return f"{str(self.settings.webhook_base_url).rstrip('/')}/{self.settings.store_id}{path}"

    def _alias(self, batch: Batch[Options]) -> str:
        options = batch.options
        alias = options.removal_alias if batch.verb == "remove" else None
        alias = alias or batch.object or options.event_alias
        if alias is None:
            raise ConfigError("type the event's alias: events cannot be listed")
        return alias

    def _body(self, batch: Batch[Options], record: Record, alias: str) -> dict[str, Any]:
        event = self._events.get(alias)
        removed = batch.verb == "remove"
        source = self._events.get(batch.object or "", event) if removed else None
        return event_body(event, record.fields, nested=self._webhook, source=source)
