"""A custom destination server that answers as a test says, rightly or wrongly."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from destination.listen import listening

EVERYTHING = {"add": True, "change": True, "remove": True}
BEHAVIOR = {"batchSize": 2, "operations": EVERYTHING, "skipInitialRun": False}


class Error(Exception):
    """Answered as a JSON-RPC error."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass
class Odd:
    """
    What the server answers, and what it was asked.

    Args:
        answers: By method, the result; or what makes it of the params, or raises Error; or the
            response as a whole, or what makes that.
    """

    answers: dict[str, Any]
    url: str = ""
    calls: list[tuple[str, Any]] = field(default_factory=list)
    headers: list[Mapping[str, str]] = field(default_factory=list)
    _arrivals: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(0))

    async def received(self, count: int) -> None:
        """Wait until so many further calls have come."""
        for _ in range(count):
            await self._arrivals.acquire()

    def methods(self) -> list[str]:
        """The methods that were called, in their order."""
        return [method for method, _ in self.calls]

    def rows(self, method: str) -> list[list[Any]]:
        """The ids of the rows of each call to a method."""
        calls = [params for name, params in self.calls if name == method]
        return [[row[each["idColumn"]] for row in each["rows"]] for each in calls]

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """One call."""
        call = json.loads(await request.read())
        method, params = call["method"], call["params"]
        self.calls.append((method, params))
        self.headers.append(request.headers)
        self._arrivals.release()
        response = {"jsonrpc": "2.0", "id": call["id"]}
        try:
            answer = self.answers[method]
            if callable(answer):
                answer = answer(params)
            if asyncio.iscoroutine(answer):
                answer = await answer
            if isinstance(answer, web.StreamResponse):
                return answer
            response |= {"result": answer}
        except Error as error:
            response |= {"error": {"code": error.code, "message": str(error)}}
        return web.json_response(response)


@asynccontextmanager
async def odd(**answers: Any) -> AsyncIterator[Odd]:
    """A server that answers well where nothing else is said; it has a form without questions."""
    well = {
        "list_objects": {"objects": None},
        "list_modes": {"modes": None},
        "list_fields": {"fields": None},
        "list_options": {"options": None},
        "validate": {"errors": []},
        "behavior": BEHAVIOR,
        "add": {"rejectedRows": []},
        "change": {"rejectedRows": []},
        "remove": {"rejectedRows": []},
    }
    server = Odd(well | answers)
    app = web.Application()
    app.router.add_post("/", server.handle)
    async with listening(app, "127.0.0.1", 0, grace=0.1) as url:
        server.url = url
        yield server


def rejecting(*ids: Any, reason: str = "NO: not this one") -> Callable[[Any], Any]:
    """An answer to add, change or remove that rejects these ids where they are among the rows."""

    def answer(params: Any) -> Any:
        sent = [row[params["idColumn"]] for row in params["rows"]]
        return {"rejectedRows": [{"id": id, "reason": reason} for id in sent if id in ids]}

    return answer
