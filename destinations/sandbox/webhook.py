"""A receiver of webhooks that keeps what it is sent, is as strict as a vendor and can misbehave."""

import asyncio
import hmac
import json
import math
import secrets
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler

NAME_LENGTH = 200
"""The most characters a first or a last name may have."""

LOG_LENGTH = 10_000
"""How many of the latest requests the log keeps."""

FIELDS: tuple[dict[str, Any], ...] = (
    {"id": "email", "label": "E-mail", "type": "EMAIL", "required": True, "identifier": True},
    {"id": "first_name", "label": "First name", "type": "STRING"},
    {"id": "last_name", "label": "Last name", "type": "STRING"},
    {"id": "born", "label": "Born", "type": "DATE"},
    {"id": "ltv", "label": "Lifetime value", "type": "NUMBER"},
    {"id": "subscribed", "label": "Subscribed", "type": "BOOLEAN"},
    {"id": "tags", "label": "Tags", "type": "ARRAY"},
    {"id": "address.city", "label": "City", "type": "STRING"},
)
"""The schema of the people this receiver takes."""

Entry = dict[str, Any]

IDS = web.RequestKey("ids", list[Any])


class Refusal(Exception):
    """A request that changes nothing, and is answered with a status and ``{"error": …}``."""

    def __init__(self, status: int, message: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.headers = headers

    def response(self) -> web.Response:
        """The answer."""
        return web.json_response({"error": str(self)}, status=self.status, headers=self.headers)


class StandIn:
    """
    A receiver at ``/rows`` that says under ``/_sandbox`` what it holds and what it was sent.

    It takes one entry ``{"operation", "id", "fields"}`` or an array of them, which is applied
    whole or not at all. ``add`` and ``change`` put the fields in place of those held for the
    id; ``remove`` forgets the id, known or not. Everything is kept in memory.

    Args:
        token: The bearer token that every request must carry; a random one by default.
    """

    kind = "webhook"
    checks = frozenset({"email", "born", "ltv", "first_name", "last_name"})
    """The columns of ``examples/people`` whose faults get a row rejected."""

    def __init__(self, *, token: str | None = None) -> None:
        self.token = token or secrets.token_urlsafe(32)
        self._forget()

    def app(self) -> web.Application:
        """The server; all applications of one stand-in hold the same rows."""
        app = web.Application(middlewares=[self._gate], client_max_size=64 * 2**20)
        for method in ("POST", "PUT", "PATCH", "DELETE"):
            app.router.add_route(method, "/rows", self._receive)
        app.router.add_get("/_sandbox/rows", self._show_rows)
        app.router.add_get("/_sandbox/requests", self._show_requests)
        app.router.add_post("/_sandbox/behavior", self._behave)
        app.router.add_delete("/_sandbox", self._reset)
        return app

    def settings(self, base_url: str) -> dict[str, Any]:
        """The settings of a destination that delivers here, when this is served at ``base_url``."""
        return {
            "kind": self.kind,
            "url": f"{base_url}/rows",
            "auth": {"scheme": "bearer", "token": self.token},
            "allow_private_networks": True,
            "fields": [dict(field) for field in FIELDS],
        }

    def sync(self) -> dict[str, Any]:
        """The configuration of a sync that delivers all of ``examples/people``."""
        columns = ("first_name", "last_name", "born", "ltv", "subscribed", "tags")
        mappings = [{"from": name, "to": name} for name in columns]
        return {
            "mode": "mirror",
            "identifierMapping": [{"from": "email", "to": "email"}],
            "mappings": [*mappings, {"from": "city", "to": "address.city"}],
        }

    def expected(self, row: Mapping[str, Any]) -> Entry:
        """What ``/_sandbox/rows`` shows of a person whose row is good."""
        ltv, subscribed, tags = row["ltv"], row["subscribed"], row["tags"]
        fields = {
            "email": row["email"].strip(),
            "first_name": row["first_name"],
            "last_name": row["last_name"],
            "born": row["born"],
            "ltv": None if ltv is None else float(ltv),
            "subscribed": None if subscribed is None else subscribed.lower() == "true",
            "tags": None if tags is None else json.loads(tags),
            "address": {"city": row["city"]},
        }
        return {"id": row["id"], "fields": fields}

    def _forget(self) -> None:
        self._rows: dict[str, Entry] = {}
        self._counts = {"requests": 0, "accepted": 0, "refused": 0}
        self._log: deque[dict[str, Any]] = deque(maxlen=LOG_LENGTH)
        self._latency = 0.0
        self._planned: deque[dict[str, Any]] = deque()

    @web.middleware
    async def _gate(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Credentials come first; whatever becomes of a request to /rows is noted."""
        response: web.StreamResponse
        try:
            self._authenticate(request)
            response = await handler(request)
        except Refusal as refusal:
            response = refusal.response()
        if request.path == "/rows":
            self._note(request, response.status)
        return response

    def _authenticate(self, request: web.Request) -> None:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        sent = token.encode(errors="surrogateescape")
        if scheme.lower() != "bearer" or not hmac.compare_digest(sent, self.token.encode()):
            raise Refusal(401, "a valid bearer token is needed", {"WWW-Authenticate": "Bearer"})

    def _note(self, request: web.Request, status: int) -> None:
        ids = request.get(IDS, [])
        line = {"method": request.method, "status": status, "records": len(ids), "ids": ids}
        self._log.append(line)
        self._counts["requests"] += 1
        self._counts["accepted" if status < 300 else "refused"] += 1

    async def _receive(self, request: web.Request) -> web.Response:
        body = await request.read()
        await asyncio.sleep(self._latency)
        if self._planned:
            answer = self._planned.popleft()
            with suppress(Refusal):
                _entries(request, body)  # for the log
            return web.Response(**answer)
        entries = _entries(request, body)
        for entry in entries:
            _check_names(entry)
        for entry in entries:
            self._apply(entry)
        return web.json_response({"accepted": len(entries)})

    def _apply(self, entry: Entry) -> None:
        key = json.dumps(entry["id"])  # 7 and "7" are different rows
        if entry["operation"] == "remove":
            self._rows.pop(key, None)
        else:
            self._rows[key] = {"id": entry["id"], "fields": entry["fields"]}

    async def _show_rows(self, request: web.Request) -> web.Response:
        return web.json_response({"rows": list(self._rows.values())})

    async def _show_requests(self, request: web.Request) -> web.Response:
        return web.json_response({**self._counts, "log": list(self._log)})

    async def _reset(self, request: web.Request) -> web.Response:
        self._forget()
        return web.json_response({})

    async def _behave(self, request: web.Request) -> web.Response:
        """What is named replaces what was said before; what is not named stays as it was."""
        behavior = _parsed(request, await request.read())
        try:
            latency = float(behavior.get("latency", self._latency))
            planned = [answer for plan in behavior.get("next", ()) for answer in _answers(plan)]
        except (AttributeError, KeyError, TypeError, ValueError):
            shape = '{"latency": seconds, "next": [{"status", "headers", "body", "times"}]}'
            raise Refusal(400, f"a behavior looks like {shape}") from None
        self._latency = latency
        if "next" in behavior:
            self._planned = deque(planned)
        return web.json_response({})


def _answers(plan: dict[str, Any]) -> list[dict[str, Any]]:
    """The same answer as often as planned; a body that is not text goes out as JSON."""
    body, headers = plan.get("body"), {}
    if body is not None and not isinstance(body, str):
        body, headers = json.dumps(body), {"Content-Type": "application/json"}
    headers.update({name.title(): str(value) for name, value in plan.get("headers", {}).items()})
    return [{"status": int(plan["status"]), "headers": headers, "text": body}] * plan.get(
        "times", 1
    )


def _parsed(request: web.Request, body: bytes) -> Any:
    if request.content_type != "application/json":
        raise Refusal(415, "the Content-Type must be application/json")
    try:
        return json.loads(body, parse_constant=_finite, parse_float=_finite)
    except (ValueError, RecursionError):
        raise Refusal(400, "the body is not valid JSON") from None


def _finite(literal: str) -> float:
    number = float(literal)
    if not math.isfinite(number):
        raise ValueError(literal)
    return number


def _entries(request: web.Request, body: bytes) -> list[Entry]:
    """The entries of a body that holds one or an array of them; their ids are kept for the log."""
    parsed = _parsed(request, body)
    entries = parsed if isinstance(parsed, list) else [parsed]
    for position, entry in enumerate(entries):
        if not _is_entry(entry):
            raise Refusal(400, f'entry {position} is not {{"operation", "id", "fields"}}')
    request[IDS] = [entry["id"] for entry in entries]
    return entries


def _is_entry(entry: Any) -> bool:
    match entry:
        case {"operation": "add" | "change" | "remove", "id": id, "fields": dict()}:
            return isinstance(id, str | int | float) and not isinstance(id, bool)
    return False


def _check_names(entry: Entry) -> None:
    """Raises Refusal for a name that is too long; a removal has no use for names."""
    for name in ("first_name", "last_name"):
        value = entry["fields"].get(name)
        if entry["operation"] != "remove" and isinstance(value, str) and len(value) > NAME_LENGTH:
            raise Refusal(422, f"{name} is longer than {NAME_LENGTH} characters")
