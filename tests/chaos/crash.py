"""
The crash walk: a server killed at random moments of a batch, started again, and called again.

The vendor is a process of its own and lives on. Each time two calls are under way, to a
destination that sends again what may have been delivered, and to one that holds it back. The
caller repeats them as Hightouch would: all of it, then what was rejected.
"""

import argparse
import asyncio
import random
import signal
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
from chaos.report import Report, options, progress, prove
from scene import Answer, Scene, ServerProcess, content, rows, webhook

from destination.testing.journal import Arrival
from destination.testing.oracle import judge
from destination.testing.script import Chance, Script, Step
from destination.testing.vendor import Vendor

POLICIES = ("resend", "hold")
ROWS, DEADLINE = 60, 10.0
DELAYS = (0.0, 0.005, 0.02)
"""Seconds that the vendor takes to answer what it has taken."""

A_REQUEST, A_CALL = 0.014, 0.03
"""About how many seconds a request takes, and a call beside its requests: for choosing moments."""

BEYOND, EARLY = 1.3, 0.1
"""Up to where in a call's time it may end; and how often a call is killed right after its start."""

REPEATS = 10
SHAPES: tuple[dict[str, Any], ...] = (
    {"concurrency": 1, "batching": "none"},
    {"concurrency": 4, "batching": "none"},
    {"concurrency": 10, "batching": "none"},
    {"concurrency": 2, "batching": "array", "batch_size": 5},
)


@dataclass
class Tally:
    """What the kills came to under one policy."""

    phases: Counter[str] = field(default_factory=Counter)
    extra: list[int] = field(default_factory=list)
    held: int = 0
    held_in_vain: int = 0
    """Rows that were held back although the vendor never saw them."""


@dataclass
class Walk:
    """
    A run of kills, all with one state file.

    Args:
        down: Spans in which no server ran.
    """

    folder: Path
    vendor: Vendor
    http: aiohttp.ClientSession
    rng: random.Random
    scenes: dict[str, Scene] = field(default_factory=dict)
    tallies: dict[str, Tally] = field(default_factory=dict)
    down: list[tuple[float, float]] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    _process: ServerProcess | None = None
    _shape: Mapping[str, Any] = field(default_factory=dict)

    async def kill(self, number: int) -> None:
        """One batch to each destination, a kill, a new server, and the batch again."""
        assert self._process is not None
        sent, shape = rows(ROWS, number * 10 * ROWS), self._shape
        calls = [
            asyncio.create_task(scene.call("add", sent, patience=DEADLINE))
            for scene in self.scenes.values()
        ]
        await asyncio.sleep(self._moment(shape))
        self._process.send(signal.SIGKILL)
        killed = time.monotonic()
        await self._process.ended()
        answers = await asyncio.gather(*calls)
        before = {policy: self._arrivals(policy, sent) for policy in POLICIES}
        await self.start()
        self.down.append((killed, time.monotonic()))
        left = await asyncio.gather(*(self._repeated(policy, sent) for policy in POLICIES))
        for policy, answer, held in zip(POLICIES, answers, left, strict=True):
            self._note(policy, sent, answer, before[policy], held, shape)

    async def start(self) -> None:
        """A server on the same state, with limits drawn anew."""
        self._shape = self.rng.choice(SHAPES)
        hooks = {
            policy: webhook(f"{self.vendor.url}/{policy}", on_unknown=policy, **self._shape)
            for policy in POLICIES
        }
        self._process = ServerProcess(
            self.folder,
            DESTINATIONS=msgspec.json.encode(hooks).decode(),
            SERVER__DEADLINE=str(DEADLINE),
            STATE_URL="sqlite:///state.db",
        )
        await self._process.start()
        for policy in POLICIES:
            known = self.scenes.get(policy)
            self.scenes[policy] = Scene(
                self.http, self._process.url, f"/hightouch/{policy}", self.vendor, None, DEADLINE,
                exchanges=known.exchanges if known else [],
            )  # fmt: skip

    async def end(self) -> None:
        """Let go of the server."""
        if self._process is not None:
            await self._process.kill()

    def _moment(self, shape: Mapping[str, Any]) -> float:
        if self.rng.random() < EARLY:
            return self.rng.uniform(0, A_CALL)
        turns = ROWS / shape["concurrency"] / shape.get("batch_size", 1)
        return self.rng.uniform(0, BEYOND * (A_CALL + turns * A_REQUEST))

    async def _repeated(self, policy: str, sent: list[dict[str, Any]]) -> set[Any]:
        """Call again until all is delivered or held back; the ids of what is held back."""
        left = sent
        for _ in range(REPEATS):
            answer = await self.scenes[policy].call("add", left)
            codes = answer.codes
            left = [row for row in left if row["id"] in codes]
            if not left or (policy == "hold" and set(codes.values()) == {"OUTCOME_UNKNOWN"}):
                break
        else:
            self.failures.append(f"{policy}: {len(left)} rows were not delivered: {codes}")
        return {row["id"] for row in left}

    def _arrivals(self, policy: str, sent: list[dict[str, Any]]) -> list[Arrival]:
        ids = {row["id"] for row in sent}
        return [
            each
            for each in self.vendor.arrivals()
            if each.path == f"/{policy}" and ids.intersection(each.ids)
        ]

    def _note(
        self,
        policy: str,
        sent: list[dict[str, Any]],
        answer: Answer,
        before: list[Arrival],
        held: set[Any],
        shape: Mapping[str, Any],
    ) -> None:
        tally = self.tallies.setdefault(policy, Tally())
        arrived = {id for each in before for id in each.ids}
        tally.phases[_phase(answer, len(arrived))] += 1
        effects = Counter(
            id for each in self._arrivals(policy, sent) if each.taken for id in each.ids
        )
        extra = effects.total() - len(effects)
        tally.extra.append(extra)
        tally.held += len(held)
        tally.held_in_vain += len(held - arrived)
        in_flight = shape["concurrency"] * shape.get("batch_size", 1)
        most = 0 if policy == "hold" else in_flight
        if extra > most or max(effects.values(), default=0) > 2:
            self.failures.append(f"{policy}: {extra} extra effects; {in_flight} rows in flight")
        if len(held) > in_flight:
            self.failures.append(f"{policy}: {len(held)} rows held; {in_flight} were in flight")
        if lost := [row["id"] for row in sent if row["id"] not in held | effects.keys()]:
            self.failures.append(f"{policy}: {lost} were neither taken nor held")

    def verdict(self) -> list[str]:
        """What was found, and what the oracle has to say."""
        found = list(self.failures)
        arrivals = self.vendor.arrivals()
        for policy, scene in self.scenes.items():
            own = [each for each in arrivals if each.path == f"/{policy}"]
            judged = judge(scene.exchanges, own, content=content, down=self.down)
            found += [f"{policy}: {each}" for each in judged]
        return found


