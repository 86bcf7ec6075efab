"""A caller like Hightouch, with one sync's rows and with manners of its own."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from chaos.plan import OF_THE_CALLER, Plan, batch
from scene import Answer, Scene

from destination.testing.history import identity

ROUNDS = 3
"""How often a batch is sent while the faults last."""

HANGS_UP_AFTER = (0.005, 0.02, 0.05, 0.2)

HEALS_WITHIN = 20.0
"""Seconds within which all is delivered once the faults are gone."""

FRESH, MANY_FRESH = 1000, 20
"""The number of a batch that is first sent when the faults are gone, and its rows at most."""

Key = tuple[type, Any]


@dataclass
class Sync:
    """
    A model's rows as Hightouch syncs them: the latest of each, until it is delivered.

    Args:
        pending: What was asked for and not acknowledged, by id: the method and the row.
        latest: The same of all rows.
    """

    scene: Scene
    plan: Plan
    pending: dict[Key, tuple[str, dict[str, Any]]] = field(default_factory=dict)
    latest: dict[Key, tuple[str, dict[str, Any]]] = field(default_factory=dict)
    held: set[Key] = field(default_factory=set)
    hung_up: list[tuple[float, Any]] = field(default_factory=list)

    async def run(self, number: int) -> None:
        """One batch through its life: added, then perhaps changed, then perhaps removed."""
        rng = self.plan.random(f"life {number}")
        everything = batch(self.plan, number)
        for method in ("add", "change", "remove")[: rng.choice((1, 1, 2, 3))]:
            if method == "change":
                everything = [_newer(row) for row in everything]
            sent = everything
            for _ in range(ROUNDS):
                await self._send(rng, method, sent)
                sent = [row for row in sent if self.pending.get(key_of(row)) == (method, row)]
                if not sent:
                    break
            everything = [self.latest[key_of(row)][1] for row in everything]

    async def _send(self, rng: Any, method: str, sent: Sequence[dict[str, Any]]) -> None:
        """One call, with what the caller does wrong meanwhile."""
        mishap = next((each for each in OF_THE_CALLER if self._strikes(rng, each)), "")
        if mishap == "hang up":
            await self._call(method, sent, patience=rng.choice(HANGS_UP_AFTER))
        elif mishap == "repeat":
            await asyncio.gather(self._call(method, sent), self._call(method, sent))
        elif mishap == "twice":
            await self._call(method, [*sent, *map(_newer, sent[: len(sent) // 4])])
        elif mishap == "overlap":
            later = [_newer(row) for row in rng.sample(sent, (len(sent) + 1) // 2)]
            first = asyncio.create_task(self._call(method, sent))
            await asyncio.sleep(rng.uniform(0.02, 0.1))
            await asyncio.gather(first, self._call("change", later))
        else:
            await self._call(method, sent)

    def _strikes(self, rng: Any, name: str) -> bool:
        return name in self.plan.faults and rng.random() < 2 * self.plan.chances[name]

    async def _call(
        self, method: str, sent: Sequence[dict[str, Any]], *, patience: float = 60.0
    ) -> None:
        for row in sent:
            self.latest[key_of(row)] = self.pending[key_of(row)] = (method, row)
        answer = await self.scene.call(method, sent, patience=patience)
        if answer.exchange.answered is None and patience < 60:
            self.hung_up.append((time.monotonic(), answer.exchange))
        self.learn(answer)

    def learn(self, answer: Answer) -> None:
        """Strike out what an answer says was delivered, where nothing newer was asked for."""
        told = (answer.exchange.answer or {}).get("result")
        if told is None:
            return
        rejected = {identity(each["id"]): each["reason"] for each in told["rejectedRows"]}
        for row in answer.exchange.rows:
            key = key_of(row)
            if self.latest[key] != (answer.exchange.method, row):
                continue
            if key not in rejected:
                self.pending.pop(key, None)
                self.held.discard(key)
            elif rejected[key].startswith("OUTCOME_UNKNOWN"):
                self.held.add(key)
            else:
                self.held.discard(key)

    def left(self) -> dict[str, list[dict[str, Any]]]:
        """What is still to be delivered, by method; without what is held back on purpose."""
        holds = self.plan.remembers and self.plan.settings["on_unknown"] == "hold"
        found = defaultdict(list)
        for key, (method, row) in self.pending.items():
            if not (holds and key in self.held):
                found[method].append(row)
        return found

    async def settle(self) -> float:
        """Send what is left, and new rows, until all is delivered; the seconds that it took."""
        began = time.monotonic()
        self.held.clear()
        for row in batch(self.plan, FRESH)[:MANY_FRESH]:
            self.latest[key_of(row)] = self.pending[key_of(row)] = ("add", row)
        while left := self.left():
            assert time.monotonic() < began + HEALS_WITHIN, f"not healed: {_few(left)}"
            for method, sent in left.items():
                await self._call(method, sent)
            await asyncio.sleep(0.05)
        return time.monotonic() - began


def _newer(row: dict[str, Any]) -> dict[str, Any]:
    return row | {"name": f"newer {row['name']}"}


def key_of(row: Mapping[str, Any]) -> Key:
    known = identity(row["id"])
    assert known is not None
    return known


def _few(left: Mapping[str, Sequence[Any]]) -> str:
    return ", ".join(f"{len(sent)} to {method}: {sent[:2]}" for method, sent in left.items())
