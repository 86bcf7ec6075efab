"""A vendor that quotes all that it is sent, credentials included, and gives out tokens."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from destination.listen import listening

Answers = Callable[["Sent"], web.Response | None]
Pause = Callable[[web.Request], Awaitable[web.Response]]


@dataclass(frozen=True)
class Sent:
    """A request as it arrived."""

    method: str
    path: str
    headers: Any
    content: bytes


@dataclass
class Echo:
    """
    The vendor's memory.

    Args:
        answers: What it answers instead; None is the echo.
        pause: Answers in its own time instead.
    """

    answers: Answers = lambda _: None
    url: str = ""
    pause: Pause | None = None
    sent: list[Sent] = field(default_factory=list)

    async def take(self, request: web.Request) -> web.Response:
        """Note what came, and quote it."""
        sent = Sent(request.method, request.path_qs, request.headers, await request.read())
        self.sent.append(sent)
        answer = await self.pause(request) if self.pause else self.answers(sent)
        if answer is not None:
            return answer
        told = {"headers": dict(sent.headers), "url": sent.path, "body": sent.content.decode()}
        if request.path == "/token":
            given = {"access_token": "canary-granted", "refresh_token": "canary-second"}
            return web.json_response({**given, "token_type": "bearer", "expires_in": 3600, **told})
        return web.json_response(told)

    @property
    def rows(self) -> list[Sent]:
        """What came beside requests for tokens."""
        return [each for each in self.sent if each.path != "/token"]


@asynccontextmanager
async def echoing(answers: Answers = lambda _: None) -> AsyncIterator[Echo]:
    """The vendor, on loopback, inside the block."""
    echo = Echo(answers)
    app = web.Application(client_max_size=2**26)
    app.router.add_route("*", "/{path:.*}", echo.take)
    async with listening(app, "127.0.0.1", 0, grace=0.1) as url:
        echo.url = url
        yield echo
