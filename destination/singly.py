"""The same done for every record of a batch at once, where a vendor takes them singly."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from destination.bugs import bug
from destination.deadline import ABOUT
from destination.errors import DestinationError
from destination.model import Record, Rejection


async def each(
    records: Iterable[Record], act: Callable[[Record], Awaitable[Any]]
) -> list[Rejection]:
    """
    Do this for every record, as many at once as there are connections.

    What is raised for a record is its own rejection and harms no other.
    """
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(_done(record, act)) for record in records]
    return [rejection for task in tasks if (rejection := task.result())]


async def _done(record: Record, act: Callable[[Record], Awaitable[Any]]) -> Rejection | None:
    ABOUT.set((record.position,))
    try:
        await act(record)
    except DestinationError as error:
        return record.reject(error)
    except Exception as error:  # noqa: BLE001 - a bug in a destination costs this record only
        return record.reject(bug(error))
    return None
