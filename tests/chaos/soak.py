"""
The soak: one destination whose vendor never answers, beside a healthy one, under a steady load.

First the healthy one alone, then both; the healthy one must hardly notice, the process must not
grow, and its event loop must stay responsive. In the end the vendor answers again, and everything
is delivered. The circuit never opens here, unless asked for, so that the vendor hangs all along.
"""

import argparse
import asyncio
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from chaos.report import Report, milliseconds, options, percentile, progress, prove, slope
from chaos.served import NEVER, patched_process
from scene import Answer, Scene, rows, webhook

from destination.testing.script import Script, Step
from destination.testing.vendor import Vendor

DEADLINE, TIMEOUT, CONCURRENCY = 5.0, 2.0, 8
VENDOR_TAKES = 0.05
EVERY, ROWS = 0.2, 10
"""A call so often, of so many rows, to each destination."""

FILL = 120_000
"""Rows that are delivered beforehand: then the store keeps at hand as much as it ever does."""

WARM_UP, PULSE, SAMPLE = 5.0, 0.05, 1.0
SETTLING, SETTLED_AFTER = 0.1, 2 * DEADLINE
"""The share of the time that is not looked at for growth; of a short time so many seconds."""

MOST_SLOWER, LONGEST_PULSE = 1.2, 0.1
MOST_MIB, MOST_FILES = 2.0, 5.0
"""What memory and open files may grow by in the whole time, by the fitted line."""


@dataclass
class Watch:
    """A process looked at again and again."""

    pid: int
    url: str
    memory: list[tuple[float, float]] = field(default_factory=list)
    files: list[tuple[float, float]] = field(default_factory=list)
    pulses: list[float] = field(default_factory=list)

    async def sample(self) -> None:
        """Its memory in MiB and its open files, for ever."""
        while True:
            now = time.monotonic()
            self.memory.append((now, resident(self.pid)))
            self.files.append((now, open_files(self.pid)))
            await asyncio.sleep(SAMPLE)

    async def pulse(self, http: aiohttp.ClientSession) -> None:
        """How long /healthz takes, for ever."""
        while True:
            began = time.monotonic()
            async with http.get(f"{self.url}/healthz") as response:
                await response.read()
            self.pulses.append(time.monotonic() - began)
            await asyncio.sleep(PULSE)


def resident(pid: int) -> float:
    """A process's memory, in MiB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024


def open_files(pid: int) -> int:
    """How many files and sockets a process has open."""
    return len([*Path(f"/proc/{pid}/fd").iterdir()])


class Load:
    """A steady stream of calls to one destination, each at its time whatever became of others."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.answers: list[Answer] = []
        self._next = 1
        self._open: set[asyncio.Task[None]] = set()

    async def run(self, seconds: float) -> list[Answer]:
        """Keep it up for so long, and wait for the last answers; those of this time."""
        first, began = len(self.answers), time.monotonic()
        for turn in range(int(seconds / EVERY)):
            await asyncio.sleep(max(0.0, began + turn * EVERY - time.monotonic()))
            task = asyncio.create_task(self._one())
            self._open.add(task)
            task.add_done_callback(self._open.discard)
        await asyncio.gather(*self._open)
        return self.answers[first:]

    async def _one(self) -> None:
        start, self._next = self._next, self._next + ROWS
        self.answers.append(await self.scene.call("add", rows(ROWS, start)))

    def undelivered(self) -> int:
        """How many calls were not answered with the delivery of every row."""
        return sum(not delivered(each) for each in self.answers)


def delivered(answer: Answer) -> bool:
    """Whether a call delivered all its rows."""
    told = answer.exchange.answer or {}
    return told.get("result") == {"rejectedRows": []}


def p95(answers: Sequence[Answer]) -> float:
    """The seconds that 95 in 100 of the answered calls do not exceed."""
    return percentile([each.seconds for each in answers if each.status], 0.95)


