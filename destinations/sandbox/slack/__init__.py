"""A workspace of Slack that keeps what is posted, is as strict as Slack and can misbehave."""

import asyncio
import hmac
import json
import secrets
from collections import deque
from collections.abc import Mapping
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler

from destinations.sandbox.slack.workspace import (
    BOT,
    GENERAL,
    JSON,
    PEOPLE,
    Refusal,
    Throttled,
    Workspace,
    channel,
    check_content,
)

RATE = 20.0
"""Messages a second in each channel, so that a demo stays short; Slack's own is one."""

LINE = web.RequestKey("line", dict[str, Any])


class StandIn:
    """
    Slack's methods at ``/api``, an incoming webhook at ``/services``, and ``/_sandbox``.

    ``/_sandbox/rows`` and ``messages`` show what is posted, ``requests`` what was asked,
    ``channels`` takes channels, ``behavior`` a rate, scopes, a latency and answers to give
    next. Everything is kept in memory.

    Args:
        token: The bot token that every request must carry; a random one by default.
        rate: Messages a second in each channel.
    """

    kind = "slack"
    people = 40
    checks: frozenset[str] = frozenset()

    def __init__(self, *, token: str | None = None, rate: float = RATE) -> None:
        self.token = token or secrets.token_urlsafe(32)
        self._rate = rate
        self._forget()

    def settings(self, base_url: str) -> JSON:
        """The settings of a destination that delivers here, when this is served at ``base_url``."""
        return {"token": self.token, "base_url": f"{base_url}/api", **self._common()}

    def webhook(self, base_url: str) -> JSON:
        """The same, through the incoming webhook of #general."""
        url = f"{base_url}/services/T0SANDBOX/{BOT}/{self.token}"
        return {"webhook_url": url, **self._common()}

    def _common(self) -> JSON:
        return {"kind": self.kind, "allow_private_networks": True, "rate": self._rate}

    def sync(self) -> JSON:
        """The configuration of a sync that keeps #people in step with ``examples/people``."""
        message = "{{ id }} {{ first_name }} {{ last_name }}, {{ city }}: {{ email }}"
        return {"mode": "keep_in_step", "channel": PEOPLE, "message": message}

    def expected(self, row: Mapping[str, Any]) -> JSON:
        """What ``/_sandbox/rows`` shows of a person: a message, its values escaped."""
        shown = {name: value or "" for name, value in row.items()}
        text = "{id} {first_name} {last_name}, {city}: {email}".format_map(shown)
        for mark, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):
            text = text.replace(mark, entity)
        return {"id": text, "fields": {"channel": "#people"}}

    def app(self) -> web.Application:
        """The server; all applications of one stand-in are the same workspace."""
        app = web.Application(middlewares=[self._gate], client_max_size=2**20)
        app.add_routes(
            [
                web.route("*", "/api/{method}", self._call),
                web.post("/services/{team}/{hook}/{secret}", self._webhook),
                web.get("/_sandbox/rows", self._show_rows),
                web.get("/_sandbox/messages", self._show_messages),
                web.delete("/_sandbox/messages/{channel}/{ts}", self._delete_by_hand),
                web.get("/_sandbox/requests", self._show_requests),
                web.post("/_sandbox/channels", self._put_channel),
                web.post("/_sandbox/behavior", self._behave),
                web.delete("/_sandbox", self._reset),
            ]
        )
        return app

    def _forget(self) -> None:
        self._workspace = Workspace(self._rate, lambda: asyncio.get_running_loop().time())
        self._latency = 0.0
        self._log: deque[JSON] = deque(maxlen=10_000)
        self._planned: list[JSON] = []

    # Every request ------------------------------------------------------------------------------

    @web.middleware
    async def _gate(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """What is asked of Slack is noted, and answered as planned or by its rules."""
        if request.path.startswith("/_sandbox"):
            if not self._knows(request):
                raise web.HTTPUnauthorized(headers={"WWW-Authenticate": "Bearer"})
            return await handler(request)
        method = request.match_info.get("method", "webhook")
        line = request[LINE] = {"method": method, "planned": False, "error": None}
        self._log.append(line)
        await request.read()
        await asyncio.sleep(self._latency)
        if plan := next((each for each in self._planned if each["method"] in (None, method)), None):
            self._planned.remove(plan)
            line["planned"] = True
            response: web.StreamResponse = web.Response(**plan["answer"])
        else:
            response = await self._ruled(request, handler)
        line["status"] = response.status
        return response

    async def _ruled(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        scopes = {"X-OAuth-Scopes": ",".join(sorted(self._workspace.scopes))}
        try:
            response = await handler(request)
        except Throttled as throttled:
            wait = {"Retry-After": str(throttled.seconds)}
            return self._refused(request, Refusal("ratelimited"), 429, wait)
        except Refusal as refusal:
            return self._refused(request, refusal, 200, scopes)
        response.headers.update(scopes)
        return response

    def _refused(
        self, request: web.Request, refusal: Refusal, status: int, headers: dict[str, str]
    ) -> web.Response:
        request[LINE]["error"] = refusal.code
        said = {"ok": False, "error": refusal.code, **refusal.told}
        return web.json_response(said, status=status, headers=headers)

    def _knows(self, request: web.Request) -> bool:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        return scheme.lower() == "bearer" and _same(token, self.token)

    async def _call(self, request: web.Request) -> web.Response:
        """One of the API's methods, with arguments from the query or as JSON."""
        method = self._workspace.methods.get(request.match_info["method"])
        if method is None:
            raise Refusal("unknown_method")
        if not self._knows(request):
            raise Refusal("invalid_auth" if "Authorization" in request.headers else "not_authed")
        asked: Any = dict(request.query)
        if request.method == "POST":
            if request.content_type != "application/json":
                raise Refusal("invalid_post_type")
            try:
                asked = json.loads(await request.read() or b"{}")
            except (ValueError, RecursionError):
                raise Refusal("invalid_json") from None
            if not isinstance(asked, dict):
                raise Refusal("json_not_object")
        request[LINE].update({name: asked.get(name) for name in ("channel", "ts", "text")})
        return web.json_response({"ok": True, **method(asked)})

    async def _webhook(self, request: web.Request) -> web.Response:
        """Real statuses and plain text, with nothing about where the message stands."""
        if not _same(request.match_info["secret"], self.token):
            return web.Response(status=404, text="no_service")
        if self._workspace.channels[GENERAL]["is_archived"]:
            return web.Response(status=410, text="channel_is_archived")
        try:
            asked = json.loads(await request.read())
            check_content(asked)
        except (ValueError, TypeError, AttributeError):
            return web.Response(status=400, text="invalid_payload")
        except Refusal as refusal:
            return web.Response(status=400, text=refusal.code)
        self._workspace.post(asked, GENERAL)
        return web.Response(text="ok")

    # The sandbox --------------------------------------------------------------------------------

    async def _show_rows(self, _: web.Request) -> web.Response:
        names = {id: f"#{each['name']}" for id, each in self._workspace.channels.items()}
        messages = self._workspace.messages.values()
        rows = [
            {"id": each["text"], "fields": {"channel": names[each["channel"]]}} for each in messages
        ]
        return web.json_response({"rows": rows})

    async def _show_messages(self, _: web.Request) -> web.Response:
        return web.json_response({"messages": list(self._workspace.messages.values())})

    async def _show_requests(self, _: web.Request) -> web.Response:
        return web.json_response({"requests": len(self._log), "log": list(self._log)})

    async def _delete_by_hand(self, request: web.Request) -> web.Response:
        key = request.match_info["channel"], request.match_info["ts"]
        if self._workspace.messages.pop(key, None) is None:
            raise web.HTTPNotFound
        return web.json_response({})

    async def _put_channel(self, request: web.Request) -> web.Response:
        """Another channel, or other facts about one."""
        facts = await request.json()
        self._workspace.channels[facts["id"]] = channel(**facts)
        return web.json_response({})

    async def _behave(self, request: web.Request) -> web.Response:
        """What is named replaces what was said before; what is not named stays as it was."""
        try:
            behavior = await request.json()
            rate = float(behavior.get("rate", self._workspace.rate))
            latency = float(behavior.get("latency", self._latency))
            scopes = set(behavior.get("scopes", self._workspace.scopes))
            planned = [each for plan in behavior.get("next", ()) for each in _answers(plan)]
        except (AttributeError, KeyError, TypeError, ValueError):
            shape = '{"rate", "latency", "scopes": [], "next": [{"status", "body", "method"}]}'
            return web.json_response({"error": f"a behavior looks like {shape}"}, status=400)
        self._workspace.rate, self._latency, self._workspace.scopes = rate, latency, scopes
        self._planned = planned if "next" in behavior else self._planned
        return web.json_response({})

    async def _reset(self, _: web.Request) -> web.Response:
        self._forget()
        return web.json_response({})


def _same(sent: str, secret: str) -> bool:
    return hmac.compare_digest(sent.encode(errors="surrogateescape"), secret.encode())


def _answers(plan: JSON) -> list[JSON]:
    """The same answer as often as planned; a body that is not text goes out as JSON."""
    body, headers = plan.get("body"), {}
    if body is not None and not isinstance(body, str):
        body, headers = json.dumps(body), {"Content-Type": "application/json"}
    headers |= {name.title(): str(value) for name, value in plan.get("headers", {}).items()}
    answer = {"status": int(plan["status"]), "headers": headers, "text": body}
    return [{"method": plan.get("method"), "answer": answer}] * plan.get("times", 1)
