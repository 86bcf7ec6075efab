"""Faults F56 to F70: what may befall the process and its host."""

import asyncio
import fcntl
import io
import json
import os
import resource
import secrets
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import (
    AsyncExitStack,
    ExitStack,
    asynccontextmanager,
    closing,
    contextmanager,
    suppress,
)
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest
from scene import ROOT, SYNC, Scene, ServerProcess, rows, server_process, webhook
from support import BEARER, SECRET

from destination.testing.oracle import leaks
from destination.testing.script import Script, Step

SLACK = 2.0
"""Seconds by which a busy machine may be late."""

MIB = 1024**2


@dataclass
class Staged(Scene):
    """A scene whose server is a process of its own."""

    process: ServerProcess = None  # type: ignore[assignment]

    @property
    def pid(self) -> int:
        return self.process.pid

    async def get(self, path: str) -> tuple[int, dict[str, str], str]:
        """Status, headers and text."""
        async with self.http.get(self.url + path, headers=BEARER) as answer:
            return answer.status, dict(answer.headers), await answer.text()

    async def counted(self, name: str) -> float:
        """What a counter without labels says."""
        _, _, text = await self.get("/metrics")
        [line] = [each for each in text.splitlines() if each.startswith(f"{name} ")]
        return float(line.split()[1])


@asynccontextmanager
async def process_scene(
    folder: Path, vendor: Any, *, deadline: float = 5.0, url: str = "", **settings: str
) -> AsyncIterator[Staged]:
    """The server's own settings are written as variables, the destination's in small letters."""
    hook = webhook(url or f"{vendor.url}/rows")
    given = {name: value for name, value in settings.items() if name.islower()}
    environment = {
        f"DESTINATIONS__HOOK__{name.upper()}": str(value) for name, value in (hook | given).items()
    }
    environment |= {"SERVER__DEADLINE": str(deadline)}
    environment |= {name: value for name, value in settings.items() if name.isupper()}
    async with (
        server_process(folder, **environment) as process,
        aiohttp.ClientSession() as http,
    ):
        scene = Staged(
            http, process.url, "/hightouch/hook", vendor, None, deadline, {"memory": True}
        )
        scene.process = process
        yield scene


async def arrived(scene: Scene, count: int) -> None:
    """Wait until the vendor has read so many requests."""
    end = time.monotonic() + 20
    while scene.requests() < count:
        assert time.monotonic() < end
        await asyncio.sleep(0.02)


async def ended(scene: Staged, began: float) -> float:
    """Seconds that it took the process to end, as it should."""
    assert await scene.process.ended() == 0, scene.process.output
    assert "Traceback" not in scene.process.output
    return time.monotonic() - began


@asynccontextmanager
async def connection(url: str) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    try:
        yield reader, writer
    finally:
        writer.close()


def head(size: int) -> bytes:
    return (
        b"POST /hightouch/hook HTTP/1.1\r\nHost: here\r\nAuthorization: Bearer %b\r\n"
        b"Content-Length: %d\r\n\r\n" % (SECRET.encode(), size)
    )


