"""HTTP/1.1 messages as the bytes they are, and the rough ways to end a connection."""

import asyncio
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass

LARGEST_HEAD = 1_048_576
_AT_ONCE = 65_536
_NO_BODY = frozenset({204, 304})


class Source:
    """
    What a peer sends: it can be looked for without being taken, and is counted.

    Every method that takes bytes raises ``EOFError`` when the peer ended too early, and
    ``ValueError`` when it sent too much.

    Args:
        most: Bytes that the peer may send in all; without it, any number.
    """

    def __init__(self, reader: asyncio.StreamReader, most: int | None = None) -> None:
        self._reader = reader
        self._most = most
        self._held = bytearray()
        self.count = 0

    async def begun(self) -> bool:
        """Wait until there is something to take; False when there will be nothing more."""
        return bool(self._held) or await self._more()

    async def some(self) -> bytes:
        """What there is, at least a byte."""
        await self._need(1)
        return self._take(len(self._held))

    async def exactly(self, size: int) -> bytes:
        """So many bytes."""
        await self._need(size)
        return self._take(size)

    async def until(self, end: bytes) -> bytes:
        """All up to and including ``end``, which stands within the first mebibyte."""
        searched = 0
        while (found := self._held.find(end, searched)) < 0:
            searched = max(0, len(self._held) - len(end))
            if searched > LARGEST_HEAD:
                raise ValueError("a head or a line without an end")
            await self._need(len(self._held) + 1)
        return self._take(found + len(end))

    async def rest(self) -> bytes:
        """All until the peer ends."""
        while await self._more():
            pass
        return self._take(len(self._held))

    async def _need(self, size: int) -> None:
        while len(self._held) < size:
            if not await self._more():
                raise EOFError

    async def _more(self) -> bool:
        data = await self._reader.read(_AT_ONCE)
        self.count += len(data)
        if self._most is not None and self.count > self._most:
            raise ValueError(f"more than {self._most} bytes")
        self._held += data
        return bool(data)

    def _take(self, size: int) -> bytes:
        taken = bytes(self._held[:size])
        del self._held[:size]
        return taken


@dataclass(frozen=True, slots=True)
class Message:
    """
    A request or a response.

    Args:
        head: Start line and headers, with the empty line that ends them.
        framed: The body as it was sent.
        content: The body without the framing of chunks.
    """

    head: bytes
    framed: bytes = b""
    content: bytes = b""

    @property
    def raw(self) -> bytes:
        """Every byte of it."""
        return self.head + self.framed

    @property
    def start(self) -> tuple[str, str, str]:
        """The three parts of the first line."""
        first, second, third = (*self.head.decode("latin-1").split("\r\n", 1)[0].split(" ", 2), "")[
            :3
        ]
        return first, second, third

    def header(self, name: str) -> str | None:
        """The first value of a header."""
        for line in self.head.decode("latin-1").split("\r\n")[1:]:
            key, _, value = line.partition(":")
            if key.lower() == name.lower():
                return value.strip()
        return None


async def read_request(source: Source) -> Message:
    """
    One whole request.

    Raises:
        EOFError: The peer ended before it did.
        ValueError: It is not HTTP.
    """
    head = Message(await source.until(b"\r\n\r\n"))
    if not head.start[2].startswith("HTTP/1."):
        raise ValueError("not a request of HTTP/1")
    return await _with_body(source, head, otherwise=0)


async def read_response(
    source: Source, method: str, interim: Callable[[Message], None] = lambda _: None
) -> Message:
    """
    One whole response to a request of that method.

    Args:
        interim: Is told of each interim response before it, such as 100.

    Raises:
        EOFError: The peer ended before it did.
        ValueError: It is not HTTP.
    """
    status = 100
    while status < 200:
        head = Message(await source.until(b"\r\n\r\n"))
        if not head.start[0].startswith("HTTP/1."):
            raise ValueError("not a response of HTTP/1")
        status = _number(head.start[1])
        if status < 200:
            interim(head)
    if method == "HEAD" or status in _NO_BODY:
        return head
    return await _with_body(source, head, otherwise=None)


async def _with_body(source: Source, head: Message, otherwise: int | None) -> Message:
    if (head.header("Transfer-Encoding") or "").lower() == "chunked":
        return await _with_chunks(source, head.head)
    length = head.header("Content-Length")
    size = otherwise if length is None else _number(length)
    body = await source.rest() if size is None else await source.exactly(size)
    return Message(head.head, body, body)


async def _with_chunks(source: Source, head: bytes) -> Message:
    framed, content, size = bytearray(), bytearray(), 1
    while size:
        line = await source.until(b"\r\n")
        size = _number(line.split(b";")[0].decode("latin-1").strip(), 16)
        chunk = await source.exactly(size) if size else b""
        framed += line + chunk + await source.until(b"\r\n")
        content += chunk
    return Message(head, bytes(framed), bytes(content))


def _number(text: str, base: int = 10) -> int:
    """Digits alone: a sign, a blank or an underscore is refused, as HTTP has none."""
    if not text.isalnum():
        raise ValueError("not a number of HTTP")
    return int(text, base)


def with_headers(head: bytes, headers: dict[str, str | None]) -> bytes:
    """A head with headers set, or taken out."""
    names = {name.lower() for name in headers}
    first, *lines = head.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")
    kept = [line for line in lines if line.partition(":")[0].lower() not in names]
    added = [f"{name}: {value}" for name, value in headers.items() if value is not None]
    return "\r\n".join((first, *kept, *added, "\r\n")).encode("latin-1")


def reset(writer: asyncio.StreamWriter) -> None:
    """End a connection with a reset: what was not read yet is lost on both sides."""
    if not writer.is_closing():
        linger = struct.pack("ii", 1, 0)
        raw: socket.socket = writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    writer.transport.abort()
