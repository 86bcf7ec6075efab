"""
Relay42: rows become profiles of an audience segment.

Relay42 has no request that writes who is in an audience. So a profile goes to an endpoint of
yours, as Relay42's own custom connectors would send it; or it gets a fact, by which an audience
is defined in Relay42.
"""

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import replace

import httpx

from destination import (
    Batch,
    Connection,
    Destination,
    DestinationError,
    Form,
    Limits,
    Object,
    Record,
    Rejection,
    Sync,
)
from destinations.relay42.facts import FactsDelivery
from destinations.relay42.form import CARRIED, SEGMENT, FactsSettings, Options, Settings
from destinations.relay42.payload import PayloadDelivery


class Relay42(Destination[Settings, Options]):
    """Rows as members of a Relay42 audience: by payloads to your endpoint, or facts on profiles."""

    kind = "relay42"
    label = "Relay42"
    objects = (SEGMENT,)
    # As the platform itself does: about three seconds, and three more attempts. A batch is one
    # profile, so there are no halves of it.
    limits = Limits(attempts=4, timeout=3.0, halve=False)

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self._delivery = (
            FactsDelivery(settings.root)
            if isinstance(settings.root, FactsSettings)
            else PayloadDelivery(settings.root)
        )

    def connection(self) -> Connection:
        """The delivery's."""
        return self._delivery.connection()

    async def check(self) -> str | None:
        """Whether we are let in."""
        return await self._delivery.check(self.http)

    async def discover(self) -> Sequence[Object]:
        """One object, with the fields that the delivery carries."""
        return (replace(SEGMENT, fields=self._delivery.fields),)

    async def form(self, object: Object, mode: str | None) -> Form:
        """The options that the delivery uses."""
        return Form(ui={name: {"ui:widget": "hidden"} for name in self._delivery.unused})

    async def validate(self, sync: Sync, options: Options) -> Sequence[str]:
        """Fields that go nowhere, and options that the delivery cannot do without."""
        return [*self._delivery.problems(options), *self._misplaced(sync)]

    def _misplaced(self, sync: Sync) -> Iterator[str]:
        fields = {field.id for field in self._delivery.fields}
        carried = {field.id for field in CARRIED}
        for entry in sync.mapping.entries:
            top, _, name = entry.to.partition(".")
            if entry.to not in fields and not (top in carried and name):
                yield (
                    f'Field "{entry.to}" goes nowhere. What is known of a profile is '
                    f'"audienceVariables.NAME", of the audience "data.NAME".'
                )

    def limits_for(self, mode: str | None, options: Options | None) -> Limits:
        """What may be sent twice need not be remembered."""
        return replace(self.limits, remember=self._delivery.remember)

    def classify(self, response: httpx.Response) -> DestinationError | None:
        """What the delivery's other end means by its answer."""
        return self._delivery.classify(response)

    def identity(self, record: Record) -> Hashable | None:
        """The profile's ids."""
        return self._delivery.identity(record)

    def group(self, record: Record, options: Options) -> Hashable | None:
        """The profile, where one payload is about all of it."""
        return self._delivery.group(record)

    async def deliver(self, batch: Batch[Options]) -> Sequence[Rejection]:
        """As the settings say."""
        return await self._delivery.deliver(self.http, batch)
