"""A sync from beginning to end, in the order in which Hightouch goes about it."""

import asyncio
import sys
from collections.abc import Collection, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import click

from destination.cli import FAILED, Stop
from destination.cli.caller import Caller, without_secrets
from destination.cli.options import sync_configuration
from destination.cli.rows import Row
from destination.cli.rows.sources import read_rows
from destination.cli.sync.answers import BadAnswer, Behavior
from destination.cli.sync.changes import Changes, usable
from destination.cli.sync.configuration import Configuration, complaints
from destination.cli.sync.files import check_writable
from destination.cli.sync.interrupt import listened
from destination.cli.sync.listing import Listing, asked
from destination.cli.sync.progress import watched
from destination.cli.sync.prompts import ask_configuration, offer_to_save
from destination.cli.sync.report import Report
from destination.cli.sync.run import Call, Run, Sync
from destination.cli.sync.state import State
from destination.model import Operation

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Given:
    """What the command was told."""

    url: str
    headers: Mapping[str, str]
    rows: Path
    id_column: str
    query: str | None
    previous: Path | None
    sync_config: str | None
    state: Path | None
    rejected: Path | None
    resync: bool
    test_row: bool
    retries: int
    retry_wait: float
    timeout: float


class Line:
    """
    The way to the server, inside ``with``, for code that also waits for a person.

    A call is made while the event loop runs for nothing else, so that Ctrl-C reaches a prompt.
    """

    def __init__(self, given: Given) -> None:
        self._caller = Caller(given.url, given.headers, seconds=given.timeout)
        self._runner = asyncio.Runner()

    def __enter__(self) -> Self:
        self._runner.__enter__()
        self.run(self._caller.__aenter__())
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.run(self._caller.__aexit__(None, None, None))
        self._runner.__exit__(exc_type, exc_value, traceback)

    @property
    def call(self) -> Call:
        """Makes one call, within the loop."""
        return self._caller.call

    def ask(self, method: str, params: Mapping[str, Any]) -> Any:
        """The result of one call. Raises CallError or Unreachable."""
        return self.run(self._caller.call(method, params))

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """What the coroutine returns."""
        return self._runner.run(coroutine)


@dataclass(slots=True)
class Plan:
    """What is going to be sent."""

    sync: Sync
    changes: Changes
    operations: Collection[Operation]
    batch_size: int
    retries: int
    state: State
    report: Report


def prepare(given: Given, line: Line) -> Plan:
    """
    Everything before the first row: reads the rows, has the choices validated, asks behavior.

    Raises:
        Stop: The run cannot begin.
    """
    for path in filter(None, (given.state, given.rejected)):
        check_writable(path)
    table = read_rows(given.rows, given.query, given.id_column)
    state = _state(given)
    rows, left_out = usable(table.rows, given.id_column)
    report = Report(without_secrets(given.url), left_out=left_out)
    listing = Listing(line.ask, report.problems)
    configuration = _configuration(given, listing, table.columns, report)
    sync = Sync(given.id_column, configuration)
    if given.test_row:
        return _test_row(sync, rows, state, report)
    if errors := listing.validate(configuration):
        raise Stop(
            "The server does not accept the configuration.",
            "\n".join(errors),
            "Mend the sync's configuration; Hightouch would not save it.",
            FAILED,
        )
    report.behavior = _behavior(line, sync, report)
    return _plan(given, sync, rows, state, report)


def _configuration(
    given: Given, listing: Listing, columns: Sequence[str], report: Report
) -> Configuration:
    if given.sync_config is None:
        configuration = ask_configuration(listing, columns, given.id_column)
        offer_to_save(configuration)
        return configuration
    loaded = sync_configuration(given.sync_config)
    if not given.test_row:
        report.notes = list(complaints(loaded, listing, columns))
        for note in report.notes:
            click.echo(f"Note: {note}", err=True)
    return loaded


def _test_row(sync: Sync, rows: Sequence[Row], state: State, report: Report) -> Plan:
    """One row, added without asking behavior: what the form's test does."""
    if not rows:
        raise Stop("There is no row to test with.", "None has an id.", "Add one to the file.")
    changes = Changes.everything(rows[:1])
    report.left_out, report.test_row = [], True
    return Plan(sync, changes, {Operation.ADD}, 1, 0, state, report)


def _behavior(line: Line, sync: Sync, report: Report) -> Behavior:
    result = asked(line.ask, "behavior", {"configuration": sync.configuration})
    try:
        return Behavior.read(result, report.problems)
    except BadAnswer as error:
        raise Stop(
            "The run cannot begin.",
            f"behavior {error}.",
            'It must answer such as {"batchSize": 100, "operations": {"add": true, '
            '"change": true, "remove": false}, "skipInitialRun": false}.',
            FAILED,
        ) from None


def _plan(given: Given, sync: Sync, rows: list[Row], state: State, report: Report) -> Plan:
    behavior = report.behavior
    assert behavior is not None  # noqa: S101 - it was just asked
    changes = state.changes(rows)
    first = not (state.known or given.resync)
    operations = frozenset() if first and behavior.skip_initial_run else behavior.operations
    report.unchanged = len(rows) - len(changes.added) - len(changes.changed)
    report.recorded = {each: len(changes.of(each)) for each in Operation if each not in operations}
    counts = ", ".join(f"{len(changes.of(each)):,} to {each}" for each in Operation)
    click.echo(f"{counts}; in batches of {behavior.batch_size:,}.", err=True)
    return Plan(sync, changes, operations, behavior.batch_size, given.retries, state, report)


def _state(given: Given) -> State:
    """What was there before; to a resync nothing was, so it adds everything."""
    if given.previous is not None:
        before = read_rows(given.previous, given.query, given.id_column)
        return State(given.id_column, before.rows, known=True)
    if given.state is None or given.resync:
        return State(given.id_column)
    return State.load(given.state, given.id_column)


async def carry_out(given: Given, call: Call, plan: Plan) -> Report:
    """Send what is planned and save the state; Ctrl-C ends it, with all that is known kept."""
    report, loop = plan.report, asyncio.get_running_loop()
    with watched() as progress, listened(progress.note) as interrupt:
        run = Run(
            call,
            plan.sync,
            progress,
            interrupt,
            batch_size=plan.batch_size,
            retries=plan.retries,
            wait=given.retry_wait,
        )
        began = loop.time()
        report.outcomes = await run(plan.changes, plan.operations)
        report.seconds, report.seconds_in_calls = loop.time() - began, run.seconds
        report.interrupted = interrupt.pressed > 0
        report.gave_up = run.gave_up
        report.problems.update(run.problems)
        if given.state is not None and not given.test_row:
            plan.state.settle(plan.changes, report.outcomes, report.recorded)
            try:
                plan.state.save(given.state)
            except Stop as stop:
                report.unsaved = stop
    return report


def can_ask() -> bool:
    """Whether there is a person to ask."""
    return sys.stdin.isatty() and sys.stderr.isatty()
