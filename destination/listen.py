"""An application on a socket, with the limits of the connection itself."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

KEEPALIVE = 30.0
"""Seconds that an idle connection, or one that is slow with its headers, stays open."""

LINGER = 0.5
"""Seconds for which the rest of a refused body is read away, so that the refusal arrives."""


@asynccontextmanager
async def listening(
    app: web.Application, host: str, port: int, *, grace: float
) -> AsyncIterator[str]:
    """
    Serve the application inside the block; gives its URL.

    Args:
        port: 0 chooses a free one.
        grace: Seconds that open calls have to end once the block ends.
    """
    runner = web.AppRunner(
        app,
        access_log=None,
        auto_decompress=False,
        handler_cancellation=False,
        keepalive_timeout=KEEPALIVE,
        lingering_time=LINGER,
        shutdown_timeout=grace,
    )
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        bound = runner.addresses[0]
        yield f"http://{f'[{bound[0]}]' if ':' in bound[0] else bound[0]}:{bound[1]}"
    finally:
        await runner.cleanup()
