"""The kind relay42, opened, before its stand-in or before an endpoint that keeps all it is sent."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from aiohttp import web

from destination.app import make_instance
from destination.listen import listening
from destination.metrics import Metrics
from destination.settings import Server
from destination.state.sqlite import SqliteStore
from destination.testing.contract import Subject, rejected
from destination.testing.meddler import Meddler
from destinations.sandbox.relay42 import StandIn

TOKEN = "the-token-of-the-tests"


def member(id: Any, **columns: Any) -> dict[str, Any]:
    """A row; its columns are named like the fields."""
    return {"id": id, "partnerIds": f"p{id}", **columns}


def mapping(*rows: Mapping[str, Any]) -> dict[str, Any]:
    """A mapping of what the rows have."""
    columns = {column for row in rows for column in row} - {"id", "partnerIds"}
    return {
        "object": "audience_segment",
        "mode": "mirror",
        "identifierMapping": [{"from": "partnerIds", "to": "partnerIds"}],
        "mappings": [{"from": name, "to": name} for name in sorted(columns)],
    }


@dataclass
class Stage:
    """The opened destination, and a way to ask its stand-in."""

    subject: Subject
    url: str
    options: dict[str, Any]

    async def send(self, method: str, *rows: Any, **configuration: Any) -> dict[str, Any]:
        """The whole answer to one call."""
        chosen = {**mapping(*rows), **self.options, **configuration}
        return await self.subject.ask(method, configuration=chosen, rows=rows, idColumn="id")

    async def call(self, method: str, *rows: Any, **configuration: Any) -> dict[Any, str]:
        """The reasons of a call's rejected rows, by id."""
        return rejected(await self.send(method, *rows, **configuration))

    async def validate(self, *rows: Any, **configuration: Any) -> list[str]:
        """What a marketer is told of this sync."""
        chosen = {**mapping(*rows), **self.options, **configuration}
        answer = await self.subject.ask("validate", configuration=chosen)
        errors: list[str] = answer["result"]["errors"]
        return errors

    async def ask(self, what: str, method: str = "GET", **told: Any) -> Any:
        """Ask the stand-in something, or tell it to behave so."""
        headers = {"Authorization": f"Bearer {TOKEN}"}
        method = "POST" if told else method
        async with (
            aiohttp.ClientSession(headers=headers) as session,
            session.request(method, f"{self.url}/_sandbox/{what}", json=told or None) as answer,
        ):
            return await answer.json()

    async def held(self) -> dict[str, Any]:
        """What the stand-in holds, by id."""
        return {row["id"]: row["fields"] for row in (await self.ask("rows"))["rows"]}

    async def asked(self) -> list[str]:
        """Method and path of each request to the stand-in."""
        log = (await self.ask("requests"))["log"]
        return [f"{line['method']} {line['path']}" for line in log]


@asynccontextmanager
async def opened(url: str, settings: Mapping[str, Any]) -> AsyncIterator[Subject]:
    """A destination with these settings, inside the block; in them ``{url}`` is this one."""
    said = {
        name: value.replace("{url}", url) if isinstance(value, str) else value
        for name, value in settings.items()
    }
    async with AsyncExitStack() as stack:
        instance = make_instance("segment", said, Server())
        store = await stack.enter_async_context(SqliteStore(None))
        metrics, between = Metrics(), Meddler()
        await stack.enter_async_context(
            instance.opened(store, metrics.of("segment"), between=between)
        )
        yield Subject(instance, between, metrics, {})


@asynccontextmanager
async def stage(
    delivery: Any = "payload", settings: Mapping[str, Any] | None = None, **made: Any
) -> AsyncIterator[Stage]:
    """The destination before its stand-in, which is made so."""
    stand_in = StandIn(token=TOKEN, delivery=delivery, **made)
    sync = stand_in.sync()
    names = ("siteNumber", "relay42AudienceNumber", "partnerAudienceId", "factName")
    options = {name: sync[name] for name in (*names, "partnerNumber") if name in sync}
    async with (
        listening(stand_in.app(), "127.0.0.1", 0, grace=0.1) as url,
        opened(url, {**stand_in.settings(url), **(settings or {})}) as subject,
    ):
        yield Stage(subject, url, options)


@dataclass
class Endpoint:
    """What an endpoint was sent, and what it answers."""

    status: int = 200
    lines: list[str] = field(default_factory=list)
    """Method and path of each request."""
    bodies: list[bytes] = field(default_factory=list)
    headers: list[Any] = field(default_factory=list)

    async def take(self, request: web.Request) -> web.Response:
        """Keep it."""
        self.lines.append(f"{request.method} {request.raw_path}")
        self.bodies.append(await request.read())
        self.headers.append(request.headers)
        return web.Response(status=self.status)

    @property
    def payloads(self) -> list[Any]:
        """The bodies, read."""
        return [json.loads(body) for body in self.bodies]


TO_ENDPOINT = {"endpoint": "{url}/segments"}
TO_API = {
    "delivery": "facts",
    "site_id": 1234,
    "api_identifier": "me",
    "access_token": "s3cret",
    "base_url": "{url}/v1",
    "auth_url": "{url}",
}


@asynccontextmanager
async def endpoint(
    status: int = 200, usual: Mapping[str, Any] = TO_ENDPOINT, **settings: Any
) -> AsyncIterator[tuple[Stage, Endpoint]]:
    """The destination before an endpoint that takes everything, or nothing."""
    kept = Endpoint(status)
    app = web.Application(client_max_size=2**26)
    app.router.add_route("*", "/{path:.*}", kept.take)
    async with listening(app, "127.0.0.1", 0, grace=0.1) as url:
        common = {"kind": "relay42", "allow_private_networks": True, **usual}
        async with opened(url, {**common, **settings}) as subject:
            yield Stage(subject, url, {}), kept
