"""Faults F41 to F55: what a caller may do."""

import asyncio
import gzip
import json
import resource
import select
import socket
import statistics
import struct
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest
from scene import SYNC, Scene, content, rows, server_process, webhook
from support import SECRET

from destination import listen, web
from destination.app import ADMISSION, METRICS
from destination.inflate import Inflater
from destination.testing import faults
from destination.testing.script import Script, Step

BEARER = f"Authorization: Bearer {SECRET}\r\n".encode()
PATIENCE = 20.0
MIB = 1024**2
BEGUN = b"POST /hightouch/hook HTTP/1.1\r\nHost: here\r\nX-Slow: "


def call(sent: Sequence[Mapping[str, Any]], method: str = "add", **members: Any) -> bytes:
    """The body of a call."""
    params = {"configuration": SYNC, "rows": sent, "idColumn": "id"}
    document = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params} | members
    return json.dumps(document).encode()


def with_rows(text: str) -> bytes:
    """The body of a call whose rows are written as they are given."""
    return call([]).replace(b'"rows": []', b'"rows": ' + text.encode())


def head(*headers: bytes, secret: bytes = BEARER) -> bytes:
    """The head of a request to the destination; each header ends its own line."""
    return b"POST /hightouch/hook HTTP/1.1\r\nHost: here\r\n" + secret + b"".join(headers) + b"\r\n"


def request(body: bytes, *headers: bytes) -> bytes:
    """A whole request."""
    return head(b"Content-Length: %d\r\n" % len(body), *headers) + body


def chunk(piece: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(piece), piece)


@dataclass
class Caller:
    """A connection that sends what it is told, byte for byte."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    began: float = field(default_factory=time.monotonic)

    async def send(self, *pieces: bytes) -> None:
        for piece in pieces:
            self.writer.write(piece)
            await self.writer.drain()

    async def answer(self) -> tuple[int, Any]:
        """The status and the body of the next answer."""
        async with asyncio.timeout(PATIENCE):
            lines = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1").splitlines()
            headers = dict(line.lower().split(": ", 1) for line in lines[1:] if line)
            body = await self.reader.readexactly(int(headers.get("content-length", 0)))
            readable = "json" in headers.get("content-type", "")
            return int(lines[0].split()[1]), json.loads(body) if readable else body

    async def closed(self) -> None:
        """Wait until the server ends the connection."""
        async with asyncio.timeout(PATIENCE):
            with suppress(ConnectionError):
                assert await self.reader.read() == b""

    def reset(self) -> None:
        linger = struct.pack("ii", 1, 0)
        raw: socket.socket = self.writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.writer.transport.abort()

    def close(self) -> None:
        self.writer.close()


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[Caller]:
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    try:
        yield Caller(reader, writer)
    finally:
        writer.close()


def resident(pid: int) -> int:
    """The memory that a process has, in bytes."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * resource.getpagesize()


async def told(scene: Any, *pieces: bytes) -> tuple[int, Any]:
    """What is answered to these bytes on a connection of their own."""
    async with connected(scene.url) as caller:
        sending = asyncio.create_task(caller.send(*pieces))
        try:
            return await caller.answer()
        finally:
            sending.cancel()
            await asyncio.wait([sending])
            if not sending.cancelled():
                sending.exception()  # a server that refuses need not read to the end


@asynccontextmanager
async def dripping(caller: Caller, byte: bytes, pause: float = 0.02) -> AsyncIterator[None]:
    """Inside the block the byte is sent again and again."""

    async def drip() -> None:
        with suppress(ConnectionError):
            while True:
                await caller.send(byte)
                await asyncio.sleep(pause)

    task = asyncio.create_task(drip())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


async def until(condition: Callable[[], Any]) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end
        await asyncio.sleep(0.01)


async def nothing_was_sent(scene: Any) -> None:
    """The vendor has heard of no row, and hears of the next ones."""
    assert scene.vendor.arrivals() == []
    await scene.heals()


@contextmanager
def many_files() -> Iterator[None]:
    """Inside the block this process, and what it starts, may have thousands of files open."""
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, limit[1]), limit[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limit)


