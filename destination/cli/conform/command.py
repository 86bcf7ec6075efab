"""``destination conform``."""

import asyncio
import json
import os
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from destination.cli import FAILED, UNREACHABLE, USAGE, fail, json_option
from destination.cli.conform import report
from destination.cli.conform.case import GROUPS, Case, Outside, Result
from destination.cli.conform.given import (
    Given,
    Unusable,
    id_column,
    read_configuration,
    read_rows,
)
from destination.cli.conform.junit import junit
from destination.cli.conform.mask import Mask
from destination.cli.conform.run import Run, conform
from destination.cli.conform.server import Server, call
from destination.cli.conform.table import TABLE
from destination.cli.conform.wire import Address, NoAnswer
from destination.sync import unknown

INTERRUPTED = 130


@click.command("conform")
@click.argument("url")
@click.option(
    "--header",
    "-H",
    "headers",
    multiple=True,
    metavar="NAME:VALUE",
    help="A header that Hightouch sends, such as the secret; repeatable.",
)
@click.option(
    "--token",
    "tokens",
    multiple=True,
    metavar="SECRET",
    help="Sent as Authorization: Bearer. A second one that is valid too may be given. "
    "Without any header: DESTINATION_TOKEN.",
)
@click.option(
    "--sync-config",
    type=click.Path(dir_okay=False, path_type=Path),
    help="A sync's configuration, as JSON.",
)
@click.option(
    "--rows",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Good sample rows, CSV or JSON Lines, of which three are used. They are WRITTEN.",
)
@click.option(
    "--id", "id_name", metavar="COLUMN", help="The rows' primary key. Default: the first."
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
    type=click.Path(dir_okay=False, path_type=Path),
    help="Also write the report as JUnit's XML.",
)
@json_option
def conform_command(
    url: str,
    headers: tuple[str, ...],
    tokens: tuple[str, ...],
    sync_config: Path | None,
    rows: Path | None,
    id_name: str | None,
    only: str | None,
    skip: str | None,
    timeout: float,
    junit_file: Path | None,
    *,
    as_json: bool,
) -> None:
    """
    Run the conformance cases against a Hightouch custom destination server, in any language.

    URL is what Hightouch would be given. Reads and misuses it in ways that harm nothing; with
    --sync-config and --rows it also writes sample rows, many times: use a place at the vendor
    that is made for tests. For a case that does not hold it says what was sent, what came, what
    was expected and why it matters.

    Exits 0 when everything holds that Hightouch relies on, 1 when something does not, 2 on wrong
    usage, 4 when the server cannot be reached, 130 after Ctrl-C, which still reports what ran.

    \b
      destination conform https://example.com/hightouch/crm --token …
      destination conform http://127.0.0.1:8000/ --sync-config sync.json --rows rows.csv
    """  # noqa: D301 - click reads it as a mark
    try:
        cases = chosen(only, skip)
        given = _given(headers, tokens, sync_config, rows, id_name)
        server = Server(Address.of(url), given, timeout)
    except (Unusable, ValueError) as error:
        fail("It cannot begin.", str(error), "See: destination conform --help", USAGE)
    run, mask, interrupted = Run(), Mask(given), False
    try:
        with progress(cases) as told:
            asyncio.run(_conform(run, cases, server, told))
    except NoAnswer as error:
        fail(
            "The server cannot be reached.",
            f"{mask.url(url)}: {error}",
            "Is it running there, and is the URL the whole one, with its path?",
            UNREACHABLE,
        )
    except KeyboardInterrupt:
        interrupted = True
    if junit_file is not None:
        _written(junit_file, junit(run, mask))
    if as_json:
        click.echo(json.dumps(report.as_json(run, url, mask), indent=2, ensure_ascii=False))
    else:
        click.echo("\n".join(report.shown(run, url, mask)))
    if interrupted:
        click.echo(f"Interrupted: {len(run.results)} of {len(cases)} cases were run.", err=True)
        sys.exit(INTERRUPTED)
    sys.exit(0 if run.holds else FAILED)


async def _conform(
    run: Run, cases: Sequence[Case | Outside], server: Server, told: Callable[[Result], None]
) -> None:
    """Raises NoAnswer when nothing that is HTTP comes to begin with."""
    await server.post(call("behavior", {}))
    await conform(run, cases, server, told)


def chosen(only: str | None, skip: str | None) -> Sequence[Case | Outside]:
    """The cases of these ids and groups without those. Raises ValueError for unknown ones."""
    wanted, left_out = _ids(only) if only else None, _ids(skip or "")
    cases = [
        case for case in TABLE if (wanted is None or case.id in wanted) and case.id not in left_out
    ]
    if not cases:
        raise ValueError("No case is left to run.")
    return cases


def _ids(given: str) -> set[str]:
    known = {case.id for case in TABLE}
    ids = set[str]()
    for word in re.split(r"[\s,]+", given.upper().strip(" ,")):
        found = {id for id in known if word in (id, id[0])}
        if word and not found:
            raise ValueError(unknown("Case", word, [*GROUPS, *known]))
        ids |= found
    return ids


def _given(
    headers: Sequence[str],
    tokens: Sequence[str],
    sync_config: Path | None,
    rows: Path | None,
    id_name: str | None,
) -> Given:
    sent = dict(map(_header, headers))
    if not tokens and not sent:
        tokens = os.environ.get("DESTINATION_TOKEN", "").split(",")
    bearers = [
        sent | dict([_header(f"Authorization: Bearer {token}")])
        for token in tokens
        if token.strip()
    ]
    configuration = read_configuration(sync_config) if sync_config else None
    if rows is None:
        return Given(*_first_two(bearers or [sent]), configuration)
    if configuration is None:
        raise Unusable("Rows are of no use without the configuration that maps them.")
    sample = read_rows(rows)
    column = id_column(sample, id_name)
    return Given(*_first_two(bearers or [sent]), configuration, sample, column)


def _header(given: str) -> tuple[str, str]:
    name, colon, value = given.partition(":")
    name, value = name.strip(), value.strip()
    if not colon or not re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", name):
        raise Unusable("A header is written as NAME:VALUE.")
    if not value.isprintable():
        raise Unusable(f"The header {name} has characters that no header may have.")
    return name, value


def _first_two(secrets: Sequence[dict[str, str]]) -> tuple[dict[str, str], dict[str, str] | None]:
    return secrets[0], secrets[1] if len(secrets) > 1 else None


def _written(path: Path, document: bytes) -> None:
    try:
        path.write_bytes(document)
    except OSError as error:
        fail(
            "The JUnit report cannot be written.",
            f"{path}: {error.strerror}",
            "Name a file in a folder that exists.",
            USAGE,
        )


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
