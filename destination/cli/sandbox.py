"""The vendors' local stand-ins, started on loopback."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from secrets import token_urlsafe
from typing import Any

import httpx

from destination import registry
from destination.listen import listening
from destination.vendor.transport import AiohttpTransport


@dataclass(frozen=True, slots=True)
class Reached:
    """
    A running stand-in and the settings of a destination that delivers to it.

    Args:
        stand_in: It also knows a sync of ``examples/people``, for the demo.
    """

    kind: str
    url: str
    token: str
    settings: dict[str, Any]
    stand_in: Any


@asynccontextmanager
async def stand_in(kind: str) -> AsyncIterator[Reached]:
    """One stand-in inside the block. Raises ConfigError when there is none of this kind."""
    token = token_urlsafe(32)
    made = registry.stand_in(kind)(token=token)
    async with listening(made.app(), "127.0.0.1", 0, grace=1) as url:
        yield Reached(kind, url, token, made.settings(url), made)


@asynccontextmanager
async def stand_ins(wanted: bool = True) -> AsyncIterator[dict[str, Reached]]:  # noqa: FBT001, FBT002 - none or all
    """Every stand-in there is, by kind, inside the block; none when they are not wanted."""
    reached: dict[str, Reached] = {}
    async with AsyncExitStack() as stack:
        for kind in registry.stand_ins() if wanted else ():
            reached[kind] = await stack.enter_async_context(stand_in(kind))
        yield reached


async def held(reached: Reached) -> list[dict[str, Any]]:
    """What a stand-in holds, entry by entry."""
    headers = {"Authorization": f"Bearer {reached.token}"}
    async with httpx.AsyncClient(transport=AiohttpTransport(), headers=headers) as http:
        rows: list[dict[str, Any]] = (await http.get(f"{reached.url}/_sandbox/rows")).json()["rows"]
        return rows
