"""The example for Twilio, delivered through the whole server to a strict stand-in."""

import base64
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web
from support import Serve, Served

from destination.listen import listening

FILE = Path(__file__).parents[2] / "examples" / "specs" / "twilio.yaml"
TWILIO = "/hightouch/twilio"
SID, KEY, SERVICE = f"AC{1:032}", f"SK{2:032}", f"MG{3:032}"
KNOWN = {
    "To",
    "MessagingServiceSid",
    "Body",
    "MediaUrl",
    "ValidityPeriod",
    "ScheduleType",
    "SendAt",
}


@dataclass
class Account:
    """An account with one messaging service; it takes messages and knows who has opted out."""

    username: str = SID
    secret: str = "token-7c1d"
    opted_out: frozenset[str] = frozenset({"+447700900999"})
    messages: list[dict[str, str]] = field(default_factory=list)
    asked: int = 0

    def app(self) -> web.Application:
        app = web.Application(middlewares=[self._gate])
        app.router.add_post("/2010-04-01/Accounts/{sid}/Messages.json", self._create)
        app.router.add_get("/2010-04-01/Accounts/{sid}/Messages.json", self._list)
        return app

    @web.middleware
    async def _gate(self, request: web.Request, handler: Any) -> web.StreamResponse:
        known = base64.b64encode(f"{self.username}:{self.secret}".encode()).decode()
        if request.headers.get("Authorization") != f"Basic {known}":
            return _error(401, 20003, "Authenticate")
        if request.match_info["sid"] != SID:
            return _error(404, 20404, f"The requested resource {request.path} was not found")
        response: web.StreamResponse = await handler(request)
        return response

    async def _list(self, request: web.Request) -> web.Response:
        return web.json_response({"messages": [], "page_size": int(request.query["PageSize"])})

    async def _create(self, request: web.Request) -> web.Response:
        self.asked += 1
        assert request.content_type == "application/x-www-form-urlencoded"
        form = {name: str(value) for name, value in (await request.post()).items()}
        if problem := self._problem(form):
            return _error(400, *problem)
        self.messages.append(form)
        body = {"sid": f"SM{len(self.messages):032}", "status": "accepted", "error_code": None}
        return web.json_response(body, status=201)

    def _problem(self, form: dict[str, str]) -> tuple[int, str] | None:
        to = form.get("To", "")
        if unknown := form.keys() - KNOWN:
            return 20001, f"Unknown parameters {unknown}"
        if empty := [name for name, value in form.items() if not value]:
            return 20001, f"Empty parameters {empty}"
        if form.get("MessagingServiceSid") != SERVICE:
            return 21701, "The Messaging Service does not exist"
        if not re.fullmatch(r"(whatsapp:)?\+[1-9][0-9]{7,14}", to):
            return 21211, f"Invalid 'To' Phone Number: {to}"
        if not 0 < len(form.get("Body", "")) <= 1600:
            return 21617, "The concatenated message body exceeds the 1600 character limit"
        if ("SendAt" in form) is not (form.get("ScheduleType") == "fixed"):
            return 35114, "SendAt needs ScheduleType fixed"
        if to in self.opted_out:
            return 21610, "Attempt to send to unsubscribed recipient"
        return None


def _error(status: int, code: int, message: str) -> web.Response:
    more = f"https://www.twilio.com/docs/errors/{code}"
    body = {"code": code, "message": message, "more_info": more, "status": status}
    return web.json_response(body, status=status)


@asynccontextmanager
async def twilio(
    serve: Serve, account: Account | None = None, **settings: Any
) -> AsyncIterator[tuple[Served, Account]]:
    """An account, and a server that delivers to it."""
    account = account or Account()
    async with listening(account.app(), "127.0.0.1", 0, grace=0.1) as url:
        values = {
            "kind": "spec",
            "spec": str(FILE),
            "base_url": f"{url}/2010-04-01",
            "account_sid": SID,
            "secret": account.secret,
            "allow_private_networks": True,
            "rate": 1000,
            **settings,
        }
        yield await serve({"twilio": values}), account


def messages(*rows: dict[str, Any], **configuration: Any) -> dict[str, Any]:
    """The params of add, change and remove."""
    mappings = {"text": "body", "image": "media_url", "at": "send_at"}
    return {
        "idColumn": "id",
        "configuration": {
            "mode": "insert",
            "identifierMapping": [{"from": "phone", "to": "to"}],
            "mappings": [{"from": column, "to": name} for column, name in mappings.items()],
            "messaging_service": SERVICE,
            **configuration,
        },
        "rows": [{"image": None, "at": None, **row} for row in rows],
    }


