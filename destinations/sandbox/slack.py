"""A workspace of Slack that keeps what is posted, is as strict as Slack and can misbehave."""

import asyncio
import base64
import hmac
import json
import math
import secrets
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler

RATE = 20.0
"""Messages a second in each channel, so that a demo stays short; Slack's own is one."""

BURST, EDITS = 5, 50
"""Messages at once in a channel; edits, and deletions, at once in the workspace."""

SHOWN, EDITABLE, BLOCKS, SECTION = 40_000, 4_000, 50, 3_000
"""Characters that are shown of a text, of an edited text, blocks, characters in a section."""

SCOPES = ("chat:write", "channels:read", "groups:read", "chat:write.customize")
BOT, USER = "B0SANDBOX01", "U0SANDBOX"
BLOCK_TYPES = {"section", "header", "divider", "context", "image", "actions", "markdown"}

CHANNELS: tuple[dict[str, Any], ...] = (
    {"id": "C0GENERAL01", "name": "general"},
    {"id": "C0PEOPLE001", "name": "people"},
    {"id": "C0LEADS0001", "name": "leads", "is_private": True},
    {"id": "C0OLD000001", "name": "old", "is_archived": True},
    {"id": "C0OTHERS001", "name": "others", "is_member": False},
)
"""The workspace's channels; tests may put others."""

USED = web.RequestKey("used", dict[str, Any])

JSON = dict[str, Any]


class Refusal(Exception):
    """An answer that says no with a code, and what else Slack tells."""

    def __init__(self, code: str, **told: Any) -> None:
        super().__init__(code)
        self.code = code
        self.told = told


