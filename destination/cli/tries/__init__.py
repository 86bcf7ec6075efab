"""``destination try``: the requests that rows would cause."""

import asyncio
import sys
from typing import Any

import click

from destination.cli import CONFIGURATION, FAILED, INTERRUPTED, Stop, config_option, json_option
from destination.cli.options import FILE, query_option


@click.command("try")
@click.argument("name")
@click.option(
    "--row",
    "texts",
    multiple=True,
    metavar="ROW",
    help="""A row, as JSON or as "id=1 name='Ann Lee'", whose values are text; repeatable.""",
)
@click.option(
    "--rows",
    type=FILE,
    help="Rows: .csv, .tsv, .json, .jsonl, .ndjson or .parquet, or a SQLite file.",
)
@query_option
@click.option(
    "--limit",
    type=click.IntRange(1, 1000),
    default=10,
    show_default=True,
    help="How many of the rows are tried.",
)
@click.option(
    "--id",
    "id_column",
    metavar="COLUMN",
    help="The column that rows are known by. Default: id, else what the sync matches by.",
)
@click.option(
    "--sync-config",
    metavar="FILE|JSON",
    help="The sync's configuration, or part of it; the rest is chosen, and told.",
)
@click.option(
    "--operation",
    type=click.Choice(["add", "change", "remove"]),
    default="add",
    show_default=True,
    help="What happened to the rows.",
)
@click.option("--read", is_flag=True, help="Ask the vendor what there is; no row is sent.")
@click.option("--send", is_flag=True, help="Send the requests, and show the answers.")
@click.option("--sandbox", is_flag=True, help="NAME is a kind, and a local stand-in its vendor.")
@config_option
@json_option
def try_command(name: str, *, as_json: bool, **options: Any) -> None:
    """
    Show the requests that rows would cause at a vendor.

    NAME is a destination that is configured. Rows take the way that they take when Hightouch sends
    them: mapping, field types, templates, batches, credentials. Nothing is sent without --send.
    Shown are the exact requests, the rows that each carries, and the rows that are rejected before
    anything is sent, with their reasons. Credentials are masked; rows are shown.

    \b
      destination try webhook --sandbox
      destination try crm --row '{"id": 1, "email": "ann@example.com"}'
      destination try crm --row "id=1 email=ann@example.com" --operation remove
      destination try crm --rows people.csv --sync-config sync.json --send

    Without a mapping each column goes to the field of its name. Without --send a request for a
    token is answered with a made-up one, and each batch ends at its first request, since what
    follows depends on the answer. Where a vendor must be asked first which lists or fields there
    are, that is all there is to show: --read sends requests that only read, before any row.

    With --send limits, retries and the deadline are those of a call. What was sent is not
    remembered, and what was sent before does not matter: the next run of a sync sends these rows
    again, and notes that a destination keeps of its rows start empty and are not kept.

    Exit codes: 0 no row was rejected, 1 rows were rejected or the vendor did not answer, 2 usage,
    3 the destination's configuration, 130 interrupted.
    """  # noqa: D301 - \b keeps the lines below it as they are
    from destination.cli.text import json_text
    from destination.cli.tries.begin import carry_out
    from destination.cli.tries.report import document, failed, print_report
    from destination.errors import ConfigError

    begun: list[Any] = []
    code = 0
    try:
        try:
            asyncio.run(carry_out(name, options, begun))
        except KeyboardInterrupt:
            code = INTERRUPTED
            if not begun:
                raise Stop(
                    "The try was interrupted.", "Nothing had begun.", "Run it again.", INTERRUPTED
                ) from None
    except ConfigError as error:
        raise Stop(
            f"{name} cannot be tried.",
            error.message,
            "Mend it; destination check tells all that is wrong.",
            CONFIGURATION,
        ) from None
    [attempt] = begun
    code = code or (FAILED if failed(attempt) else 0)
    if as_json:
        click.echo(json_text(document(attempt, code)))
    else:
        print_report(attempt)
    if code == INTERRUPTED:
        raise Stop(
            "The try was interrupted.", "What is shown is what was known.", "Run it again.", code
        )
    sys.exit(code)
