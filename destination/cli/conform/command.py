"""``destination conform``."""

import asyncio
import os
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from destination.cli import FAILED, INTERRUPTED, UNREACHABLE, Stop, json_option
from destination.cli.caller import Unreachable, refusal
from destination.cli.conform.case import GROUPS, Case, Outside, Result
from destination.cli.conform.given import Given, sample
from destination.cli.conform.junit import junit
from destination.cli.conform.mask import Mask
from destination.cli.conform.report import document, shown
from destination.cli.conform.run import Run, conform
from destination.cli.conform.server import METHOD_NOT_FOUND, Server, call, decoded, read
from destination.cli.conform.table import TABLE
from destination.cli.conform.verdict import Unmet
from destination.cli.conform.wire import Address, Answer, NoAnswer
from destination.cli.options import (
    FILE,
    header_option,
    query_option,
    sync_configuration,
    unusable,
)
from destination.cli.options import headers as to_send
from destination.cli.text import json_text
from destination.sync import unknown

NOBODY = frozenset({*range(300, 400), 401, 403, 404, 405, 501})
"""Statuses to the first call after which it is of no use to make others."""


@click.command("conform")
@click.argument("url")
@header_option
@click.option(
    "--token",
    "tokens",
    multiple=True,
    metavar="SECRET",
    help="Sent as Authorization: Bearer. Better in the environment, as DESTINATION_TOKEN. A "
    "second one that is valid too may be given.",
)
@click.option("--sync-config", metavar="FILE|JSON", help="The sync's configuration.")
@click.option(
    "--rows",
    type=FILE,
    help="Good sample rows, in a file as for sync, of which three are used. They are WRITTEN.",
)
@query_option
@click.option(
    "--id",
    "id_column",
    metavar="COLUMN",
    help="The column that rows are known by. Default: the first.",
)
@click.option("--only", metavar="CASES", help="Ids or groups, such as E3,S12 or T.")
@click.option("--skip", metavar="CASES", help="Ids or groups that are left out.")
@click.option(
    "--timeout",
    type=click.FloatRange(0.1, 600),
    default=30.0,
    show_default=True,
    help="Seconds that one answer may take.",
)
@click.option(
    "--junit",
    "junit_file",
    type=FILE,
    help="Also write the report as JUnit's XML.",
)
@json_option
def conform_command(
    url: str,
    only: str | None,
    skip: str | None,
    timeout: float,
    junit_file: Path | None,
    *,
    as_json: bool,
    **options: Any,
) -> None:
    """
    Judge any custom destination server, in any language.

    Runs the conformance cases against it. URL is what Hightouch would be given. Reads and misuses
    it in ways that harm nothing; with --sync-config and --rows it also writes sample rows, many
    times: use a place at the vendor that is made for tests. For a case that does not hold it says
    what was sent, what came, what was expected and why it matters.

    Exits 0 when everything holds that Hightouch relies on, 1 when something does not, 2 on wrong
    usage, 4 when the server cannot be reached, 130 after Ctrl-C, which still reports what ran.

    \b
      destination conform https://example.com/hightouch/crm --token …
      destination conform http://127.0.0.1:8000/ --sync-config sync.json --rows rows.csv
    """  # noqa: D301 - click reads it as a mark
    cases, given = chosen(only, skip), _given(**options)
    try:
        server = Server(Address.of(url), given, timeout)
    except ValueError as error:
        raise unusable(str(error)) from None
    run, mask, interrupted = Run(), Mask(given), False
    try:
        with progress(cases) as told:
            asyncio.run(_conform(run, cases, server, mask.url(url), told))
    except Unreachable as error:
        raise Stop(
            "The server cannot be reached.", f"{error}.", error.advice, UNREACHABLE
        ) from None
    except KeyboardInterrupt:
        interrupted = True
    if junit_file is not None:
        _written(junit_file, junit(run, mask))
    if as_json:
        click.echo(json_text(document(run, url, mask)))
    else:
        click.echo("\n".join(shown(run, url, mask)))
    if interrupted:
        raise Stop(
            "The run was interrupted.",
            f"{len(run.results)} of {len(cases)} cases were run.",
            "Run it again, or some of the cases: --only.",
            INTERRUPTED,
        )
    sys.exit(0 if run.holds else FAILED)


