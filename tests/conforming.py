"""Servers to run the conformance cases against, and what the cases are given."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web
from support import SECRET

from destination.app import INSTANCES, build
from destination.cli.conform.case import Case, Result
from destination.cli.conform.given import Given
from destination.cli.conform.run import Run, conform
from destination.cli.conform.server import Server
from destination.cli.conform.table import TABLE
from destination.cli.conform.wire import Address
from destination.deadline import Deadline
from destination.listen import listening
from destination.protocols import hightouch, rpc
from destination.settings import Settings
from destination.state import IN_MEMORY

SYNC: Mapping[str, Any] = {
    "object": "user",
    "mode": "mirror",
    "identifierMapping": [{"from": "email", "to": "email"}],
    "mappings": [
        {"from": "first_name", "to": "first_name"},
        {"from": "last_name", "to": "last_name"},
    ],
}
ROWS = tuple(
    {"id": f"p-{number}", "email": f"{name}@example.com", "first_name": name, "last_name": last}
    for number, (name, last) in enumerate(
        (("Ada", "Lovelace"), ("Grace", "Hopper"), ("Kurt", "Gödel")), 1
    )
)
BEARER = {"Authorization": f"Bearer {SECRET}"}
SECOND = "t" * 40

CASES = {case.id: case for case in TABLE if isinstance(case, Case)}


def given(**changes: Any) -> Given:
    """Everything that cases may use, unless changed."""
    second = {"Authorization": f"Bearer {SECOND}"}
    whole = {"second": second, "configuration": SYNC, "rows": ROWS, "id_column": "id"}
    return Given(**{"headers": {**BEARER, "X-Tenant": "7"}, **whole, **changes})


async def results(
    url: str, *ids: str, seconds: float = 5.0, **changes: Any
) -> tuple[Run, dict[str, Result]]:
    """What becomes of these cases, or of all of them."""
    run, server = Run(), Server(Address.of(url), given(**changes), seconds)
    cases = [case for case in TABLE if not ids or case.id in ids]
    await conform(run, cases, server, lambda _: None)
    return run, {result.case.id: result for result in run.results}


Fault = Callable[[web.Request, bytes, bytes | None], web.Response | None]
"""Sees a request, its body and the right answer; gives another answer, or None."""


@asynccontextmanager
async def faulty(fault: Fault) -> AsyncIterator[str]:
    """
    The URL of a server that takes whatever arrives, and answers it rightly but for a fault.

    It knows nothing of secrets, types, paths and methods, so about those it is always wrong.
    """
    settings = Settings(destinations={"people": {"kind": "people"}}, state_url=IN_MEMORY)
    right, wrong = build(settings), web.Application(client_max_size=2**30)

    async def handle(request: web.Request) -> web.Response:
        body = await request.read()
        call = rpc.Call(right[INSTANCES]["people"], Deadline(10), 10_000)
        answer = await rpc.answer(hightouch.METHODS, body, call)
        if (altered := fault(request, body, answer)) is not None:
            return altered
        return web.Response(body=answer, content_type="application/json")

    async def uninviting(request: web.Request) -> None:
        """Never send 100 Continue."""

    wrong.router.add_route("*", "/{path:.*}", handle, expect_handler=uninviting)
    async with (
        listening(right, "127.0.0.1", 0, grace=1),  # which opens its destinations
        listening(wrong, "127.0.0.1", 0, grace=1) as url,
    ):
        yield f"{url}/hightouch/people"
