"""Group T, continued: bodies that are large, compressed, broken, or not UTF-8."""

import asyncio
import gzip
import zlib
from dataclasses import replace

from destination.cli.conform.case import Case
from destination.cli.conform.server import PARSE_ERROR, Server, call, decoded, read
from destination.cli.conform.transport import CALL, answered
from destination.cli.conform.verdict import MUST, SHOULD, require
from destination.cli.conform.wire import Answer

MEGABYTES = 2_000_000
FAR_TOO_MUCH = 2**40
BOMB_BLOCKS = 64

REFUSAL_SECONDS = 5.0
"""How long a server may take to refuse a length that it was told in advance."""


async def _endless(server: Server) -> None:
    request = replace(server.request(CALL), announced=FAR_TOO_MUCH)
    answer = await server.send(request, REFUSAL_SECONDS)
    _is_too_large(answer)
    decoded(answer, "HTTP 413 with a body of JSON")


async def _large(server: Server) -> None:
    answered(await server.post(call("behavior", {}) + " " * MEGABYTES))


async def _gzipped(server: Server) -> None:
    body = gzip.compress(CALL.encode(), mtime=0)
    answered(await server.post(body, headers={"Content-Encoding": "gzip"}))


async def _bomb(server: Server) -> None:
    body = await asyncio.to_thread(_packed)
    answer = await server.post(body, headers={"Content-Encoding": "gzip"})
    _is_too_large(answer, 400, 415)


def _packed() -> bytes:
    packer = zlib.compressobj(wbits=31)
    blanks = b" " * 1024**2
    parts = [packer.compress(CALL.encode()), *(packer.compress(blanks) for _ in range(BOMB_BLOCKS))]
    return b"".join((*parts, packer.flush()))


def _is_too_large(answer: Answer, *others: int) -> None:
    require(answer, "HTTP 413", holds=answer.status in (413, *others))


async def _not_gzip(server: Server) -> None:
    answer = await server.post(CALL, headers={"Content-Encoding": "gzip"})
    _is_refused(answer, "HTTP 400", 400, 415)


async def _not_utf8(server: Server) -> None:
    body = call("behavior", {"x": "?"}).encode().replace(b"?", b"Zo\xeb")
    _is_refused(await server.post(body), f"HTTP 400, or 200 with {PARSE_ERROR}", 400)


def _is_refused(answer: Answer, expected: str, *statuses: int) -> None:
    if answer.status not in statuses:
        require(answer, expected, holds=answer.status == 200)
        reply = read(answer, decoded(answer, expected))
        require(answer, expected, holds=reply.code == PARSE_ERROR)


async def _marked(server: Server) -> None:
    answered(await server.post(b"\xef\xbb\xbf" + CALL.encode()))


CASES = (
    Case(
        "T9",
        "A body that is announced as far too large is refused at once, with 413 in JSON.",
        SHOULD,
        "Without a limit one caller can fill the server's memory, and every sync stops.",
        _endless,
    ),
    Case(
        "T10",
        "A body of 2 MB is read.",
        MUST,
        "A thousand rows of thirty columns are about a megabyte; many servers stop there by "
        "default, and then the whole batch fails, in every run.",
        _large,
    ),
    Case(
        "T11",
        "A body may be compressed with gzip.",
        SHOULD,
        "Rows shrink to a tenth; a proxy in between may compress them.",
        _gzipped,
    ),
    Case(
        "T12",
        "64 KB that unpack to 64 MB are refused with 413.",
        SHOULD,
        "A limit that counts packed bytes only protects nobody's memory.",
        _bomb,
    ),
    Case(
        "T13",
        "A body that is not compressed as its header says is refused with 400.",
        SHOULD,
        "A 500 looks like a fault of the server and is tried again, in vain.",
        _not_gzip,
    ),
    Case(
        "T14",
        "A body that is not UTF-8 is refused: 400, or a parse error.",
        SHOULD,
        "A server that replaces what it cannot read writes damaged names to the vendor.",
        _not_utf8,
    ),
    Case(
        "T16",
        "A byte-order mark before the JSON is passed over.",
        SHOULD,
        "Some encoders write one, and nobody sees it in a log.",
        _marked,
    ),
)