class TestStopping:
    """F56, F57 and F58."""

    async def test_f56_an_idle_server_ends_at_once(self, vendor, tmp_path):
        """Connections that are kept, or have not said what they want, do not hold it up."""
        async with process_scene(tmp_path, vendor) as scene:
            assert (await scene.get("/healthz"))[0] == 200  # and its connection is kept
            async with connection(scene.url) as (_, silent), connection(scene.url) as (_, half):
                silent.write(b"")
                half.write(b"POST /hightouch/hook HTTP/1.1\r\nHost: h")
                await half.drain()
                assert (await scene.get("/healthz"))[0] == 200

                began = time.monotonic()
                scene.process.send(signal.SIGTERM)

                assert await ended(scene, began) < 1.0 + SLACK

    @pytest.mark.parametrize(
        "signals",
        [(signal.SIGTERM,) * 3, (signal.SIGINT,)],
        ids=["three-times", "interrupt"],
    )
    async def test_t26_f57_open_calls_are_answered_before_the_end(self, vendor, tmp_path, signals):
        """What was delivered is told, the rest is "not sent", and nothing new is begun."""
        await vendor.play(Script(default=(Step(delay=0.25),)))
        options = {"SERVER__DRAIN": "3", "concurrency": "2"}
        async with process_scene(tmp_path, vendor, deadline=20.0, **options) as scene:
            calls = [
                asyncio.create_task(scene.call("add", rows(60, 1 + 100 * n))) for n in range(2)
            ]
            await arrived(scene, 4)
            began = time.monotonic()
            for number in signals:
                scene.process.send(number)
            await until_draining(scene)
            noticed = time.monotonic() - began
            refused = await scene.call("add", rows(1, 1000))
            ready, _, state = await scene.get("/readyz")
            answers = await asyncio.gather(*calls)

            assert await ended(scene, began) < 3.0 + SLACK
            assert noticed < 0.1 + SLACK
            assert (ready, json.loads(state)["status"]) == (503, "draining")
            assert (refused.status, refused.error["code"]) == (503, -32000)
            for answer in answers:
                assert set(answer.codes.values()) == {"SHUTTING_DOWN"}
                assert 0 < len(answer.rejected) < 60
                told = {row["id"] for row in answer.exchange.rows} - set(answer.rejected)
                assert told == {id for id in scene.effects() if id // 100 == min(told) // 100}
            assert scene.verdict() == []

    async def test_f57_a_refused_call_is_told_to_connect_again(self, vendor, tmp_path):
        """While the server stops, each answer ends its connection, and a 503 names a wait."""
        await vendor.play(Script(default=(Step(delay=1.0),)))
        async with process_scene(tmp_path, vendor) as scene:
            busy = asyncio.create_task(scene.call("add", rows(1)))
            await arrived(scene, 1)
            scene.process.send(signal.SIGTERM)
            await until_draining(scene)
            async with scene.http.post(
                scene.url + scene.path, data=b"{}", headers=BEARER
            ) as refused:
                assert refused.status == 503
                assert refused.headers["Connection"] == "close"
                assert refused.headers["Retry-After"] in set("12345")

            assert (await busy).rejected == {}
            assert await scene.process.ended() == 0

    async def test_f58_a_vendor_that_hangs_does_not_hold_the_end_up(self, vendor, tmp_path):
        """Rows under way are "maybe", those that waited are "not sent", and the end is in time."""
        await vendor.play(Script(default=(Step(do="hang"),)))
        options = {"SERVER__DRAIN": "2", "concurrency": "3"}
        async with process_scene(tmp_path, vendor, deadline=25.0, **options) as scene:
            call = asyncio.create_task(scene.call("add", rows(10)))
            await arrived(scene, 3)
            began = time.monotonic()
            scene.process.send(signal.SIGTERM)
            answer = await call

            assert await ended(scene, began) < 2.0 + SLACK
            assert sorted(answer.codes.values()) == ["OUTCOME_UNKNOWN"] * 3 + ["SHUTTING_DOWN"] * 7
            assert scene.verdict() == []

    async def test_f58_an_upload_that_stalls_is_answered(self, vendor, tmp_path):
        """A caller whose body does not come is refused before the end, not cut off by it."""
        async with process_scene(tmp_path, vendor, deadline=25.0, SERVER__DRAIN="2") as scene:
            async with connection(scene.url) as (reader, writer):
                writer.write(head(1000) + b"{")
                await writer.drain()
                await until_busy(scene)
                began = time.monotonic()
                scene.process.send(signal.SIGTERM)
                answer = await asyncio.wait_for(reader.read(), 10)

            assert await ended(scene, began) < 2.0 + SLACK
            assert answer.startswith((b"HTTP/1.1 408 ", b"HTTP/1.1 503 "))
            assert scene.requests() == 0

    async def test_f58_a_reader_that_stalls_does_not_hold_the_end_up(self, vendor, tmp_path):
        """An answer that nobody takes is given up in time."""
        async with process_scene(tmp_path, vendor, deadline=25.0, SERVER__DRAIN="2") as scene:
            params = {
                "configuration": {"mode": "insert"},
                "rows": [{"id": f"{n}" + "x" * 10_000} for n in range(1500)],
                "idColumn": "id",
            }
            body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "remove", "params": params})
            async with connection(scene.url) as (_, writer):
                writer.transport.pause_reading()
                writer.write(head(len(body)) + body.encode())
                await writer.drain()
                await printed(scene, "rows.answered")
                began = time.monotonic()
                scene.process.send(signal.SIGTERM)

                assert await ended(scene, began) < 2.0 + SLACK

    async def test_f58_a_state_file_that_is_locked_does_not_hold_the_end_up(self, vendor, tmp_path):
        """While somebody else holds the file, the rows' answers are what the vendor said."""
        state = tmp_path / "state.db"
        await vendor.play(Script(default=(Step(delay=0.5),)))
        options = {"SERVER__DRAIN": "4", "STATE_URL": f"sqlite:///{state}", "concurrency": "2"}
        async with process_scene(tmp_path, vendor, deadline=20.0, **options) as scene:
            call = asyncio.create_task(scene.call("add", rows(100)))
            await arrived(scene, 2)
            with locked(state):
                began = time.monotonic()
                scene.process.send(signal.SIGTERM)
                answer = await call
                assert await ended(scene, began) < 4.0 + SLACK

            assert set(answer.codes.values()) == {"SHUTTING_DOWN"}
            assert set(scene.effects()) == set(range(1, 101)) - set(answer.rejected)
            assert scene.verdict() == []

    async def test_f58_a_disk_that_hangs_does_not_hold_the_end_up(self, vendor, tmp_path):
        """A write that does not return costs neither the answer nor the end of the process."""
        (tmp_path / "sitecustomize.py").write_text(HUNG_DISK)
        await vendor.play(Script(default=(Step(do="hang"),)))
        options = {"SERVER__DRAIN": "3", "PYTHONPATH": f"{tmp_path}:{ROOT}", "concurrency": "2"}
        async with process_scene(tmp_path, vendor, deadline=20.0, **options) as scene:
            call = asyncio.create_task(scene.call("add", rows(5)))
            await arrived(scene, 2)
            began = time.monotonic()
            scene.process.send(signal.SIGTERM)
            answer = await call

            assert await ended(scene, began) < 3.0 + SLACK
            assert sorted(answer.codes.values()) == ["OUTCOME_UNKNOWN"] * 2 + ["SHUTTING_DOWN"] * 3
            assert scene.verdict() == []


