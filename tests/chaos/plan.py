"""
What a seed stands for: settings, two to four faults at once, and the rows of a sync.

The same seed draws the same plan. What meets which request depends on timing as well.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from destination.testing import answers, faults
from destination.testing.link import Fault
from destination.testing.script import Chance, Script, Step

AT_THE_VENDOR: Mapping[str, tuple[Step, ...]] = {
    "429": (Step(429),),
    "429 with a pause": (Step(429, retry_after="2"),),
    "500": (Step(500), Step(500, taken=True), Step(502)),
    "503": (Step(503), Step(503, retry_after="1")),
    "taken, then a reset": (Step(do="reset", taken=True),),
    "taken, then silence": (Step(do="hang", taken=True),),
    "a reset, not taken": (Step(do="reset"),),
    "422": (Step(422),),
    "401": (Step(401),),
    "slow": (Step(delay=0.05),),
}
ON_THE_WAY = ("reset", "lost", "stall", "drip", "truncate", "garbage", "refuse", "latency")
OF_THE_CALLER = ("hang up", "repeat", "overlap", "twice")

BLURRED = frozenset({"lost", "drip", "latency"})
"""Faults that keep the server from hearing in time of a pause that the vendor asked for."""

FASTEST, SLOWEST = 300, 50
"""Requests a second that a busy machine manages in all, and on each of few connections."""

CHANCE = (0.02, 0.25)
"""How often a fault strikes, from and to."""


@dataclass(frozen=True)
class Scale:
    """
    How large a plan is.

    Args:
        single, array: Rows in a batch that is sent row by row, or in arrays; from and to.
    """

    callers: int
    batches: int
    single: tuple[int, int]
    array: tuple[int, int]
    deadlines: tuple[float, ...]


SHORT = Scale(2, 1, (3, 20), (10, 200), (1.0, 1.5))
LONG = Scale(3, 1, (20, 100), (300, 3000), (1.0, 1.5, 2.0))


@dataclass(frozen=True)
class Plan:
    """What is tried under a seed."""

    seed: int
    scale: Scale
    settings: Mapping[str, Any]
    deadline: float
    faults: frozenset[str]
    chances: Mapping[str, float]
    latency: float

    @property
    def remembers(self) -> bool:
        """Whether the server keeps in mind what it delivered."""
        return not self.settings["idempotent"]

    @property
    def extra(self) -> int:
        """Effects beyond the first that one call may have: its further attempts."""
        return self.settings["attempts"] - 1 if self.settings["idempotent"] else 0

    @property
    def capacity(self) -> int:
        """The most rows that can be delivered within a deadline: more would be in vain."""
        rate = min(self.settings.get("rate", FASTEST), SLOWEST * self.settings["concurrency"])
        return int(rate * self.settings.get("batch_size", 1) * self.deadline)

    @property
    def pauses_are_heard(self) -> bool:
        """Whether what the vendor says of pauses reaches the server at once."""
        return not self.faults & BLURRED

    def random(self, purpose: str) -> random.Random:
        """Chance for a purpose of its own."""
        return random.Random(f"{self.seed} {purpose}")

    def script(self) -> Script:
        """What the vendor does while the faults last."""
        drawn = [Chance(1.0, Step())]
        for name, steps in AT_THE_VENDOR.items():
            if name in self.faults:
                weight = self.chances[name] / len(steps)
                drawn += [Chance(weight, step) for step in steps]
        return Script(chances=tuple(drawn), seed=self.seed)

    def on_the_way(self) -> Fault | None:
        """What befalls connections while the faults last."""
        named = [name for name in ON_THE_WAY if name in self.faults and name != "refuse"]
        if not named:
            return None
        rng, timeout = self.random("connections"), self.settings["timeout"]
        made: Mapping[str, Sequence[Fault]] = {
            "reset": (faults.reset, faults.received(faults.reset), faults.received(faults.close)),
            "lost": (faults.forwarded(faults.reset), faults.forwarded(faults.close)),
            "stall": (faults.stall, faults.hang),
            "drip": (faults.drip(20, timeout / 8), faults.drip(40, timeout / 20)),
            "truncate": (faults.truncated(3), faults.cut_chunk(5)),
            "garbage": (answers.GARBAGE, answers.answer(b"HTTP/1.1 200", faults.close)),
            "latency": (faults.late(self.latency), faults.late_answer(self.latency)),
        }

        async def fault(link: Any) -> None:
            for name in named:
                if rng.random() < self.chances[name]:
                    return await rng.choice(made[name])(link)
            return await faults.exchange(link)

        return fault

    def __str__(self) -> str:
        struck = ", ".join(f"{name} {self.chances[name]:.2f}" for name in sorted(self.faults))
        return f"seed {self.seed}: {struck}; {dict(self.settings)}, deadline {self.deadline}"


def drawn(seed: int, scale: Scale) -> Plan:
    """The plan of a seed."""
    rng = random.Random(seed)
    known = (*AT_THE_VENDOR, *ON_THE_WAY, *OF_THE_CALLER)
    chosen = frozenset(rng.sample(known, rng.randint(2, 4)))
    timeout = rng.choice((0.2, 0.3, 0.5))
    settings = {
        "concurrency": rng.choice((1, 2, 5, 10, 20)),
        "batching": rng.choice(("none", "array")),
        "timeout": timeout,
        "attempts": rng.choice((1, 2, 3, 3, 4)),
        "idempotent": rng.random() < 0.4,
        "on_unknown": rng.choice(("resend", "hold")),
    }
    if settings["batching"] == "array":
        settings["batch_size"] = rng.choice((2, 10, 50, 100, 500))
    if rng.random() < 0.4:
        settings["rate"] = rng.choice((50, 200, 1000))
    return Plan(
        seed,
        scale,
        settings,
        rng.choice(scale.deadlines),
        chosen,
        {name: rng.uniform(*CHANCE) for name in sorted(chosen)},
        rng.uniform(0.05, 0.4) * timeout,
    )


def batch(plan: Plan, number: int) -> list[dict[str, Any]]:
    """The rows of a batch; their ids are of all sorts, but no two are the same."""
    rng = plan.random(f"batch {number}")
    several = plan.settings["batching"] == "array"
    least, most = plan.scale.array if several else plan.scale.single
    most = min(most, plan.capacity)
    count = rng.randint(min(least, most), most)
    first = number * 1_000_000
    return [
        {"id": _id(rng, n), "email": f"row{n}@example.org", "name": f"name {n}"}
        for n in range(first, first + count)
    ]


def _id(rng: random.Random, n: int) -> Any:
    sorts = (
        n, n, n, str(n), n + 0.25, n + 0.5, -1 - n, 10**30 + n, f" {n}.0 ", f"№ {n} \U0001f98a",
        f'"{n}"\\', f"{n}" * 20, f"\u202e{n}", f"{n}\n", f"null{n}",
    )  # fmt: skip
    return rng.choice(sorts)
