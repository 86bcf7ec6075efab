"""Receivers of webhooks on real sockets, and servers that deliver to them."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from aiohttp import web

from destination.listen import listening
from destinations.sandbox.webhook import StandIn

HOOK = "/hightouch/hook"
NAMES = ("first_name", "born")


def person(id: Any, **columns: Any) -> dict[str, Any]:
    """A row."""
    return {"id": id, "email": f"{id}@example.com", "first_name": "Ann", **columns}


def sync(*rows: Any, names: tuple[str, ...] = NAMES, **configuration: Any) -> dict[str, Any]:
    """The params of add, change and remove; columns of these names are mapped."""
    usual = {
        "mode": "mirror",
        "identifierMapping": [{"from": "email", "to": "email"}],
        "mappings": [{"from": name, "to": name} for name in names],
    }
    return {"idColumn": "id", "configuration": usual | configuration, "rows": list(rows)}


@dataclass(frozen=True)
class Arrived:
    """A request as it arrived."""

    method: str
    path: str
    headers: Any
    content: bytes

    @property
    def body(self) -> Any:
        """What its JSON says; None where there is no body."""
        return json.loads(self.content) if self.content else None

    @property
    def form(self) -> list[tuple[str, str]]:
        """The pairs of its form."""
        return parse_qsl(self.content.decode(), keep_blank_values=True, strict_parsing=True)


@dataclass
class Received:
    """What a receiver was sent."""

    requests: list[Arrived] = field(default_factory=list)

    @property
    def methods(self) -> list[str]:
        """The method of each request."""
        return [each.method for each in self.requests]

    @property
    def paths(self) -> list[str]:
        """Path and query of each request, as they were sent."""
        return [each.path for each in self.requests]

    @property
    def headers(self) -> list[Any]:
        """The headers of each request."""
        return [each.headers for each in self.requests]

    @property
    def bodies(self) -> list[Any]:
        """What the JSON of each request says."""
        return [each.body for each in self.requests]


Answers = Callable[[Arrived], web.Response]


def everything(_: Arrived) -> web.Response:
    """The answer of a receiver that takes everything."""
    return web.Response()


@asynccontextmanager
async def receiver(
    serve: Any,
    path: str = "/rows",
    *,
    status: int = 200,
    answers: Answers = everything,
    **settings: Any,
) -> AsyncIterator[tuple[Any, Received]]:
    """
    A receiver, and a server that delivers to it.

    Args:
        path: Where rows are sent, unless the settings say otherwise; a template, perhaps.
        status: What every request is answered, unless ``answers`` knows better.
        settings: More of the destination's. An ``{url}`` in a text is the receiver's address.
    """
    received = Received()

    async def take(request: web.Request) -> web.Response:
        content = await request.read()
        arrived = Arrived(request.method, request.raw_path, request.headers, content)
        received.requests.append(arrived)
        if status != 200:
            return web.Response(status=status, text="a text that quotes hunter2")
        return answers(arrived)

    app = web.Application(client_max_size=2**26)
    app.router.add_route("*", "/{path:.*}", take)
    async with listening(app, "127.0.0.1", 0, grace=0.1) as url:
        hook = {"kind": "webhook", "url": url + path, "allow_private_networks": True}
        yield await serve({"hook": hook | _placed(settings, url)}), received


def _placed(settings: Any, url: str) -> Any:
    if isinstance(settings, str):
        return settings.replace("{url}", url)
    if isinstance(settings, dict):
        return {name: _placed(value, url) for name, value in settings.items()}
    return settings


@asynccontextmanager
async def stand_in(
    serve: Any, auth: dict[str, Any] | None = None, *, kept: StandIn | None = None, **settings: Any
) -> AsyncIterator[tuple[Any, Any]]:
    """
    The shipped stand-in, a server that delivers to it, and a way to ask and to tell it.

    Args:
        auth: What is different from the credentials that the stand-in takes.
        kept: The stand-in, where it is one that wants this and that.
    """
    kept = kept or StandIn(token="r" * 20)
    async with listening(kept.app(), "127.0.0.1", 0, grace=0.1) as url:
        hook = kept.settings(url) | settings
        served = await serve({"hook": hook | {"auth": hook["auth"] | (auth or {})}})
        headers = {"Authorization": f"Bearer {kept.token}"}

        async def ask(what: str, method: str = "", **told: Any) -> Any:
            method = method or ("POST" if told else "GET")
            address = f"{url}/_sandbox/{what}"
            async with served.http.request(
                method, address, headers=headers, json=told or None
            ) as answer:
                return await answer.json()

        yield served, ask


async def reasons(served: Any, method: str, params: Any) -> dict[Any, str]:
    """The reasons by id."""
    rejected = (await served.result(method, params, path=HOOK))["rejectedRows"]
    return {each["id"]: each["reason"] for each in rejected}


async def failure(served: Any, method: str, params: Any) -> dict[str, Any]:
    """The error of a call that fails as a whole."""
    error: dict[str, Any] = (await served.rpc(method, params, path=HOOK))["error"]
    return error
