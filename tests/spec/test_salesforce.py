"""The example for Salesforce, delivered through the whole server to a strict stand-in."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from aiohttp import web
from support import Serve, Served

from destination.errors import AuthError
from destination.listen import listening

FILE = Path(__file__).parents[2] / "examples" / "specs" / "salesforce.json"
SALESFORCE = "/hightouch/salesforce"
DATA = "/services/data/v62.0"
FIELDS = {"LastName", "FirstName", "Email", "Birthdate", "Tier__c", "Account", "Customer_Id__c"}


@dataclass
class Org:
    """Contacts by ``Customer_Id__c``; tokens t1, t2 and so on, of which only the latest is good."""

    good_for: int = 1_000_000
    """Requests after which a token is refused."""
    used_up: bool = False
    """Whether the day's requests are used up."""
    contacts: dict[str, dict[str, Any]] = field(default_factory=dict)
    tokens: int = 0
    uses: int = 0
    sizes: list[int] = field(default_factory=list)
    refused: int = 0
    """Requests whose token was refused."""

    def app(self) -> web.Application:
        app = web.Application(middlewares=[self._gate])
        app.router.add_post("/services/oauth2/token", self._token)
        app.router.add_get(f"{DATA}/", self._resources)
        app.router.add_patch(f"{DATA}/composite/sobjects/Contact/{{name}}", self._upsert)
        app.router.add_delete(f"{DATA}/sobjects/Contact/{{name}}/{{value}}", self._delete)
        return app

    @web.middleware
    async def _gate(self, request: web.Request, handler: Any) -> web.StreamResponse:
        if request.path != "/services/oauth2/token":
            self.uses += 1
            token = request.headers.get("Authorization")
            if token != f"Bearer t{self.tokens}" or self.uses > self.good_for:
                self.refused += 1
                return _error(401, "INVALID_SESSION_ID", "Session expired or invalid")
            if self.used_up:
                return _error(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")
        response: web.StreamResponse = await handler(request)
        return response

    async def _token(self, request: web.Request) -> web.Response:
        form = dict(await request.post())
        wanted = {"grant_type": "client_credentials", "client_id": "id", "client_secret": "s3cret"}
        if form != wanted:
            body = {"error": "invalid_client", "error_description": "invalid client credentials"}
            return web.json_response(body, status=400)
        self.tokens, self.uses = self.tokens + 1, 0
        body = {"access_token": f"t{self.tokens}", "token_type": "Bearer", "issued_at": "1"}
        return web.json_response({**body, "instance_url": "https://elsewhere.example"})

    async def _resources(self, request: web.Request) -> web.Response:
        return web.json_response({"sobjects": f"{DATA}/sobjects"})

    async def _upsert(self, request: web.Request) -> web.Response:
        body = await request.json()
        records = body["records"]
        self.sizes.append(len(records))
        if request.match_info["name"] != "Customer_Id__c":
            told = "Provided external ID field does not exist or is not accessible"
            return _error(404, "NOT_FOUND", told)
        if body.keys() != {"allOrNone", "records"} or body["allOrNone"] or len(records) > 200:
            return _error(400, "JSON_PARSER_ERROR", "a list of up to 200 records is needed")
        for record in records:
            if record.pop("attributes") != {"type": "Contact"}:
                return _error(400, "INVALID_TYPE", "attributes must say the type")
            if unknown := record.keys() - FIELDS:
                told = f"No such column '{min(unknown)}' on sobject of type Contact"
                return _error(400, "INVALID_FIELD", told)
        return web.json_response([self._saved(record) for record in records])

    def _saved(self, record: dict[str, Any]) -> dict[str, Any]:
        id = record.get("Customer_Id__c")
        held = self.contacts.get(id or "", {})
        if not isinstance(id, str) or not id:
            return _refusal("MISSING_ARGUMENT", "Customer_Id__c not specified")
        if not {**held, **record}.get("LastName"):
            told = "Required fields are missing: [LastName]"
            return _refusal("REQUIRED_FIELD_MISSING", told, "LastName")
        if record.get("Tier__c") not in (None, "gold", "silver"):
            told = f"Tier: bad value for restricted picklist field: {record['Tier__c']}"
            return _refusal("INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", told, "Tier__c")
        self.contacts[id] = {**held, **record}
        return {
            "id": f"003{len(self.contacts)}",
            "success": True,
            "errors": [],
            "created": not held,
        }

    async def _delete(self, request: web.Request) -> web.Response:
        value = unquote(request.raw_path.rpartition("/")[2])
        if self.contacts.pop(value, None) is None:
            return _error(404, "NOT_FOUND", "The requested resource does not exist")
        return web.Response(status=204)


def _error(status: int, code: str, message: str) -> web.Response:
    return web.json_response([{"errorCode": code, "message": message}], status=status)


def _refusal(code: str, message: str, *fields: str) -> dict[str, Any]:
    errors = [{"statusCode": code, "message": message, "fields": list(fields)}]
    return {"success": False, "errors": errors}


@asynccontextmanager
async def salesforce(
    serve: Serve, org: Org | None = None, **settings: Any
) -> AsyncIterator[tuple[Served, Org]]:
    """An org, and a server that delivers to it."""
    org = org or Org()
    async with listening(org.app(), "127.0.0.1", 0, grace=0.1) as url:
        values = {
            "kind": "spec",
            "spec": str(FILE),
            "url": url,
            "client_id": "id",
            "client_secret": "s3cret",
            "allow_private_networks": True,
            **settings,
        }
        yield await serve({"salesforce": values}), org


def contacts(*rows: dict[str, Any], **configuration: Any) -> dict[str, Any]:
    """The params of add, change and remove."""
    mappings = {"last": "LastName", "born": "Birthdate", "tier": "Tier__c"}
    return {
        "idColumn": "customer",
        "configuration": {
            "object": "Contact",
            "mode": "mirror",
            "identifierMapping": [{"from": "customer", "to": "external_id"}],
            "mappings": [{"from": column, "to": name} for column, name in mappings.items()],
            "external_id_field": "Customer_Id__c",
            **configuration,
        },
        "rows": list(rows),
    }


def contact(number: int, **columns: Any) -> dict[str, Any]:
    """A row."""
    row = {"customer": f"c/{number}?&", "last": f"Bell {number}", "born": "1990-01-31"}
    return {**row, "tier": "gold", **columns}


async def test_contacts_are_upserted_and_deleted(serve: Serve) -> None:
    """Contacts arrive 200 at a time, change in place, are emptied by null, and are deleted."""
    async with salesforce(serve) as (server, org):
        rows = [contact(number) for number in range(450)]
        added = await server.result("add", contacts(*rows), path=SALESFORCE)
        changes = [contact(0, last='O\'Hara "&"\n, "x": 1', born=None)]
        changed = await server.result("change", contacts(*changes), path=SALESFORCE)
        removed = await server.result("remove", contacts(*rows[440:]), path=SALESFORCE)
        again = await server.result("remove", contacts(*rows[440:]), path=SALESFORCE)

    assert added == changed == removed == again == {"rejectedRows": []}
    assert len(org.contacts) == 440
    assert sorted(org.sizes) == [1, 50, 200, 200]
    assert org.contacts["c/0?&"] == {
        "Customer_Id__c": "c/0?&",
        "LastName": 'O\'Hara "&"\n, "x": 1',
        "Birthdate": None,
        "Tier__c": "gold",
    }


async def test_contacts_that_salesforce_refuses_are_rejected_alone(serve: Serve) -> None:
    """Results in the order of the records say which were refused, and why."""
    async with salesforce(serve) as (server, org):
        rows = [contact(0), contact(1, last=None), contact(2, tier="platinum"), contact(3)]
        answer = await server.result("add", contacts(*rows), path=SALESFORCE)

    reasons = {each["id"]: each["reason"] for each in answer["rejectedRows"]}
    assert sorted(org.contacts) == ["c/0?&", "c/3?&"]
    assert reasons == {
        "c/1?&": "VENDOR_REJECTED: the vendor refused the row: "
        "Required fields are missing: [LastName]",
        "c/2?&": "VENDOR_REJECTED: the vendor refused the row: "
        "Tier: bad value for restricted picklist field: [tier]",
    }


async def test_a_token_that_expires_is_renewed(serve: Serve) -> None:
    """Salesforce says no lifetime: a token is used until it is refused, and no row is lost."""
    async with salesforce(serve, Org(good_for=2), concurrency=1) as (server, org):
        for start in range(0, 25, 5):
            rows = [contact(number) for number in range(start, start + 5)]
            answer = await server.result("add", contacts(*rows), path=SALESFORCE)
            assert answer == {"rejectedRows": []}

    assert len(org.contacts) == 25
    assert org.tokens == 3
    assert org.refused == 2


async def test_many_requests_at_once_renew_a_token_once(serve: Serve) -> None:
    """When several requests meet an expired token, one asks for the next."""
    async with salesforce(serve) as (server, org):
        rows = [contact(number) for number in range(12)]
        await server.result("add", contacts(*rows), path=SALESFORCE)
        org.tokens += 1  # what the server holds is refused from now on
        answer = await server.result("remove", contacts(*rows), path=SALESFORCE)

    assert answer == {"rejectedRows": []}
    assert org.contacts == {}
    assert org.tokens == 3


async def test_wrong_client_credentials_fail_the_call_and_are_not_told(serve: Serve) -> None:
    """Without a token nothing is sent."""
    async with salesforce(serve, client_secret="canary") as (server, org):
        answer = await server.rpc("add", contacts(contact(0)), path=SALESFORCE)

    assert answer["error"]["message"].startswith("AUTH_FAILED: not sent: no access token: ")
    assert "canary" not in str(answer)
    assert org.uses == 0


async def test_a_field_that_does_not_exist_stops_the_call(serve: Serve) -> None:
    """What no row can help is told once, and the batch is not taken apart for it."""
    mappings = [{"from": "last", "to": "Surname"}]
    async with salesforce(serve) as (server, org):
        rows = [contact(number) for number in range(5)]
        answer = await server.rpc("add", contacts(*rows, mappings=mappings), path=SALESFORCE)

    told = answer["error"]["message"]
    assert (
        told == "CONFIG_INVALID: the vendor answered 400 (INVALID_FIELD), which calls for a person"
    )
    assert org.sizes == [5]


async def test_a_wrong_external_id_field_is_nobodys_row(serve: Serve) -> None:
    """An address that is not there concerns all rows that go there; none is tried alone."""
    async with salesforce(serve) as (server, org):
        params = contacts(contact(0), contact(1), external_id_field="Nothing__c")
        answer = await server.result("add", params, path=SALESFORCE)

    for each in answer["rejectedRows"]:
        told = "VENDOR_REJECTED: the vendor answered 404: nothing takes rows here"
        assert each["reason"] == told
    assert org.sizes == [2]


async def test_a_day_that_is_used_up_is_for_later(serve: Serve) -> None:
    """A 403 for too many requests is no matter of rights: rows are rejected as not sent."""
    async with salesforce(serve, Org(used_up=True), attempts=1) as (server, _):
        answer = await server.result("add", contacts(contact(0)), path=SALESFORCE)

    [rejected] = answer["rejectedRows"]
    assert rejected["reason"].startswith("RATE_LIMITED: not sent: ")


async def test_check_asks_for_the_resources(serve: Serve) -> None:
    """The check of the file passes with the right client, and fails with a wrong one."""
    async with salesforce(serve) as (server, org):
        assert await server.plugin("salesforce").check() is None
        assert org.uses == 1
    async with salesforce(serve, client_id="another") as (server, _):
        with pytest.raises(AuthError):
            await server.plugin("salesforce").check()
