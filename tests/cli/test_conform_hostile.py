"""A hostile or broken server neither holds the conformance cases up nor crashes them."""

import asyncio
import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from conform_faults import reply
from conforming import CASES, faulty, results
from raw_server import Answer, drip, hang, hang_up, raw, reset

from destination.cli.conform import bodies, server, wire
from destination.cli.conform.case import Outcome
from destination.cli.conform.verdict import Level

OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


def answer(body: bytes, head: bytes = OK) -> bytes:
    return b"%bContent-Length: %d\r\n\r\n%b" % (head, len(body), body)


def once(data: bytes) -> Answer:
    async def write(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(data)
        await writer.drain()

    return write


HOSTILE: dict[str, Answer | bytes] = {
    "a page": answer(b"<html>\x1b[31mLog in</html>", b"HTTP/1.1 200 OK\r\n"),
    "an empty 200": answer(b""),
    "a bare 204": b"HTTP/1.1 204 No Content\r\n\r\n",
    "a redirect": answer(b"", b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:9/\r\n"),
    "garbage": b"\x00\xff\x15\x03SSH-2.0-nothing\r\n\r\n",
    "another protocol": b"RTSP/1.0 200 OK\r\n\r\n",
    "a status that is none": b"HTTP/1.1 abc OK\r\n\r\n",
    "a negative length": OK + b"Content-Length: -5\r\n\r\n12345",
    "a length of words": OK + b"Content-Length: many\r\n\r\n",
    "a length that is not kept": OK + b"Content-Length: 99999999999\r\n\r\n{}",
    "chunks of nonsense": OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n",
    "negative chunks": OK + b"Transfer-Encoding: chunked\r\n\r\n-5\r\n{}\r\n0\r\n\r\n",
    "a header without an end": drip(b"HTTP/1.1 200 OK\r\nX-A: ", b"x" * 65_536),
    "interim answers without end": drip(b"", b"HTTP/1.1 103 Early Hints\r\n\r\n" * 1_000),
    "a body without end": drip(OK + b"\r\n", b" " * 65_536),
    "a slow body": drip(OK + b"\r\n", b" "),
    "nothing": hang,
    "the end": hang_up,
    "a reset": reset,
    "deep nesting": answer(b"[" * 200_000),
    "a huge number": answer(b'{"jsonrpc":"2.0","id":"1","result":' + b"9" * 10_000 + b"}"),
    "not UTF-8": answer(b'{"jsonrpc":"2.0","id":"1","result":"\xff"}'),
    "a surrogate": answer(b'{"jsonrpc":"2.0","id":"1","result":{"errors":["\\ud800"]}}'),
}


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "REFUSAL_SECONDS", 0.1)
    monkeypatch.setattr(wire, "INVITATION", 0.05)
    monkeypatch.setattr(server, "PING_SECONDS", 0.2)


@pytest.mark.parametrize("what", HOSTILE)
async def test_whatever_comes_the_run_ends(what: str) -> None:
    """Each case has an outcome of its own within its time, and the run has failed."""
    given = HOSTILE[what]
    async with raw(once(given) if isinstance(given, bytes) else given) as hostile:
        run, found = await asyncio.wait_for(results(hostile.url, seconds=0.2), 30)

    assert found.keys() >= CASES.keys()
    assert not run.holds
    assert "an answer that can be read" not in {result.says for result in run.results}


async def test_a_server_that_dies_ends_the_run_at_once() -> None:
    """Once a server answers no more, the cases after that are skipped, and the run has failed."""
    dead = asyncio.Event()

    async def mortal(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if b"toString" in alive.bodies[-1]:
            dead.set()
        if not dead.is_set():
            writer.write(answer(b'{"jsonrpc":"2.0","id":"1","result":{}}'))

    async with raw(mortal) as alive:
        began = time.monotonic()
        run, found = await results(alive.url, seconds=1.0)

    assert run.gone == "E14"
    assert found["E15"].says == "The server did not answer any more after E14."
    assert found["E15"].outcome is Outcome.SKIPPED
    assert not run.holds
    assert time.monotonic() - began < 10


async def test_one_hanging_method_is_waited_for_once() -> None:
    """A method that hangs fails the cases that need it, and each of its calls is made once."""
    calls: list[Any] = []

    async def half(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        call = json.loads(sleepy.bodies[-1])
        if call["method"] == "list_objects":
            calls.append(call)
            await asyncio.Event().wait()
        writer.write(answer(b'{"jsonrpc":"2.0","id":"1","result":{}}'))

    async with raw(half) as sleepy:
        run, found = await results(sleepy.url, "C1", "C3", "C4", "C8", "C10", seconds=0.5)

    assert len(calls) == 1
    assert run.gone == ""
    assert {result.came for result in found.values()} == {"no answer within 0.5 s"}


ODD = (None, 0, -1, 1e300, "", "x", [], [None], [[]], {}, {"": None}, True)
MEMBERS: tuple[Callable[[Any], Any], ...] = (
    lambda odd: odd,
    lambda odd: dict.fromkeys(("objects", "modes", "fields", "options", "errors"), odd),
    lambda odd: dict.fromkeys(("batchSize", "operations", "skipInitialRun"), odd),
    lambda odd: {"rejectedRows": [{"id": odd, "reason": "No."}]},
    lambda odd: {"options": {"schema": {"properties": odd, "required": odd}, "uiSchema": odd}},
    lambda odd: {"options": {"schema": {"properties": {"a": odd}, "required": [odd]}}},
    lambda odd: {"options": {"schema": {"properties": {"a": {"enum": odd, "type": odd}}}}},
    lambda odd: {"fields": [{"id": "a", "label": "A", "type": odd, "required": odd}]},
)


@pytest.mark.parametrize("odd", ODD, ids=repr)
@pytest.mark.parametrize("number", range(len(MEMBERS)))
async def test_results_of_any_shape_are_judged(
    kinds_for_tests: None, number: int, odd: Any
) -> None:
    """Whatever stands in results, each case comes to a judgement of its own."""

    def strange(_: Any, body: bytes, right: bytes | None) -> Any:
        document = json.loads(right or b"[]")
        if not isinstance(document, dict) or "result" not in document:
            return None
        return reply(document | {"result": MEMBERS[number](odd)})

    async with faulty(strange) as url:
        run, _ = await results(url, *(id for id in CASES if id[0] in "CS"), seconds=5.0)

    assert "an answer that can be read" not in {result.says for result in run.results}
    musts = [each for each in run.results if each.outcome is Outcome.FAILED]
    assert all(CASES[each.case.id].level is Level.MUST for each in musts)
    assert not run.holds
