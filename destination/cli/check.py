"""``destination check``."""

import asyncio
import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click

from destination.app import make_instance
from destination.bugs import caught
from destination.cli import FAILED, config_option, fail, json_option, table
from destination.errors import ConfigError, DestinationError
from destination.metrics import Metrics
from destination.settings import Server, load
from destination.state.sqlite import SqliteStore

SECONDS = 15.0
"""How long one destination's vendor may take."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What checking one destination showed."""

    name: str
    kind: str
    ok: bool
    says: str


@click.command("check")
@click.argument("names", nargs=-1)
@config_option
@json_option
def check_command(names: tuple[str, ...], config: str | None, *, as_json: bool) -> None:
    """
    Check settings and credentials of every destination (or of NAMES) against the vendor.

    Reads only. Exits 1 when a check fails.
    """
    try:
        settings = load(Path(config) if config else None)
    except ConfigError as error:
        fail(
            "The configuration cannot be read.", error.message, "Mend it, then check again.", FAILED
        )
    chosen = {
        name: values for name, values in settings.destinations.items() if not names or name in names
    }
    if missing := [name for name in names if name not in chosen]:
        fail(
            f"There is no destination called {missing[0]}.",
            f"Configured: {', '.join(settings.destinations) or 'none'}.",
            "Name one of them, or none to check all.",
            FAILED,
        )
    if not chosen:
        fail(
            "There is nothing to check.",
            "No destination is configured.",
            "Write destinations.toml first.",
            FAILED,
        )
    outcomes = asyncio.run(_all(chosen, settings.server))
    if as_json:
        click.echo(json.dumps([asdict(each) for each in outcomes], indent=2))
    else:
        rows = [
            [each.name, each.kind, "ok" if each.ok else "FAILED", each.says] for each in outcomes
        ]
        table("Checks", ["destination", "kind", "", "what it says"], rows)
    sys.exit(0 if all(each.ok for each in outcomes) else FAILED)


async def _all(destinations: dict[str, dict[str, Any]], server: Server) -> list[Outcome]:
    return list(
        await asyncio.gather(*(_one(name, values, server) for name, values in destinations.items()))
    )


async def _one(name: str, values: dict[str, Any], server: Server) -> Outcome:
    kind = str(values.get("kind", ""))
    try:
        async with (
            SqliteStore(None) as store,
            make_instance(name, values, server).opened(store, Metrics().of(name)) as instance,
            asyncio.timeout(SECONDS),
        ):
            says = await instance.check()
    except ConfigError as error:
        return Outcome(name, kind, ok=False, says=error.message)
    except DestinationError as error:
        return Outcome(name, kind, ok=False, says=error.reason)
    except TimeoutError:
        return Outcome(name, kind, ok=False, says=f"no answer within {SECONDS:.0f} s")
    except Exception as error:  # noqa: BLE001 - one broken kind must not hide the others' checks
        return Outcome(name, kind, ok=False, says=caught(error))
    return Outcome(name, kind, ok=True, says=says or "reachable, credentials accepted")
