"""One request, byte for byte as a case wants it, and whatever comes back, within bounds."""

import asyncio
import ssl
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import urlsplit

from destination.vendor.trust import trusted
from destination.wire import Message, Source, read_response, reset

MOST = 8 * 1024**2
"""Bytes of an answer that are read."""

INVITATION = 2.0
"""Seconds for which a body is held back from a server that was asked to invite it."""


@dataclass(frozen=True, slots=True)
class Address:
    """
    Where the server is.

    Args:
        host: As it is dialled; ``authority`` is how the Host header writes it.
        path: With the query, as it is sent.
    """

    host: str
    port: int
    secure: bool
    authority: str
    path: str

    @classmethod
    def of(cls, url: str) -> Self:
        """From a URL; raises ValueError, saying what is wrong with it."""
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("It must begin with http:// or https://, then name a host.")
        if parts.username is not None:
            raise ValueError("Credentials go into a header, not into the URL.")
        if not url.isascii() or not url.isprintable() or " " in url:
            raise ValueError("Blanks and characters beyond ASCII must be percent-encoded.")
        secure = parts.scheme == "https"
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        port = parts.port or (443 if secure else 80)
        return cls(parts.hostname, port, secure, parts.netloc, path)


@dataclass(frozen=True, slots=True)
class Request:
    """
    What is sent.

    Args:
        headers: All but Host and those that frame the body.
        told: Those of them that the case is about, for the report.
        chunked: The body goes out in three chunks, without a length.
        announced: The length that is claimed; by default the body's own.
        expects: The body waits for the server's invitation, 100 Continue.
    """

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes = b""
    told: Mapping[str, str | None] = field(default_factory=dict)
    chunked: bool = False
    announced: int | None = None
    expects: bool = False

    def head(self, authority: str) -> bytes:
        """The start line and the headers."""
        length = len(self.body) if self.announced is None else self.announced
        framing = {"Transfer-Encoding": "chunked"} if self.chunked else {"Content-Length": length}
        expects = {"Expect": "100-continue"} if self.expects else {}
        headers = {"Host": authority, **self.headers, **framing, **expects, "Connection": "close"}
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        return f"{self.method} {self.path} HTTP/1.1\r\n{lines}\r\n".encode()

    def framed(self) -> bytes:
        """The body as it goes out."""
        if not self.chunked:
            return self.body
        third = len(self.body) // 3 + 1
        pieces = [self.body[begin : begin + third] for begin in range(0, len(self.body), third)]
        return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Answer:
    """
    What came back.

    Args:
        interim: The statuses of the responses before it, such as 100.
    """

    sent: Request
    status: int
    head: Message
    body: bytes
    interim: tuple[int, ...] = ()

    def header(self, name: str) -> str:
        """A header's first value, empty when there is none."""
        return self.head.header(name) or ""


class NoAnswer(Exception):
    """No response of HTTP came back; the message says what came instead."""

    def __init__(self, sent: Request, what: str) -> None:
        super().__init__(what)
        self.sent = sent


async def exchange(address: Address, request: Request, seconds: float) -> Answer:
    """
    Send a request on a connection of its own, and read the answer.

    Raises:
        NoAnswer: Nothing that is HTTP came within so many seconds.
    """
    try:
        async with asyncio.timeout(seconds):
            reader, writer = await _connected(address)
            try:
                return await _exchanged(address, request, reader, writer)
            finally:
                writer.transport.abort()
    except TimeoutError:
        raise NoAnswer(request, f"no answer within {seconds:g} s") from None
    except EOFError:
        raise NoAnswer(request, "the connection was closed without a whole answer") from None
    except ssl.SSLError as error:
        raise NoAnswer(request, f"no TLS connection: {error.reason or 'refused'}") from None
    except ConnectionRefusedError:
        raise NoAnswer(request, "the connection was refused") from None
    except ConnectionError:
        raise NoAnswer(request, "the connection was reset") from None
    except OSError as error:
        raise NoAnswer(request, f"no connection: {error.strerror or 'unreachable'}") from None
    except ValueError as error:
        raise NoAnswer(request, f"the answer is not HTTP, or has no end: {error}") from None


async def hang_up(address: Address, request: Request, seconds: float) -> None:
    """Send a whole request and reset the connection without reading; raises NoAnswer as above."""
    try:
        async with asyncio.timeout(seconds):
            _, writer = await _connected(address)
            writer.write(request.head(address.authority) + request.framed())
            await writer.drain()
            reset(writer)
    except OSError:  # a TimeoutError is one too
        raise NoAnswer(request, "the request could not be sent") from None


async def _connected(address: Address) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    tls = trusted() if address.secure else None
    return await asyncio.open_connection(address.host, address.port, ssl=tls)


async def _exchanged(
    address: Address, request: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> Answer:
    """The body is sent beside the reading: a server may refuse it before it has all of it."""
    invited, interim = asyncio.Event(), list[int]()

    def told(head: Message) -> None:
        interim.append(int(head.start[1]))
        invited.set()

    sending = asyncio.create_task(_send(address, request, writer, invited))
    try:
        message = await read_response(Source(reader, MOST), request.method, told)
        return Answer(request, int(message.start[1]), message, message.content, tuple(interim))
    finally:
        sending.cancel()
        with suppress(asyncio.CancelledError, OSError):
            await sending


async def _send(
    address: Address, request: Request, writer: asyncio.StreamWriter, invited: asyncio.Event
) -> None:
    with suppress(ConnectionError):  # what the server has to say is still to be read
        writer.write(request.head(address.authority))
        if request.expects:
            with suppress(TimeoutError):
                await asyncio.wait_for(invited.wait(), INVITATION)
        writer.write(request.framed())
        await writer.drain()