@asynccontextmanager
async def soaked(circuit: dict[str, float]) -> AsyncIterator[tuple[Load, Load, Watch]]:
    """A server process with both destinations: the load of each, and a watch on the process."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        vendors = {
            name: await stack.enter_async_context(Vendor(folder / name))
            for name in ("healthy", "hanging")
        }
        hooks = {
            name: webhook(f"{vendor.url}/rows", concurrency=CONCURRENCY, timeout=TIMEOUT)
            for name, vendor in vendors.items()
        }
        hooks["filler"] = webhook(f"{vendors['healthy'].url}/filler", batching="array")
        process = await stack.enter_async_context(
            patched_process(folder, hooks, circuit, SERVER__DEADLINE=str(DEADLINE))
        )
        http = await stack.enter_async_context(
            aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))
        )
        await _filled(
            Scene(http, process.url, "/hightouch/filler", vendors["healthy"], None, DEADLINE)
        )
        loads = [
            Load(Scene(http, process.url, f"/hightouch/{name}", vendor, None, DEADLINE))
            for name, vendor in vendors.items()
        ]
        for name, vendor in vendors.items():
            hang = name == "hanging"
            await vendor.play(Script((Step(do="hang") if hang else Step(delay=VENDOR_TAKES),)))
        yield loads[0], loads[1], Watch(process.pid, process.url)


async def _filled(scene: Scene) -> None:
    """Let the store remember as much as it keeps in its cache, which is no leak, and forget it."""
    for start in range(0, FILL, FILL // 20):
        assert delivered(await scene.call("add", rows(FILL // 20, start)))
    scene.vendor.log.write_bytes(b"")


async def soak(chosen: argparse.Namespace, report: Report) -> None:
    """All phases, one after another."""
    seconds, alone = chosen.seconds, min(60.0, max(5.0, chosen.seconds / 5))
    total = WARM_UP + alone + seconds + alone
    async with soaked({} if chosen.circuit else NEVER) as (healthy, hanging, watch):
        with progress("soak", total) as tell:
            clock = asyncio.create_task(_tick(total, tell, watch))
            try:
                before = await _alone(healthy, alone, report)
                async with _watched(watch):
                    during, _ = await asyncio.gather(healthy.run(seconds), hanging.run(seconds))
                _compare(report, before, during, hanging, seconds)
                _growth(report, watch, seconds)
                await _healed(healthy, hanging, alone, report, at_once=not chosen.circuit)
            finally:
                clock.cancel()
        _judge(report, healthy, hanging)


async def _alone(healthy: Load, seconds: float, report: Report) -> list[Answer]:
    await healthy.run(WARM_UP)
    answers = await healthy.run(seconds)
    report.figures |= {"seconds alone": seconds, "p95 alone, ms": milliseconds(p95(answers))}
    return answers


async def _healed(
    healthy: Load, hanging: Load, seconds: float, report: Report, *, at_once: bool
) -> None:
    await hanging.scene.vendor.play(Script())
    after, healed = await asyncio.gather(healthy.run(seconds), hanging.run(WARM_UP))
    report.figures["p95 once it answers again, ms"] = milliseconds(p95(after))
    if at_once and not all(map(delivered, healed)):
        report.failures.append("the hanging destination did not heal")


async def _tick(total: float, tell: Any, watch: Watch) -> None:
    began = time.monotonic()
    while True:
        await asyncio.sleep(1)
        tell(min(time.monotonic() - began, total), f"s, {resident(watch.pid):.1f} MiB")


@asynccontextmanager
async def _watched(watch: Watch) -> AsyncIterator[None]:
    async with aiohttp.ClientSession() as http:
        tasks = [asyncio.create_task(each) for each in (watch.sample(), watch.pulse(http))]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            for task in tasks:
                with suppress(asyncio.CancelledError):
                    await task


def _compare(
    report: Report,
    before: Sequence[Answer],
    during: Sequence[Answer],
    hanging: Load,
    seconds: float,
) -> None:
    slower = p95(during) / p95(before)
    codes = Counter(
        code
        for each in hanging.answers
        if each.exchange.answer and not each.error
        for code in each.codes.values()
    )
    report.figures |= {
        "seconds beside the hanging one": seconds,
        "p95 beside the hanging one, ms": milliseconds(p95(during)),
        "times slower": round(slower, 3),
        "calls to the hanging one": len(hanging.answers),
        "of them refused with 503": sum(each.status == 503 for each in hanging.answers),
        "its rows by reason": dict(codes),
    }
    if slower > MOST_SLOWER:
        report.failures.append(f"the healthy destination's p95 is {slower:.2f} times its baseline")


def _growth(report: Report, watch: Watch, seconds: float) -> None:
    settling = max(SETTLING * seconds, min(SETTLED_AFTER, seconds / 2))
    for name, points, most in (
        ("memory, MiB", watch.memory, MOST_MIB),
        ("open files", watch.files, MOST_FILES),
    ):
        settled = [each for each in points if each[0] >= points[0][0] + settling]
        growth = slope(settled) * (settled[-1][0] - settled[0][0])
        report.figures |= {
            f"{name}, first": round(settled[0][1], 1),
            f"{name}, last": round(settled[-1][1], 1),
            f"{name}, most": round(max(y for _, y in settled), 1),
            f"{name}, fitted growth": round(growth, 2),
            f"{name}, per hour": round(slope(settled) * 3600, 2),
        }
        if growth > most:
            report.failures.append(f"{name}: grew by {growth:.2f}")
    p99 = percentile(watch.pulses, 0.99)
    report.figures |= {
        "/healthz p50, ms": milliseconds(percentile(watch.pulses, 0.5)),
        "/healthz p99, ms": milliseconds(p99),
        "/healthz longest, ms": milliseconds(max(watch.pulses)),
    }
    if p99 > LONGEST_PULSE:
        report.failures.append(f"/healthz p99 is {milliseconds(p99)} ms")


def _judge(report: Report, healthy: Load, hanging: Load) -> None:
    for name, load in (("healthy", healthy), ("hanging", hanging)):
        report.figures[f"rows sent to the {name} one"] = len(load.answers) * ROWS
        report.failures += [f"{name}: {each}" for each in load.scene.verdict()]
    report.figures["healthy calls with a row not delivered"] = healthy.undelivered()
    if healthy.undelivered():
        report.failures.append(f"{healthy.undelivered()} healthy calls were not fully delivered")


if __name__ == "__main__":
    parser = options("A hanging destination beside a healthy one, under a steady load.")
    parser.add_argument("--seconds", type=float, default=600.0, help="beside the hanging one")
    parser.add_argument("--circuit", action="store_true", help="let the circuit open, as shipped")
    prove("Soak", parser, soak)
