"""
Answers that the upstream did not give: faults for ``proxy``, beside those of ``faults``.

Those in capitals are faults, the functions make one. The connection is kept where nothing is said.
"""

import asyncio
import zlib
from collections.abc import Callable, Iterator

from destination.testing.faults import close
from destination.testing.link import Fault, Link
from destination.wire import with_headers

_BLOCK = 65_536
_MIB = 1_048_576


def answer(data: bytes, then: Fault | None = None) -> Fault:
    """Bytes instead of the upstream's answer, which is not asked, and then something."""

    async def fault(link: Link) -> None:
        await link.request()
        await link.send(data)
        if then is not None:
            await then(link)

    return fault


def response(status: int, body: bytes = b"", **headers: str) -> bytes:
    """An answer's bytes; underscores in the names of headers stand for hyphens."""
    lines = {"Content-Length": str(len(body))} | {
        name.replace("_", "-"): value for name, value in headers.items()
    }
    return with_headers(b"HTTP/1.1 %d Faulty\r\n\r\n" % status, {**lines}) + body


def redirect(location: str, status: int = 302) -> Fault:
    """To somewhere else."""
    return answer(response(status, Location=location))


def huge_headers(size: int = 200_000) -> Fault:
    """A good answer under headers of at least that size, in lines of 1 kB."""
    line = b"X-Padding: " + b"x" * 1000 + b"\r\n"
    padding = line * (size // len(line) + 1)
    return answer(b"HTTP/1.1 200 OK\r\n" + padding + b"Content-Length: 2\r\n\r\n{}")


def huge_header(size: int = 200_000) -> Fault:
    """A good answer with one header of that size."""
    return answer(response(200, b"{}", X_Padding="x" * size))


def body_of(size: int) -> Fault:
    """200 with so many bytes, as fast as the client takes them."""
    head = response(200, Content_Length=str(size), Content_Type="application/json")
    return _poured(head, lambda: _blocks(size))


def bomb(size: int) -> Fault:
    """200 with ``Content-Encoding: gzip`` and a thousandth of the bytes that it unpacks to."""

    async def fault(link: Link) -> None:
        await link.request()
        packed = await asyncio.to_thread(_packed, size)
        await link.send(response(200, packed, Content_Encoding="gzip"))

    return fault


def forever(head: bytes, each: bytes) -> Fault:
    """A beginning, then the same again and again, as fast as the client takes it."""

    def again() -> Iterator[bytes]:
        while True:
            yield each

    return _poured(head, again)


def _poured(head: bytes, blocks: Callable[[], Iterator[bytes]]) -> Fault:
    async def fault(link: Link) -> None:
        await link.request()
        await link.send(head)
        for block in blocks():
            await link.send(block)
            await asyncio.sleep(0)  # a client that reads fast must not starve the loop

    return fault


def _blocks(size: int) -> Iterator[bytes]:
    block = b" " * _BLOCK
    for begin in range(0, size, _BLOCK):
        yield block[: size - begin]


def _packed(size: int) -> bytes:
    packer = zlib.compressobj(wbits=31)
    zeros = bytes(_MIB)
    parts = [packer.compress(zeros[: size - begin]) for begin in range(0, size, _MIB)]
    return b"".join((*parts, packer.flush()))


HTML = answer(response(200, b"<html><title>Log in</title></html>", Content_Type="text/html"))
"""A page to log in at, with status 200."""

GARBAGE = answer(b"\x00\xff\x15\x03SSH-2.0-nothing\r\n\r\n" * 8, close)
"""No HTTP at all, then the end."""

NOT_GZIP = answer(response(200, b'{"plain": true}', Content_Encoding="gzip"))
"""A body that is not compressed as its header says."""

ENDLESS_INTERIM = forever(b"", b"HTTP/1.1 103 Early Hints\r\n\r\n" * 64)
"""Interim answers without end."""

ENDLESS_HEADERS = forever(b"HTTP/1.1 200 OK\r\n", b"X-Padding: " + b"x" * 1000 + b"\r\n")
"""A head without end."""

ENDLESS_BODY = forever(
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
    b"%x\r\n%b\r\n" % (_BLOCK, b" " * _BLOCK),
)
"""A body in chunks without end."""