HUNG_DISK = """
import time
from destination.state.sqlite import SqliteStore

settle = SqliteStore._settle
SqliteStore._settle = lambda self, *given: time.sleep(60) if self._path else settle(self, *given)
"""
"""Loaded by Python as it starts: whatever is to be written to the file takes a minute."""


async def until_draining(scene: Staged) -> None:
    end = time.monotonic() + 10
    while (await scene.get("/readyz"))[0] != 503:
        assert time.monotonic() < end
        await asyncio.sleep(0.01)


async def until_busy(scene: Staged) -> None:
    """Wait until the server has had time to read what was written to it before."""
    for _ in range(5):
        assert (await scene.get("/healthz"))[0] == 200


async def printed(scene: Staged, text: str) -> None:
    end = time.monotonic() + 20
    while text not in scene.process.output:
        assert time.monotonic() < end
        await asyncio.sleep(0.02)


@contextmanager
def locked(state: Path) -> Iterator[None]:
    """Inside the block nobody else can write to the file."""
    with closing(sqlite3.connect(state, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        yield
        other.execute("ROLLBACK")


class TestKilling:
    """F59 and F60."""

    @pytest.mark.parametrize("moment", [2, 15])
    async def test_f59_a_kill_costs_the_rows_in_flight_one_repetition(
        self, vendor, tmp_path, moment
    ):
        """After kill -9 and a restart the repeated call sends what had not been settled."""
        await vendor.play(Script(default=(Step(delay=0.1),)))
        options = {"STATE_URL": f"sqlite:///{tmp_path}/state.db", "concurrency": "4"}
        async with process_scene(tmp_path, vendor, **options) as scene:
            call = asyncio.create_task(scene.call("add", rows(30)))
            await arrived(scene, moment)
            scene.process.send(signal.SIGKILL)
            killed = await call
        async with process_scene(tmp_path, vendor, **options) as again:
            again.exchanges = scene.exchanges
            repeated = await again.call("add", rows(30))

            assert killed.status == 0
            assert repeated.rejected == {}
            effects = again.effects()
            assert set(effects) == set(range(1, 31))
            assert sum(effects.values()) <= 30 + 4
            await again.heals(down=[(killed.exchange.sent, repeated.exchange.sent)])

    async def test_f60_what_expired_while_the_process_was_stopped_is_not_sent(
        self, vendor, tmp_path
    ):
        """A process that goes on after its call's time begins no request for that call."""
        await vendor.play(Script(default=(Step(delay=0.1),)))
        async with process_scene(tmp_path, vendor, deadline=1.0, concurrency="2") as scene:
            call = asyncio.create_task(scene.call("add", rows(50)))
            await arrived(scene, 3)
            scene.process.send(signal.SIGSTOP)
            stopped = time.monotonic()
            before = scene.requests()
            await asyncio.sleep(1.2)
            scene.process.send(signal.SIGCONT)
            going = time.monotonic()
            answer = await call

            assert [each for each in scene.vendor.arrivals() if each.at > stopped + 0.2] == []
            assert scene.requests() <= before + 2
            assert set(answer.codes.values()) <= {"DEADLINE_NOT_SENT", "OUTCOME_UNKNOWN"}
            assert "DEADLINE_NOT_SENT" in answer.codes.values()
            assert answer.exchange.answered - going < SLACK
            await scene.heals(down=[(stopped, going)])


def status_kb(pid: int, name: str) -> int:
    """A line of the process's status, in kB."""
    text = Path(f"/proc/{pid}/status").read_text()
    [line] = [each for each in text.splitlines() if each.startswith(f"{name}:")]
    return int(line.split()[1])


def forget_peak(pid: int) -> None:
    """From now on the peak is of what follows."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def command_line(pid: int) -> bytes:
    return Path(f"/proc/{pid}/cmdline").read_bytes()


def open_files(pid: int) -> int:
    return sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())


def params(text: str, **members: Any) -> bytes:
    """A call whose rows are written as given."""
    configuration = json.dumps(SYNC | members)
    return (
        '{"jsonrpc":"2.0","id":1,"method":"add","params":{"idColumn":"id",'
        f'"configuration":{configuration},"rows":{text}}}}}'
    ).encode()


def adversarial() -> Iterator[tuple[str, bytes]]:
    """Bodies that take much more room than their length lets expect."""
    columns = {f"c{m}": m for m in range(30)}
    wide = json.dumps(rows(1, name="x" * 3000)[0])
    yield "empty-arrays", params("[" + "[]," * 3_000_000 + "[]]")
    yield "allowed-tokens", params('[{"id":1,"a":[' + "[]," * 1_600_000 + "[]]}]")
    yield "deep", params("[" * 1_000_000 + "]" * 1_000_000)
    yield "keys", params("[{" + ",".join(f'"k{n}":1' for n in range(1_000_000)) + ',"id":1}]')
    yield (
        "colliding",
        params("[{" + ",".join(f'"{n * (2**61 - 1)}":1' for n in range(400_000)) + ',"id":1}]'),
    )
    yield "rows", params("[" + ",".join([wide] * 10_000) + "]")
    yield (
        "columns",
        params("[" + ",".join(json.dumps({"id": n} | columns) for n in range(10_000)) + "]"),
    )
    yield "digits", params('[{"id":%s}]' % ("1" * 8_000_000))
    yield "surrogates", params('[{"id":1,"a":"%s"}]' % ("\\ud800" * 99_000))
    yield "text", params('[{"id":1,"email":"%s"}]' % ("x" * 31 * MIB))
    yield "escapes", params('[{"id":1,"email":"%s"}]' % ("\\u00e9" * 5_000_000))
    yield "configuration", params("[]", a=[[] for _ in range(500_000)])


linux = pytest.mark.skipif(sys.platform != "linux", reason="needs /proc and prlimit")


async def posted(scene: Staged, body: bytes, **headers: str) -> tuple[int, bytes]:
    """Status and answer, status 0 when there was none."""
    with suppress(aiohttp.ClientError):
        async with scene.http.post(
            scene.url + scene.path,
            data=io.BytesIO(body),
            headers=BEARER | {"Content-Type": "application/json"} | headers,
        ) as answer:
            return answer.status, await answer.read()
    return 0, b""


@linux
class TestRoom:
    """F61, F62 and F63, O4 and O5: what the host has too little of."""

    async def test_o4_adversarial_bodies_take_bounded_memory(self, vendor, tmp_path):
        """Whatever stands in bodies within the limits, the process stays below 350 MiB."""
        async with process_scene(tmp_path, vendor, deadline=25.0, batching="array") as scene:
            await scene.call("add", rows(10))
            peaks = {}
            for name, body in adversarial():
                forget_peak(scene.pid)
                answers = await asyncio.gather(*(posted(scene, body) for _ in range(2)))
                assert {status for status, _ in answers} <= {200, 503}, name
                assert all(b'"jsonrpc"' in answer for _, answer in answers)
                peaks[name] = status_kb(scene.pid, "VmHWM") // 1024
            assert max(peaks.values()) <= 350, peaks
            assert "Traceback" not in scene.process.output

    async def test_f61_a_memory_limit_refuses_work_and_ends_nothing(self, vendor, tmp_path):
        """A call for which there is no memory fails, sends nothing, and leaves room for others."""
        async with process_scene(tmp_path, vendor, deadline=25.0, STATE_URL=IN_MEMORY) as scene:
            await scene.call("add", rows(1))
            limits = resource.prlimit(scene.pid, resource.RLIMIT_AS)
            room = status_kb(scene.pid, "VmSize") * 1024 + 24 * MIB
            resource.prlimit(scene.pid, resource.RLIMIT_AS, (room, limits[1]))
            large = params(json.dumps(rows(2000, 2, more="x" * 15_000)))
            status, answer = await posted(scene, large)
            assert status == 0 or b'"error"' in answer
            end = time.monotonic() + 5
            while (await scene.call("add", rows(5, 5000))).status != 200:
                assert time.monotonic() < end
                await asyncio.sleep(0.05)
            resource.prlimit(scene.pid, resource.RLIMIT_AS, limits)

            assert scene.effects() == dict.fromkeys((1, *range(5000, 5005)), 1)
            scene.exchanges[:] = [each for each in scene.exchanges if each.answer]
            await scene.heals()

    async def test_o5_f62_a_process_without_free_files_recovers(self, vendor, tmp_path):
        """While no file can be opened nobody new is served; soon after there are some, all are."""
        async with process_scene(tmp_path, vendor, STATE_URL=IN_MEMORY) as scene:
            await scene.call("add", rows(1))
            limits = resource.prlimit(scene.pid, resource.RLIMIT_NOFILE)
            few = open_files(scene.pid) + 10
            resource.prlimit(scene.pid, resource.RLIMIT_NOFILE, (few, limits[1]))
            async with AsyncExitStack() as stack:
                for _ in range(30):
                    await stack.enter_async_context(connection(scene.url))
                await printed(scene, "socket.accept() out of system resource")
                assert open_files(scene.pid) == few
            freed = time.monotonic()
            async with aiohttp.ClientSession() as fresh:
                after = replace(scene, http=fresh)
                assert (await after.call("add", rows(1, 2))).rejected == {}
            assert time.monotonic() - freed < 5.0

            assert "Traceback" not in scene.process.output
            await scene.heals()

    async def test_f62_a_vendor_that_no_file_is_left_for_is_not_reached(self, vendor, tmp_path):
        """Rows for which no connection can be opened are "not sent", and nothing else happens."""
        async with process_scene(tmp_path, vendor, STATE_URL=IN_MEMORY) as scene:
            assert (await scene.get("/healthz"))[0] == 200
            limits = resource.prlimit(scene.pid, resource.RLIMIT_NOFILE)
            few = open_files(scene.pid)
            resource.prlimit(scene.pid, resource.RLIMIT_NOFILE, (few, limits[1]))
            answer = await scene.call("add", rows(3))
            resource.prlimit(scene.pid, resource.RLIMIT_NOFILE, limits)

            assert answer.codes == dict.fromkeys((1, 2, 3), "CONNECT_FAILED")
            await scene.heals()

    async def test_f63_a_full_disk_does_not_matter_to_calls(self, vendor, tmp_path):
        """When the state file cannot grow, rows are delivered, counted and told of as degraded."""
        state = tmp_path / "state.db"
        async with process_scene(tmp_path, vendor, STATE_URL=f"sqlite:///{state}") as scene:
            await scene.call("add", rows(3))
            limits = resource.prlimit(scene.pid, resource.RLIMIT_FSIZE)
            full = min(each.stat().st_size for each in state_files(state) if each.stat().st_size)
            resource.prlimit(scene.pid, resource.RLIMIT_FSIZE, (full, limits[1]))
            answer = await scene.call("add", rows(400, 10))
            again = await scene.call("add", rows(400, 10))
            ready, _, text = await scene.get("/readyz")

            assert answer.rejected == again.rejected == {}
            assert (ready, json.loads(text)) == (200, {"status": "ok", "state": "degraded"})
            assert await scene.counted("destination_state_errors_total") >= 1
            assert next(scene.process.events("state.failed"))["level"] == "warning"
            resource.prlimit(scene.pid, resource.RLIMIT_FSIZE, limits)
            await scene.heals()


IN_MEMORY = "sqlite:///:memory:"


def state_files(state: Path) -> list[Path]:
    return sorted(state.parent.glob(f"{state.name}*"))


class TestState:
    """F63 and F65: the file in which deliveries are remembered."""

    async def test_f63_a_state_file_that_fails_is_used_again_when_it_works(
        self, serve, vendor, tmp_path, monkeypatch
    ):
        """Degraded while somebody else holds the file, and no longer; nothing is sent twice."""
        monkeypatch.setattr("destination.state.fallback.LEFT_ALONE", 0.3)
        monkeypatch.setattr("destination.state.sqlite.BUSY_SECONDS", 0.1)
        state = tmp_path / "state.db"
        hooks = {"hook": webhook(f"{vendor.url}/rows")}
        served = await serve(hooks, state_url=f"sqlite:///{state}")
        scene = Scene(
            served.http, served.url, "/hightouch/hook", vendor, None, 25.0, {"memory": True}
        )
        ready = served.url + "/readyz"

        async def health() -> str:
            async with served.http.get(ready) as answer:
                assert answer.status == 200
                told: str = (await answer.json())["state"]
                return told

        assert await health() == "ok"
        with locked(state):
            began = time.monotonic()
            assert (await scene.call("add", rows(20))).rejected == {}
            assert time.monotonic() - began < 0.4 + SLACK
            assert await health() == "degraded"
        end = time.monotonic() + 5
        while await health() != "ok":
            assert time.monotonic() < end
            await asyncio.sleep(0.05)
        assert (await scene.call("add", rows(30))).rejected == {}

        assert scene.effects() == dict.fromkeys(range(1, 31), 1)
        assert await health() == "ok"
        await scene.heals()

    async def test_f63_a_default_file_that_cannot_be_opened_is_done_without(self, vendor, tmp_path):
        """Nobody asked for a state file: without one, memory serves, and a warning says so."""
        (tmp_path / "destination-state.db").mkdir()
        async with process_scene(tmp_path, vendor) as scene:
            assert (await scene.call("add", rows(5))).rejected == {}
            assert (await scene.call("add", rows(5))).rejected == {}
            assert json.loads((await scene.get("/readyz"))[2])["state"] == "degraded"
            [warning] = scene.process.events("state.failed")
            assert warning["level"] == "warning"
            assert scene.effects() == dict.fromkeys(range(1, 6), 1)
            await scene.heals()

    @pytest.mark.parametrize("day", [86_400, -86_400], ids=["forward", "back"])
    async def test_f65_a_wall_clock_that_jumps_changes_nothing(self, stage, monkeypatch, day):
        """A day forward or back neither forgets deliveries nor moves a deadline."""
        scene = await stage(deadline=1.0, timeout=0.4)
        clock = time.time
        assert (await scene.call("add", rows(5))).rejected == {}

        monkeypatch.setattr(time, "time", lambda: clock() + day)
        assert (await scene.call("add", rows(5))).rejected == {}
        await scene.vendor.play(Script(default=(Step(do="hang"),)))
        hanging = await scene.call("add", rows(2, 100))

        assert set(hanging.codes.values()) == {"OUTCOME_UNKNOWN"}
        assert 0.3 < hanging.seconds < 0.5 + SLACK
        assert {id: count for id, count in scene.effects().items() if id < 100} == dict.fromkeys(
            range(1, 6), 1
        )
        await scene.heals()


class TestStandardStreams:
    """F64 and Q4: nobody reads what the process prints."""

    @pytest.mark.parametrize("stream", ["unread", "closed", "absent"])
    async def test_q4_f64_calls_are_served_and_the_end_is_clean(self, vendor, tmp_path, stream):
        """A full pipe, one without a reader, or none at all: calls and exit code are as ever."""
        port = free_port()
        hook = webhook(f"{vendor.url}/rows")
        environment = {f"DESTINATIONS__HOOK__{name.upper()}": str(hook[name]) for name in hook}
        environment |= {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "HOST": "127.0.0.1",
            "PORT": str(port),
            "DESTINATION_TOKEN": SECRET,
            "LOG_LEVEL": "debug",
            "STATE_URL": IN_MEMORY,
        }
        reading, writing = os.pipe()
        with suppress(ImportError, AttributeError):
            fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 4096)
        command = [sys.executable, "-m", "destination", "serve"]
        if stream == "absent":
            command = ["/bin/sh", "-c", 'exec "$0" "$@" >&- 2>&-', *command]
        process = await asyncio.create_subprocess_exec(
            *command, cwd=tmp_path, env=environment, stdout=writing, stderr=writing
        )
        os.close(writing)
        try:
            async with aiohttp.ClientSession() as http:
                scene = Scene(
                    http, f"http://127.0.0.1:{port}", "/hightouch/hook", vendor, None, 25.0,
                    {"memory": True},
                )  # fmt: skip
                await until_listening(scene, process)
                if stream == "closed":
                    os.close(reading)
                answers = [await scene.call("add", rows(1, n)) for n in range(1, 61)]
                assert [answer.rejected for answer in answers] == [{}] * 60
                assert sorted(answer.seconds for answer in answers)[58] < SLACK
                await scene.heals()
            began = time.monotonic()
            process.terminate()
            assert await asyncio.wait_for(process.wait(), 20) == 0
            assert time.monotonic() - began < 3.0 + SLACK
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
            with suppress(OSError):
                os.close(reading)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def until_listening(scene: Scene, process: asyncio.subprocess.Process) -> None:
    end = time.monotonic() + 30
    while True:
        with suppress(aiohttp.ClientError):
            async with scene.http.get(f"{scene.url}/healthz") as answer:
                assert answer.status == 200
                return
        assert process.returncode is None
        assert time.monotonic() < end
        await asyncio.sleep(0.05)


@contextmanager
def busy_machine() -> Iterator[None]:
    """Inside the block every processor has two other things to do."""
    with ExitStack() as stack:
        for _ in range(2 * (os.cpu_count() or 1)):
            process = stack.enter_context(
                subprocess.Popen([sys.executable, "-c", "while True: pass"])
            )
            stack.callback(process.kill)
        yield


class TestWork:
    """F66 and F67: too much to do."""

    async def test_f66_with_too_little_processor_the_deadline_holds(self, vendor, tmp_path):
        """On a machine that others keep busy the answer comes within a second of its time."""
        await vendor.play(Script(default=(Step(do="hang"),)))
        async with process_scene(tmp_path, vendor, deadline=1.5, SERVER__DRAIN="2") as scene:
            with busy_machine():
                answer = await scene.call("add", rows(4))
                assert answer.seconds < 1.5 + 1.0
                assert answer.codes == dict.fromkeys(range(1, 5), "OUTCOME_UNKNOWN")

                waiting = asyncio.create_task(scene.call("add", rows(4, 100)))
                await arrived(scene, 5)
                began = time.monotonic()
                scene.process.send(signal.SIGTERM)
                assert len((await waiting).rejected) == 4
                assert await ended(scene, began) < 2.0 + 2 * SLACK
            assert scene.verdict() == []

    @pytest.mark.parametrize(
        "bomb",
        [
            "{% for i in (1..n) %}x{% endfor %}",
            "{% for i in (1..n) %}{% for j in (1..n) %}{% endfor %}{% endfor %}",
            "{% if n > 9 %}{% assign a = 'x' %}{% for i in (1..40) %}{% assign a = a | append: a %}"
            "{% endfor %}{% endif %}{{ a }}",
        ],
        ids=["long", "nested", "doubling"],
    )
    async def test_f67_a_template_that_never_ends_costs_its_rows(self, stage, bomb):
        """Rows whose rendering takes too much are rejected; the others are delivered meanwhile."""
        scene = await stage()
        entry = {"to": "text", "type": "template", "template": bomb}
        sent = [each | {"n": 2 if each["id"] % 5 else 10**9} for each in rows(50)]

        lag = asyncio.create_task(longest_lag())
        answer = await scene.call("add", sent, customMappings=[entry])
        lag.cancel()

        assert answer.codes == dict.fromkeys(range(5, 51, 5), "TEMPLATE_ERROR")
        assert set(scene.effects()) == {id for id in range(1, 51) if id % 5}
        assert await lag < 0.25 + SLACK
        scene.vendor.log.write_bytes(b"")
        scene.exchanges.clear()
        await scene.heals()


async def longest_lag() -> float:
    """How long the loop was held at most, until this is cancelled."""
    longest, loop = 0.0, asyncio.get_running_loop()
    with suppress(asyncio.CancelledError):
        while True:
            began = loop.time()
            await asyncio.sleep(0.01)
            longest = max(longest, loop.time() - began - 0.01)
    return longest


@pytest.fixture(scope="module")
def start():
    """Seconds in which this machine starts Python and imports what every command needs."""
    began = time.monotonic()
    subprocess.run([sys.executable, "-m", "destination", "--version"], check=True)
    return time.monotonic() - began


class TestStarting:
    """F68: a configuration that cannot be used."""

    @pytest.mark.parametrize(
        ("wrong", "named"),
        [
            ({"SERVER__DEADLINE": "canary-value"}, "server.deadline"),
            ({"PORT": "canary-value"}, "PORT"),
            ({"DESTINATION_TOKEN": "canary-value"}, "DESTINATION_TOKEN"),
            ({"DESTINATIONS__HOOK__URL": "canary-value"}, "destinations.hook.url"),
            ({"DESTINATIONS__HOOK__AUTH__TOKEN": "canary-value"}, "destinations.hook.auth"),
            ({"STATE_URL": "other://canary-value"}, "STATE_URL"),
            ({"STATE_URL": "sqlite:///nowhere/canary-value"}, "STATE_URL"),
        ],
        ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
    )
    def test_f68_what_is_wrong_is_named_at_once(self, tmp_path, wrong, named, start):
        """The process ends within two seconds, with code 3, the name, and never the value."""
        environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "HOST": "127.0.0.1",
            "PORT": "0",
            "DESTINATIONS__HOOK__KIND": "webhook",
            "DESTINATIONS__HOOK__URL": "https://crm.example.com/rows",
        } | wrong
        began = time.monotonic()
        ended = subprocess.run(
            [sys.executable, "-m", "destination", "serve"],
            cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=30, check=False,
        )  # fmt: skip
        seconds = time.monotonic() - began

        assert ended.returncode == 3, ended.stderr
        assert seconds < 2.0 + 3 * start
        assert named in ended.stderr
        assert "canary-value" not in ended.stdout + ended.stderr
        assert "Traceback" not in ended.stderr


async def test_f70_rotating_secrets_fails_no_call(serve, vendor):
    """While the old and the new secret are both valid, callers with either are all served."""
    old, new = "o" * 40, "n" * 40
    hooks = {"hook": webhook(f"{vendor.url}/rows")}
    servers = [await serve(hooks, destination_token=each) for each in (old, f"{old},{new}", new)]
    body = params(json.dumps(rows(1)))

    async def status(served: Any, secret: str) -> int:
        async with served.http.post(
            f"{served.url}/hightouch/hook",
            data=body,
            headers={"Authorization": f"Bearer {secret}", "Content-Type": "application/json"},
        ) as answer:
            await answer.read()
            code: int = answer.status
            return code

    told = [[await status(server, secret) for secret in (old, new)] for server in servers]
    at_once = await asyncio.gather(*(status(servers[1], secret) for secret in (old, new) * 10))

    assert told == [[200, 401], [200, 200], [401, 200]]
    assert at_once == [200] * 20


class TestProbes:
    """Q3: what a platform asks."""

    async def test_q3_health_depends_on_nobody(self, vendor, tmp_path):
        """With a vendor that hangs and a state file that is locked the process is ready."""
        await vendor.play(Script(default=(Step(do="hang"),)))
        state = tmp_path / "state.db"
        async with process_scene(
            tmp_path, vendor, deadline=2.5, STATE_URL=f"sqlite:///{state}"
        ) as scene:
            hanging = asyncio.create_task(scene.call("add", rows(3)))
            await arrived(scene, 3)
            with locked(state):
                blocked = asyncio.create_task(scene.call("add", rows(3, 100)))
                seconds = []
                while not blocked.done():
                    for path in ("/healthz", "/readyz"):
                        began = time.monotonic()
                        assert (await scene.get(path))[0] == 200
                        seconds.append(time.monotonic() - began)
                    await asyncio.sleep(0.05)
                told = json.loads((await scene.get("/readyz"))[2])
            await asyncio.gather(hanging, blocked)

            assert told == {"status": "ok", "state": "degraded"}
            assert max(seconds) < SLACK
            await scene.heals()


@linux
async def test_p1_no_secret_and_no_row_value_gets_out(vendor, tmp_path):
    """After calls of every kind at level debug no planted word stands where it must not."""
    word = Words()
    folder = tmp_path / "run"
    folder.mkdir()
    await vendor.play(
        Script(
            rows={
                "2": (Step(422, body=json.dumps({"error": f"bad value {word.row('2', 'name')}"})),),
                "3": (Step(500, body=word.row("3", "email")),),
                "4": (Step(do="reset"),),
                "5": (Step(429, retry_after="1"), Step()),
                "6": (Step(302, headers={"Location": f"http://x/{word.row('6', 'name')}"}),),
            },
            default=(
                Step(body=json.dumps({"echo": word.vendor}), headers={"X-Echo": word.vendor}),
            ),
        )
    )
    environment = {
        "LOG_LEVEL": "debug",
        "DESTINATION_TOKEN": f"{SECRET},{word.caller}",
        "DESTINATIONS__HOOK__AUTH": json.dumps({"scheme": "bearer", "token": word.vendor}),
        "DESTINATIONS__HOOK__HEADERS": json.dumps({"X-Account": word.header}),
    }
    url = f"{vendor.url}/{word.path}?key={word.query}"
    async with process_scene(folder, vendor, deadline=4.0, url=url, **environment) as scene:
        texts = {}
        for n in range(1, 9):
            answer = await scene.call("add", [word.full(n)])
            texts[f"the answer about row {n}"] = answer.exchange.text
        assert len(vendor.arrivals()) >= 8
        template = {"to": "more", "type": "template", "template": "{{ name | date: email }}{{ a"}
        for name, sent, more in (
            ("many", [word.full(n) for n in range(10, 30)], {}),
            ("a template", [word.full(9)], {"customMappings": [template]}),
            ("a mode", [word.full(9)], {"mode": "insert"}),
        ):
            for method in ("change", "remove"):
                answer = await scene.call(method, sent, **more)
                texts[f"{name}, {method}"] = answer.exchange.text
        body = params(json.dumps([word.full(31)]))
        for name, wrong in word.wrong(body):
            texts[f"refused: {name}"] = (await raw(scene.url, wrong)).decode("latin-1")
        for path in ("/metrics", "/readyz", "/healthz", "/", "/nowhere"):
            texts[path] = str(await scene.get(path))
        texts["the command line"] = command_line(scene.pid)
        texts |= {file.name: file.read_bytes() for file in sorted(folder.rglob("*"))}
        assert "destination-state.db-wal" in texts
        scene.process.send(signal.SIGTERM)
        assert await scene.process.ended() == 0
        texts["the log"] = scene.process.output
    for file in sorted(folder.rglob("*")):
        texts[f"{file.name}, at the end"] = file.read_bytes()

    assert [str(each) for each in leaks(texts, word.planted)] == []
    assert '"rows.answered"' in scene.process.output


class Words:
    """Words that nobody would write by chance, one for each secret and each value of a row."""

    def __init__(self) -> None:
        self.planted: list[str] = []
        self.caller, self.vendor, self.header, self.path, self.query = (
            self._new(name) for name in ("caller", "vendor", "header", "path", "query")
        )
        self._rows: dict[tuple[str, str], str] = {}

    def _new(self, name: str) -> str:
        word = f"{name}{secrets.token_hex(16)}"
        self.planted.append(word)
        return word

    def row(self, id: str, column: str) -> str:
        """The value of a row's column."""
        if (id, column) not in self._rows:
            self._rows[id, column] = self._new(column)
        return self._rows[id, column]

    def full(self, n: int) -> dict[str, Any]:
        """A row; its id is a number, which may be told."""
        return {"id": n} | {
            column: self.row(str(n), column) for column in ("email", "name", "unmapped")
        }

    def wrong(self, body: bytes) -> Iterator[tuple[str, bytes]]:
        """Requests that are refused, in many ways."""
        admit = f"X-Api-Key: {self.caller}\r\n".encode()
        start = b"POST /hightouch/hook HTTP/1.1\r\nHost: h\r\nConnection: close\r\n"
        length = b"Content-Length: %d\r\n" % len(body)
        whole = start + admit + length
        yield "json", start + admit + b"Content-Length: %d\r\n\r\n" % (len(body) - 3) + body[:-3]
        yield "rows", whole + b"\r\n" + body.replace(b'"rows"', b'"sowr"')
        yield "method", whole + b"\r\n" + body.replace(b'"add"', b'"dad"')
        yield "column", whole + b"\r\n" + body.replace(b'"idColumn":"id"', b'"idColumn":"no"')
        yield (
            "secret",
            start
            + b"X-Api-Key: "
            + self.caller[:-1].encode()
            + b"\r\n"
            + length
            + (b"\r\n" + body),
        )
        yield "type", whole + b"Content-Type: text/%s\r\n\r\n" % self.query.encode() + body
        yield "encoding", whole + b"Content-Encoding: gzip\r\n\r\n" + body
        yield "request id", whole + b"X-Request-Id: %s<\r\n\r\n" % self.query.encode() + body
        yield "header", start + b"X-Api-Key: %s\0\r\n\r\n" % self.caller.encode()
        yield "line", b"GET /%s\r\n HTTP/1.1\r\n\r\n" % self.query.encode()
        yield "verb", b"%s / HTTP/1.1\r\n\r\n" % self.query.encode()
        yield "path", start.replace(b"/hook", b"/" + self.query.encode()) + admit + b"\r\n"
        yield "surplus", whole.replace(b"Connection: close\r\n", b"") + b"\r\n" + body * 2


async def raw(url: str, request: bytes) -> bytes:
    """All that is answered."""
    async with connection(url) as (reader, writer):
        writer.write(request)
        answer = b""
        with suppress(ConnectionError):
            answer = await asyncio.wait_for(reader.read(), 10)
        assert answer
        return answer