async def _conform(
    run: Run,
    cases: Sequence[Case | Outside],
    server: Server,
    where: str,
    told: Callable[[Result], None],
) -> None:
    """Raises Unreachable when nothing that is HTTP comes, or nobody takes calls from us there."""
    try:
        answer = await server.post(call("behavior", {}))
    except NoAnswer as error:
        raise Unreachable(where, f"does not answer: {error}") from None
    if answer.status in NOBODY and not _is_unknown_method(answer):
        raise Unreachable(where, refusal(answer.status))
    await conform(run, cases, server, told)


def _is_unknown_method(answer: Answer) -> bool:
    """Some servers say so by a status of HTTP too."""
    try:
        return read(answer, decoded(answer)).code == METHOD_NOT_FOUND
    except Unmet:
        return False


def chosen(only: str | None, skip: str | None) -> Sequence[Case | Outside]:
    """The cases of these ids and groups without those. Raises Stop for unknown ones."""
    wanted, left_out = _ids(only) if only else None, _ids(skip or "")
    cases = [
        case for case in TABLE if (wanted is None or case.id in wanted) and case.id not in left_out
    ]
    if not cases:
        raise _no_case("None is left to run.")
    return cases


def _ids(given: str) -> set[str]:
    known = {case.id for case in TABLE}
    ids = set[str]()
    for word in re.split(r"[\s,]+", given.upper().strip(" ,")):
        found = {id for id in known if word in (id, id[0])}
        if word and not found:
            raise _no_case(unknown("Case", word, [*GROUPS, *known]))
        ids |= found
    return ids


def _no_case(why: str) -> Stop:
    return Stop("There is no such case.", why, "Without --only and --skip all cases are run.")


def _given(
    headers: Sequence[str],
    tokens: Sequence[str],
    sync_config: str | None,
    rows: Path | None,
    query: str | None,
    id_column: str | None,
) -> Given:
    secrets = tokens or os.environ.get("DESTINATION_TOKEN", "").split(",")
    first, *others = [to_send(headers, each) for each in filter(str.strip, secrets)] or [
        to_send(headers, None)
    ]
    second = others[0] if others else None
    configuration = sync_configuration(sync_config) if sync_config else None
    if rows is None:
        return Given(first, second, configuration)
    if configuration is None:
        raise Stop(
            "The sample rows are of no use.",
            "Without the sync's configuration nothing is mapped.",
            "Name it: --sync-config sync.json",
        )
    return Given(first, second, configuration, *sample(rows, query, id_column))


def _written(path: Path, document: bytes) -> None:
    try:
        path.write_bytes(document)
    except OSError as error:
        raise Stop(
            f"{path} cannot be written.", f"{error.strerror}.", "Name another file."
        ) from None


@contextmanager
def progress(cases: Sequence[Case | Outside]) -> Iterator[Callable[[Result], None]]:
    """A bar on a terminal while cases are run; otherwise a line when a group is finished."""
    console = Console(stderr=True)
    last = {case.id[0]: case.id for case in cases}
    columns = (TextColumn("{task.description:<24}"), BarColumn(), MofNCompleteColumn())
    bars = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
    with bars:
        task = bars.add_task("Asking", total=len(cases))

        def told(result: Result) -> None:
            group = GROUPS[result.case.id[0]]
            bars.update(task, advance=1, description=f"{group} {result.case.id}")
            if not console.is_terminal and result.case.id == last[result.case.id[0]]:
                click.echo(f"{group}: done", err=True)

        yield told
