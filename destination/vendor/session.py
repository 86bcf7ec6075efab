"""A destination's client, opened: its connections, its pace, and what it may reach."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import httpx

from destination.errors import ConfigError
from destination.metrics import Meter
from destination.model import Limits
from destination.tuning import Tuning
from destination.vendor.client import Classify, VendorClient
from destination.vendor.connection import Connection
from destination.vendor.limiter import Limiter
from destination.vendor.transport import AiohttpTransport, no_cookies

Between = Callable[[httpx.AsyncBaseTransport], httpx.AsyncBaseTransport]
"""Makes a transport that stands before another."""


@asynccontextmanager
async def opened(
    connection: Connection,
    tuning: Tuning,
    limits: Limits,
    classify: Classify,
    meter: Meter,
    between: Between | None = None,
) -> AsyncIterator[VendorClient]:
    """The client that reaches this vendor inside the block, within these limits."""
    public_only = not tuning.allow_private_networks
    transport: httpx.AsyncBaseTransport = AiohttpTransport(
        connections=limits.concurrency + limits.spare, public_only=public_only
    )
    async with httpx.AsyncClient(
        transport=between(transport) if between else transport,
        base_url=tuning.base_url or connection.base_url,
        auth=connection.auth,
        headers={
            "Accept-Encoding": "identity",
            "User-Agent": "destination",
            **connection.headers,
        },
        cookies=no_cookies(),
        follow_redirects=False,
        trust_env=False,
        event_hooks={"request": [_https_only] if public_only else []},
    ) as http:
        yield VendorClient(
            http,
            limiter=Limiter(limits.rate),
            classify=classify,
            timeout=limits.timeout,
            attempts=limits.attempts,
            meter=meter,
            concurrency=limits.concurrency,
            max_answer=connection.max_answer,
        )


async def _https_only(request: httpx.Request) -> None:
    if request.url.scheme != "https":
        raise ConfigError("only https is allowed; allow_private_networks = true permits plain http")
