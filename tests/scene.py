"""
A scene for fault tests: a scripted vendor, a fault proxy, our server between, and a verdict.

    async def test_f26_a_refused_row(stage):
        scene = await stage()
        await scene.vendor.play(Script(rows={"1": (Step(422),)}))

        answer = await scene.call("add", rows(3))

        assert answer.rejected == {1: "VENDOR_REJECTED: the vendor answered 422"}
        await scene.heals()

``heals`` makes the vendor well again, delivers new rows without a restart, and lets the oracle
judge all that happened.
"""

import asyncio
import io
import itertools
import json
import os
import re
import signal
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import aiohttp
from support import BEARER, SECRET, Served

from destination.app import METRICS
from destination.testing.journal import Exchange
from destination.testing.oracle import judge
from destination.testing.proxy import Proxy
from destination.testing.script import Script
from destination.testing.vendor import Vendor
from destination.testing.vendor_server import digest

ROOT = Path(__file__).parents[1]
SYNC = {
    "mode": "mirror",
    "identifierMapping": [{"from": "email", "to": "email"}],
    "mappings": [{"from": "name", "to": "name"}],
}
START, STOP = 30.0, 40.0
_names = itertools.count(1)


def rows(count: int, start: int = 1, **columns: Any) -> list[dict[str, Any]]:
    """Rows with the ids from ``start`` on."""
    return [
        {"id": n, "email": f"row{n}@example.org", "name": f"name {n}"} | columns
        for n in range(start, start + count)
    ]


def content(operation: str, row: Mapping[str, Any]) -> str:
    """The digest under which the vendor logs what it is sent about a row."""
    fields = {name: row[name] for name in ("email", "name")}
    return digest({"operation": operation, "id": row["id"], "fields": fields})


def webhook(url: str, **settings: Any) -> dict[str, Any]:
    """A webhook destination that sends to an address on this machine."""
    return {"kind": "webhook", "url": url, "allow_private_networks": True} | settings


def starvation() -> float:
    """Seconds for which this thread could have run so far, and others had the processors."""
    try:
        _, waited, _ = Path("/proc/thread-self/schedstat").read_text("ascii").split()
    except OSError:  # a system that does not say so
        return 0.0
    return int(waited) / 1e9


@dataclass
class Answer:
    """What the caller was told: an HTTP status, and the response object if there was one."""

    exchange: Exchange
    starved: float

    @property
    def status(self) -> int:
        return self.exchange.status

    @property
    def lasted(self) -> float:
        """Seconds by the clock: at least so many."""
        assert self.exchange.answered is not None
        return self.exchange.answered - self.exchange.sent

    @property
    def seconds(self) -> float:
        """Those but for what other programs took of the processors meanwhile: at most so many."""
        return self.lasted - self.starved

    @property
    def error(self) -> Any:
        return (self.exchange.answer or {}).get("error")

    @property
    def rejected(self) -> dict[Any, str]:
        """The reason for each rejected id; the call must have had a result."""
        assert self.exchange.answer is not None, self.exchange
        listed = self.exchange.answer["result"]["rejectedRows"]
        return {each["id"]: each["reason"] for each in listed}

    @property
    def codes(self) -> dict[Any, str]:
        """The reasons' codes alone."""
        return {id: reason.partition(":")[0] for id, reason in self.rejected.items()}

    @property
    def outcomes(self) -> Counter[str]:
        """How many rows were rejected with each code."""
        return Counter(self.codes.values())


