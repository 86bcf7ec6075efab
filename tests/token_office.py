"""A vendor on loopback that wants tokens, and gives them out itself; in virtual time."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any, TypeVar

import httpx
from aiohttp import web

from destination.listen import listening
from destination.metrics import Metrics
from destination.testing.clock import run_virtually
from destination.vendor.client import VendorClient
from destination.vendor.grants import Client, ClientCredentials, Grant
from destination.vendor.limiter import Limiter
from destination.vendor.oauth import TokenAuth
from destination.vendor.sender import Sender
from destination.vendor.transport import AiohttpTransport

T = TypeVar("T")
Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]

SECRET = "s3cret of the client"
GRANT = ClientCredentials(Client("client", SECRET), {"scope": "rows"})


@dataclass
class Office:
    """Gives out the tokens t1, t2 and so on, of which only the latest is good."""

    url: str = ""
    told: dict[str, Any] = field(default_factory=lambda: {"expires_in": 3600})
    """What its answers say beside the token."""
    office_seconds: float = 0.0
    """How long it takes for one."""
    instead: Answer | None = None
    """What it does in place of giving a token."""
    refuses: Answer | None = None
    """How it answers rows without a good token."""
    takes: bool = True
    """Whether rows with a good token are taken."""

    forms: list[dict[str, str]] = field(default_factory=list)
    heads: list[Any] = field(default_factory=list)
    rows: list[tuple[str, bytes]] = field(default_factory=list)
    """The token and the body of each request with rows."""
    signatures: list[str | None] = field(default_factory=list)
    given: int = 0

    async def give(self, request: web.Request) -> web.StreamResponse:
        """A token."""
        self.forms.append(dict(await request.post()))
        self.heads.append(request.headers)
        await asyncio.sleep(self.office_seconds)
        if self.instead:
            return await self.instead(request)
        self.given += 1
        return web.json_response({"access_token": f"t{self.given}", **self.told})

    async def take(self, request: web.Request) -> web.StreamResponse:
        """Rows."""
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        self.rows.append((token, await request.read()))
        self.signatures.append(request.headers.get("X-Signature-256"))
        if self.takes and token == f"t{self.given}":
            return web.json_response({})
        return await self.refuses(request) if self.refuses else web.Response(status=401)

    @property
    def tokens(self) -> list[str]:
        """The tokens that came with rows."""
        return [token for token, _ in self.rows]


async def send(client: VendorClient, body: Any = None) -> int:
    """The status that rows are answered with."""
    return (await client.request("POST", "/rows", json=body or {"id": 1})).status_code


async def told_here(
    tell: Callable[[Office, VendorClient], Awaitable[T]],
    *,
    grant: Grant = GRANT,
    token_url: str = "",
    seconds: float = 10.0,
    attempts: int = 1,
    around: Callable[[httpx.Auth], httpx.Auth] = lambda auth: auth,
    **office: Any,
) -> T:
    """
    What is told of an office and a client of it.

    Args:
        token_url: Of tokens that come from elsewhere.
        seconds: For one attempt of the client.
        around: What stands around the authentication.
    """
    vendor = Office(**office)
    app = web.Application()
    app.router.add_post("/token", vendor.give)
    app.router.add_post("/rows", vendor.take)
    async with AsyncExitStack() as stack:
        vendor.url = await stack.enter_async_context(listening(app, "127.0.0.1", 0, grace=0.1))
        http = await stack.enter_async_context(
            Sender(
                AiohttpTransport(),
                base_url=vendor.url,
                auth=around(TokenAuth(token_url or f"{vendor.url}/token", grant)),
            )
        )
        client = VendorClient(
            http,
            meter=Metrics().of("x"),
            limiter=Limiter(None),
            classify=lambda _: None,
            timeout=seconds,
            attempts=attempts,
            random=lambda: 0.5,
        )
        return await tell(vendor, client)


def story(tell: Callable[[Office, VendorClient], Awaitable[T]], **options: Any) -> T:
    """The same, in a loop of its own whose time is virtual."""
    return run_virtually(told_here(tell, **options))
