"""``destination check``: whatever can be known to be wrong before the first sync."""

import asyncio
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from destination.cli import (
    CONFIGURATION,
    FAILED,
    INTERRUPTED,
    Stop,
    config_option,
    json_option,
    unreadable,
)
from destination.cli.check.finding import Finding, Group, Level, each_failed, ok
from destination.cli.check.one import configured, file
from destination.cli.check.platform import platform
from destination.cli.check.report import Waiting, document, lines
from destination.cli.check.server import access, deadlines
from destination.cli.check.state import state
from destination.cli.text import counted, json_text
from destination.errors import ConfigError
from destination.settings import Server, Settings, understood
from destination.settings_file import read
from destination.spec.files import SUFFIXES
from destination.sync import unknown

AT_ONCE = 8
"""Destinations that are checked at the same time."""


@click.command("check")
@click.argument("names", nargs=-1)
@config_option
@json_option
def check_command(names: tuple[str, ...], config: str | None, *, as_json: bool) -> None:
    """
    Find what is wrong before the first sync.

    Looks at the server and at each destination, or at those of these NAMES: settings, templates,
    credentials, clock, the form, speed and the state file. Asks the vendors, and never writes
    there. A spec file's own tests run first; a NAME may also be a spec
    file, of which only these are run. Exits 1 when something failed.
    """
    files = [Path(name) for name in names if name.lower().endswith(SUFFIXES)]
    chosen = [name for name in names if Path(name) not in files]
    try:
        groups = asyncio.run(_groups(files, chosen, Path(config) if config else None))
    except KeyboardInterrupt:
        raise Stop(
            "The check was interrupted.", "Nothing is told of it.", "Run it again.", INTERRUPTED
        ) from None
    if as_json:
        click.echo(json_text(document(groups)))
    else:
        for line in lines(groups):
            click.echo(line)
    wrong = any(each.level is Level.FAILED for group in groups for each in group.findings)
    sys.exit(FAILED if wrong else 0)


async def _groups(files: Sequence[Path], names: Sequence[str], config: Path | None) -> list[Group]:
    groups = [await file(each) for each in files]
    if files and not names:
        return groups
    document = _read(config)
    destinations = _chosen(document, names)
    try:
        settings, found = understood(document), list[Finding]()
    except ConfigError as error:
        settings, found = None, each_failed("settings", error.message)
    if settings is not None:
        found = await _server(settings)
    groups.append(Group(None, None, found))
    server = settings.server if settings is not None else Server()
    return groups + await _all(destinations, server)


async def _server(settings: Settings) -> list[Finding]:
    """What there is to say of all destinations' server."""
    where = platform()
    understood = f"understood, {counted(len(settings.destinations), 'destination')}"
    return [
        ok("settings", understood),
        access(settings, where),
        *deadlines(settings, where),
        *await state(settings.state_url, where),
    ]


async def _all(destinations: Mapping[str, Mapping[str, Any]], server: Server) -> list[Group]:
    places, waiting = asyncio.Semaphore(AT_ONCE), Waiting()

    async def one(name: str, values: Mapping[str, Any]) -> Group:
        async with places, waiting.of(name):
            return await configured(name, values, server)

    async with waiting.shown():
        return list(await asyncio.gather(*(one(*each) for each in destinations.items())))


def _read(config: Path | None) -> dict[str, Any]:
    try:
        return read(config)
    except ConfigError as error:
        raise unreadable(error) from None


def _chosen(document: Mapping[str, Any], names: Sequence[str]) -> dict[str, Mapping[str, Any]]:
    """The destinations of these names, or all; those that are no tables are told elsewhere."""
    told = document.get("destinations")
    tables = told if isinstance(told, Mapping) else {}
    if told is None or told == {}:
        raise Stop(
            "There is nothing to check.",
            "No destination is configured.",
            "Write destinations.toml first; destination new NAME writes one to start from.",
            CONFIGURATION,
        )
    if missing := [name for name in names if name not in tables]:
        raise Stop(
            f"{missing[0]} cannot be checked.",
            unknown("Destination", missing[0], list(tables)),
            "Name another, or none to check all.",
            CONFIGURATION,
        )
    chosen = {name: tables[name] for name in names or tables}
    return {name: values for name, values in chosen.items() if isinstance(values, Mapping)}
