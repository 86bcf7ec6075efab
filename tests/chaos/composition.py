"""
Random composition: several faults at once, drawn from a seed, under a caller like Hightouch.

    python -m chaos.composition --seed 17          one seed again
    python -m chaos.composition --seeds 200        the first two hundred

While the faults last, callers send batches, repeat what was rejected, and misbehave themselves.
Then the faults are gone, and all that is left must be delivered, without a restart. The oracle
judges everything.
"""

import argparse
import asyncio
import tempfile
import time
from collections import Counter
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from chaos.hosts import LONGEST_TEXT, Hosted, in_its_own
from chaos.plan import LONG, SHORT, Plan, drawn
from chaos.report import Report, options, percentile, progress, prove
from chaos.sync import HEALS_WITHIN, Sync
from chaos.verdict import codes, verdict
from scene import Scene, webhook

from destination.testing.proxy import Proxy, proxy
from destination.testing.script import Script
from destination.testing.vendor import Vendor

NEVER_LONGER = 240.0


@dataclass
class Outcome:
    """What a seed came to."""

    plan: Plan
    violations: list[str] = field(default_factory=list)
    figures: Counter[str] = field(default_factory=Counter)
    codes: Counter[str] = field(default_factory=Counter)
    healed: float = HEALS_WITHIN
    """Seconds from the end of the faults until everything was delivered."""


async def composed(plan: Plan, vendor: Vendor, hosted: Hosted) -> Outcome:
    """
    What comes of a plan.

    Args:
        vendor: Running; its log and its script are replaced.
    """
    vendor.log.write_bytes(b"")
    outcome = Outcome(plan)
    try:
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(asyncio.timeout(NEVER_LONGER))
            between = await stack.enter_async_context(proxy(vendor.url))
            hook = webhook(f"{between.url}/rows", **plan.settings)
            url = await stack.enter_async_context(hosted({"hook": hook}, plan.deadline))
            http = await stack.enter_async_context(
                aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))
            )
            scene = Scene(http, url, "/hightouch/hook", vendor, between, plan.deadline)
            await _through(Sync(scene, plan), between, outcome)
    except (AssertionError, TimeoutError) as error:
        outcome.violations.append(f"{type(error).__name__}: {str(error)[:LONGEST_TEXT]}")
    return outcome


async def _through(sync: Sync, between: Proxy, outcome: Outcome) -> None:
    try:
        await _struck(sync, between)
        outcome.healed = await sync.settle()
    finally:
        outcome.violations += await asyncio.to_thread(verdict, sync)
        outcome.figures, outcome.codes = _figures(sync), codes(sync)


async def _struck(sync: Sync, between: Proxy) -> None:
    """All batches, while the faults last."""
    plan = sync.plan
    await sync.scene.vendor.play(plan.script())
    between.always = plan.on_the_way()
    refusing = asyncio.create_task(_refusing(plan, between))

    async def caller(number: int) -> None:
        for turn in range(plan.scale.batches):
            await sync.run(number * plan.scale.batches + turn)

    await asyncio.gather(*(caller(number) for number in range(plan.scale.callers)))
    refusing.cancel()
    with suppress(asyncio.CancelledError):
        await refusing
    between.heal()
    await between.listen()
    await sync.scene.vendor.play(Script())


async def _refusing(plan: Plan, between: Proxy) -> None:
    rng = plan.random("refusing")
    while "refuse" in plan.faults:
        await asyncio.sleep(rng.uniform(0.05, 0.3))
        between.refuse()
        if rng.random() < 0.5:
            await between.cut(rudely=rng.random() < 0.5)
        await asyncio.sleep(2 * plan.chances["refuse"])
        await between.listen()


def _figures(sync: Sync) -> Counter[str]:
    exchanges = sync.scene.exchanges
    arrivals = [each for each in sync.scene.vendor.arrivals() if each.ids]
    return Counter(
        {
            "calls": len(exchanges),
            "calls that were hung up": len(sync.hung_up),
            "rows in calls": sum(len(each.rows) for each in exchanges),
            "rows, each id once": len(sync.latest),
            "requests that the vendor read": len({(e.at, e.connection) for e in arrivals}),
            "rows that it took": sum(len(each.ids) for each in arrivals if each.taken),
            "rows held in the end": len(sync.pending),
        }
    )


@dataclass
class Sums:
    """What all seeds so far came to."""

    began: float = field(default_factory=time.monotonic)
    figures: Counter[str] = field(default_factory=Counter)
    codes: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    healed: list[float] = field(default_factory=list)

    def add(self, outcome: Outcome) -> None:
        """One more seed."""
        self.figures.update(outcome.figures)
        self.codes.update(outcome.codes)
        self.faults.update(outcome.plan.faults)
        self.healed.append(outcome.healed)

    def told(self) -> dict[str, Any]:
        """All of it as figures."""
        return {
            "seeds": len(self.healed),
            **self.figures,
            "healed within, s, p50": round(percentile(self.healed, 0.5), 2),
            "healed within, s, most": round(max(self.healed), 2),
            "seconds": round(time.monotonic() - self.began),
            "rejections by reason": dict(self.codes.most_common()),
            "seeds by fault": dict(self.faults.most_common()),
        }


async def chaos(chosen: argparse.Namespace, report: Report) -> None:
    """Seed after seed."""
    scale = SHORT if chosen.short else LONG
    seeds = range(chosen.seeds) if chosen.seed is None else [chosen.seed]
    sums = Sums()
    with tempfile.TemporaryDirectory() as folder:
        async with Vendor(Path(folder) / "log") as vendor:
            with progress("chaos", len(seeds)) as tell:
                for done, seed in enumerate(seeds, 1):
                    outcome = await composed(drawn(seed, scale), vendor, in_its_own)
                    sums.add(outcome)
                    if outcome.violations or chosen.seed is not None:
                        _tell(outcome, report, short=chosen.short)
                    report.figures = {**sums.told(), "seeds that failed": len(report.failures)}
                    tell(done, f"seeds, {sums.figures['rows in calls']:,} rows")


def _tell(outcome: Outcome, report: Report, *, short: bool) -> None:
    command = f"--seed {outcome.plan.seed}{' --short' if short else ''}"
    print(f"{outcome.plan}\n  replay: make chaos ARGS='{command}'")
    for each in outcome.violations[:10]:
        print(f"  {each}", flush=True)
    if outcome.violations:
        report.failures.append(f"seed {outcome.plan.seed}: {'; '.join(outcome.violations[:3])}")


if __name__ == "__main__":
    parser = options("Several faults at once, drawn from a seed.")
    parser.add_argument("--seeds", type=int, default=200, help="the first so many")
    parser.add_argument("--seed", type=int, help="this one only")
    parser.add_argument("--short", action="store_true", help="as small as in the tests")
    prove("Random composition", parser, chaos)
