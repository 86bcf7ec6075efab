"""The scripted vendor's own process: it reads a request, logs it, and does what the script says."""

import asyncio
import hashlib
import json
import os
import signal
import sys
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from email.utils import formatdate
from http import HTTPStatus
from itertools import count
from pathlib import Path
from typing import Any

import msgspec

from destination.testing.journal import Arrival, RowId
from destination.testing.script import Decision, Play, Script, Step
from destination.wire import Message, Source, read_request, reset

CONTROL = "/_script"
_DIGITS = 16


@dataclass(frozen=True, slots=True)
class _Row:
    id: RowId
    content: str

    @property
    def name(self) -> str:
        return self.id if isinstance(self.id, str) else json.dumps(self.id)


def digest(row: Any) -> str:
    """The same for the same JSON value, whatever the order of its members."""
    canonical = json.dumps(row, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:_DIGITS]


def _rows(content: bytes) -> tuple[_Row, ...]:
    try:
        body = json.loads(content)
    except (ValueError, RecursionError):
        return ()
    members = body if isinstance(body, list) else [body]
    held = [each for each in members if isinstance(each, dict) and "id" in each]
    return tuple(_Row(_row_id(each["id"]), digest(each)) for each in held)


def _row_id(value: Any) -> RowId:
    """As it came, or as JSON where the log has no type for it."""
    if isinstance(value, str):
        return value if value.isascii() or _encodes(value) else json.dumps(value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    return json.dumps(value)


def _encodes(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


class _Server:
    def __init__(self, log: int, script: Script) -> None:
        self._log = log
        self._play = Play(script)
        self._numbers = count(1)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        number, source = next(self._numbers), Source(reader)
        try:
            while await self._one(number, source, writer):
                pass
        except ValueError:
            writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
        except (EOFError, ConnectionError):
            pass
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    async def _one(self, number: int, source: Source, writer: asyncio.StreamWriter) -> bool:
        request = await read_request(source)
        at = time.monotonic()
        method, path, _ = request.start
        if path == CONTROL:
            writer.write(self._control(method, request.content))
            return True
        rows = _rows(request.content)
        decision = self._play.decide([row.name for row in rows], f"{method} {path}")
        self._write(at, number, request, rows, decision)
        await asyncio.sleep(decision.step.delay)
        return await _act(decision, rows, request, source, writer)

    def _control(self, method: str, content: bytes) -> bytes:
        if method != "PUT":
            return _bytes(Step(405), b"")
        try:
            self._play = Play(msgspec.json.decode(content, type=Script))
        except msgspec.MsgspecError as error:
            return _bytes(Step(400), str(error).encode())
        return _bytes(Step(200), b"{}")

    def _write(
        self,
        at: float,
        number: int,
        request: Message,
        rows: tuple[_Row, ...],
        decision: Decision,
    ) -> None:
        step, rejected = decision.step, decision.rejected
        others = tuple(row for at, row in enumerate(rows) if at not in rejected)
        fates = [(others, step.takes, str(step.status) if rejected else step.name)]
        if rejected:
            fates.append((tuple(rows[at] for at in sorted(rejected)), False, "reject"))
        method, path, _ = request.start
        key = request.header("Idempotency-Key")
        for members, taken, answer in fates:
            if members or not rejected:
                ids, contents = tuple(m.id for m in members), tuple(m.content for m in members)
                line = Arrival(
                    at, number, method, path, ids, contents, taken, answer, key, step.wait
                )
                os.write(self._log, json.dumps(asdict(line)).encode() + b"\n")


async def _act(
    decision: Decision,
    rows: tuple[_Row, ...],
    request: Message,
    source: Source,
    writer: asyncio.StreamWriter,
) -> bool:
    step = decision.step
    if step.do == "hang":
        await source.rest()
    elif step.do == "reset":
        reset(writer)
    elif step.do != "close":
        writer.write(_bytes(step, _body(decision, rows), head=request.start[0] == "HEAD"))
        await writer.drain()
        last = {request.header("Connection"), step.headers.get("Connection")}
        return "close" not in last
    return False


def _body(decision: Decision, rows: tuple[_Row, ...]) -> bytes:
    step, rejected = decision.step, sorted(decision.rejected)
    if step.body is not None:
        return step.body.encode()
    if step.status >= 300:
        return json.dumps({"error": f"scripted {step.status}"}).encode()
    errors = [{"id": rows[at].id, "reason": "rejected"} for at in rejected]
    return json.dumps({"taken": len(rows) - len(errors), "errors": errors}).encode()


def _bytes(step: Step, body: bytes, *, head: bool = False) -> bytes:
    now = time.time() + step.skew
    bodiless = step.status in (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED)
    headers: dict[str, str | None] = {
        "Date": formatdate(now, usegmt=True),
        "Content-Type": "application/json",
        "Content-Length": None if bodiless else str(len(body)),
        "Retry-After": step.retry_after,
    }
    if step.retry_date is not None:
        headers["Retry-After"] = formatdate(now + step.retry_date, usegmt=True)
    headers |= step.headers
    lines = [f"{name}: {value}\r\n" for name, value in headers.items() if value is not None]
    first = f"HTTP/1.1 {step.status} Scripted\r\n"
    return "".join((first, *lines, "\r\n")).encode() + (b"" if head or bodiless else body)


async def serve(log: Path, script: Script, port: int, *, attached: bool) -> None:
    """
    Answer requests until told to stop, by a signal or, if attached, the end of standard input.

    The first line on standard output is the URL.
    """
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if attached:
        loop.add_reader(sys.stdin.fileno(), stop.set)
    # Unbuffered, so that a line that was written outlives the process.
    lines = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    server = _Server(lines, script)
    listener = await asyncio.start_server(server.serve, "127.0.0.1", port, backlog=1024)
    print(f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}", flush=True)
    await stop.wait()
    listener.close()