def _phase(answer: Answer, arrived: int) -> str:
    if answer.status:
        return "after the answer"
    if not arrived:
        return "before sending"
    return "while sending" if arrived < ROWS else "after sending, before the answer"


@asynccontextmanager
async def walk(folder: Path, seed: int) -> AsyncIterator[Walk]:
    """A walk that is ready for its first kill."""
    async with Vendor(folder / "log") as vendor, aiohttp.ClientSession() as http:
        steps = tuple(Chance(1.0, Step(delay=delay)) for delay in DELAYS)
        await vendor.play(Script(chances=steps, seed=seed))
        begun = Walk(folder, vendor, http, random.Random(seed))
        try:
            await begun.start()
            yield begun
        finally:
            await begun.end()


async def crash(chosen: argparse.Namespace, report: Report) -> None:
    """Kill after kill."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        async with walk(Path(folder), chosen.seed) as begun:
            with progress("crash", chosen.kills) as tell:
                for number in range(1, chosen.kills + 1):
                    await begun.kill(number)
                    report.figures = figures(begun, number, time.monotonic() - began)
                    tell(number, "kills")
            report.failures += await asyncio.to_thread(begun.verdict)


def figures(walked: Walk, kills: int, seconds: float) -> dict[str, Any]:
    """The kills so far, in numbers."""
    found: dict[str, Any] = {"kills": kills, "rows in each call": ROWS}
    for policy, tally in walked.tallies.items():
        found |= {f"{policy}: killed {name}": count for name, count in tally.phases.most_common()}
        found |= {
            f"{policy}: extra effects": sum(tally.extra),
            f"{policy}: most at one kill": max(tally.extra),
            f"{policy}: kills with any": sum(map(bool, tally.extra)),
        }
        if policy == "hold":
            found |= {
                f"{policy}: rows held": tally.held,
                f"{policy}: of them never sent": tally.held_in_vain,
            }
    marks = len(list(walked.folder.glob("*-alive-*")))
    return found | {"marks of dead servers left": marks - 1, "seconds": round(seconds)}


if __name__ == "__main__":
    parser = options("A server killed at random moments, started again, and called again.")
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    prove("Crash walk", parser, crash)
