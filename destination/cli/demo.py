"""``destination demo``."""

import asyncio
import json
import os
import socket
import sys
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from secrets import token_urlsafe
from typing import Any

import click
import httpx

from destination.cli import FAILED, INTERRUPTED, Stop, table
from destination.cli.caller import Caller, CallError, Unreachable
from destination.cli.people import Entry, Scenario, differences, expected, people
from destination.cli.rows import Row
from destination.cli.sandbox import Reached, held, stand_ins
from destination.cli.sync.answers import BadAnswer, Behavior, Problems
from destination.cli.sync.changes import Changes
from destination.cli.sync.interrupt import Interrupt
from destination.cli.sync.progress import watched
from destination.cli.sync.run import Outcome, Run, Sync
from destination.vendor.transport import AiohttpTransport

ROOT = Path(__file__).parents[2]
START_SECONDS = 20.0


@click.command("demo")
def demo_command() -> None:
    """
    Watch a whole sync, with no account and no network.

    Starts the vendors' local stand-ins and a real server, then acts as Hightouch: a first run
    with all rows, a second with what was added, changed and removed since. Ends with a table
    of what was accepted and rejected, and why. Exits 1 when what a stand-in holds is not what
    the rows say it should be.
    """
    try:
        sys.exit(asyncio.run(_demo()))
    except (Unreachable, CallError, BadAnswer) as error:
        raise Stop(
            "The demo broke off.", str(error), "The server's log above says more.", FAILED
        ) from None
    except KeyboardInterrupt:
        raise Stop(
            "The demo was interrupted.",
            "Not every kind was shown.",
            "Run it again with: destination demo",
            INTERRUPTED,
        ) from None


async def _demo() -> int:
    async with stand_ins() as reached, served(reached) as (url, headers):
        agree = []
        for kind, stand_in in reached.items():
            click.secho(f"\n{kind}: {url}/hightouch/{kind} → {stand_in.url}", bold=True, err=True)
            if not hasattr(stand_in.stand_in, "sync"):
                click.echo("It knows no sync of the example people, and is left out.", err=True)
                continue
            scenario = people(stand_in.stand_in)
            async with Caller(f"{url}/hightouch/{kind}", headers) as caller:
                await _describe(caller, scenario)
                runs = await _runs(caller, scenario)
            agree.append(_report(kind, scenario, runs, await held(stand_in)))
    return 0 if all(agree) else FAILED


async def _describe(caller: Caller, scenario: Scenario) -> None:
    """What a marketer does before the first run: look at the form, have it validated."""
    chosen = {name: scenario.configuration.get(name) for name in ("object", "mode")}
    fields = (await caller.call("list_fields", chosen))["fields"] or ()
    options = (await caller.call("list_options", chosen))["options"]
    for what, names in (
        ("fields", [field["id"] for field in fields]),
        ("options", options["schema"]["properties"] if options else ()),
    ):
        if names:
            click.echo(f"The form offers {len(names)} {what}: {', '.join(names)}", err=True)
    if errors := (await caller.call("validate", {"configuration": scenario.configuration}))[
        "errors"
    ]:
        raise CallError({"code": "validate", "message": " ".join(errors)})
    click.echo("The configuration is valid.", err=True)


async def _runs(caller: Caller, scenario: Scenario) -> list[list[Outcome]]:
    results, previous = [], list[Row]()
    sync = Sync(scenario.id_column, scenario.configuration)
    for number, rows in enumerate(scenario.runs, 1):
        changes = Changes.between(previous, rows, scenario.id_column)
        answer = await caller.call("behavior", {"configuration": scenario.configuration})
        behavior = Behavior.read(answer, Problems())
        with watched(f"run {number} ") as progress:
            run = Run(caller.call, sync, progress, Interrupt(), batch_size=behavior.batch_size)
            results.append(await run(changes, behavior.operations))
        previous = list(rows)
    return results


def _report(
    kind: str, scenario: Scenario, runs: Sequence[Sequence[Outcome]], rows: Sequence[Entry]
) -> bool:
    lines, reasons, agree = list[list[Any]](), Counter[str](), True
    for number, run in enumerate(runs, 1):
        for each in run:
            rejected = len(each.refused)
            lines.append([number, str(each.operation), each.reached, each.accepted, rejected])
            reasons.update(refusal.reason for refusal in each.refused.values())
        refused = (each.rows[position] for each in run for position in each.refused)
        ids = {row[scenario.id_column] for row in refused}
        agree = agree and ids == scenario.bad[number - 1]
    sums = [sum(line[column] for line in lines) for column in (2, 3, 4)]
    table(
        f"{kind}: rows",
        ["run", "operation", "sent", "accepted", "rejected"],
        [*lines, ["", "in all", *sums]],
    )
    if reasons:
        table(
            "Why rows were rejected",
            ["rows", "reason"],
            [[count, reason] for reason, count in reasons.most_common()],
        )
    wanted = expected(scenario)
    wrong = differences(wanted, rows)
    agree = agree and not wrong
    click.echo(f"The {kind} stand-in holds {len(rows)} rows, {len(wanted)} are expected.")
    for line in wrong[:10]:
        click.secho(f"  {line}", fg="red")
    verdict = (
        "exactly what the rows say it should be" if agree else "NOT what the rows say it should be"
    )
    click.secho(f"It holds {verdict}.", fg="green" if agree else "red", bold=True)
    return agree


# The server -----------------------------------------------------------------------------------


@asynccontextmanager
async def served(reached: Mapping[str, Reached]) -> AsyncIterator[tuple[str, dict[str, str]]]:
    """A server process with a destination to each stand-in; gives its URL and headers to send."""
    secret, port = token_urlsafe(32), _free_port()
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("DESTINATION", "SERVER__", "STATE_URL"))
    }
    environment = kept | {
        "HOST": "127.0.0.1",
        "PORT": str(port),
        "DESTINATION_TOKEN": secret,
        "DESTINATIONS": json.dumps({name: each.settings for name, each in reached.items()}),
        "LOG_LEVEL": "warning",
        "PYTHONPATH": str(ROOT),
    }
    with tempfile.TemporaryDirectory() as empty:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "destination", "serve", cwd=empty, env=environment
        )
        try:
            url = f"http://127.0.0.1:{port}"
            await _healthy(url, process)
            yield url, {"Authorization": f"Bearer {secret}"}
        finally:
            if process.returncode is None:
                process.terminate()
            await process.wait()


async def _healthy(url: str, process: asyncio.subprocess.Process) -> None:
    async with (
        httpx.AsyncClient(transport=AiohttpTransport()) as http,
        asyncio.timeout(START_SECONDS),
    ):
        while process.returncode is None:
            try:
                if (await http.get(f"{url}/healthz")).is_success:
                    return
            except httpx.TransportError:
                await asyncio.sleep(0.05)
    raise Unreachable("The server", "did not start")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
