"""The delivery ``facts``: by the REST API a profile has a fact for as long as it is a member."""

import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any
from urllib.parse import quote

import httpx

from destination import (
    Batch,
    ConfigError,
    Connection,
    DestinationError,
    NoAnswer,
    Record,
    RefusedError,
    Rejection,
    TokenAuth,
    VendorClient,
)
from destinations.relay42.answers import BadRequest, api_error
from destinations.relay42.form import FACTS_FIELDS, FactsSettings, Options
from destinations.relay42.records import members, partner_ids
from destinations.relay42.tokens import ApiKey

BASE_URL = "https://api.relay42.com/v1"
UTF_8 = {"Content-Type": "application/json; charset=utf-8"}

OWN_COOKIE = 42
"""The partner number that every site has: the platform's own cookie."""


class FactsDelivery:
    """One request for each partner id of a record; each may be repeated."""

    fields = FACTS_FIELDS
    unused = ("partnerAudienceId", "siteNumber", "relay42AudienceNumber")
    remember = 0.0

    def __init__(self, settings: FactsSettings) -> None:
        self._settings = settings

    def connection(self) -> Connection:
        """The REST API."""
        return Connection(BASE_URL, self._auth())

    def _auth(self) -> httpx.Auth:
        said = self._settings
        if said.api_key:
            users = f"{str(said.auth_url).rstrip('/')}/users"
            grant = ApiKey(f"{users}/authenticate", said.api_key.get_secret_value())
            return TokenAuth(f"{users}/token", grant)
        secret = said.access_token.get_secret_value() if said.access_token else ""
        return httpx.BasicAuth(said.api_identifier or "", secret)

    def classify(self, response: httpx.Response) -> DestinationError | None:
        """What the REST API documents."""
        return api_error(response)

    async def check(self, http: VendorClient) -> str:
        """Ask for the facts of a profile that is not there, however that is answered."""
        with suppress(BadRequest, RefusedError):
            await http.request("GET", self._facts_of("destination-check", OWN_COOKIE))
        return f"Relay42 knows the credentials for site {self._settings.site_id}"

    def problems(self, options: Options) -> Iterator[str]:
        """What a fact cannot do without."""
        if options.partner_number is None:
            yield "Partner number is required: it says which kind of id the partner IDs are."
        if not options.fact_name.strip():
            yield "Fact is required: choose a name, and make an audience of profiles that have it."

    def identity(self, record: Record) -> tuple[str, ...]:
        """Its ids."""
        return tuple(sorted(partner_ids(record)))

    def group(self, record: Record) -> None:
        """Every record by itself."""
        return

    async def deliver(self, http: VendorClient, batch: Batch[Options]) -> Sequence[Rejection]:
        """Set or delete the fact, id by id; what fails ends it."""
        if problem := next(self.problems(batch.options), None):
            raise ConfigError(problem)
        [record] = batch.records
        act = self._delete if batch.verb == "remove" else self._set
        ids = partner_ids(record)
        for taken, id in enumerate(ids):
            try:
                await act(http, batch.options, record, id)
            except DestinationError as error:
                told = error.about(record) if isinstance(error, BadRequest) else error
                if taken:
                    told = NoAnswer(f"{taken} of {len(ids)} partner ids were taken: {told.message}")
                raise told from None
        return ()

    async def _set(self, http: VendorClient, options: Options, record: Record, id: str) -> None:
        fact = {
            "factName": options.fact_name,
            "factTtl": options.fact_ttl,
            "properties": properties(record),
        }
        insert = "true" if options.force_insert else "false"
        url = self._facts_of(id, options.partner_number, forceInsert=insert)
        await http.request(
            "POST", url, json=[fact], headers=UTF_8, repeatable=True, verdict="status"
        )

    async def _delete(self, http: VendorClient, options: Options, _: Record, id: str) -> None:
        url = self._facts_of(id, options.partner_number, fact=options.fact_name)
        await http.request("DELETE", url, verdict="status")

    def _facts_of(self, id: str, partner: int | None, **more: str) -> str:
        query = {"partnerId": id, **more}
        pairs = "&".join(f"{name}={quote(value, safe='')}" for name, value in query.items())
        return f"/site-{self._settings.site_id}/profiles/{partner}/facts?{pairs}"


def properties(record: Record) -> dict[str, str]:
    """What the fact says: the profile's variables before the audience's data, all as text."""
    values = {**members(record, "data"), **members(record, "audienceVariables")}
    return {name: _text(value) for name, value in values.items()}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
