"""Where a server for a random composition may run; both have a circuit that rests shortly."""

import tempfile
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

from chaos.served import patched_process
from support import SECRET

from destination.app import build
from destination.listen import listening
from destination.settings import Server, Settings
from destination.state import IN_MEMORY
from destination.vendor import breaker

REST, LONGEST_REST = 0.3, 0.6
LONGEST_TEXT = 1000

Hosted = Callable[[Mapping[str, Any], float], AbstractAsyncContextManager[str]]
"""From destinations and a deadline to a server's URL."""


@asynccontextmanager
async def in_this_process(destinations: Mapping[str, Any], deadline: float) -> AsyncIterator[str]:
    """A server on this event loop, with a circuit that rests shortly."""
    rests = breaker.REST, breaker.LONGEST_REST
    breaker.REST, breaker.LONGEST_REST = REST, LONGEST_REST
    app = build(
        Settings(
            destinations=dict(destinations),
            server=Server(deadline=deadline),
            destination_token=SECRET,
            state_url=IN_MEMORY,
        )
    )
    try:
        async with listening(app, "127.0.0.1", 0, grace=2) as url:
            yield url
    finally:
        breaker.REST, breaker.LONGEST_REST = rests


@asynccontextmanager
async def in_its_own(destinations: Mapping[str, Any], deadline: float) -> AsyncIterator[str]:
    """A server process with a state file."""
    circuit = {"REST": REST, "LONGEST_REST": LONGEST_REST}
    with tempfile.TemporaryDirectory() as folder:
        async with patched_process(
            Path(folder), destinations, circuit, SERVER__DEADLINE=str(deadline)
        ) as process:
            yield process.url
            assert "Traceback" not in process.output, process.output[-LONGEST_TEXT:]