class Throttled(Exception):
    """429, and the whole seconds after which to come again."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.seconds = max(1, math.ceil(seconds))


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
    """How many of ``examples/people`` a demo posts."""
    checks: frozenset[str] = frozenset()
    """The columns of ``examples/people`` whose faults get a row rejected here: a text takes all."""

    def __init__(self, *, token: str | None = None, rate: float = RATE) -> None:
        self.token = token or secrets.token_urlsafe(32)
        self._first_rate = rate
        self._forget()

    def settings(self, base_url: str) -> JSON:
        """The settings of a destination that delivers here, when this is served at ``base_url``."""
        return {
            "kind": self.kind,
            "token": self.token,
            "base_url": f"{base_url}/api",
            "allow_private_networks": True,
            "rate": self._rate,
        }

    def webhook(self, base_url: str) -> JSON:
        """The same, through the incoming webhook of #general."""
        url = f"{base_url}/services/T0SANDBOX/{BOT}/{self.token}"
        rest = {"allow_private_networks": True, "rate": self._rate}
        return {"kind": self.kind, "webhook_url": url, **rest}

    def sync(self) -> JSON:
        """The configuration of a sync that keeps #people in step with ``examples/people``."""
        message = "{{ id }} {{ first_name }} {{ last_name }}, {{ city }}: {{ email }}"
        return {"mode": "keep_in_step", "channel": "C0PEOPLE001", "message": message}

    def expected(self, row: dict[str, Any]) -> JSON:
        """What ``/_sandbox/rows`` shows of a person: a message with its values escaped."""
        row = {name: value or "" for name, value in row.items()}
        text = "{id} {first_name} {last_name}, {city}: {email}".format_map(row)
        for mark, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):
            text = text.replace(mark, entity)
        return {"id": text, "fields": {"channel": "#people"}}

    def app(self) -> web.Application:
        """The server; all applications of one stand-in are the same workspace."""
        app = web.Application(middlewares=[self._gate], client_max_size=2**20)
        for name, method in self._methods().items():
            app.router.add_route("*", f"/api/{name}", _api(method))
        app.router.add_post("/services/{team}/{hook}/{secret}", self._webhook)
        app.router.add_get("/_sandbox/rows", self._show_rows)
        app.router.add_get("/_sandbox/messages", self._show_messages)
        app.router.add_delete("/_sandbox/messages/{channel}/{ts}", self._delete_by_hand)
        app.router.add_get("/_sandbox/requests", self._show_requests)
        app.router.add_post("/_sandbox/channels", self._put_channel)
        app.router.add_post("/_sandbox/behavior", self._behave)
        app.router.add_delete("/_sandbox", self._reset)
        return app

    def _methods(self) -> dict[str, Callable[[JSON], JSON]]:
        return {
            "auth.test": self._auth_test,
            "users.conversations": self._conversations,
            "chat.postMessage": self._post_message,
            "chat.update": self._update,
            "chat.delete": self._delete,
        }

    def _forget(self) -> None:
        self._channels: dict[str, JSON] = {each["id"]: _channel(**each) for each in CHANNELS}
        self._messages: dict[tuple[str, str], JSON] = {}
        self._count = 0
        self._due: dict[str, float] = {}
        self._scopes = set(SCOPES)
        self._rate, self._latency = self._first_rate, 0.0
        self._log: deque[JSON] = deque(maxlen=10_000)
        self._planned: deque[JSON] = deque()

    # At the door --------------------------------------------------------------------------------

    @web.middleware
    async def _gate(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Every request is answered and noted, those of the sandbox itself excepted."""
        if request.path.startswith("/_sandbox"):
            self._check_token(request)
            return await handler(request)
        await asyncio.sleep(self._latency)
        method = request.path.removeprefix("/api/")
        line = {"method": method, "status": 200, "error": None}
        self._log.append(line)
        response = await self._answer(request, handler, method, line)
        line["status"] = response.status
        return response

    async def _answer(
        self, request: web.Request, handler: Handler, method: str, line: JSON
    ) -> web.StreamResponse:
        for plan in self._planned:
            if plan["method"] in (None, method):
                self._planned.remove(plan)
                await request.read()
                return _planned(plan)
        scopes = {"X-OAuth-Scopes": ",".join(sorted(self._scopes))}
        try:
            if request.path.startswith("/api/"):
                request[USED] = await self._arguments(request)
                line |= {name: request[USED].get(name) for name in ("channel", "ts", "text")}
            response = await handler(request)
        except Throttled as throttled:
            line["error"] = "ratelimited"
            wait = {"Retry-After": str(throttled.seconds)}
            return web.json_response(
                {"ok": False, "error": "ratelimited"}, status=429, headers=wait
            )
        except Refusal as refusal:
            line["error"] = refusal.code
            said = {"ok": False, "error": refusal.code, **refusal.told}
            return web.json_response(said, headers=scopes)
        response.headers.update(scopes)
        return response

    def _check_token(self, request: web.Request) -> None:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if not token:
            raise web.HTTPUnauthorized if request.path.startswith("/_") else Refusal("not_authed")
        sent = token.encode(errors="surrogateescape")
        if scheme.lower() != "bearer" or not hmac.compare_digest(sent, self.token.encode()):
            raise web.HTTPUnauthorized if request.path.startswith("/_") else Refusal("invalid_auth")

    async def _arguments(self, request: web.Request) -> JSON:
        self._check_token(request)
        if request.method == "GET":
            return dict(request.query)
        if request.content_type != "application/json":
            raise Refusal("invalid_post_type")
        try:
            arguments = json.loads(await request.read())
        except ValueError:
            raise Refusal("invalid_json") from None
        if not isinstance(arguments, dict):
            raise Refusal("json_not_object")
        return arguments

    def _needs(self, scope: str) -> None:
        if scope not in self._scopes:
            provided = ",".join(sorted(self._scopes))
            raise Refusal("missing_scope", needed=scope, provided=provided)

    def _take_turn(self, what: str, burst: int) -> None:
        """A message a second in each channel, edits by method: the generic cell rate algorithm."""
        now, interval = asyncio.get_running_loop().time(), 1 / self._rate
        due = max(self._due.get(what, now), now)
        if (wait := due - (burst - 1) * interval - now) > 1e-6:
            raise Throttled(wait)
        self._due[what] = due + interval

    # Methods ------------------------------------------------------------------------------------

    def _auth_test(self, _: JSON) -> JSON:
        where = {"url": "https://sandbox.slack.com/", "team": "Sandbox", "team_id": "T0SANDBOX"}
        return {**where, "user": "destination", "user_id": USER, "bot_id": BOT}

    def _conversations(self, asked: JSON) -> JSON:
        types = str(asked.get("types") or "public_channel").split(",")
        if not set(types) <= {"public_channel", "private_channel"}:
            raise Refusal("invalid_types")
        for type, scope in (
            ("public_channel", "channels:read"),
            ("private_channel", "groups:read"),
        ):
            if type in types:
                self._needs(scope)
        limit, start = str(asked.get("limit") or 100), _position(asked.get("cursor"))
        if not limit.isdigit() or not 1 <= int(limit) <= 999:
            raise Refusal("invalid_limit")
        listed = [
            {name: value for name, value in each.items() if name != "is_member"}
            for each in self._channels.values()
            if each["is_member"] and not (each["is_archived"] and asked.get("exclude_archived") == "true")
            and ("private_channel" if each["is_private"] else "public_channel") in types
        ]  # fmt: skip
        end = start + int(limit)
        cursor = base64.b64encode(f"at:{end}".encode()).decode() if end < len(listed) else ""
        return {"channels": listed[start:end], "response_metadata": {"next_cursor": cursor}}

    def _post_message(self, asked: JSON) -> JSON:
        self._needs("chat:write")
        if asked.get("username") or asked.get("icon_emoji") or asked.get("icon_url"):
            self._needs("chat:write.customize")
        channel = self._open_channel(asked)
        _check_content(asked)
        if "thread_ts" in asked and (channel["id"], asked["thread_ts"]) not in self._messages:
            raise Refusal("cannot_reply_to_message")
        self._take_turn(channel["id"], BURST)
        return self._posted(channel["id"], asked)

    def _posted(self, channel: str, asked: JSON) -> JSON:
        self._count += 1
        ts = f"{1_700_000_000 + self._count // 10**6}.{self._count % 10**6:06d}"
        kept = {name: asked[name] for name in ("blocks", "thread_ts", "username") if name in asked}
        text = str(asked.get("text", ""))[:SHOWN]
        said: JSON = {"type": "message", "text": text, "ts": ts, **kept}
        self._messages[channel, ts] = {**asked, **said, "channel": channel}
        shown = {name: value for name, value in said.items() if name != "blocks"}
        return {"channel": channel, "ts": ts, "message": {**shown, "bot_id": BOT}}

    def _update(self, asked: JSON) -> JSON:
        self._needs("chat:write")
        key = self._message(asked)
        _check_content(asked)
        if len(str(asked.get("text", ""))) > EDITABLE:
            raise Refusal("msg_too_long")
        self._take_turn("chat.update", EDITS)
        kept = {name: self._messages[key][name] for name in ("channel", "ts", "type")}
        self._messages[key] = {"text": "", **asked, **kept}
        text = self._messages[key]["text"]
        return {"channel": key[0], "ts": key[1], "text": text, "message": {"text": text}}

    def _delete(self, asked: JSON) -> JSON:
        self._needs("chat:write")
        key = self._message(asked)
        if self._messages[key].get("username"):
            raise Refusal("cant_delete_message")
        self._take_turn("chat.delete", EDITS)
        del self._messages[key]
        return {"channel": key[0], "ts": key[1]}

    def _message(self, asked: JSON) -> tuple[str, str]:
        if asked.get("channel") not in self._channels:  # an id: edits take no names
            raise Refusal("channel_not_found")
        key = str(asked["channel"]), str(asked.get("ts"))
        if key not in self._messages:
            raise Refusal("message_not_found")
        return key

    def _open_channel(self, asked: JSON) -> JSON:
        wanted = str(asked.get("channel", ""))
        for channel in self._channels.values():
            if wanted in (channel["id"], channel["name"], f"#{channel['name']}"):
                if channel["is_archived"]:
                    raise Refusal("is_archived")
                if not channel["is_member"]:
                    raise Refusal(
                        "channel_not_found" if channel["is_private"] else "not_in_channel"
                    )
                return channel
        raise Refusal("channel_not_found")

    async def _webhook(self, request: web.Request) -> web.Response:
        """Real statuses and plain text, with nothing about where the message stands."""
        secret = request.match_info["secret"].encode(errors="surrogateescape")
        if not hmac.compare_digest(secret, self.token.encode()):
            return web.Response(status=404, text="no_service")
        try:
            asked = json.loads(await request.read())
            _check_content(asked)
        except (ValueError, TypeError, AttributeError):
            return web.Response(status=400, text="invalid_payload")
        except Refusal as refusal:
            return web.Response(status=400, text=refusal.code)
        general = self._channels["C0GENERAL01"]
        if general["is_archived"]:
            return web.Response(status=410, text="channel_is_archived")
        self._take_turn(general["id"], BURST)
        self._posted(general["id"], asked)
        return web.Response(text="ok")

    # The sandbox --------------------------------------------------------------------------------

    async def _show_rows(self, _: web.Request) -> web.Response:
        names = {each["id"]: f"#{each['name']}" for each in self._channels.values()}
        rows = [
            {"id": each["text"], "fields": {"channel": names[each["channel"]]}}
            for each in self._messages.values()
        ]
        return web.json_response({"rows": rows})

    async def _show_messages(self, _: web.Request) -> web.Response:
        return web.json_response({"messages": list(self._messages.values())})

    async def _show_requests(self, _: web.Request) -> web.Response:
        return web.json_response({"requests": len(self._log), "log": list(self._log)})

    async def _delete_by_hand(self, request: web.Request) -> web.Response:
        key = request.match_info["channel"], request.match_info["ts"]
        return web.json_response({"deleted": self._messages.pop(key, None) is not None})

    async def _put_channel(self, request: web.Request) -> web.Response:
        channel = await request.json()
        self._channels[channel["id"]] = _channel(**channel)
        return web.json_response({})

    async def _behave(self, request: web.Request) -> web.Response:
        """What is named replaces what was said before; what is not named stays as it was."""
        behavior = await request.json()
        try:
            rate, latency = (float(behavior.get(k, getattr(self, f"_{k}"))) for k in _NUMBERS)
            planned = [answer for plan in behavior.get("next", ()) for answer in _answers(plan)]
        except (AttributeError, KeyError, TypeError, ValueError):
            shape = '{"rate", "latency", "scopes": [], "next": [{"status", "body", "method"}]}'
            return web.json_response({"error": f"a behavior looks like {shape}"}, status=400)
        self._rate, self._latency = rate, latency
        self._scopes = set(behavior.get("scopes", self._scopes))
        self._planned = deque(planned) if "next" in behavior else self._planned
        return web.json_response({})

    async def _reset(self, _: web.Request) -> web.Response:
        self._forget()
        return web.json_response({})


_NUMBERS = ("rate", "latency")


def _api(method: Callable[[JSON], JSON]) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def handle(request: web.Request) -> web.Response:
        return web.json_response({"ok": True, **method(request[USED])})

    return handle


def _answers(plan: JSON) -> list[JSON]:
    """The same answer as often as planned; a body that is not text goes out as JSON."""
    answer = {"status": int(plan["status"]), "method": plan.get("method"), "body": plan.get("body")}
    headers = {name.title(): str(value) for name, value in plan.get("headers", {}).items()}
    return [{**answer, "headers": headers}] * plan.get("times", 1)


def _planned(plan: JSON) -> web.Response:
    body, headers = plan["body"], dict(plan["headers"])
    if body is not None and not isinstance(body, str):
        body, headers = json.dumps(body), {"Content-Type": "application/json", **headers}
    return web.Response(status=plan["status"], headers=headers, text=body)


def _channel(id: str, name: str, **facts: bool) -> JSON:
    """A channel as Slack tells of it."""
    no = ("is_archived", "is_general", "is_group", "is_im", "is_mpim", "is_org_shared", "is_private")
    said = {"value": "", "creator": USER, "last_set": 0}
    made = {"created": 1_449_252_889, "creator": USER, "topic": said, "purpose": said}
    kinds = {**dict.fromkeys((*no, "is_shared"), False), "is_channel": True, "is_member": True}
    return {"id": id, "name": name, "name_normalized": name, **made, **kinds, **facts}


def _position(cursor: Any) -> int:
    try:
        return int(base64.b64decode(cursor or b"YXQ6MA==").removeprefix(b"at:"))
    except ValueError:
        raise Refusal("invalid_cursor") from None


def _check_content(asked: JSON) -> None:
    """Raises Refusal for what Slack takes for no message."""
    text, blocks = asked.get("text", ""), asked.get("blocks", [])
    if not isinstance(text, str) or not isinstance(blocks, list):
        raise Refusal("invalid_arguments")
    if not text.strip() and not blocks:
        raise Refusal("no_text")
    problems = ["no more than 50 items allowed [json-pointer:/blocks]"] * (len(blocks) > BLOCKS)
    for number, block in enumerate(blocks):
        shown = block.get("text", {}) if isinstance(block, dict) else None
        if shown is None or block.get("type") not in BLOCK_TYPES:
            problems.append(f"unsupported type [json-pointer:/blocks/{number}/type]")
        elif isinstance(shown, dict) and len(str(shown.get("text", ""))) > SECTION:
            place = f"[json-pointer:/blocks/{number}/text/text]"
            problems.append(f"must be less than {SECTION + 1} characters {place}")
    if problems:
        said = [f"[ERROR] {problem}" for problem in problems]
        raise Refusal("invalid_blocks", response_metadata={"messages": said})
