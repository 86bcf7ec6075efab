"""A server that delivers to the stand-in of Mailchimp, and what passes between the two."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import openapi
from aiohttp import web

from destination.listen import listening
from destinations.sandbox.mailchimp import NEWSLETTER, StandIn

SPECS = (
    "mailchimp_marketing_3.0.55_audience_subset.json",
    "mailchimp_marketing_3.0.85_openapi3.json",
)
PATH = "/hightouch/news"
MAPPED = ("FNAME", "LTV", "BORN", "PLAN", "ADDRESS", "status", "tags", "vip", "language")


def person(id: Any, **columns: Any) -> dict[str, Any]:
    """A row; its columns are named like the fields."""
    return {"id": id, "email": f"person.{id}@example.com", "FNAME": f"Ann {id}", **columns}


def configuration(*rows: Any, **options: Any) -> dict[str, Any]:
    """A sync that maps what the rows have."""
    columns = {column for row in rows for column in row}
    return {
        "object": NEWSLETTER,
        "mode": "upsert",
        "identifierMapping": [{"from": "email", "to": "email_address"}],
        "mappings": [{"from": name, "to": name} for name in MAPPED if name in columns],
        **options,
    }


def problem(status: int, title: str, detail: str = "") -> dict[str, Any]:
    """A planned answer of problem+json."""
    document = {"type": "about:blank", "title": title, "detail": detail, "instance": "1"}
    return {"status": status, "body": {**document, "status": status}}


def fine(**body: Any) -> dict[str, Any]:
    """A planned answer that says yes."""
    return {"status": 200, "headers": {"Content-Type": "application/json"}, "body": body}


@dataclass
class Newsletter:
    """The stand-in's audiences, and the server that delivers to them."""

    stand_in: StandIn
    url: str
    served: Any
    exchanges: list[openapi.Exchange] = field(default_factory=list)

    async def call(self, method: str, *rows: Any, **options: Any) -> dict[Any, str]:
        """Send rows as Hightouch does; the reasons of those that were rejected, by id."""
        params = {
            "idColumn": "id",
            "rows": list(rows),
            "configuration": configuration(*rows, **options),
        }
        answer = await self.served.result(method, params, path=PATH)
        return {each["id"]: each["reason"] for each in answer["rejectedRows"]}

    async def ask(self, what: str, **told: Any) -> Any:
        """Ask the stand-in something, or tell it to behave so."""
        headers = {"Authorization": f"Bearer {self.stand_in.token}"}
        method = "POST" if told else "GET"
        async with (
            aiohttp.ClientSession(headers=headers) as session,
            session.request(method, f"{self.url}/_sandbox/{what}", json=told or None) as answer,
        ):
            return await answer.json()

    async def held(self) -> dict[str, dict[str, Any]]:
        """Who is in the newsletter, by address."""
        return {row["id"]: row["fields"] for row in (await self.ask("rows"))["rows"]}

    def requests(self, but: Sequence[str] = ("GET",)) -> list[str]:
        """The requests that change something: method and path below the audience."""
        return [
            f"{one.method} {one.path.removeprefix(f'/lists/{NEWSLETTER}')}".strip()
            for one in self.exchanges
            if one.method not in but
        ]

    def problems(self) -> list[str]:
        """What of all this Mailchimp's own descriptions do not describe."""
        folder = openapi.folder()
        if folder is None:
            return []
        return [
            problem
            for description in openapi.descriptions(folder, *SPECS)
            for exchange in self.exchanges
            for problem in description.problems(exchange)
        ]


@asynccontextmanager
async def newsletter(serve: Any, **settings: Any) -> AsyncIterator[Newsletter]:
    """
    Both, inside the block.

    Where ``VENDOR_SPECS`` names the vendors' descriptions, whatever passed between the two must
    be as they say.
    """
    stand_in = StandIn(token="m" * 20)
    app, exchanges = stand_in.app(), list[openapi.Exchange]()

    @web.middleware
    async def record(request: web.Request, handler: Any) -> web.StreamResponse:
        sent = await request.read()
        response = await handler(request)
        if request.path.startswith("/3.0") and _is_told(response):
            path = request.path.removeprefix("/3.0")
            exchanges.append(
                openapi.Exchange(
                    request.method,
                    path,
                    dict(request.query),
                    sent,
                    response.status,
                    response.content_type,
                    bytes(response.body or b""),
                )
            )
        return response

    app.middlewares.insert(0, record)
    async with listening(app, "127.0.0.1", 0, grace=0.1) as url:
        served = await serve({"news": stand_in.settings(url) | settings})
        made = Newsletter(stand_in, url, served, exchanges)
        yield made
    assert made.problems() == []


def _is_told(response: Any) -> bool:
    """Answers of proxies on the way, which have no document, are in no description."""
    return response.status < 400 or response.content_type.endswith("json")