def bodies(scene: Any) -> int:
    """Bytes of the calls that are open."""
    held: int = scene.served.app[ADMISSION].bodies
    return held


@dataclass
class Staged(Scene):
    """A scene whose server is a process of its own."""

    pid: int = 0


@asynccontextmanager
async def process_scene(folder: Any, vendor: Any, **environment: str) -> AsyncIterator[Staged]:
    """A scene whose server is a process of its own."""
    hook = webhook(f"{vendor.url}/rows")
    settings = {f"DESTINATIONS__HOOK__{name.upper()}": str(hook[name]) for name in hook}
    async with (
        server_process(folder, **(settings | environment)) as process,
        aiohttp.ClientSession() as http,
    ):
        judged = {"memory": True}
        scene = Staged(http, process.url, "/hightouch/hook", vendor, None, 25.0, judged)
        scene.pid = process.pid
        yield scene


class TestHangingUp:
    """F41 and F42."""

    async def test_f41_a_caller_that_hangs_up_finds_its_rows_delivered(self, stage):
        """The work goes on without its caller; the repeated call waits for it and adds nothing."""
        scene = await stage()
        await scene.vendor.play(Script(default=(Step(delay=0.3),)))

        lost = await scene.call("add", rows(20), patience=0.2)
        again = await scene.call("add", rows(20))

        assert lost.status == 0
        assert again.rejected == {}
        assert scene.effects() == dict.fromkeys(range(1, 21), 1)
        await scene.heals(down=[(lost.exchange.sent, again.exchange.answered)])

    async def test_f41_what_expired_without_its_caller_is_known_to_be_open(self, stage, short_rest):
        """Rows whose answer never came are sent once more, and no more, when they are repeated."""
        scene = await stage(deadline=1.5, timeout=0.5)
        await scene.vendor.play(Script(default=(Step(do="hang", taken=True), Step())))

        lost = await scene.call("add", rows(4), patience=0.2)
        again = await scene.call("add", rows(4))

        assert lost.status == 0
        assert again.rejected == {}
        assert scene.effects() == dict.fromkeys(range(1, 5), 2)
        await scene.heals(
            within=2 * short_rest,
            down=[(lost.exchange.sent, again.exchange.answered)],
        )

    @pytest.mark.parametrize("end", [Caller.close, Caller.reset], ids=["close", "reset"])
    @pytest.mark.parametrize(
        "framing", [b"Content-Length: %d\r\n", b"Transfer-Encoding: chunked\r\n"]
    )
    async def test_f42_a_caller_that_hangs_up_amid_the_body_has_sent_nothing(
        self, stage, end, framing
    ):
        """A body that lacks its last byte is no call, and what it took up is given back."""
        scene = await stage()
        body = call(rows(50))
        length = b"%d" in framing

        async with connected(scene.url) as caller:
            await caller.send(head(framing % len(body) if length else framing))
            await caller.send(body[:-1] if length else chunk(body))
            await until(lambda: bodies(scene) > 0)
            end(caller)
            await until(lambda: bodies(scene) == 0)

        await nothing_was_sent(scene)

    @pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
    async def test_f42_uploads_that_break_off_leave_no_memory_behind(self, vendor, tmp_path):
        """Ten bodies of 16 MiB that never came to an end take as much room as one."""
        async with process_scene(tmp_path, vendor) as scene:
            await scene.call("add", rows(1))
            before = resident(scene.pid)
            for _ in range(10):
                async with connected(scene.url) as caller:
                    await caller.send(head(b"Content-Length: %d\r\n" % (16 * MIB + 1)))
                    await caller.send(b" " * 16 * MIB)
                    caller.reset()
            assert (await scene.call("add", rows(1, 2))).rejected == {}

            assert resident(scene.pid) - before < 48 * MIB
            await scene.heals()