@dataclass
class Scene:
    """
    A destination under observation.

    Args:
        url: Of the server; ``path`` is the destination's.
        deadline: Seconds that the server has for a call.
        judged: What the oracle is told beside the evidence; see ``oracle.judge``.
    """

    http: aiohttp.ClientSession
    url: str
    path: str
    vendor: Vendor
    proxy: Proxy | None
    deadline: float
    judged: dict[str, Any] = field(default_factory=dict)
    exchanges: list[Exchange] = field(default_factory=list)
    served: Served | None = None
    """The server itself, where it runs in the test's own process."""
    inside: Proxy | None = None
    """Behind ``proxy`` where TLS is spoken: it sees requests, ``proxy`` what is on the wire."""

    async def call(
        self,
        method: str,
        sent: Sequence[Mapping[str, Any]],
        *,
        patience: float = 60.0,
        **configuration: Any,
    ) -> Answer:
        """One call; without an answer its status is 0."""
        params = {"configuration": SYNC | configuration, "rows": sent, "idColumn": "id"}
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        began, answered, status, text = time.monotonic(), None, 0, ""
        waited, starved = starvation(), 0.0
        with suppress(aiohttp.ClientError, TimeoutError):
            async with self.http.post(
                self.url + self.path,
                data=io.BytesIO(json.dumps(body).encode()),  # a long one must not be bytes
                headers=BEARER | {"Content-Type": "application/json"},
                timeout=aiohttp.ClientTimeout(total=patience),
            ) as response:
                answered, status = time.monotonic(), response.status
                starved = starvation() - waited
                text = await response.text()
        answer = json.loads(text) if text else None
        exchange = Exchange(
            method, sent, "id", began, answered, status, answer, self.deadline, text
        )
        self.exchanges.append(exchange)
        return Answer(exchange, starved)

    def verdict(self, **judged: Any) -> list[str]:
        """What the oracle has against the server, [] when nothing."""
        arrivals = [each for each in self.vendor.arrivals() if each.ids]
        found = judge(self.exchanges, arrivals, content=content, **(self.judged | judged))
        return [str(each) for each in found]

    async def heals(self, count: int = 20, *, within: float = 0.0, **judged: Any) -> None:
        """
        The fault is gone, and new rows are all delivered, without a restart; the oracle agrees.

        Args:
            within: Seconds for which new rows may still be rejected.
        """
        if self.proxy is not None:
            self.proxy.heal()
            await self.proxy.listen()
        await self.vendor.play(Script())
        end = time.monotonic() + within
        while True:
            start = 1_000_000 + count * next(_names)
            answer = await self.call("add", rows(count, start))
            if answer.exchange.answer and answer.error is None and answer.rejected == {}:
                break
            assert time.monotonic() < end, answer
            await asyncio.sleep(0.1)
        assert self.verdict(**judged) == []

    def requests(self) -> int:
        """How many requests with rows the vendor has read."""
        return len({(each.at, each.connection) for each in self.vendor.arrivals() if each.ids})

    def attempts(self) -> Counter[str]:
        """How many requests ended in each way, as a server in the test's process counts them."""
        assert self.served is not None
        text = self.served.app[METRICS].text().decode()
        name = self.path.rpartition("/")[2]
        pattern = rf'destination_attempts_total\{{destination="{name}",outcome="(\w+)"\}} (\d+)'
        return Counter({outcome: int(count) for outcome, count in re.findall(pattern, text)})

    def effects(self) -> dict[Any, int]:
        """How often the vendor took each row."""
        taken: dict[Any, int] = {}
        for each in self.vendor.arrivals():
            for id in each.ids if each.taken else ():
                taken[id] = taken.get(id, 0) + 1
        return taken


class ServerProcess:
    """
    A real server process, started as a platform starts it; everything it prints is kept.

    Args:
        environment: Its settings. Nothing else of this process's environment reaches it.
    """

    module: ClassVar[Sequence[str]] = ("destination", "serve")
    """What Python runs, and its arguments."""

    def __init__(self, folder: Path, **environment: str) -> None:
        self._folder = folder
        self._environment = environment
        self._process: asyncio.subprocess.Process | None = None
        self._reading: asyncio.Task[None] | None = None
        self._lines: list[str] = []
        self.url = ""

    @property
    def output(self) -> str:
        """All that it printed so far."""
        return "".join(self._lines)

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        assert self._process is not None
        return self._process.returncode

    async def start(self) -> None:
        """Start it, on a free port that it chooses, and wait until it listens."""
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            *self.module,
            cwd=self._folder,
            env={
                "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
                "HOME": str(self._folder),
                "PYTHONPATH": str(ROOT),
                "HOST": "127.0.0.1",
                "PORT": "0",
                "DESTINATION_TOKEN": SECRET,
                "LOG_FORMAT": "json",
            }
            | self._environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        listening: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._reading = asyncio.create_task(self._read(listening))
        self.url = await asyncio.wait_for(listening, START)

    async def _read(self, listening: "asyncio.Future[str]") -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            text = line.decode()
            self._lines.append(text)
            found = re.search(r'"url":"(http://[^"]+)"', text)
            if "server.started" in text and found and not listening.done():
                listening.set_result(found[1])
        if not listening.done():
            listening.set_exception(RuntimeError(self.output))

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        os.kill(self.pid, number)

    async def ended(self, within: float = STOP) -> int:
        """Wait for its end; its exit code."""
        assert self._process is not None
        code = await asyncio.wait_for(self._process.wait(), within)
        if self._reading is not None:
            await self._reading
        return code

    async def kill(self) -> None:
        """End it as an outage does, if it still runs."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
        if self._process is not None:
            await self.ended()

    def events(self, name: str) -> Iterator[dict[str, Any]]:
        """The log's lines of one event."""
        for line in self.output.splitlines():
            if f'"{name}"' in line:
                event = json.loads(line)
                if event.get("event") == name:
                    yield event


@asynccontextmanager
async def server_process(folder: Path, **environment: str) -> AsyncIterator[ServerProcess]:
    """A server process for the block; it is killed if it still runs at the end."""
    process = ServerProcess(folder, **environment)
    try:
        await process.start()
        yield process
    finally:
        await process.kill()
