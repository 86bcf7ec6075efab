"""
httpx's API over aiohttp's connections.

httpx's own pool is slow under concurrency and does not survive cancellation; aiohttp's does
both. URLs pass byte for byte, bodies are left encoded, redirects are not followed, cookies
are not kept, and the errors tell apart what was certainly not sent from what may have been.
"""

import asyncio
import io
import os
import select
import ssl
from collections.abc import AsyncIterator
from types import TracebackType
from typing import ClassVar, Self
from weakref import WeakSet

import aiohttp
import httpx
import yarl

from destination.deadline import in_step
from destination.vendor.addresses import NotPublic, public_socket, require_public
from destination.vendor.resolver import Resolver
from destination.vendor.trust import trusted

PIECE = 64 * 1024
"""Bytes of a body that are written at once."""

AUTOMATIC = frozenset({"user-agent", "content-type", "accept", "accept-encoding"})
"""Headers that aiohttp would add of its own accord, which takes it a while to be told not to."""


class AiohttpTransport(httpx.AsyncBaseTransport):
    """
    A transport in httpx's sense.

    Raises httpx's errors: ConnectError and ConnectTimeout when nothing was sent,
    any other TransportError when the request may have reached the vendor.
    The request's ``connect`` timeout holds until there is a connection, its ``read`` timeout for
    each wait after that, and its ``pool`` timeout bounds the whole exchange by wall clock, however
    slowly the vendor drips. ``connect`` must be the shortest for its error to be the one raised.

    Args:
        connections: The most connections at once.
        public_only: Addresses that are not public are refused when they are about to be dialled.
    """

    def __init__(self, *, connections: int = 100, public_only: bool = False) -> None:
        self._connections = connections
        self._sockets = public_socket if public_only else None
        self._check = require_public if public_only else None
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=self._connections,
                socket_factory=self._sockets,
                resolver=Resolver(self._check),
                ssl=trusted(),
            ),
            request_class=_Request,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
        )
        # aiohttp would send PUT and DELETE again on its own when a reused connection drops: unseen
        # by the limiter, and with an error that may say "not sent". There is no public switch.
        self._session._retry_connection = False
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc_value: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """One exchange, up to the response's headers; the body is read by the caller."""
        if self._session is None:
            raise RuntimeError("the transport is closed")
        while True:
            try:
                return await self._exchange(self._session, request)
            except _Stale:
                continue  # nothing was sent; the pool has lost that connection and gives another

    async def _exchange(
        self, session: aiohttp.ClientSession, request: httpx.Request
    ) -> httpx.Response:
        timeout = request.extensions.get("timeout", {})
        whole, wait = timeout.get("pool"), timeout.get("read")
        headers = _own(request)
        try:
            response = await session.request(
                request.method,
                yarl.URL(_address(request.url), encoded=True),
                headers=headers,
                skip_auto_headers=AUTOMATIC.difference(name.lower() for name, _ in headers) or None,
                data=_payload(await request.aread()),
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(
                    total=whole,
                    connect=timeout.get("connect"),
                    sock_connect=timeout.get("connect"),
                    # A wait that may take as long as the whole needs no clock of its own.
                    sock_read=None if whole is not None and wait == whole else wait,
                    ceil_threshold=float("inf"),  # never round a deadline up to a whole second
                ),
            )
        except (aiohttp.ClientError, TimeoutError, ssl.SSLError) as error:
            raise translated(error, request) from None
        return httpx.Response(
            status_code=response.status,
            headers=response.raw_headers,
            stream=_Body(response, request),
            request=request,
        )


class _Stale(Exception):
    """A connection that was kept is of no use any more; nothing of this request was sent on it."""


class _Dropped(aiohttp.ClientConnectionError):
    """A new connection ended before anything was sent on it."""


_ENDED = getattr(select, "POLLRDHUP", 0)
"""The vendor's end; a reset is told without being asked for."""


