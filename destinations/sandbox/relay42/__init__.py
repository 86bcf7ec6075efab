"""Relay42's REST API as far as it is about facts, and a customer's endpoint for its payloads."""

import asyncio
import hmac
import secrets
from collections import deque
from collections.abc import Mapping
from typing import Any, Literal

from aiohttp import web
from aiohttp.typedefs import Handler

from destinations.sandbox.relay42.answers import (
    BEHAVIOR,
    JSON,
    Refusal,
    planned_answers,
    read_json,
)
from destinations.sandbox.relay42.profiles import SITE, Profiles
from destinations.sandbox.relay42.segments import PATH, SEGMENT, Segments
from destinations.sandbox.relay42.users import IDENTIFIER, Users

__all__ = ["FACT", "SEGMENT", "SITE", "StandIn"]

FACT = "in_people"
"""The fact that the example people get."""

PARTNER = 2001
VARIABLES = ("first_name", "last_name", "city", "ltv")
"""The columns of ``examples/people`` that go along."""

LOG_LENGTH = 10_000


class StandIn:
    """
    Payloads at ``/segments``, facts below ``/v1``, tokens below ``/users``.

    Under ``/_sandbox`` it says what it holds and what it was asked.

    Args:
        token: The endpoint's bearer token, and the REST API's access token and API key; a random
            one by default.
        delivery: What its settings and its sync are for.
        by_key: Its settings have the API key rather than identifier and access token.
        token_life: Seconds for which a token of the REST API is good.
        refresh_life: The same of a refresh token.
    """

    kind = "relay42"
    checks: frozenset[str] = frozenset()

    def __init__(
        self,
        *,
        token: str | None = None,
        delivery: Literal["payload", "facts"] = "payload",
        by_key: bool = False,
        token_life: float = 86400,
        refresh_life: float = 172800,
    ) -> None:
        self.token = token or secrets.token_urlsafe(32)
        self._delivery = delivery
        self._by_key = by_key
        self._users = Users(self.token, token_life=token_life, refresh_life=refresh_life)
        self._segments, self._profiles = Segments(), Profiles()
        self._log: deque[JSON] = deque(maxlen=LOG_LENGTH)
        self._planned: deque[JSON] = deque()
        self._latency = 0.0

    def settings(self, base_url: str) -> JSON:
        """The settings of a destination that delivers here, when this is served at ``base_url``."""
        common = {"kind": self.kind, "delivery": self._delivery, "allow_private_networks": True}
        if self._delivery == "payload":
            auth = {"scheme": "bearer", "token": self.token}
            said = {"endpoint": base_url + PATH, "auth": auth, "external_id_required": True}
            return {**common, **said}
        said = {"site_id": SITE, "base_url": f"{base_url}/v1", "auth_url": base_url}
        if self._by_key:
            return {**common, **said, "api_key": self.token}
        return {**common, **said, "api_identifier": IDENTIFIER, "access_token": self.token}

    def sync(self) -> JSON:
        """The configuration of a sync that delivers all of ``examples/people``."""
        variables = [{"from": name, "to": f"audienceVariables.{name}"} for name in VARIABLES]
        common = {
            "object": "audience_segment",
            "mode": "mirror",
            "customMappings": [*variables, {"type": "static", "value": "CRM", "to": "data.source"}],
            "partnerNumber": PARTNER,
        }
        if self._delivery == "facts":
            ids = {"identifierMapping": [{"from": "id", "to": "partnerIds"}]}
            return {**common, **ids, "factName": FACT}
        return {
            **common,
            "identifierMapping": [{"from": "email", "to": "partnerIds"}],
            "mappings": [{"from": "id", "to": "profileId"}],
            "siteNumber": SITE,
            "partnerAudienceId": SEGMENT,
            "relay42AudienceNumber": 101,
        }

    def expected(self, row: Mapping[str, Any]) -> JSON | None:
        """What ``/_sandbox/rows`` shows of a person; None of one who has no id to be sent."""
        variables = {name: row[name] for name in VARIABLES if row[name] is not None}
        if self._delivery == "facts":
            return {"id": row["id"], "fields": {"fact": FACT, "source": "CRM", **variables}}
        if not (row["email"] or "").strip():
            return None
        fields = {
            "siteNumber": SITE,
            "partnerNumber": PARTNER,
            "partnerAudienceId": SEGMENT,
            "relay42AudienceNumber": 101,
            "partnerIds": [row["email"]],
            "audienceVariables": variables,
            "profileId": row["id"],
            "data": {"source": "CRM"},
        }
        return {"id": row["id"], "fields": {key: value for key, value in fields.items() if value}}

    def app(self) -> web.Application:
        """The server; all applications of one stand-in hold the same."""
        app = web.Application(middlewares=[self._gate], client_max_size=64 * 2**20)
        for part in (self._segments, self._profiles, self._users):
            app.add_routes(part.routes())
        app.router.add_get("/_sandbox/rows", self._show_rows)
        app.router.add_get("/_sandbox/requests", self._show_requests)
        app.router.add_post("/_sandbox/behavior", self._behave)
        app.router.add_delete("/_sandbox/{kind:token|refreshToken}", self._revoke)
        return app

    @web.middleware
    async def _gate(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Credentials, then what was planned; every request but those to the sandbox is noted."""
        response: web.StreamResponse
        try:
            self._authenticate(request)
            response = await self._answered(request, handler)
        except web.HTTPException as error:
            response = Refusal(error.status, error.reason).response()
        except Refusal as refusal:
            response = refusal.response()
        if not request.path.startswith("/_sandbox"):
            line = {"method": request.method, "path": request.path_qs, "status": response.status}
            self._log.append(line)
        return response

    def _authenticate(self, request: web.Request) -> None:
        if request.path.startswith("/users/"):
            return  # they look at credentials of their own
        if request.path.startswith("/v1/"):
            self._users.check(request)
            return
        scheme, _, sent = request.headers.get("Authorization", "").partition(" ")
        right = hmac.compare_digest(sent.encode(errors="replace"), self.token.encode())
        if scheme.lower() != "bearer" or not right:
            raise Refusal(401, "a valid bearer token is needed")

    async def _answered(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path.startswith("/_sandbox"):
            return await handler(request)
        await asyncio.sleep(self._latency)
        plan = self._planned.popleft() if self._planned else None
        if plan is None:
            return await handler(request)
        if plan["applied"]:
            await handler(request)
        return web.Response(**plan["answer"])

    async def _show_rows(self, request: web.Request) -> web.Response:
        return web.json_response({"rows": [*self._segments.rows(), *self._profiles.rows()]})

    async def _show_requests(self, request: web.Request) -> web.Response:
        shown = {"requests": len(self._log), "given": self._users.given, "log": list(self._log)}
        return web.json_response(shown)

    async def _revoke(self, request: web.Request) -> web.Response:
        self._users.revoke(request.match_info["kind"])
        return web.json_response({})

    async def _behave(self, request: web.Request) -> web.Response:
        """What is named replaces what was said before; what is not named stays as it was."""
        behavior = await read_json(request)
        try:
            latency = float(behavior.get("latency", self._latency))
            plans = behavior.get("next", ())
            planned = [answer for plan in plans for answer in planned_answers(plan)]
        except (AttributeError, KeyError, TypeError, ValueError):
            raise Refusal(400, BEHAVIOR) from None
        self._latency = latency
        if "next" in behavior:
            self._planned = deque(planned)
        return web.json_response({})
