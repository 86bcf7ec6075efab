"""A store of Connectif: its public API, its webhooks, and what they have brought, in memory."""

import asyncio
import hmac
import json
import secrets
from collections import deque
from collections.abc import Mapping
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler

from destinations.sandbox.connectif.answers import (
    BEHAVIOR,
    JSON,
    Refusal,
    Window,
    page,
    planned_answers,
)
from destinations.sandbox.connectif.events import EVENTS, INTEGRATIONS, PERSON, REMOVED
from destinations.sandbox.connectif.store import Store

STORE = "store-0123456789"
"""The store in the address of its webhooks."""

LARGEST = 512_000
"""Bytes of an event."""

LIMIT, WINDOW = 1_000, 1.0
"""Requests to the API in a window of so many seconds; a store's own may be smaller."""

SCOPES = frozenset({"read", "write"})
PEOPLE = ("first_name", "last_name", "born", "ltv", "subscribed", "tags", "city")


class StandIn:
    """
    The API below ``/api``, webhooks below ``/webhook``, and ``/_sandbox``.

    ``/_sandbox/rows`` shows the contacts whose last event was the one that ``?event=`` names, or
    ``person``; ``events`` all that came, ``requests`` what was asked, and ``behavior`` takes a
    ``limit`` and a ``window`` of requests, the key's ``scopes``, a ``latency`` and answers to
    give ``next``.

    Args:
        token: The API key; a random one by default. ``/_sandbox`` takes it as a bearer token.
    """

    kind = "connectif"
    checks = frozenset({"email", "born", "ltv"})

    def __init__(self, *, token: str | None = None) -> None:
        self.token = token or f"{secrets.token_hex(8)}:{secrets.token_urlsafe(24)}"
        self._forget()

    def settings(self, base_url: str) -> JSON:
        """The settings of a destination that delivers here, when this is served at ``base_url``."""
        return {
            "kind": self.kind,
            "api_key": self.token,
            "store_id": STORE,
            "base_url": f"{base_url}/api",
            "webhook_base_url": f"{base_url}/webhook",
            "allow_private_networks": True,
        }

    def sync(self) -> JSON:
        """The configuration of a sync that sends ``examples/people``, and who was removed."""
        return {
            "object": PERSON,
            "mode": "send_all",
            "createContact": True,
            "removalAlias": REMOVED,
            "identifierMapping": [{"from": "email", "to": "email"}],
            "mappings": [{"from": name, "to": name} for name in PEOPLE],
        }

    def expected(self, row: Mapping[str, Any]) -> JSON:
        """What ``/_sandbox/rows`` shows of a person whose row is good."""
        fields: JSON = {name: row[name] for name in PEOPLE if row[name] is not None}
        if "ltv" in fields:
            fields["ltv"] = float(fields["ltv"])
        if "subscribed" in fields:
            fields["subscribed"] = fields["subscribed"].lower() == "true"
        if "tags" in fields:
            fields["tags"] = json.loads(fields["tags"])
        email = row["email"].strip()
        return {"id": email, "fields": {"email": email, **fields}}

    def app(self) -> web.Application:
        """The server; all applications of one stand-in are the same store."""
        app = web.Application(middlewares=[self._gate], client_max_size=64 * 2**20)
        integration = "/api/custom-integrations/"
        app.add_routes(
            [
                web.get(integration, self._integrations),
                web.get(f"{integration}{{id}}/custom-event-types/", self._event_types),
                web.post("/api/custom-events/alias/{alias}", self._event),
                web.post("/webhook/{store}/custom-events/alias/{alias}", self._hook),
                web.get("/_sandbox/rows", self._show_rows),
                web.get("/_sandbox/events", self._show_events),
                web.get("/_sandbox/requests", self._show_requests),
                web.post("/_sandbox/behavior", self._behave),
                web.delete("/_sandbox", self._reset),
            ]
        )
        return app

    def _forget(self) -> None:
        self._store = Store()
        self._window = Window(LIMIT, WINDOW)
        self._scopes = SCOPES
        self._latency = 0.0
        self._log: deque[JSON] = deque(maxlen=10_000)
        self._planned: deque[JSON] = deque()

    # Every request ----------------------------------------------------------------------------

    @web.middleware
    async def _gate(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """What is asked is noted; the API's answers say how many more it takes."""
        if request.path.startswith("/_sandbox"):
            if not _same(request.headers.get("Authorization", ""), f"Bearer {self.token}"):
                raise web.HTTPUnauthorized(headers={"WWW-Authenticate": "Bearer"})
            return await _answered(request, handler)
        response = await self._ruled(request, handler)
        if request.path.startswith("/api/"):
            for name, value in self._window.headers().items():
                response.headers.setdefault(name, value)
        line = {"method": request.method, "path": request.path, "query": dict(request.query)}
        keyed = "Authorization" in request.headers
        self._log.append({**line, "status": response.status, "key": keyed})
        return response

    async def _ruled(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """The key, the window, then what was planned or what the rules say."""
        try:
            if request.path.startswith("/api/"):
                self._authenticate(request)
                self._window.take()
        except Refusal as refusal:
            return refusal.response()
        await request.read()
        await asyncio.sleep(self._latency)
        plan = self._planned.popleft() if self._planned else None
        if plan is None:
            return await _answered(request, handler)
        if plan["applied"]:
            await _answered(request, handler)
        return web.Response(**plan["answer"])

    def _authenticate(self, request: web.Request) -> None:
        scheme, _, key = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "apikey" or not _same(key, self.token):
            raise Refusal(401)
        if ("write" if request.method == "POST" else "read") not in self._scopes:
            raise Refusal(403, "Forbidden", "Permission not granted to the API Key.")

    # The API and webhooks ---------------------------------------------------------------------

    async def _integrations(self, request: web.Request) -> web.Response:
        return page(request, INTEGRATIONS)

    async def _event_types(self, request: web.Request) -> web.Response:
        if request.match_info["id"] not in {each["id"] for each in INTEGRATIONS}:
            raise Refusal(404, "Not Found", "Custom integration not found.")
        return page(request, EVENTS[request.match_info["id"]])

    async def _event(self, request: web.Request) -> web.Response:
        create = request.query.get("createContact", "false")
        if create not in ("true", "false") or request.query.keys() - {"createContact"}:
            raise Refusal(400, "Bad Request", "createContact must be a boolean.")
        event = self._store.event_type(request.match_info["alias"], "api")
        body = await _body(request)
        id = self._store.receive(event, body, create=create == "true", strict=True)
        return web.json_response({"id": id}, status=201)

    async def _hook(self, request: web.Request) -> web.Response:
        if request.match_info["store"] != STORE:
            raise Refusal(404, "Not Found", "Store not found.")
        event = self._store.event_type(request.match_info["alias"], "webhook")
        fields = self._store.extracted(event, await _body(request))
        id = self._store.receive(event, fields, create=True, strict=False)
        return web.json_response({"id": id}, status=201)

    # The sandbox ------------------------------------------------------------------------------

    async def _show_rows(self, request: web.Request) -> web.Response:
        alias = request.query.get("event", PERSON)
        return web.json_response({"rows": self._store.last(alias)})

    async def _show_events(self, request: web.Request) -> web.Response:
        return web.json_response({"events": list(self._store.events)})

    async def _show_requests(self, request: web.Request) -> web.Response:
        return web.json_response({"requests": len(self._log), "log": list(self._log)})

    async def _reset(self, request: web.Request) -> web.Response:
        self._forget()
        return web.json_response({})

    async def _behave(self, request: web.Request) -> web.Response:
        """What is named replaces what was said before; what is not named stays as it was."""
        behavior = await _body(request)
        try:
            limit = int(behavior.get("limit", self._window.limit))
            seconds = float(behavior.get("window", self._window.seconds))
            latency = float(behavior.get("latency", self._latency))
            scopes = frozenset(behavior.get("scopes", self._scopes))
            planned = [
                answer for plan in behavior.get("next", ()) for answer in planned_answers(plan)
            ]
        except (AttributeError, KeyError, TypeError, ValueError):
            raise Refusal(400, "Bad Request", BEHAVIOR) from None
        if (limit, seconds) != (self._window.limit, self._window.seconds):
            self._window = Window(limit, seconds)
        self._latency, self._scopes = latency, scopes
        if "next" in behavior:
            self._planned = deque(planned)
        return web.json_response({})


async def _answered(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except web.HTTPException as error:
        return Refusal(error.status, error.reason, "There is no such resource.").response()
    except Refusal as refusal:
        return refusal.response()


async def _body(request: web.Request) -> JSON:
    """A JSON object of at most 512 KB."""
    content = await request.read()
    if len(content) > LARGEST:
        raise Refusal(413, "Request Entity Too Large", "The event is too big.")
    try:
        body = json.loads(content) if request.content_type == "application/json" else None
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, dict):
        raise Refusal(400, "Bad Request", "The body is not a JSON object.")
    return body


def _same(sent: str, secret: str) -> bool:
    return hmac.compare_digest(sent.encode(errors="surrogateescape"), secret.encode())
