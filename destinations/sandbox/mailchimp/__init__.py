"""Mailchimp's audiences, as its Marketing API 3.0 documents them, kept in memory."""

import asyncio
import base64
import json
import secrets
from collections import deque
from collections.abc import Mapping
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler

from destinations.sandbox.mailchimp.audience import Audience
from destinations.sandbox.mailchimp.documents import (
    BEHAVIOR,
    Refusal,
    list_document,
    merge_field_document,
    planned_answers,
    trimmed,
)
from destinations.sandbox.mailchimp.merge_fields import (
    CLUB_FIELDS,
    LONGEST_TEXT,
    NEWSLETTER_FIELDS,
    PEOPLE,
)

JSON = dict[str, Any]

DATA_CENTER = "us0"
LOG_LENGTH = 10_000
MEMBER = "/3.0/lists/{list}/members/{hash}"

NEWSLETTER, CLUB = "a1b2c3d4e5", "f6a7b8c9d0"
"""The ids of the two audiences."""


class StandIn:
    """
    The API below ``/3.0``, and under ``/_sandbox`` what it holds and what it was asked.

    It has two audiences: a newsletter, and a club that asks for double opt-in and a first name.

    Args:
        token: The API key without its data centre; a random one by default. As a bearer token it
            serves for OAuth, and for ``/_sandbox``.
    """

    kind = "mailchimp"
    checks = frozenset({"email", "born", "ltv"})

    def __init__(self, *, token: str | None = None) -> None:
        self.token = token or secrets.token_urlsafe(32)
        self._forget()

    def settings(self, base_url: str) -> JSON:
        """The settings of a destination that delivers here, when this is served at ``base_url``."""
        return {
            "kind": self.kind,
            "api_key": f"{self.token}-{DATA_CENTER}",
            "base_url": f"{base_url}/3.0",
            "allow_private_networks": True,
        }

    def sync(self) -> JSON:
        """The configuration of a sync that mirrors ``examples/people`` into the newsletter."""
        return {
            "object": NEWSLETTER,
            "mode": "mirror",
            "identifierMapping": [{"from": "email", "to": "email_address"}],
            "mappings": [{"from": name, "to": tag} for tag, name in PEOPLE.items()],
        }

    def expected(self, row: Mapping[str, Any]) -> JSON | None:
        """What ``/_sandbox/rows`` shows of a person whose row is good; None of one it refuses."""
        if max(len(row[name] or "") for name in PEOPLE.values()) > LONGEST_TEXT:
            return None
        address = row["email"].strip()
        merged = {tag: row[name] or "" for tag, name in PEOPLE.items()}
        merged["LTV"] = float(row["ltv"]) if row["ltv"] else ""
        fields = {"email_address": address, "status": "subscribed", "tags": [], **merged}
        return {"id": address, "fields": fields}

    def app(self) -> web.Application:
        """The server; all applications of one stand-in hold the same audiences."""
        app = web.Application(middlewares=[self._gate], client_max_size=64 * 2**20)
        app.add_routes(
            [
                web.get("/3.0/", self._root),
                web.get("/3.0/ping", self._ping),
                web.get("/3.0/lists", self._lists),
                web.post("/3.0/lists/{list}", self._bulk),
                web.get("/3.0/lists/{list}/merge-fields", self._merge_fields),
                web.get("/3.0/lists/{list}/tag-search", self._tag_search),
                web.post(r"/3.0/lists/{list}/segments/{segment:\d+}", self._segment),
                web.get(MEMBER, self._member),
                web.put(MEMBER, self._member),
                web.patch(MEMBER, self._member),
                web.delete(MEMBER, self._member),
                web.post(f"{MEMBER}/tags", self._tags),
                web.post(f"{MEMBER}/actions/delete-permanent", self._delete_permanent),
                web.get("/_sandbox/rows", self._show_rows),
                web.get("/_sandbox/requests", self._show_requests),
                web.post("/_sandbox/behavior", self._behave),
                web.delete("/_sandbox", self._reset),
            ]
        )
        return app

    def _forget(self) -> None:
        club = Audience(CLUB, "Club", CLUB_FIELDS, double_optin=True)
        newsletter = Audience(NEWSLETTER, "Newsletter", NEWSLETTER_FIELDS)
        self.audiences = {NEWSLETTER: newsletter, CLUB: club}
        self._log: deque[JSON] = deque(maxlen=LOG_LENGTH)
        self._latency, self._connections = 0.0, 10
        self._open = self._peak = 0
        self._planned: deque[JSON] = deque()

    # Every request ----------------------------------------------------------------------------

    @web.middleware
    async def _gate(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Credentials, then connections, then what was planned; every request is noted."""
        if request.path.startswith("/_sandbox"):
            return await self._answered(request, handler)
        self._open += 1
        self._peak = max(self._peak, self._open)
        try:
            response = await self._answered(request, handler)
        finally:
            self._open -= 1
        self._log.append(
            {"method": request.method, "path": request.path, "status": response.status}
        )
        return response

    async def _answered(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            self._authenticate(request)
            if request.path.startswith("/_sandbox"):
                return await handler(request)
            if self._open > self._connections:
                raise Refusal(429, "Too Many Requests", "You have exceeded the limit.")
            await asyncio.sleep(self._latency)
            plan = self._planned.popleft() if self._planned else None
            if plan is None or plan["applied"]:
                response = await handler(request)
            return response if plan is None else web.Response(**plan["answer"])
        except web.HTTPException as error:
            return Refusal(error.status, error.reason, "No such resource.").response()
        except Refusal as refusal:
            return refusal.response()

    def _authenticate(self, request: web.Request) -> None:
        scheme, _, sent = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() == "basic":
            _, _, sent = base64.b64decode(sent).decode(errors="replace").partition(":")
        if not sent:
            raise Refusal(401, "API Key Missing", "Your request did not include an API key.")
        key, _, data_center = sent.rpartition("-")
        if key == self.token and data_center != DATA_CENTER:
            raise Refusal(403, "Wrong Datacenter", f"Your data centre is {DATA_CENTER}.")
        if self.token not in (key, sent):
            raise Refusal(401, "API Key Invalid", "Your API key may be invalid.")

    def _audience(self, request: web.Request) -> Audience:
        audience = self.audiences.get(request.match_info["list"])
        if audience is None:
            raise Refusal(404, "Resource Not Found", "The requested resource could not be found.")
        return audience

    # The API ----------------------------------------------------------------------------------

    async def _root(self, request: web.Request) -> web.Response:
        root = {"account_id": "sandbox", "account_name": "Sandbox", "role": "owner"}
        return web.json_response(trimmed(root, _wanted(request)))

    async def _ping(self, request: web.Request) -> web.Response:
        return web.json_response({"health_status": "Everything's Chimpy!"})

    async def _lists(self, request: web.Request) -> web.Response:
        lists = [
            list_document(
                one.id, one.name, double_optin=one.double_optin, members=len(one.contacts)
            )
            for one in self.audiences.values()
        ]
        return _page(request, "lists", lists)

    async def _merge_fields(self, request: web.Request) -> web.Response:
        audience = self._audience(request)
        fields = [
            merge_field_document(audience.id, position, field)
            for position, field in enumerate(audience.merge_fields, 1)
        ]
        return _page(request, "merge_fields", fields)

    async def _bulk(self, request: web.Request) -> web.Response:
        body = await _body(request)
        return web.json_response(self._audience(request).bulk(body, skip=_skips(request)))

    async def _member(self, request: web.Request) -> web.Response:
        audience, hashed = self._audience(request), request.match_info["hash"]
        match request.method:
            case "PUT":
                answer = audience.put(hashed, await _body(request), skip=_skips(request))
            case "PATCH":
                answer = audience.patch(hashed, await _body(request), skip=_skips(request))
            case "DELETE":
                audience.archive(hashed)
                return web.Response(status=204)
            case _:
                answer = audience.document(audience.contact(hashed))
        return web.json_response(trimmed(answer, _wanted(request)))

    async def _tags(self, request: web.Request) -> web.Response:
        audience, hashed = self._audience(request), request.match_info["hash"]
        for tag in (await _body(request))["tags"]:
            audience.tag(hashed, tag["name"], active=tag["status"] == "active")
        return web.Response(status=204)

    async def _delete_permanent(self, request: web.Request) -> web.Response:
        self._audience(request).forget(request.match_info["hash"])
        return web.Response(status=204)

    async def _tag_search(self, request: web.Request) -> web.Response:
        prefix = request.query.get("name", "").casefold()
        tags = [
            {"id": id, "name": name}
            for id, name in self._audience(request).tags.items()
            if name.casefold().startswith(prefix)
        ]
        return web.json_response({"tags": tags, "total_items": len(tags)})

    async def _segment(self, request: web.Request) -> web.Response:
        segment = int(request.match_info["segment"])
        return web.json_response(self._audience(request).tag_many(segment, await _body(request)))

    # The sandbox ------------------------------------------------------------------------------

    async def _show_rows(self, request: web.Request) -> web.Response:
        """Of the newsletter, or of the audience that is asked for."""
        audience = self.audiences[request.query.get("audience", NEWSLETTER)]
        return web.json_response({"rows": list(audience.rows())})

    async def _show_requests(self, request: web.Request) -> web.Response:
        shown = {"requests": len(self._log), "peak": self._peak, "log": list(self._log)}
        return web.json_response(shown)

    async def _reset(self, request: web.Request) -> web.Response:
        self._forget()
        return web.json_response({})

    async def _behave(self, request: web.Request) -> web.Response:
        """What is named replaces what was said before; what is not named stays as it was."""
        behavior = await _body(request)
        try:
            latency = float(behavior.get("latency", self._latency))
            connections = int(behavior.get("connections", self._connections))
            planned = [
                answer for plan in behavior.get("next", ()) for answer in planned_answers(plan)
            ]
        except (AttributeError, KeyError, TypeError, ValueError):
            raise Refusal(400, "Bad Request", BEHAVIOR) from None
        self._latency, self._connections = latency, connections
        if "next" in behavior:
            self._planned = deque(planned)
        return web.json_response({})


async def _body(request: web.Request) -> JSON:
    try:
        body = json.loads(await request.read())
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, dict):
        raise Refusal(400, "JSON Parse Error", "We encountered an unspecified JSON parsing error.")
    return body


def _page(request: web.Request, name: str, items: list[JSON]) -> web.Response:
    """What ``count`` and ``offset`` choose, with the ``fields`` that are wanted."""
    count, offset = (
        int(request.query.get(key, usual)) for key, usual in (("count", 10), ("offset", 0))
    )
    if not 0 <= count <= 1000 or offset < 0:
        raise Refusal(400, "Bad Request", "count is at most 1000.")
    page = {name: items[offset : offset + count], "total_items": len(items)}
    return web.json_response(trimmed(page, _wanted(request)))


def _wanted(request: web.Request) -> list[str]:
    return [path for path in request.query.get("fields", "").split(",") if path]


def _skips(request: web.Request) -> bool:
    return request.query.get("skip_merge_validation") == "true"
