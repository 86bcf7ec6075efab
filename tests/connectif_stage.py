"""What tests of Connectif share: its stand-in and a server that delivers to it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
from support import SECRET, Served

from destination.app import INSTANCES, build
from destination.listen import listening
from destination.settings import Settings
from destination.state import IN_MEMORY
from destinations.sandbox.connectif import StandIn

PATH = "/hightouch/events"
KEY = "key-id:key-secret"


def row(id: Any, **columns: Any) -> dict[str, Any]:
    """A row; its columns are named like the fields."""
    return {"id": id, "email": f"person.{id}@example.com", **columns}


def configuration(*rows: Any, **options: Any) -> dict[str, Any]:
    """A sync that maps what the rows have; it makes the contacts."""
    columns = dict.fromkeys(name for row in rows for name in row if name not in ("id", "email"))
    return {
        "object": "person",
        "createContact": True,
        "identifierMapping": [{"from": "email", "to": "email"}],
        "mappings": [{"from": name, "to": name} for name in columns],
        **options,
    }


@dataclass
class Stage:
    """The store, and a server with the destination ``events``."""

    served: Served
    url: str
    key: str

    async def ask(self, method: str, **params: Any) -> Any:
        """The result of one call."""
        return await self.served.result(method, params, path=PATH)

    async def rejected(self, operation: str, *rows: Any, **options: Any) -> dict[Any, str]:
        """Send rows; the reasons of those that were rejected, by id."""
        result = await self.ask(operation, **self._params(rows, options))
        return {each["id"]: each["reason"] for each in result["rejectedRows"]}

    async def error(self, operation: str, *rows: Any, **options: Any) -> str:
        """The error of a call that fails as a whole."""
        params = self._params(rows, options)
        answer = await self.served.rpc(operation, params, path=PATH)
        return str(answer["error"]["message"])

    def _params(self, rows: Any, options: dict[str, Any]) -> dict[str, Any]:
        chosen = configuration(*rows, **options)
        return {"idColumn": "id", "configuration": chosen, "rows": list(rows)}

    async def validated(self, *rows: Any, **options: Any) -> list[str]:
        """What ``validate`` has to say about the sync of such rows."""
        errors: list[str] = (
            await self.ask("validate", configuration=configuration(*rows, **options))
        )["errors"]
        return errors

    async def check(self) -> str:
        """What ``destination check`` says."""
        return (await self.served.app[INSTANCES]["events"].check()).says

    async def tell(self, **behavior: Any) -> None:
        """Tell the store how to behave."""
        await self._sandbox("POST", "behavior", behavior)

    async def events(self) -> list[dict[str, Any]]:
        """The events that came."""
        events: list[dict[str, Any]] = (await self._sandbox("GET", "events"))["events"]
        return events

    async def fields(self) -> list[dict[str, Any]]:
        """What those brought."""
        return [event["fields"] for event in await self.events()]

    async def requests(self, method: str = "POST") -> list[dict[str, Any]]:
        """The requests of one method."""
        log = (await self._sandbox("GET", "requests"))["log"]
        return [each for each in log if each["method"] == method]

    async def _sandbox(self, method: str, what: str, told: Any = None) -> Any:
        url, headers = f"{self.url}/_sandbox/{what}", {"Authorization": f"Bearer {self.key}"}
        async with self.served.http.request(method, url, headers=headers, json=told) as answer:
            assert answer.status == 200, await answer.text()
            return await answer.json()


@asynccontextmanager
async def stage(*, key: str = KEY, **settings: Any) -> AsyncIterator[Stage]:
    """Connectif's stand-in and a server, in the loop that runs; None takes a setting away."""
    stand_in = StandIn(token=key)
    async with (
        listening(stand_in.app(), "127.0.0.1", 0, grace=0.1) as url,
        aiohttp.ClientSession() as http,
    ):
        given = stand_in.settings(url) | settings
        events = {name: value for name, value in given.items() if value is not None}
        ours = build(
            Settings(destinations={"events": events}, destination_token=SECRET, state_url=IN_MEMORY)
        )
        async with listening(ours, "127.0.0.1", 0, grace=1) as address:
            yield Stage(Served(address, ours, http), url, key)
