"""A receiver of webhooks that keeps what it is sent, is as strict as a vendor and can misbehave."""

import asyncio
import hmac
import json
import secrets
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler

from destinations.sandbox.webhook.entries import (
    IDS,
    NAME_LENGTH,
    Entry,
    Refusal,
    faults,
    read_entries,
    read_json,
)
from destinations.sandbox.webhook.signatures import Signatures, SigningScheme
from destinations.sandbox.webhook.tokens import PATH, GrantType, Tokens

__all__ = ["FIELDS", "NAME_LENGTH", "StandIn"]

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

RESULTS = {"rows": {"at": "/errors", "index": "/index", "message": "/message"}}
"""How a destination reads an answer that tells of each entry."""


class StandIn:
    """
    A receiver at ``/rows`` that says under ``/_sandbox`` what it holds and what it was sent.

    It takes one entry ``{"operation", "id", "fields"}`` or an array of them, which is applied
    whole or not at all, unless it tells of each entry. ``add`` and ``change`` put the fields in
    place of those held for the id; ``remove`` forgets the id, known or not. Everything is kept
    in memory.

    Args:
        token: The bearer token that every request must carry; a random one by default.
        oauth: Requests to ``/rows`` carry a token from ``/oauth/token`` instead, by this grant;
            the client's secret is ``token``.
        expires_in: Seconds for which such a token is good.
        signing: Requests to ``/rows`` must be signed too.
        results: Of an array the bad entries alone are refused; the answer, still a 200, names
            them as ``errors``, each with ``index``, ``id`` (where there is one) and ``message``.
        wrapper: Arrays come as the only member of an object, by this name.
    """

    kind = "webhook"
    checks = frozenset({"email", "born", "ltv", "first_name", "last_name"})
    """The columns of ``examples/people`` whose faults get a row rejected."""

    def __init__(
        self,
        *,
        token: str | None = None,
        oauth: GrantType | None = None,
        expires_in: float = 3600.0,
        signing: SigningScheme | None = None,
        results: bool = False,
        wrapper: str = "",
    ) -> None:
        self.token = token or secrets.token_urlsafe(32)
        self._tokens = Tokens(oauth, secret=self.token, expires_in=expires_in) if oauth else None
        self._signatures = Signatures(signing) if signing else None
        self._results = results
        self._wrapper = wrapper
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
        if self._tokens:
            app.router.add_post(PATH, self._tokens.give)
            app.router.add_delete("/_sandbox/tokens", self._revoke)
        return app

    def settings(self, base_url: str) -> dict[str, Any]:
        """The settings of a destination that delivers here, when this is served at ``base_url``."""
        bearer = {"scheme": "bearer", "token": self.token}
        return {
            "kind": self.kind,
            "url": f"{base_url}/rows",
            "auth": self._tokens.settings(base_url) if self._tokens else bearer,
            **({"signing": self._signatures.settings()} if self._signatures else {}),
            "allow_private_networks": True,
            "fields": [dict(field) for field in FIELDS],
            **({"batching": "array", "answer": RESULTS} if self._results else {}),
            **({"batching": "array", "wrapper": self._wrapper} if self._wrapper else {}),
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
            await self._authenticate(request)
            response = await handler(request)
        except Refusal as refusal:
            response = refusal.response()
        if request.path == "/rows":
            self._note(request, response.status)
        return response

    async def _authenticate(self, request: web.Request) -> None:
        if self._tokens and request.path == PATH:
            return  # it looks at credentials of its own
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not self._takes(token, request.path):
            raise Refusal(401, "a valid bearer token is needed", {"WWW-Authenticate": "Bearer"})
        signed = self._signatures if request.path == "/rows" else None
        if signed and not signed.holds(request.headers, await request.read()):
            raise Refusal(401, "a valid signature is needed")

    def _takes(self, token: str, path: str) -> bool:
        if self._tokens and path == "/rows":
            return self._tokens.takes(token)
        sent = token.encode(errors="surrogateescape")
        return hmac.compare_digest(sent, self.token.encode())

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
                read_entries(request, body, self._wrapper)  # for the log
            return web.Response(**answer)
        entries, is_array = read_entries(request, body, self._wrapper)
        refused = faults(entries)
        if refused and not (self._results and is_array):
            raise next(iter(refused.values()))
        for position, entry in enumerate(entries):
            if position not in refused:
                self._apply(entry)
        told = [_told(entries[position], position, why) for position, why in refused.items()]
        errors = {"errors": told} if self._results else {}
        return web.json_response({"accepted": len(entries) - len(refused), **errors})

    def _apply(self, entry: Entry) -> None:
        key = json.dumps(entry["id"])  # 7 and "7" are different rows
        if entry["operation"] == "remove":
            self._rows.pop(key, None)
        else:
            self._rows[key] = {"id": entry["id"], "fields": entry["fields"]}

    async def _show_rows(self, request: web.Request) -> web.Response:
        return web.json_response({"rows": list(self._rows.values())})

    async def _show_requests(self, request: web.Request) -> web.Response:
        tokens = {"tokens": self._tokens.given} if self._tokens else {}
        return web.json_response({**self._counts, **tokens, "log": list(self._log)})

    async def _reset(self, request: web.Request) -> web.Response:
        self._forget()
        return web.json_response({})

    async def _revoke(self, request: web.Request) -> web.Response:
        assert self._tokens is not None  # noqa: S101 - or there is no such route
        self._tokens.revoke()
        return web.json_response({})

    async def _behave(self, request: web.Request) -> web.Response:
        """What is named replaces what was said before; what is not named stays as it was."""
        behavior = read_json(request, await request.read())
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


def _told(entry: Any, index: int, why: Refusal) -> dict[str, Any]:
    """What the answer says of an entry that was refused."""
    id = {"id": entry["id"]} if isinstance(entry, dict) and "id" in entry else {}
    return {"index": index, **id, "message": str(why)}


def _answers(plan: dict[str, Any]) -> list[dict[str, Any]]:
    """The same answer as often as planned; a body that is not text goes out as JSON."""
    body, headers = plan.get("body"), {}
    if body is not None and not isinstance(body, str):
        body, headers = json.dumps(body), {"Content-Type": "application/json"}
    headers.update({name.title(): str(value) for name, value in plan.get("headers", {}).items()})
    return [{"status": int(plan["status"]), "headers": headers, "text": body}] * plan.get(
        "times", 1
    )
