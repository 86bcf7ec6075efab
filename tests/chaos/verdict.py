"""What is wrong with what a composition came to: the oracle's rules, and a few of its own."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from chaos.plan import Plan
from chaos.sync import Key, Sync
from scene import content

from destination.testing.journal import Arrival
from destination.testing.oracle import judge

TOLERANCE, FLIGHT = 0.5, 0.5


def judged(sync: Sync) -> dict[str, Any]:
    plan = sync.plan
    delayed = plan.latency if "latency" in plan.faults else 0.0
    return {
        "memory": plan.remembers,
        "extra": plan.extra,
        "down": [(at, at) for at, _ in sync.hung_up],
        "tolerance": TOLERANCE,
        "flight": FLIGHT + delayed,
    }


def verdict(sync: Sync) -> list[str]:
    scene, plan = sync.scene, sync.plan
    arrivals = [each for each in scene.vendor.arrivals() if each.ids]
    if not plan.pauses_are_heard:
        arrivals = [_unpaused(each) for each in arrivals]
    found = judge(scene.exchanges, arrivals, content=content, **judged(sync))
    own = [*_late(sync), *_stale(sync, arrivals), *_resent(plan, arrivals)]
    if bugs := codes(sync)["INTERNAL"]:
        own.append(f"{bugs} rows met a bug of the server")
    return [*map(str, found), *own]


def _late(sync: Sync) -> list[str]:
    """D4 again, for calls that a caller's hanging up nearby would excuse."""
    excused = {id(exchange) for _, exchange in sync.hung_up}
    most = sync.plan.deadline + TOLERANCE
    return [
        f"D4: the call of {each.sent:.3f} was not answered in time"
        for each in sync.scene.exchanges
        if id(each) not in excused and (each.answered is None or each.answered - each.sent > most)
    ]


def _stale(sync: Sync, arrivals: Sequence[Arrival]) -> list[str]:
    """D8: of each row the vendor took last what was asked for last."""
    last: dict[Key, str] = {}
    for each in arrivals:
        if each.taken:
            last |= {(type(id), id): it for id, it in zip(each.ids, each.contents, strict=True)}
    return [
        f"D8: row {key[1]!r} is not what was asked for last"
        for key, (method, row) in sync.latest.items()
        if key not in sync.pending and last.get(key) != content(method, row)
    ]


def _resent(plan: Plan, arrivals: Sequence[Arrival]) -> list[str]:
    """D6 for a destination that holds: the same is never taken twice in a row."""
    if not plan.remembers or plan.settings["on_unknown"] != "hold":
        return []
    last: dict[Key, str] = {}
    found = []
    for each in arrivals:
        for id, digest in zip(each.ids, each.contents, strict=True) if each.taken else ():
            if last.get((type(id), id)) == digest:
                found.append(f"D6: row {id!r} was held and yet taken again at {each.at:.3f}")
            last[type(id), id] = digest
    return found


def _unpaused(arrival: Arrival) -> Arrival:
    return Arrival(
        arrival.at, arrival.connection, arrival.method, arrival.path, arrival.ids,
        arrival.contents, arrival.taken, arrival.answer, arrival.key,
    )  # fmt: skip


def codes(sync: Sync) -> Counter[str]:
    codes: Counter[str] = Counter()
    for each in sync.scene.exchanges:
        result = (each.answer or {}).get("result") or {"rejectedRows": ()}
        codes.update(entry["reason"].partition(":")[0] for entry in result["rejectedRows"])
    return codes
