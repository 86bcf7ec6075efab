"""A try: rows taken the way that a call takes, with the way out watched."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

import msgspec

from destination.app import make_instance
from destination.bugs import caught
from destination.cli import Stop
from destination.cli.tries.choices import completed
from destination.cli.tries.given import Given
from destination.cli.tries.mask import Shown
from destination.cli.tries.watch import STOPPED, Asked, Watch
from destination.deadline import DELIVERY, Deadline, Delivery
from destination.errors import Code, ConfigError, DestinationError, RowError, UnavailableError
from destination.instance import Instance
from destination.metrics import Metrics
from destination.model import Operation, Rejection, Report
from destination.protocols.hightouch.configuration import read_sync
from destination.protocols.hightouch.rows import read_rows
from destination.settings import Server
from destination.state.sqlite import SqliteStore

AT_ONCE = {"concurrency": 1, "rate": 1e6, "burst": 1_000_000}
"""Of what is only shown: one after another, and without waiting."""


class Outcome(StrEnum):
    """What became of a row."""

    WOULD_BE_SENT = "would_be_sent"
    DELIVERED = "delivered"
    REJECTED = "rejected"
    SKIPPED = "skipped"
    NOTHING_TO_SEND = "nothing_to_send"
    """It is taken care of without a request."""
    UNDETERMINED = "undetermined"
    """The vendor must be asked first what there is."""
    UNKNOWN = "unknown"
    """The try was interrupted after its request had gone out."""
    NOT_SENT = "not_sent"
    """The try was interrupted before that."""


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of the row at a position, why, and the numbers of the requests about it."""

    position: int
    outcome: Outcome
    reason: str
    requests: Sequence[int]


@dataclass
class Attempt:
    """
    Rows of one operation that are tried with one destination.

    What is known of it may be read at any time, also after it was interrupted.

    Args:
        values: The destination's settings.
        send: Requests go out.
        read: Requests that read before any row is sent go out in any case.
    """

    name: str
    values: Mapping[str, Any] = field(repr=False)
    server: Server
    given: Given
    operation: Operation
    send: bool
    read: bool
    kind: str = ""
    configuration: Mapping[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    report: Report | None = None
    failure: DestinationError | None = None
    """Why nothing came of the rows, where the reason is not theirs."""

    def __post_init__(self) -> None:
        """
        Make the destination.

        Raises:
            ConfigError: Its settings are wrong.
        """
        tuned = {"remember": 0, **({} if self.send else AT_ONCE)}
        self._instance = make_instance(self.name, self.values, self.server, **tuned)
        self._watch = Watch(send=self.send, read=self.read)
        self.kind = self._instance.kind
        self.mask = Shown(self._instance)
        self.configuration = self.given.configuration or {}
        self.notes += self.given.notes

    @property
    def asked(self) -> Sequence[Asked]:
        """The requests so far."""
        return self._watch.asked

    async def run(self) -> None:
        """Try it. Raises Stop where the configuration of the sync is of no use."""
        async with self._opened() as instance:
            try:
                async with self._call() as deadline, deadline.limit():
                    await self._complete(instance)
                async with self._call() as deadline:
                    await self._deliver(instance, deadline)
            except DestinationError as error:
                self.failure = error
            except Stop:
                raise
            except Exception as error:  # noqa: BLE001 - its text may quote a row or a secret
                told = f"not sent: {caught(error)}"
                self.failure = UnavailableError(told, code=Code.INTERNAL)

    @asynccontextmanager
    async def _call(self) -> AsyncIterator[Deadline]:
        """The time that a call has."""
        deadline = Deadline(self.server.deadline)
        DELIVERY.set(Delivery(deadline))
        try:
            yield deadline
        except TimeoutError:
            raise deadline.not_sent() from None

    @asynccontextmanager
    async def _opened(self) -> AsyncIterator[Instance]:
        await self.mask.learn_auth(self._instance.plugin.connection().auth)
        async with (
            SqliteStore(None) as store,
            self._instance.opened(
                store, Metrics().of(self.name), between=self._watch.before
            ) as instance,
        ):
            yield instance

    async def _complete(self, instance: Instance) -> None:
        """What is not given of the configuration is chosen; that is no request that rows cause."""
        given = self.given
        try:
            read_sync(dict(self.configuration))
            self.configuration, notes = await completed(
                instance, self.configuration, given.columns, given.id_column, self.operation
            )
            self.notes += notes
            self.notes += await self._complaints(instance)
        except ConfigError as error:
            raise Stop(
                "The sync's configuration cannot be used.",
                error.message,
                """Say what is meant, as in: --sync-config '{"object": "…", "mode": "…"}'""",
            ) from None
        self._watch.forget_reads()

    async def _complaints(self, instance: Instance) -> list[str]:
        """What Hightouch's form would say before it saves this configuration."""
        sync = read_sync(dict(self.configuration), self.given.columns)
        try:
            return [f"The form would say: {each}" for each in await instance.validate(sync)]
        except DestinationError:
            return []

    async def _deliver(self, instance: Instance, deadline: Deadline) -> None:
        given, sync = self.given, read_sync(dict(self.configuration))
        sync = replace(sync, id_column=given.id_column)
        array = msgspec.Raw(msgspec.json.encode(given.rows))
        rows = read_rows(array, sync.id_column, sync.mapping.columns, len(given.rows))
        self.report = await instance.deliver(sync, self.operation, rows, deadline)

    def fates(self) -> list[Fate]:
        """What became of each row, in their order."""
        rejected = {each.position: each for each in self.report.rejections} if self.report else {}
        return [
            Fate(position, *self._fate(position, rejected.get(position)), self._about(position))
            for position in range(len(self.given.rows))
        ]

    def _fate(self, position: int, rejection: Rejection | None) -> tuple[Outcome, str]:
        error = rejection.error if rejection else self.failure
        if error is not None and not self._stopped(position, error):
            return Outcome.REJECTED, error.reason
        if error is not None:
            sent = self._about(position)
            return (Outcome.WOULD_BE_SENT if sent else Outcome.UNDETERMINED), ""
        if self.report is None:
            gone = any(each.sent for each in self.asked if position in each.rows)
            return (Outcome.UNKNOWN if gone else Outcome.NOT_SENT), ""
        if position in self.report.skipped:
            return Outcome.SKIPPED, ""
        if self._about(position):
            return (Outcome.DELIVERED if self.send else Outcome.WOULD_BE_SENT), ""
        return Outcome.NOTHING_TO_SEND, ""

    def _stopped(self, position: int, error: DestinationError) -> bool:
        """Whether an error is only that a request about the row was shown and not sent."""
        if self.send:
            return False
        return STOPPED in error.message or (
            bool(self._about(position)) and not isinstance(error, RowError)
        )

    def _about(self, position: int) -> list[int]:
        return [each.number for each in self.asked if position in each.rows]
