"""The delivery ``payload``: what a custom connector receives, sent to an endpoint of yours."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

import httpx

from destination import (
    Batch,
    ConfigError,
    Connection,
    DestinationError,
    Limits,
    Record,
    RefusedError,
    Rejection,
    RowError,
    VendorClient,
    credentials,
)
from destinations.relay42.answers import partner_error
from destinations.relay42.form import PAYLOAD_FIELDS, Options, PayloadSettings
from destinations.relay42.records import known, members, partner_ids


class PayloadDelivery:
    """One payload for each profile: of a row, or of all rows of a call with its profile id."""

    fields = PAYLOAD_FIELDS
    unused = ("factName", "factTtl", "forceInsert")

    def __init__(self, settings: PayloadSettings) -> None:
        self._settings = settings
        self.remember = 0.0 if settings.idempotent else Limits().remember

    def connection(self) -> Connection:
        """The configured addresses are absolute; only credentials come from here."""
        return Connection(auth=credentials(self._settings.auth, self._settings.signing))

    def classify(self, response: httpx.Response) -> DestinationError | None:
        """A refusal's status is all that is known of it."""
        return partner_error(response)

    async def check(self, http: VendorClient) -> None:
        """OPTIONS requests, which write nothing: any answer but "who are you?" will do."""
        for address in filter(None, (self._settings.endpoint, self._settings.remove_endpoint)):
            with suppress(RefusedError):
                await http.request("OPTIONS", str(address))

    def problems(self, options: Options) -> Iterator[str]:
        """What the endpoint could not do with this sync."""
        if self._settings.external_id_required and options.external_id is None:
            yield "External ID is required: the connected system finds its segment by it."

    def identity(self, record: Record) -> tuple[str, ...] | None:
        """Its ids, unless it is known by its profile."""
        return None if self.group(record) else tuple(sorted(partner_ids(record)))

    def group(self, record: Record) -> str | None:
        """Rows of one profile become one payload."""
        return known(record, "profileId")

    async def deliver(self, http: VendorClient, batch: Batch[Options]) -> Sequence[Rejection]:
        """One request about the records of one profile; records without ids have no part in it."""
        if problem := next(self.problems(batch.options), None):
            raise ConfigError(problem)
        taking, ids, rejections = list[Record](), list[str](), list[Rejection]()
        for record in batch.records:
            try:
                ids += partner_ids(record)
                taking.append(record)
            except RowError as error:
                rejections.append(record.reject(error))
        if taking:
            await self._send(http, batch.verb, payload(batch.options, taking, ids))
        return rejections

    async def _send(self, http: VendorClient, verb: str, body: Mapping[str, Any]) -> None:
        said = self._settings
        method, address = said.removal if verb == "remove" else ("POST", said.endpoint)
        await http.request(
            method,
            str(address),
            json=body,
            headers={said.action_header: verb} if said.action_header else {},
            repeatable=said.idempotent or None,
            verdict="status",
        )


MEMBERS = (
    "siteNumber",
    "partnerNumber",
    "partnerAudienceId",
    "relay42AudienceNumber",
    "partnerIds",
    "audienceVariables",
    "profileId",
    "sourceId",
    "data",
)
"""What a custom connector receives, in this order."""


def payload(options: Options, records: Sequence[Record], ids: Sequence[str]) -> dict[str, Any]:
    """
    A custom connector's payload, without what is not known.

    Args:
        records: All of one profile. Where they disagree the last one counts.
    """
    said: dict[str, Any] = {
        "siteNumber": options.site_number,
        "partnerNumber": options.partner_number,
        "partnerAudienceId": options.external_id,
        "relay42AudienceNumber": options.relay42_audience_number,
        "partnerIds": list(dict.fromkeys(ids)),
    }
    for record in records:
        for name in ("audienceVariables", "data"):
            said[name] = {**said.get(name, {}), **members(record, name)}
        for name in ("profileId", "sourceId"):
            said[name] = known(record, name) or said.get(name)
    return {name: said[name] for name in MEMBERS if said[name]}
