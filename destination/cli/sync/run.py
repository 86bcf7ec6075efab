"""One run of a sync: batches of the size that was told, and refused rows once more."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from destination.cli.caller import CallError, NotConnected, Unreachable
from destination.cli.rows import Row
from destination.cli.sync.answers import BadAnswer, Problems, refusals
from destination.cli.sync.changes import Changes
from destination.cli.sync.interrupt import Interrupt, Interrupted
from destination.cli.text import counted
from destination.model import Operation

GIVE_UP = 3
"""So many calls in a row without a connection end the run."""

Call = Callable[[str, Any], Awaitable[Any]]


class Progress(Protocol):
    """Who is told how a run is getting on."""

    def begin(self, title: str, total: int) -> None:
        """So many rows begin to be sent."""

    def advance(self, rows: int, refused: int) -> None:
        """So many of what began last were sent, and so many of them were not accepted."""

    def note(self, text: str) -> None:
        """A sentence for the person who waits."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a row was not accepted; ``failed`` when its whole call failed."""

    reason: str
    failed: bool = False


@dataclass(slots=True)
class Outcome:
    """
    What became of the rows of one operation.

    Args:
        reached: How many of the rows were sent, in their order; the others were not.
        refused: By position, the rows that were sent and not accepted.
        calls: How many calls were made.
        repeated: How many rows were sent again.
    """

    operation: Operation
    rows: Sequence[Row]
    reached: int = 0
    refused: dict[int, Refusal] = field(default_factory=dict)
    calls: int = 0
    repeated: int = 0

    @property
    def accepted(self) -> int:
        """Rows that the server has taken."""
        return self.reached - len(self.refused)

    @property
    def failed(self) -> int:
        """Rows whose call failed."""
        return sum(each.failed for each in self.refused.values())

    @property
    def rejected(self) -> int:
        """Rows that the server refused."""
        return len(self.refused) - self.failed

    @property
    def unsent(self) -> int:
        """Rows that were not reached."""
        return len(self.rows) - self.reached


@dataclass(frozen=True, slots=True)
class Sync:
    """What each call of a run brings beside its rows."""

    id_column: str
    configuration: Any

    def params(self, rows: Sequence[Row]) -> dict[str, Any]:
        """The params of add, change and remove."""
        return {"idColumn": self.id_column, "configuration": self.configuration, "rows": rows}


class Run:
    """
    Sends what has changed, operation by operation, one batch after another.

    A call that fails counts for all of its rows, and the run goes on. Refused rows are sent again
    after ``wait`` seconds, then twice as long each time, up to ``retries`` times.

    Args:
        call: Makes one call; raises CallError and Unreachable.
    """

    def __init__(
        self,
        call: Call,
        sync: Sync,
        progress: Progress,
        interrupt: Interrupt,
        *,
        batch_size: int,
        retries: int = 0,
        wait: float = 1.0,
    ) -> None:
        self._call = call
        self._sync = sync
        self._progress = progress
        self._interrupt = interrupt
        self._batch_size = batch_size
        self._retries = retries
        self._wait = wait
        self._failures: set[str] = set()
        self._unconnected = 0
        self.seconds = 0.0
        """How long the calls took, without the waits between them."""
        self.problems = Problems()
        """What was wrong with the server's answers, and how often."""

    @property
    def gave_up(self) -> bool:
        """Whether the run ended because there was no connection any more."""
        return self._unconnected >= GIVE_UP

    async def __call__(self, changes: Changes, operations: Collection[Operation]) -> list[Outcome]:
        """The outcome of each of the operations; never raises for what the server does."""
        chosen = [each for each in Operation if each in operations]
        outcomes = [Outcome(operation, changes.of(operation)) for operation in chosen]
        for outcome in outcomes:
            await self._send(outcome, range(len(outcome.rows)))
        for attempt in range(self._retries):
            refused = sum(len(outcome.refused) for outcome in outcomes)
            if not refused or self._has_ended():
                break
            seconds = self._wait * 2**attempt
            self._progress.note(
                f"Not accepted: {counted(refused, 'row')}; again in {seconds:g} s "
                f"({attempt + 1} of {self._retries})."
            )
            await self._interrupt.sleep(seconds)
            for outcome in outcomes:
                await self._send(outcome, sorted(outcome.refused), again=True)
        return outcomes

    def _has_ended(self) -> bool:
        return self.gave_up or self._interrupt.pressed > 0

    async def _send(
        self, outcome: Outcome, positions: Sequence[int], *, again: bool = False
    ) -> None:
        if not positions or self._has_ended():
            return
        self._progress.begin(f"{outcome.operation}{' again' if again else ''}", len(positions))
        for start in range(0, len(positions), self._batch_size):
            if self._has_ended():
                return
            await self._batch(outcome, positions[start : start + self._batch_size], again=again)

    async def _batch(self, outcome: Outcome, positions: Sequence[int], *, again: bool) -> None:
        rows = [outcome.rows[position] for position in positions]
        refused = await self._answered(outcome.operation, rows)
        for index, position in enumerate(positions):
            if index in refused:
                outcome.refused[position] = refused[index]
            else:
                outcome.refused.pop(position, None)
        outcome.calls += 1
        outcome.repeated += len(rows) if again else 0
        outcome.reached = max(outcome.reached, positions[-1] + 1)
        self._progress.advance(len(rows), len(refused))

    async def _answered(self, operation: Operation, rows: list[Row]) -> dict[int, Refusal]:
        """The refused rows of one call, by index."""
        try:
            result = await self._timed(operation, rows)
            self._unconnected = 0
            reasons = refusals(result, rows, self._sync.id_column, self.problems)
        except NotConnected as error:
            self._unconnected += 1
            return self._failed(rows, f"not sent: the server {error.why}")
        except Unreachable as error:
            self._unconnected = 0
            return self._failed(rows, f"the server {error.why}; may have been delivered")
        except Interrupted:
            return self._failed(rows, "interrupted before the answer; may have been delivered")
        except (CallError, BadAnswer) as error:
            self._unconnected = 0
            return self._failed(rows, f"{operation} failed: {error}")
        return {index: Refusal(reason) for index, reason in reasons.items()}

    async def _timed(self, operation: Operation, rows: list[Row]) -> Any:
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            return await self._interrupt.guard(self._call(operation, self._sync.params(rows)))
        finally:
            self.seconds += loop.time() - began

    def _failed(self, rows: Iterable[Row], reason: str) -> dict[int, Refusal]:
        if reason not in self._failures:
            self._failures.add(reason)
            self._progress.note(f"A call failed. {reason}.")
        return {index: Refusal(reason, failed=True) for index, _ in enumerate(rows)}
