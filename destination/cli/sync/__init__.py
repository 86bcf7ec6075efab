"""``destination sync``: a caller of any custom destination, as Hightouch is one."""

import sys
from typing import Any
from urllib.parse import urlsplit

import click

from destination.cli import INTERRUPTED, Stop, json_option
from destination.cli.options import FILE, header_option, query_option, unusable


@click.command("sync")
@click.argument("url")
@click.option(
    "--rows",
    type=FILE,
    required=True,
    help="The model's rows: .csv, .tsv, .json, .jsonl, .ndjson or .parquet, or a SQLite file.",
)
@query_option
@click.option(
    "--id",
    "id_column",
    required=True,
    metavar="COLUMN",
    help="The model's primary key: the column that rows are known by.",
)
@click.option(
    "--sync-config",
    metavar="FILE|JSON",
    help="The sync's configuration. Without it, you are asked on a terminal.",
)
@header_option
@click.option(
    "--token",
    envvar="DESTINATION_TOKEN",
    metavar="SECRET",
    help="Sent as Authorization: Bearer. Better in the environment, as DESTINATION_TOKEN.",
)
@click.option("--previous", type=FILE, help="The rows of the run before: only changes are sent.")
@click.option(
    "--state",
    type=FILE,
    help="Remember this run in FILE, for the next. It holds the rows: people's data.",
)
@click.option("--resync", is_flag=True, help="Send every row as added, and no removals.")
@click.option("--test-row", is_flag=True, help="Send only the first row, as the form's test does.")
@click.option(
    "--retries",
    type=click.IntRange(0, 20),
    default=1,
    show_default=True,
    help="How often rejected rows are sent again within the run.",
)
@click.option(
    "--retry-wait",
    type=click.FloatRange(0, 3600),
    default=1.0,
    show_default=True,
    help="Seconds before the first of these; twice as long each time.",
)
@click.option(
    "--timeout",
    type=click.FloatRange(0.1, 3600),
    default=60.0,
    show_default=True,
    help="Seconds to wait for an answer.",
)
@click.option("--rejected", type=FILE, help="Write rejected rows with reasons: .csv or .jsonl.")
@json_option
def sync_command(
    url: str, headers: tuple[str, ...], token: str | None, *, as_json: bool, **options: Any
) -> None:
    """
    Act as Hightouch against any custom destination server.

    URL is what Hightouch would be given. Asks the form's methods, validate and behavior, then sends
    added, changed and removed rows in batches of the size that behavior names. Rejected rows are
    sent again within the run and, with --state, in the next. Ctrl-C stops after the call under way.

    \b
      destination sync http://127.0.0.1:8000/hightouch/crm --rows people.csv --id id
      destination sync URL --rows new.csv --previous old.csv --id id --sync-config sync.json
      destination sync URL --rows people.db --query "select * from people" --id id --state s.json

    The files of --state and --rejected hold people's data; only their owner can read them.

    Exit codes: 0 every row was accepted, 1 rows were rejected or the configuration is not valid,
    2 usage, 4 the server cannot be reached, 130 interrupted.
    """  # noqa: D301 - \b keeps the lines below it as they are
    from destination.cli.sync.rejected import save_rejected
    from destination.cli.sync.report import document, print_report
    from destination.cli.text import json_text

    report = _report(url, headers, token, options)
    if as_json:
        click.echo(json_text(document(report)))
    else:
        print_report(report)
    if options["rejected"] is not None:
        save_rejected(report, options["rejected"])
    if report.unsaved:
        raise report.unsaved
    sys.exit(report.exit_code)


def _report(url: str, headers: tuple[str, ...], token: str | None, options: dict[str, Any]) -> Any:
    """Carry out the sync. Raises Stop when it cannot begin."""
    from destination.cli.options import headers as to_send
    from destination.cli.sync.session import Given, Line, can_ask, carry_out, prepare

    _check(url, options)
    if options["sync_config"] is None and not can_ask():
        raise Stop(
            "There is no configuration of the sync.",
            "Without a terminal nobody can be asked for one.",
            "Name a file: --sync-config sync.json",
        )
    given = Given(url=url, headers=to_send(headers, token), **options)
    try:
        with Line(given) as line:
            plan = prepare(given, line)
            return line.run(carry_out(given, line.call, plan))
    except (KeyboardInterrupt, click.Abort):
        raise Stop(
            "The sync was interrupted.", "No row had been sent.", "Run it again.", INTERRUPTED
        ) from None


def _check(url: str, options: dict[str, Any]) -> None:
    """Raise Stop for what cannot be meant."""
    try:
        parts = urlsplit(url)
        _ = parts.port  # raises where it is none
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and " " not in url
    except ValueError:
        usable = False
    if not usable:
        raise unusable("It must begin with http:// or https://, then name a host.")
    for one, others in (
        ("test_row", ("state", "previous", "resync")),
        ("previous", ("state", "resync")),
    ):
        for other in others:
            if options[one] and options[other]:
                raise Stop(
                    "Two options exclude each other.",
                    f"--{one.replace('_', '-')} and --{other} cannot both be meant.",
                    "Leave one of them out.",
                )
