"""What a contestant does when it is its turn, and the figures that this gives."""

import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from bench import contestants
from bench.contestants import Callee, Vendor
from bench.processes import Program
from bench.rows import COLUMNS, call

MIB = 1024**2

LARGE, SMALL, SMALL_CALLS = 100_000, 1_000, 20

Turn = Callable[[], Mapping[str, float]]


def posts(callee: Callee, vendor: Vendor, count: int, path: str = "/") -> dict[str, float]:
    """A call of so many rows; the vendor must have taken each of them."""
    body, before, used = call(count), vendor.records(), callee.program.cpu()
    seconds = callee.call(body, path)
    used = callee.program.cpu() - used
    if (taken := vendor.records() - before) != count:
        raise callee.program.broken(f"delivered {taken} of {count} rows")
    return {"rows/s": count / seconds, "CPU µs/row": used / count * 1e6}


def loop(program: Program, count: int) -> dict[str, float]:
    """So many posts by a bare loop."""
    took = program.ask({"rows": count})
    return {"rows/s": count / took["seconds"], "CPU µs/row": took["cpu"] / count * 1e6}


def calls(
    callee: Callee,
    count: int,
    rows: int,
    columns: int = COLUMNS,
    *,
    path: str = "/",
    odd: int = 0,
) -> dict[str, float]:
    """So many calls, one after another; in one row of so many, if any, something is odd."""
    bodies = [call(rows, columns, odd=odd) for _ in range(count)]
    return {"calls/s": count / sum(callee.call(body, path) for body in bodies)}


def parts(program: Program, rows: int, columns: int = COLUMNS) -> dict[str, float]:
    """What a call takes without HTTP, and how much of it what it says and its rows."""
    took = program.ask({"rows": rows, "columns": columns})
    return {
        "ms for the envelope": took["envelope"],
        "ms for reading, checking and mapping the rows": took["rows"],
        "ms in all": took["call"],
    }


def texts(program: Program, question: Mapping[str, Any]) -> dict[str, float]:
    """The rows of the question, rendered as often as it says."""
    count = len(question["rows"]) * question["times"]
    return {"texts/s": count / program.ask(question)["seconds"]}


def large(folder: Path, vendor: Vendor) -> dict[str, float]:
    """By a server just started: small calls, then a large one and the memory that it takes."""
    settings = 'batching = "array"\nbatch_size = 500'
    destinations = contestants.webhook("crm", vendor.url, settings)
    with (
        tempfile.TemporaryDirectory(dir=folder) as own,
        contestants.ours(Path(own), destinations, f"max_rows = {LARGE}") as server,
    ):
        posts(server, vendor, SMALL)
        idle = server.program.memory()
        used = server.program.cpu()
        seconds = sum(SMALL / posts(server, vendor, SMALL)["rows/s"] for _ in range(SMALL_CALLS))
        used = server.program.cpu() - used
        server.program.forget_peak()
        big = posts(server, vendor, LARGE)
        peak = server.program.peak()
    return {
        "MiB of the body": len(call(LARGE)) / MIB,
        "MiB idle": idle / MIB,
        "MiB above idle at the peak": (peak - idle) / MIB,
        "rows/s of 100,000": big["rows/s"],
        "CPU µs/row of 100,000": big["CPU µs/row"],
        "rows/s of 1,000": SMALL * SMALL_CALLS / seconds,
        "CPU µs/row of 1,000": used / SMALL / SMALL_CALLS * 1e6,
    }


def first_answer(folder: Path) -> dict[str, float]:
    """A server started, until it answers; and its memory at that moment."""
    began = time.perf_counter()
    with contestants.ours(folder, contestants.webhook("crm", "http://127.0.0.1:9")) as server:
        seconds = time.perf_counter() - began
        return {"seconds": seconds, "MiB": server.program.memory() / MIB}
