"""
A server process whose circuit breaker rests otherwise than the one that is shipped.

Half a minute's rest cannot be waited for hundreds of times; and a circuit that opens would keep a
hanging vendor from being a burden. Run as ``python -m chaos.served``, this is ``destination
serve`` with the breaker's constants from the environment.
"""

import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
from scene import ROOT, ServerProcess

from destination.vendor import breaker

PREFIX = "CIRCUIT_"
CONSTANTS = {"REST": float, "LONGEST_REST": float, "CONSECUTIVE": int, "SAMPLE": int}

NEVER = {"CONSECUTIVE": 10**9, "SAMPLE": 10**9}
"""A circuit that never opens."""


class PatchedProcess(ServerProcess):
    """``destination serve`` with other constants."""

    module = ("chaos.served",)


@asynccontextmanager
async def patched_process(
    folder: Path,
    destinations: Mapping[str, Any],
    circuit: Mapping[str, float],
    **environment: str,
) -> AsyncIterator[ServerProcess]:
    """A server process with these destinations, for the block; killed if it still runs."""
    told = {f"{PREFIX}{name}": str(value) for name, value in circuit.items()}
    process = PatchedProcess(
        folder,
        DESTINATIONS=msgspec.json.encode(destinations).decode(),
        PYTHONPATH=os.pathsep.join((str(ROOT), str(ROOT / "tests"))),
        **told,
        **environment,
    )
    try:
        await process.start()
        yield process
    finally:
        await process.kill()


if __name__ == "__main__":
    from destination.cli import main

    for name, kind in CONSTANTS.items():
        if PREFIX + name in os.environ:
            setattr(breaker, name, kind(os.environ[PREFIX + name]))
    main(["serve"])