class TestSlowness:
    """F43 and F44."""

    async def test_f43_a_body_that_drips_is_given_up(self, stage, monkeypatch):
        """A byte now and then does not keep a call open: 408 when the time for bodies is over."""
        monkeypatch.setattr(web, "BODY_SECONDS", 0.5)
        scene = await stage()

        async with connected(scene.url) as caller:
            await caller.send(head(b"Content-Length: 5000\r\n"))
            async with dripping(caller, b"{"):
                status, answer = await caller.answer()
                seconds = time.monotonic() - caller.began

        assert (status, answer["error"]["code"]) == (408, -32000)
        assert 0.5 <= seconds < 1.5
        assert bodies(scene) == 0
        await nothing_was_sent(scene)

    async def test_f43_a_head_that_drips_is_given_up(self, stage, monkeypatch):
        """A request whose head does not come to an end does not keep its connection."""
        monkeypatch.setattr(listen, "FIRST_HEAD", 0.3)
        scene = await stage()

        async with connected(scene.url) as caller:
            await caller.send(BEGUN)
            async with dripping(caller, b"X"):
                await caller.closed()
                seconds = time.monotonic() - caller.began

        assert 0.3 <= seconds < 1.3
        await nothing_was_sent(scene)

    async def test_f43_a_head_that_came_keeps_its_connection(self, stage, monkeypatch):
        """Once a caller has said what it wants its connection stays, idle or at work."""
        monkeypatch.setattr(listen, "FIRST_HEAD", 0.3)
        scene = await stage()
        await scene.vendor.play(Script(default=(Step(delay=0.6),)))

        answers = [await scene.call("add", rows(1, n)) for n in (1, 2)]

        assert [answer.rejected for answer in answers] == [{}, {}]
        await scene.heals()

    def test_f43_a_head_has_ten_seconds(self):
        """A head may take as long as a body."""
        assert listen.FIRST_HEAD <= web.BODY_SECONDS

    async def test_f43_a_thousand_slow_callers_slow_nobody_else(self, vendor, tmp_path):
        """While a thousand heads drip, a caller is served as if they were not there."""
        async with AsyncExitStack() as stack:
            stack.enter_context(many_files())
            scene = await stack.enter_async_context(process_scene(tmp_path, vendor))
            slow = [await stack.enter_async_context(connected(scene.url)) for _ in range(1000)]
            for caller in slow:
                await caller.send(BEGUN)
                await stack.enter_async_context(dripping(caller, b"X", pause=1.0))
            seconds = [(await scene.call("add", rows(1, n))).seconds for n in range(1, 101)]

            assert sorted(seconds)[98] < 1.0
            assert not any(caller.reader.at_eof() for caller in slow)
            await scene.heals()

    async def test_f44_a_caller_that_does_not_read_is_dropped(self, stage, monkeypatch):
        """An answer that nobody takes is let go of, with its connection; others are served."""
        monkeypatch.setattr(web, "TAKING_SECONDS", 0.5)
        scene = await stage()
        refused = [{"id": f"{n}" + "x" * 10_000} for n in range(2000)]
        body = call(refused, "remove").replace(b'"mirror"', b'"insert"')

        with socket.socket() as deaf:
            deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            parts = urlsplit(scene.url)
            await asyncio.to_thread(deaf.connect, (parts.hostname, parts.port))
            await asyncio.to_thread(deaf.sendall, request(body))
            sent = time.monotonic()
            gone = select.poll()
            gone.register(deaf, 0)

            def dropped() -> bool:
                """A byte to a connection that is no more comes back as a reset."""
                with suppress(ConnectionError):
                    deaf.send(b"x")
                return bool(gone.poll(0))

            await until(dropped)
            seconds = time.monotonic() - sent

        assert 0.5 <= seconds < 5.0
        await nothing_was_sent(scene)


async def read_by(scene: Scene, monkeypatch: pytest.MonkeyPatch, *pieces: bytes) -> Any:
    """The answer, and how many bytes of the body were taken from the connection to give it."""
    taken = 0
    feed = Inflater.feed

    def counted(self: Inflater, piece: bytes) -> None:
        nonlocal taken
        taken += len(piece)
        feed(self, piece)

    with monkeypatch.context() as patched:
        patched.setattr(Inflater, "feed", counted)
        return await told(scene, *pieces), taken


