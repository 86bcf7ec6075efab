"""An application on a socket, with the limits of the connection itself."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from destination.protocols.rpc import TRANSPORT_ERROR, error_body

KEEPALIVE = 75.0
"""Seconds that an idle connection stays open: longer than load balancers keep theirs."""

FIRST_HEAD = 10.0
"""Seconds in which a new connection must have sent the head of its first request."""

BACKLOG = 128
"""Connections that wait to be accepted."""

HEAD_END = b"\r\n\r\n"

LINGER = 0.5
"""Seconds for which the rest of a refused body is read away, so that the refusal arrives."""


class _Connection(web.RequestHandler):
    """
    Ends with a caller that is slow to say what it wants.

    It answers what is no HTTP in JSON, without a word of it: aiohttp's own answer quotes it.
    """

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to wait for the first head."""
        self._end = b""
        self._waiting: asyncio.TimerHandle | None = asyncio.get_running_loop().call_later(
            FIRST_HEAD, self.force_close
        )
        super().connection_made(transport)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Wait no longer."""
        self._heard()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Look for the end of the first head."""
        if self._waiting is not None:
            if HEAD_END in self._end + data:
                self._heard()
            self._end = (self._end + data)[-len(HEAD_END) :]
        super().data_received(data)

    def _heard(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """The answer to a request that reached no handler."""
        super().handle_error(request, status, exc, message)
        body = error_body(TRANSPORT_ERROR, "Bad request" if status < 500 else "Internal error")
        response = web.Response(status=status, body=body, content_type="application/json")
        response.force_close()
        return response


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
    runner = web.AppRunner(app, handler_cancellation=False, shutdown_timeout=grace)
    await runner.setup()
    try:
        loop, server = asyncio.get_running_loop(), runner.server
        assert server is not None  # noqa: S101 - it was set up
        listener = await loop.create_server(
            lambda: _Connection(
                server,
                loop=loop,
                access_log=None,  # type: ignore[arg-type]  # as its documentation says
                auto_decompress=False,
                keepalive_timeout=KEEPALIVE,
                lingering_time=LINGER,
            ),
            host,
            port,
            backlog=BACKLOG,
        )
        try:
            bound = listener.sockets[0].getsockname()
            yield f"http://{f'[{bound[0]}]' if ':' in bound[0] else bound[0]}:{bound[1]}"
        finally:
            listener.close()
    finally:
        await runner.cleanup()
