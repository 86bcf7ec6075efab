"""
What a call costs inside the server, without HTTP, and how much of it its larger parts.

Run as a process of its own: for each line on its standard input, such as
``{"rows": 10000, "columns": 50}``, it prints the milliseconds of such a call to a destination
that accepts everything.
"""

import asyncio
import gc
import json
import logging
import sys
import time

import structlog

from bench.accepting import Accepting, Settings
from bench.rows import CONFIGURATION, call
from destination.deadline import Deadline
from destination.instance import Instance
from destination.mapping import Plan
from destination.metrics import Metrics
from destination.model import Operation
from destination.protocols import hightouch, rpc
from destination.protocols.envelope import checked, read_but_for
from destination.protocols.hightouch.configuration import read_sync
from destination.protocols.hightouch.rows import read_rows
from destination.protocols.hightouch.shapes import Rows
from destination.records import Mapper
from destination.state.sqlite import SqliteStore
from destination.tuning import Tuning

SECONDS = 25.0
"""As long as a call may take."""

TIMES = 5
"""Calls of which the fastest counts: what slows one down is not its own."""


async def parts(rows: int, columns: int) -> dict[str, float]:
    """The milliseconds of a call of so many rows, and of its larger parts."""
    plugin = Accepting(Settings())
    instance = Instance(plugin.kind, plugin, Tuning(), deadline=SECONDS, max_rows=rows)
    async with SqliteStore(None) as store, instance.opened(store, Metrics().of(instance.name)):
        seen = [await _parts(instance, call(rows, columns)) for _ in range(TIMES)]
    return {part: min(each[part] for each in seen) * 1000 for part in seen[0]}


async def _parts(instance: Instance, body: bytes) -> dict[str, float]:
    began = time.perf_counter()
    request = read_but_for("rows", checked(body), {"add": Rows})
    envelope = time.perf_counter() - began
    assert request is not None  # noqa: S101 - it is as JSON.stringify writes it
    params: Rows = request.params

    sync = read_sync(CONFIGURATION)
    plan = Plan(sync.mapping, Accepting.objects[0].fields, Operation.ADD)
    began = time.perf_counter()
    rows = read_rows(params.rows, "id", sync.mapping.columns, instance.max_rows)
    records = await Mapper(plan, rows, Deadline(SECONDS)).chunk()
    mapping = time.perf_counter() - began
    del records

    began = time.perf_counter()
    made = rpc.Call(instance, Deadline(SECONDS), instance.max_rows)
    await rpc.answer(hightouch.SERVED, body, made)
    whole = time.perf_counter() - began
    return {"envelope": envelope, "rows": mapping, "call": whole}


def main() -> None:
    """Answer every line until there are no more, with the log and the memory as a server has."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
    for line in sys.stdin:
        print(json.dumps(asyncio.run(parts(**json.loads(line)))), flush=True)


if __name__ == "__main__":
    main()
