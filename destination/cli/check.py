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
from destination.plugin import Destination
from destination.settings import Server, load
from destination.spec.files import SUFFIXES
from destination.spec.kinds import SpecDestination
from destination.spec.kinds import load as load_spec
from destination.spec.trials import differences
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

    Reads only. A spec file's own tests run first, without the vendor; a NAME may also be a spec
    file, of which only these are run. Exits 1 when a check fails.
    """
    files = [Path(name) for name in names if name.lower().endswith(SUFFIXES)]
    names = tuple(name for name in names if Path(name) not in files)
    outcomes = [asyncio.run(_file(file)) for file in files]
    if names or not files:
        outcomes += _configured(names, config)
    if as_json:
        click.echo(json.dumps([asdict(each) for each in outcomes], indent=2))
    else:
        rows = [
            [each.name, each.kind, "ok" if each.ok else "FAILED", each.says] for each in outcomes
        ]
        table("Checks", ["destination", "kind", "", "what it says"], rows)
    sys.exit(0 if all(each.ok for each in outcomes) else FAILED)


def _configured(names: tuple[str, ...], config: str | None) -> list[Outcome]:
    """The outcomes of destinations that are configured."""
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
    return asyncio.run(_all(chosen, settings.server))


async def _all(destinations: dict[str, dict[str, Any]], server: Server) -> list[Outcome]:
    return list(
        await asyncio.gather(*(_one(name, values, server) for name, values in destinations.items()))
    )


async def _file(path: Path) -> Outcome:
    """A spec file by itself."""
    try:
        kind = load_spec(path)
        return Outcome(path.name, kind.kind, ok=True, says=await _tried(kind))
    except ConfigError as error:
        return Outcome(path.name, "spec", ok=False, says=error.message)


async def _tried(kind: type[Destination[Any, Any]]) -> str:
    """How many of a spec file's tests passed. Raises ConfigError with what did not."""
    if not issubclass(kind, SpecDestination):
        return ""
    tests, problems = kind.document.tests, list[str]()
    for test in tests:
        problems += [f"{test.name}: {each}" for each in await differences(kind, test)]
    if problems:
        raise ConfigError("\n".join(problems))
    return f"{len(tests)} tests passed" if tests else "the file has no tests"


async def _one(name: str, values: dict[str, Any], server: Server) -> Outcome:
    kind = str(values.get("kind", ""))
    try:
        made = make_instance(name, values, server)
        tried = await _tried(type(made.plugin))
        async with (
            SqliteStore(None) as store,
            made.opened(store, Metrics().of(name)) as instance,
            asyncio.timeout(SECONDS),
        ):
            says = await instance.check() or "reachable, credentials accepted"
    except ConfigError as error:
        return Outcome(name, kind, ok=False, says=error.message)
    except DestinationError as error:
        return Outcome(name, kind, ok=False, says=error.reason)
    except TimeoutError:
        return Outcome(name, kind, ok=False, says=f"no answer within {SECONDS:.0f} s")
    except Exception as error:  # noqa: BLE001 - one broken kind must not hide the others' checks
        return Outcome(name, kind, ok=False, says=caught(error))
    return Outcome(name, kind, ok=True, says="; ".join(filter(None, (tried, says))))