class TestTooMuch:
    """F45, F46 and F49."""

    @pytest.mark.parametrize(
        ("framing", "status", "most"),
        [
            pytest.param(b"Content-Length: %d\r\n" % (8 * MIB), 413, 0, id="declared"),
            pytest.param(b"Transfer-Encoding: chunked\r\n", 413, MIB + 3 * 2**17, id="chunked"),
            pytest.param(b"Transfer-Encoding: chunked\r\nContent-Length: 9\r\n", 400, 0, id="both"),
        ],
    )
    async def test_f45_what_is_too_large_is_not_read(
        self, stage, monkeypatch, framing, status, most
    ):
        """Of a body beyond the limit no more is taken in than the limit and what was on its way."""
        scene = await stage(server={"max_body": MIB})
        piece = chunk(b" " * 2**16)

        (answered, _), taken = await read_by(
            scene, monkeypatch, head(framing), *[piece] * (8 * MIB // 2**16)
        )

        assert answered == status
        assert taken <= most
        await nothing_was_sent(scene)

    async def test_f45_a_body_longer_than_it_was_said_to_be_is_no_second_call(self, stage):
        """What follows the announced length is refused as a request, not run as a part of one."""
        scene = await stage()
        body = call(rows(3))

        async with connected(scene.url) as caller:
            await caller.send(
                head(b"Content-Length: %d\r\n" % (len(body) - 2)) + body + b"\r\n\r\n"
            )
            async with asyncio.timeout(PATIENCE):
                answers = await caller.reader.read()

        assert b" 400 Bad Request" in answers
        assert b"rejectedRows" not in answers
        assert b"row1@example.org" not in answers
        await nothing_was_sent(scene)

    async def test_f46_a_bomb_is_refused(self, stage):
        """A body that inflates beyond the limit is refused, and nothing of it is sent."""
        scene = await stage(server={"max_body": MIB})
        bomb = gzip.compress(call(rows(2, name="x" * (64 * MIB))))
        assert len(bomb) < MIB

        status, answer = await told(scene, request(bomb, b"Content-Encoding: gzip\r\n"))

        assert (status, answer["error"]["code"]) == (413, -32000)
        assert bodies(scene) == 0
        await nothing_was_sent(scene)

    @pytest.mark.parametrize(
        ("text", "code"),
        [
            pytest.param("[" + "[]," * 3_000_000 + "[]]", -32700, id="empty-arrays"),
            pytest.param("[" + "{}," * 20_000 + "{}]", -32602, id="too-many-rows"),
        ],
    )
    async def test_f49_more_values_than_allowed_are_refused_at_once(self, stage, text, code):
        """What would take long to read is counted first, and refused in a moment."""
        scene = await stage()

        began = time.monotonic()
        status, answer = await told(scene, request(with_rows(text)))
        seconds = time.monotonic() - began

        assert (status, answer["error"]["code"]) == (200, code)
        assert seconds < 1.0
        await nothing_was_sent(scene)

    @pytest.mark.parametrize("keys", ["many", "colliding"])
    async def test_f49_a_row_with_a_million_keys_costs_its_row(self, stage, keys):
        """A row of very many columns is rejected alone, in a moment, however they are named."""
        scene = await stage()
        names = (
            (f"k{n}" for n in range(1_000_000))
            if keys == "many"
            else (f"{n * (2**61 - 1)}" for n in range(400_000))
        )
        large = ",".join(f'"{name}":1' for name in names)
        good = json.dumps(rows(1)[0])

        began = time.monotonic()
        status, answer = await told(scene, request(with_rows(f'[{good}, {{"id":2,{large}}}]')))
        seconds = time.monotonic() - began

        [rejected] = answer["result"]["rejectedRows"]
        assert (status, rejected["id"]) == (200, 2)
        assert rejected["reason"].startswith("TOO_LARGE: ")
        assert seconds < 1.0
        assert scene.effects() == {1: 1}


class TestNonsense:
    """F47, F48, F50, F51 and F52."""

    @pytest.mark.parametrize(
        ("body", "code"),
        [
            pytest.param(
                call(rows(1, name="here")).replace(b"here", b"\xff"), -32700, id="f47-utf8"
            ),
            pytest.param(b"\xef\xbb\xbf" * 2 + call(rows(1)), -32700, id="f47-two-marks"),
            pytest.param(with_rows('[{"id":1,"email":NaN}]'), -32700, id="f47-nan"),
            pytest.param(call(rows(1))[:-1], -32700, id="f47-cut-short"),
            pytest.param(with_rows("[" * 100_000 + "]" * 100_000), -32700, id="f47-deep"),
            pytest.param(with_rows('[{"email":"a@x.org"}]'), -32602, id="f50-id-missing"),
            pytest.param(call([*rows(2), {"id": None}]), -32602, id="f50-id-null"),
            pytest.param(call([*rows(2), {"id": {"a": 1}}]), -32602, id="f50-id-object"),
            pytest.param(b"[" + b",".join([call(rows(1))] * 11) + b"]", -32600, id="f51-eleven"),
            pytest.param(call(rows(1), "__class__"), -32601, id="f51-dunder"),
            pytest.param(call(rows(1), "deliver"), -32601, id="f51-unknown"),
        ],
    )
    async def test_f47_f50_f51_what_is_no_call_sends_nothing(self, stage, body, code):
        """A body that cannot be read, or asks for what cannot be reported, is one error."""
        scene = await stage()

        status, answer = await told(scene, request(body))

        assert (status, answer["error"]["code"]) == (200, code)
        await nothing_was_sent(scene)

    @pytest.mark.parametrize("method", ["add", "change", "remove"])
    async def test_f51_rows_that_nobody_would_hear_of_are_not_sent(self, stage, method):
        """A call without an id has no answer in which a row could be rejected."""
        scene = await stage()
        body = call(rows(3), method).replace(b'"id": 1, "method"', b'"method"')

        assert await told(scene, request(body)) == (204, b"")
        await nothing_was_sent(scene)

    @pytest.mark.parametrize("digits", ["1e400", "1" * 1_000_000])
    async def test_f47_a_number_that_nobody_can_hold_costs_its_row(self, stage, digits):
        """A number beyond all bounds rejects the row it stands in; the others are delivered."""
        scene = await stage()
        odd = json.dumps(rows(1, 2)[0] | {"name": "here"}).replace('"here"', digits)

        _, answer = await told(scene, request(with_rows(f"[{json.dumps(rows(1)[0])}, {odd}]")))

        assert [each["id"] for each in answer["result"]["rejectedRows"]] == [2]
        assert scene.effects() == {1: 1}

    @pytest.mark.parametrize(
        "name", ["a\0b", "a\r\nX-Evil: 1\r\n\r\nb", "\u202egnp.exe", "\ufeffb", "\U0001f600\u2028"]
    )
    async def test_f48_odd_characters_are_delivered_as_they_are(self, stage, name):
        """Text that could break a header, a log or a page is the vendor's as it was sent."""
        scene = await stage()
        sent = rows(1, name=name)

        answer = await scene.call("add", sent)

        assert answer.rejected == {}
        [arrival] = scene.vendor.arrivals()
        assert arrival.contents == (content("add", sent[0]),)
        await scene.heals()

    @pytest.mark.parametrize("name", ["\ud800", "a\udfffb", "\udc00\ud800"])
    async def test_f48_half_a_character_costs_its_row(self, stage, name):
        """A row whose text is no text is rejected alone."""
        scene = await stage()

        answer = await scene.call("add", [*rows(2), rows(1, 3, name=name)[0], *rows(2, 4)])

        assert answer.codes == {3: "INVALID_ROW"}
        assert scene.effects() == dict.fromkeys((1, 2, 4, 5), 1)
        await scene.heals()

    async def test_f50_of_several_rows_with_one_id_one_rejection_tells(self, stage):
        """Versions of a row go one after another, and one that fails rejects the id once."""
        scene = await stage()
        versions = [rows(1, name=f"version {n}")[0] for n in range(3)]
        await scene.vendor.play(Script(rows={"1": (Step(), Step(422), Step())}))

        answer = await scene.call("add", versions)

        assert answer.codes == {1: "VENDOR_REJECTED"}
        assert [each.contents for each in scene.vendor.arrivals()] == [
            (content("add", version),) for version in versions
        ]
        await scene.heals()

    @pytest.mark.parametrize(
        "secret",
        [
            b"",
            b"Authorization: Bearer " + b"t" * 40 + b"\r\n",
            b"Authorization: Bearer \xc3\xa9\xff" + b"s" * 40 + b"\r\n",
            b"X-Api-Key: " + b"s" * 8000 + b"\r\n",
        ],
        ids=["missing", "wrong", "not-ascii", "huge"],
    )
    async def test_f52_a_stranger_is_turned_away_before_the_body(self, stage, secret):
        """Without the secret the answer is 401, at once, before a byte of the body is there."""
        scene = await stage()
        seconds = []

        for _ in range(20):
            async with connected(scene.url) as caller:
                began = time.monotonic()
                await caller.send(head(b"Content-Length: 999999\r\n", secret=secret))
                status, answer = await caller.answer()
                seconds.append(time.monotonic() - began)
            assert (status, answer["error"]["code"]) == (401, -32000)

        assert statistics.median(seconds) < 0.05
        await nothing_was_sent(scene)


class TestOverlap:
    """F53 and F54."""

    async def test_f53_one_call_ten_times_at_once_on_two_processes(self, vendor, tmp_path):
        """Ten identical calls on two servers with one state file are one effect for each row."""
        await vendor.play(Script(default=(Step(delay=0.3),)))
        state = {"STATE_URL": f"sqlite:///{tmp_path}/state.db"}
        async with (
            process_scene(tmp_path, vendor, **state) as one,
            process_scene(tmp_path, vendor, **state) as other,
        ):
            other.exchanges = one.exchanges
            answers = await asyncio.gather(
                *(scene.call("add", rows(20)) for scene in (one, other) * 5)
            )

            assert one.effects() == dict.fromkeys(range(1, 21), 1)
            assert [answer.rejected for answer in answers] == [{}] * 10
            await one.heals()
            await other.heals()

    @pytest.mark.parametrize("deep", [2, 3])
    async def test_f54_versions_of_a_row_go_in_the_order_in_which_they_came(self, stage, deep):
        """A later call waits for an earlier one with the rows that both have, and no others."""
        scene = await stage()
        await scene.vendor.play(Script(default=(Step(delay=0.3),)))
        versions = [rows(3, name=f"version {n}") for n in range(deep)]
        own = [rows(1, 100 + n) for n in range(deep)]

        calls = []
        for version, alone in zip(versions, own, strict=True):
            held = bodies(scene)
            calls.append(asyncio.create_task(scene.call("add", [*version, *alone])))
            await until(lambda held=held: bodies(scene) > held)
        answers = await asyncio.gather(*calls)

        assert [answer.rejected for answer in answers] == [{}] * deep
        arrivals = scene.vendor.arrivals()
        for at in range(3):
            assert [each.contents for each in arrivals if each.ids == (at + 1,)] == [
                (content("add", version[at]),) for version in versions
            ]
        second = next(
            each.at for each in arrivals if each.contents[0] == content("add", versions[1][0])
        )
        assert all(each.at < second for each in arrivals if each.ids[0] >= 100)
        await scene.heals()

    async def test_f54_an_older_version_is_not_sent_after_a_newer_one(self, stage, short_rest):
        """A call whose earlier version is not answered in time never overtakes the later one."""
        scene = await stage(deadline=2.0, timeout=0.4)
        old, new = (rows(2, name=name) for name in ("old", "new"))
        await scene.vendor.play(Script(default=(Step(do="hang"), Step())))

        first = asyncio.create_task(scene.call("add", old))
        await until(lambda: bodies(scene) > 0)
        later = await scene.call("change", new)
        assert (await first).codes == dict.fromkeys((1, 2), "OUTCOME_UNKNOWN")

        assert later.rejected == {}
        for id in (1, 2):
            assert [each.contents for each in scene.vendor.arrivals() if each.ids == (id,)] == [
                (content("add", old[id - 1]),),
                (content("change", new[id - 1]),),
            ]
        await scene.heals(within=2 * short_rest)


class TestOverload:
    """F55: more calls than are taken on."""

    async def test_t27_f55_what_is_too_much_is_refused_before_any_row_is_touched(self, stage):
        """Ten times as many calls as are taken on: 503 at once for the others, and nothing lost."""
        scene = await stage(server={"max_calls": 4})
        await scene.vendor.play(Script(default=(Step(delay=1.0),)))

        answers = await asyncio.gather(*(scene.call("add", rows(5, 10 * n)) for n in range(1, 41)))

        taken = [each for each in answers if each.status == 200]
        refused = [each for each in answers if each.status == 503]
        assert (len(taken), len(refused)) == (4, 36)
        assert all(each.rejected == {} for each in taken)
        assert {each.error["code"] for each in refused} == {-32000}
        assert max(each.seconds for each in refused) < 0.5
        sent = {row["id"] for each in taken for row in each.exchange.rows}
        assert scene.effects() == dict.fromkeys(sent, 1)
        assert b'destination_calls_refused_total{why="overload"} 36.0' in metrics(scene)
        await scene.heals()

    async def test_f55_a_refusal_says_when_to_come_back(self, stage):
        """The waits that refusals name are one to five seconds, and differ."""
        scene = await stage(server={"max_calls": 1})
        await scene.vendor.play(Script(default=(Step(delay=1.0),)))
        busy = asyncio.create_task(scene.call("add", rows(1)))
        await until(lambda: bodies(scene) > 0)

        waits = []
        for _ in range(40):
            async with await scene.served.post(call(rows(1, 2)), scene.path) as refused:
                assert refused.status == 503
                waits.append(refused.headers["Retry-After"])
                assert refused.headers["Connection"] == "close"
        assert (await busy).rejected == {}

        assert set(waits) <= set("12345")
        assert len(set(waits)) > 1
        await scene.heals()

    async def test_f55_bodies_together_have_a_limit(self, stage, monkeypatch):
        """Callers that announce more than is held at once are refused until there is room."""
        monkeypatch.setattr("destination.admission.BODIES", MIB)
        scene = await stage()

        async with connected(scene.url) as slow:
            await slow.send(head(b"Content-Length: %d\r\n" % (MIB - 1000)))
            await until(lambda: bodies(scene) > 0)
            status, answer = await told(scene, request(call(rows(20))))
            assert (status, answer["error"]["code"]) == (503, -32000)
        await until(lambda: bodies(scene) == 0)

        await nothing_was_sent(scene)

    async def test_f55_a_destination_that_hangs_leaves_room_for_the_others(self, stage, vendor):
        """One destination's calls, however many, do not take what the other needs."""
        beside = webhook(f"{vendor.url}/rows")
        scene = await stage(deadline=3.0, server={"max_calls": 4}, destinations={"other": beside})
        other = replace(scene, path="/hightouch/other", exchanges=[], proxy=None)
        alone = [(await other.call("add", rows(1, n))).seconds for n in range(1, 31)]
        scene.proxy.always = faults.hang

        hanging = [asyncio.create_task(scene.call("add", rows(2, 100 * n))) for n in range(1, 11)]
        await until(lambda: sum(task.done() for task in hanging) == 8)
        beside_it = [await other.call("add", rows(1, n)) for n in range(31, 61)]
        await asyncio.gather(*hanging)

        assert [each.status for each in beside_it] == [200] * 30
        assert all(each.rejected == {} for each in beside_it)
        slow = sorted(each.seconds for each in beside_it)[28]
        assert slow <= 1.2 * sorted(alone)[28] + 0.05
        assert sorted(task.result().status for task in hanging) == [200] * 2 + [503] * 8
        assert other.verdict() == []


def metrics(scene: Scene) -> bytes:
    """What the server counts."""
    text: bytes = scene.served.app[METRICS].text()
    return text
