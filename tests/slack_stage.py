"""What tests of Slack share: its stand-in, a server that delivers to it, what passed between."""

import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from aiohttp import web
from slack_specs import Exchange, SlackSpec
from support import SECRET, Served

from destination.app import build
from destination.listen import listening
from destination.settings import Settings
from destination.state import IN_MEMORY
from destinations.sandbox.slack import LINE, StandIn

TEAM = "/hightouch/team"
GENERAL, PEOPLE, LEADS, OLD, OTHERS = (
    "C0GENERAL01", "C0PEOPLE001", "C0LEADS0001", "C0OLD000001", "C0OTHERS001"
)  # fmt: skip
FAST = 10_000.0
"""A rate at which nothing waits."""


@dataclass
class Stage:
    """A workspace and a server with the destination ``team``."""

    served: Served
    address: str
    token: str
    exchanges: list[Exchange] = field(default_factory=list)

    async def ask(self, what: str) -> Any:
        """What the workspace shows under ``/_sandbox``."""
        return await self._sandbox("GET", what)

    async def tell(self, what: str = "behavior", **told: Any) -> None:
        """Tell the workspace how to behave, or of a channel."""
        await self._sandbox("POST", what, told)

    async def delete_by_hand(self, message: dict[str, Any]) -> None:
        """As a person does."""
        await self._sandbox("DELETE", f"messages/{message['channel']}/{message['ts']}")

    async def _sandbox(self, method: str, what: str, told: Any = None) -> Any:
        headers = {"Authorization": f"Bearer {self.token}"}
        url = f"{self.address}/_sandbox/{what}"
        async with self.served.http.request(method, url, headers=headers, json=told) as answer:
            assert answer.status == 200, await answer.text()
            return await answer.json()

    async def messages(self, channel: str | None = None) -> list[dict[str, Any]]:
        """What stands in a channel, or in all."""
        shown = (await self.ask("messages"))["messages"]
        return [each for each in shown if channel in (None, each["channel"])]

    async def texts(self, channel: str | None = None) -> list[str]:
        """The texts of those."""
        return [each["text"] for each in await self.messages(channel)]

    async def asked(self) -> list[str]:
        """The methods that were called, in order."""
        return [each["method"] for each in (await self.ask("requests"))["log"]]

    async def rejected(self, operation: str, *rows: Any, **configuration: Any) -> dict[Any, str]:
        """The reasons by row id."""
        params = sync(*rows, **configuration)
        result = await self.served.result(operation, params, path=TEAM)
        return {each["id"]: each["reason"] for each in result["rejectedRows"]}

    async def error(self, operation: str, *rows: Any, **configuration: Any) -> dict[str, Any]:
        """The error of a call that fails as a whole."""
        error: dict[str, Any] = (
            await self.served.rpc(operation, sync(*rows, **configuration), path=TEAM)
        )["error"]
        return error


def row(id: Any, **columns: Any) -> dict[str, Any]:
    """A row."""
    return {"id": id, "name": f"name {id}", **columns}


def sync(*rows: Any, **configuration: Any) -> dict[str, Any]:
    """The params of add, change and remove; Hightouch's published example has the two options."""
    options = {"channel": GENERAL, "message": "{{ name }}"} | configuration
    return {"idColumn": "id", "configuration": options, "rows": list(rows)}


@asynccontextmanager
async def stage(
    *,
    rate: float = FAST,
    slack_rate: float | None = None,
    state_url: str = IN_MEMORY,
    stand_in: StandIn | None = None,
    webhook: bool = False,
    server: dict[str, Any] | None = None,
    **settings: Any,
) -> AsyncIterator[Stage]:
    """
    Slack's stand-in and a server, in the loop that runs; when it ends, exchanges are checked.

    Args:
        rate: Ours; Slack's is the same unless ``slack_rate`` says otherwise.
        webhook: Deliver through the incoming webhook.
    """
    slack = stand_in or StandIn(token="xoxb-of-the-tests", rate=slack_rate or rate)
    exchanges: list[Exchange] = []
    app = slack.app()
    app.middlewares.insert(0, _recorder(exchanges))
    async with listening(app, "127.0.0.1", 0, grace=0.1) as url, aiohttp.ClientSession() as http:
        team = (slack.webhook(url) if webhook else slack.settings(url)) | {"rate": rate} | settings
        ours = build(
            Settings(
                destinations={"team": team},
                destination_token=SECRET,
                state_url=state_url,
                server=server or {},
            )
        )
        async with listening(ours, "127.0.0.1", 0, grace=1) as address:
            yield Stage(Served(address, ours, http), url, slack.token, exchanges)
    if folder := os.environ.get("VENDOR_SPECS"):
        spec = SlackSpec(folder)
        assert [problem for each in exchanges for problem in spec.problems(each)] == []


def _recorder(exchanges: list[Exchange]) -> Any:
    """Notes each exchange with Slack's API, so that the vendor's description can judge it."""

    @web.middleware
    async def record(request: web.Request, handler: Any) -> web.StreamResponse:
        if not request.path.startswith("/api/"):
            answer: web.StreamResponse = await handler(request)
            return answer
        body = await request.read()
        headers, query = dict(request.headers), dict(request.query)
        exchange = Exchange(request.method, request.path, headers, query)
        exchange.body = json.loads(body) if body else None
        exchanges.append(exchange)
        response: web.Response = await handler(request)
        exchange.status = response.status
        if request[LINE]["planned"]:
            return response  # our words, not Slack's
        if response.content_type == "application/json" and response.text:
            exchange.answer = json.loads(response.text)
        return response

    return record
