"""The way out, watched: every request as it is about to leave, and what came of it."""

import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

import httpx
import msgspec

from destination.deadline import ABOUT
from destination.errors import DestinationError
from destination.vendor.auth import ERRAND
from destination.vendor.grants import TokenNames
from destination.vendor.signing import REQUEST_ID
from destination.vendor.transport import BlockedError, TLSError

LONGEST = 256 * 1024
"""Bytes of an answer that are kept."""

READS = frozenset({"GET", "HEAD", "OPTIONS"})

STOPPED = "this request was not sent: it is only tried"
"""In the message of what ends a delivery at a request that is only shown."""

TOKEN = "a-token-that-would-be-given"  # noqa: S105 - it stands for one
"""What a request for a token is answered when it is only shown."""


class Stopped(DestinationError):
    """A request was only shown. What follows it would depend on its answer."""

    def __init__(self) -> None:
        super().__init__(STOPPED)


@dataclass
class Asked:
    """
    A request, and what came of it.

    Args:
        rows: Positions of the rows that it is about.
        errand: It is for a token, and has nothing of the rows in it.
        first: The number of the request of which this is another attempt, if it is one.
        after: The number of the request after whose answer this one would perhaps be sent.
        sent: It went out, as far as that could be.
        failure: Why there was no answer.
    """

    number: int
    request: httpx.Request = field(repr=False)
    rows: Sequence[int]
    errand: bool
    first: int | None = None
    after: int | None = None
    sent: bool = False
    status: int | None = None
    headers: httpx.Headers = field(default_factory=httpx.Headers, repr=False)
    body: bytes = field(default=b"", repr=False)
    cut: bool = False
    seconds: float | None = None
    failure: str = ""


class Watch(httpx.AsyncBaseTransport):
    """
    A transport before another, which keeps what passes.

    Args:
        send: Requests pass. Otherwise one for a token is answered with one that is made up, and
            any other ends what is about it.
        read: Before any row is sent requests that only read pass in any case.
    """

    def __init__(self, *, send: bool, read: bool) -> None:
        self._send = send
        self._read = read
        self._inner: httpx.AsyncBaseTransport
        self.asked: list[Asked] = []

    def before(self, transport: httpx.AsyncBaseTransport) -> httpx.AsyncBaseTransport:
        """This, with the transport that it stands before."""
        self._inner = transport
        return self

    def forget_reads(self) -> None:
        """So far nothing was asked that rows cause, but for tokens, which are kept for them."""
        self.asked = [each for each in self.asked if each.errand]
        for number, each in enumerate(self.asked, 1):
            each.number = number

    async def __aenter__(self) -> "Watch":
        await self._inner.__aenter__()
        return self

    async def aclose(self) -> None:
        """Close the other."""
        await self._inner.__aexit__()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """The answer, or what stands for it. Raises Stopped."""
        await request.aread()
        asked = self._noted(request)
        if self._passes(request):
            return await self._exchanged(asked)
        if names := request.extensions.get(ERRAND):
            return _token(names)
        raise Stopped

    def _passes(self, request: httpx.Request) -> bool:
        reads = request.method in READS or ERRAND in request.extensions
        return self._send or (self._read and reads and ABOUT.get(None) is None)

    def _noted(self, request: httpx.Request) -> Asked:
        errand = ERRAND in request.extensions
        rows = () if errand else ABOUT.get(())
        asked = Asked(len(self.asked) + 1, request, rows, errand)
        if not errand:
            asked.first = self._first(request)
            asked.after = None if self._send else self._after(asked)
        self.asked.append(asked)
        return asked

    def _first(self, request: httpx.Request) -> int | None:
        id = request.extensions.get(REQUEST_ID)
        for each in self.asked:
            if not each.errand and each.request.extensions.get(REQUEST_ID) == id:
                return each.number
        return None

    def _after(self, asked: Asked) -> int | None:
        """A destination that goes on although it was stopped may not do so after an answer."""
        for each in self.asked:
            if not (each.sent or each.errand) and set(each.rows) & set(asked.rows):
                return each.number
        return None

    async def _exchanged(self, asked: Asked) -> httpx.Response:
        asked.sent = True
        began = time.perf_counter()
        try:
            response = await self._inner.handle_async_request(asked.request)
        except httpx.TransportError as error:
            asked.seconds, asked.failure = time.perf_counter() - began, _why(error)
            asked.sent = not isinstance(error, httpx.ConnectError | httpx.ConnectTimeout)
            raise
        asked.status, asked.headers = response.status_code, httpx.Headers(response.headers)
        response.stream = _Kept(response.stream, asked, began)
        return response


class _Kept(httpx.AsyncByteStream):
    """An answer's body, of which the beginning is kept as it passes."""

    def __init__(self, stream: object, asked: Asked, began: float) -> None:
        assert isinstance(stream, httpx.AsyncByteStream)  # noqa: S101 - as httpx has it
        self._stream = stream
        self._asked = asked
        self._began = began

    async def __aiter__(self) -> AsyncIterator[bytes]:
        asked = self._asked
        try:
            async for piece in self._stream:
                room = LONGEST - len(asked.body)
                asked.body += piece[:room]
                asked.cut = asked.cut or len(piece) > room
                yield piece
        except httpx.TransportError as error:
            asked.failure = _why(error)
            raise

    async def aclose(self) -> None:
        self._asked.seconds = time.perf_counter() - self._began
        await self._stream.aclose()


def _token(names: TokenNames) -> httpx.Response:
    body = {names.token: TOKEN, names.type: "bearer", names.life: 3600}
    headers = {"Content-Type": "application/json"}
    return httpx.Response(200, headers=headers, stream=httpx.ByteStream(msgspec.json.encode(body)))


def _why(error: httpx.TransportError) -> str:
    match error:
        case TLSError():
            return "not sent: the certificate or the TLS handshake was refused"
        case BlockedError():
            return "not sent: the address is not public"
        case httpx.ConnectError() | httpx.ConnectTimeout():
            return "not sent: there was no connection"
        case httpx.TimeoutException():
            return "no answer in time"
        case _:
            return "the connection was lost"
