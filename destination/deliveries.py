"""The calls that bring rows to a destination, each from its rows to its report."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from msgspec.structs import replace

from destination.call import Call
from destination.deadline import Deadline
from destination.errors import (
    ConfigError,
    DestinationError,
    FatalError,
    NoAnswer,
    UnavailableError,
)
from destination.fingerprint import scope_of
from destination.memory import HOUR, Memory, NoMemory
from destination.model import Limits, Operation, Rejection, Report, Row
from destination.order import Order
from destination.planning import Planner
from destination.plugin import Destination
from destination.records import Mapper
from destination.run import Run
from destination.state.store import Store
from destination.sync import Sync
from destination.tuning import Tuning
from destination.unread import ids_of


class Deliveries:
    """
    What the calls to a destination share while it is opened.

    Args:
        name: The destination's.
        limits: Of a mode and its options; without them, of the destination.
        store: Where deliveries are remembered; it is open already.
        secret: The key of what is kept there.
    """

    def __init__(
        self,
        name: str,
        plugin: Destination[Any, Any],
        tuning: Tuning,
        limits: Callable[..., Limits],
        store: Store,
        secret: bytes,
    ) -> None:
        self._name = name
        self._plugin = plugin
        self._tuning = tuning
        self._limits = limits
        self._store = store
        self._secret = secret
        self._order = Order()
        self._planner = Planner(plugin)
        self._permits = asyncio.Semaphore(limits().concurrency)

    async def report(
        self, sync: Sync, operation: Operation, rows: Sequence[Row], deadline: Deadline
    ) -> Report:
        """
        Deliver the rows of a call and say what became of each.

        Raises:
            FatalError: A person must act; no row was or may have been delivered.
        """
        if not rows:
            return Report(0)
        if not self._tuning.active:
            raise ConfigError("this destination is switched off (active = false)")
        try:
            async with deadline.limit():
                plan, batch = await self._planner.plan(sync, operation)
        except FatalError:
            raise
        except (TimeoutError, NoAnswer):
            return all_rejected(
                rows, UnavailableError("not sent: the vendor did not say what its fields are")
            )
        except DestinationError as error:
            return all_rejected(rows, error)
        limits = self._limits(batch.mode, batch.options)
        scope = scope_of(self._name, sync.mapping, batch)
        memory = self._memory(scope, operation, limits)
        batch = replace(batch, scope=scope)
        run = Run(self._plugin, batch, limits, self._permits, deadline, memory)
        call = Call(run, deadline, scope=scope, order=self._order, memory=memory)
        rejections, mapper = list[Rejection](), Mapper(plan, rows, deadline)
        with call.turn(lambda: ids_of(rows)) as turn:
            while chunk := await mapper.chunk():
                rejections += chunk[1]
                await call.send(chunk[0], turn)
        rejections += call.outcome()
        return Report(
            len(rows),
            tuple(sorted(rejections, key=lambda each: each.position)),
            skipped=tuple(run.questions.skipped),
            suppressed=call.suppressed,
            attempts=run.attempts,
        )

    def _memory(self, scope: bytes, operation: Operation, limits: Limits) -> Memory | NoMemory:
        if not limits.remember:
            return NoMemory()
        return Memory(
            self._store,
            self._secret,
            scope,
            operation,
            remember=limits.remember * HOUR,
            hold=self._tuning.on_unknown == "hold",
        )


def all_rejected(rows: Sequence[Row], error: DestinationError) -> Report:
    """The report of a call none of whose rows was sent, for this reason."""
    rejections = (Rejection(position, error) for position in range(len(rows)))
    return Report(len(rows), tuple(rejections))