class _Request(aiohttp.ClientRequest):
    """
    A request that is written only to a connection whose other end is there, and silent.

    A vendor closes what it has kept for long enough, perhaps a moment ago: what is written then
    leaves its outcome open though nobody read it. And aiohttp would take what came in on a kept
    connection since its last answer for the answer to this request.
    """

    _known: ClassVar[WeakSet[asyncio.BaseProtocol]] = WeakSet()

    async def send(self, conn: aiohttp.connector.Connection) -> aiohttp.ClientResponse:
        await in_step()
        protocol = conn.protocol
        assert protocol is not None  # noqa: S101 - it was just taken from the pool
        kept = protocol in self._known
        # What a new connection brings by itself is part of the TLS handshake.
        if protocol.should_close or _stirs(protocol.transport, select.POLLIN if kept else 0):
            raise _Stale if kept else _Dropped
        self._known.add(protocol)
        return await super().send(conn)


def _stirs(transport: asyncio.BaseTransport | None, mask: int) -> bool:
    """Whether a connection is over, or has something that nobody has asked for."""
    if transport is None or transport.is_closing():
        return True
    watch = select.poll()
    watch.register(transport.get_extra_info("socket"), mask | _ENDED)
    return bool(watch.poll(0))


def _address(url: httpx.URL) -> str:
    """Without credentials: httpx has made a header of them, and aiohttp would not take both."""
    return str(url.copy_with(userinfo=b"") if url.userinfo else url)


def _payload(content: bytes) -> bytes | io.BytesIO | None:
    """The body; aiohttp writes a long one piece by piece when it is a file."""
    return io.BytesIO(content) if len(content) > PIECE else content or None


def _own(request: httpx.Request) -> list[tuple[str, str]]:
    """The headers but those that aiohttp writes itself from the body."""
    return [
        (name.decode("ascii"), value.decode("utf-8", "replace"))
        for name, value in request.headers.raw
        if name.lower() not in (b"transfer-encoding", b"connection")
    ]


class _Body(httpx.AsyncByteStream):
    def __init__(self, response: aiohttp.ClientResponse, request: httpx.Request) -> None:
        self._response = response
        self._request = request

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        content = self._response.content
        try:
            while not content.at_eof():
                if piece := await content.readany():
                    return piece
        except (aiohttp.ClientError, TimeoutError) as error:
            raise translated(error, self._request) from None
        raise StopAsyncIteration

    async def aclose(self) -> None:
        # A response whose body was not read to its end cannot give its connection back.
        self._response.close() if not self._response.content.at_eof() else self._response.release()


def translated(error: Exception, request: httpx.Request) -> httpx.TransportError:
    """
    The httpx error for aiohttp's.

    The text is the kind of error alone: aiohttp's messages quote URLs, which may hold secrets.
    A note holds the system's words for it, where it has some.
    """
    made = _translated(error, request)
    if words := _words(error):
        made.add_note(words)
    return made


def _words(error: Exception) -> str:
    """What the system or the TLS library says, without addresses."""
    match error:
        case aiohttp.ClientConnectorCertificateError(certificate_error=ssl.SSLError() as wrong):
            return getattr(wrong, "verify_message", "") or wrong.reason or ""
        case aiohttp.ClientConnectorSSLError(os_error=ssl.SSLError() as wrong):
            return wrong.reason or ""
        case aiohttp.ClientConnectorError(os_error=failed):
            # asyncio says "Connect call failed" and an address in place of the system's words
            number = failed.errno or 0
            return os.strerror(number) if number > 0 else failed.strerror or ""
    return ""


def _translated(error: Exception, request: httpx.Request) -> httpx.TransportError:
    text = type(error).__name__
    match error:
        case aiohttp.ClientConnectorError(os_error=NotPublic()):
            return BlockedError(text, request=request)
        case aiohttp.ClientConnectorCertificateError() | aiohttp.ClientConnectorSSLError():
            return TLSError(text, request=request)
        case aiohttp.InvalidURL():
            return httpx.UnsupportedProtocol(text, request=request)
        case aiohttp.ConnectionTimeoutError():
            return httpx.ConnectTimeout(text, request=request)
        case aiohttp.ClientConnectorError() | _Dropped():
            return httpx.ConnectError(text, request=request)
        case asyncio.TimeoutError():
            return httpx.ReadTimeout(text, request=request)
        case aiohttp.ClientPayloadError():
            return httpx.ReadError(text, request=request)
        case _:
            return httpx.RemoteProtocolError(text, request=request)


class BlockedError(httpx.ConnectError):
    """The address is not public and none other was allowed; it was not dialled."""


class TLSError(httpx.ConnectError):
    """The vendor's certificate or handshake was refused; no byte of the request was sent."""