async def test_messages_are_sent_once(serve: Serve) -> None:
    """A message goes out for each row, as it is; the same call again sends nothing again."""
    rows = [
        {"id": 1, "phone": "+447700900001", "text": 'Tea & "cake"?\n50% ☕ +1 {{ phone }}'},
        {"id": 2, "phone": "whatsapp:+447700900002", "text": "Hi", "at": "2026-03-01 09:00Z"},
    ]
    async with twilio(serve) as (server, account):
        first = await server.result("add", messages(*rows, valid_for=600), path=TWILIO)
        again = await server.result("add", messages(*rows, valid_for=600), path=TWILIO)

    assert first == again == {"rejectedRows": []}
    assert sorted(account.messages, key=lambda each: each["To"]) == [
        {
            "To": "+447700900001",
            "MessagingServiceSid": SERVICE,
            "Body": 'Tea & "cake"?\n50% ☕ +1 {{ phone }}',
            "ValidityPeriod": "600",
        },
        {
            "To": "whatsapp:+447700900002",
            "MessagingServiceSid": SERVICE,
            "Body": "Hi",
            "ValidityPeriod": "600",
            "ScheduleType": "fixed",
            "SendAt": "2026-03-01T09:00:00Z",
        },
    ]


async def test_rows_that_twilio_refuses_are_rejected_and_the_others_sent(serve: Serve) -> None:
    """Each refused row has Twilio's words without its number; its neighbours are sent."""
    rows = [
        {"id": 1, "phone": "+447700900001", "text": "Hi"},
        {"id": 2, "phone": "+44 77 nonsense", "text": "Hi"},
        {"id": 3, "phone": "+447700900999", "text": "Hi"},
        {"id": 4, "phone": "+447700900004", "text": ""},
        {"id": 5, "phone": "+447700900005", "text": "x" * 1601},
    ]
    async with twilio(serve) as (server, account):
        answer = await server.result("add", messages(*rows), path=TWILIO)

    reasons = {each["id"]: each["reason"] for each in answer["rejectedRows"]}
    assert [each["To"] for each in account.messages] == ["+447700900001"]
    assert reasons == {
        2: "VENDOR_REJECTED: the vendor answered 400: Invalid 'To' Phone Number: [phone]",
        3: "VENDOR_REJECTED: the vendor answered 400: Attempt to send to unsubscribed recipient",
        4: 'INVALID_ROW: body: required, but column "text" is empty',
        5: "VENDOR_REJECTED: the vendor answered 400: "
        "The concatenated message body exceeds the … character limit",
    }


async def test_a_wrong_messaging_service_stops_the_call(serve: Serve) -> None:
    """What no row can help is told once, after few requests."""
    rows = [{"id": n, "phone": f"+4477009{n:05}", "text": "Hi"} for n in range(60)]
    async with twilio(serve) as (server, account):
        params = messages(*rows, messaging_service=f"MG{9:032}")
        answer = await server.rpc("add", params, path=TWILIO)

    told = answer["error"]["message"]
    assert told == "CONFIG_INVALID: the vendor answered 400 (21701), which calls for a person"
    assert account.asked <= 10


async def test_a_wrong_account_stops_the_call(serve: Serve) -> None:
    """An account that does not exist concerns all rows."""
    row = {"id": 1, "phone": "+447700900001", "text": "Hi"}
    account = Account(username=f"AC{8:032}")
    async with twilio(serve, account, account_sid=f"AC{8:032}") as (server, _):
        answer = await server.rpc("add", messages(row), path=TWILIO)

    assert answer["error"]["message"].startswith("CONFIG_INVALID: the vendor answered 404")


async def test_wrong_credentials_fail_the_call_and_are_not_told(serve: Serve) -> None:
    """A secret that Twilio refuses stops the call."""
    async with twilio(serve, secret="canary") as (server, _):
        row = {"id": 1, "phone": "+447700900001", "text": "Hi"}
        answer = await server.rpc("add", messages(row), path=TWILIO)

    assert answer["error"]["message"].startswith("AUTH_FAILED: ")
    assert "canary" not in str(answer)


async def test_an_api_key_lets_us_in(serve: Serve) -> None:
    """With an API key the account's own token is not needed; the check reads messages."""
    account = Account(username=KEY)
    async with twilio(serve, account, api_key=KEY) as (server, _):
        row = {"id": 1, "phone": "+447700900001", "text": "Hi"}
        answer = await server.result("add", messages(row), path=TWILIO)
        said = await server.plugin("twilio").check()

    assert answer == {"rejectedRows": []}
    assert said is None
    assert len(account.messages) == 1


async def test_a_message_cannot_be_removed(serve: Serve) -> None:
    """Both modes refuse removals, row by row, and ask nobody."""
    row = {"id": 1, "phone": "+447700900001", "text": "Hi"}
    async with twilio(serve) as (server, account):
        for mode in ("insert", "upsert"):
            answer = await server.result("remove", messages(row, mode=mode), path=TWILIO)
            assert answer["rejectedRows"][0]["reason"].startswith("NOT_SUPPORTED: ")

    assert account.asked == 0


async def test_a_sync_without_a_messaging_service_is_not_valid(serve: Serve) -> None:
    """The marketer is told what the form lacks, or what is none."""
    params = {"configuration": messages()["configuration"]}
    async with twilio(serve) as (server, _):
        good = await server.result("validate", params, path=TWILIO)
        params["configuration"]["messaging_service"] = "the good one"
        none = await server.result("validate", params, path=TWILIO)
        del params["configuration"]["messaging_service"]
        missing = await server.result("validate", params, path=TWILIO)

    assert good == {"errors": []}
    assert "does not satisfy pattern" in str(none)
    assert 'Option "Messaging service SID" is required.' in str(missing)
