"""A destination's client, opened: its connections, its pace, and what it may reach."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import httpx

from destination.metrics import Meter
from destination.model import Limits
from destination.tuning import Tuning
from destination.vendor.client import Classify, VendorClient
from destination.vendor.connection import Connection
from destination.vendor.limiter import Limiter
from destination.vendor.sender import Sender
from destination.vendor.transport import AiohttpTransport

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
    async with Sender(
        between(transport) if between else transport,
        base_url=tuning.base_url or connection.base_url,
        auth=connection.auth,
        headers=connection.headers,
        https_only=public_only,
    ) as sender:
        yield VendorClient(
            sender,
            limiter=Limiter(limits.rate),
            classify=classify,
            timeout=limits.timeout,
            attempts=limits.attempts,
            meter=meter,
            concurrency=limits.concurrency,
            max_answer=connection.max_answer,
        )
