"""From the command's options to a try: which destination, and which rows."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from destination import registry
from destination.cli import CONFIGURATION, Stop
from destination.cli.options import sync_configuration
from destination.cli.people import PEOPLE
from destination.cli.rows.sources import read_table
from destination.cli.sandbox import stand_in
from destination.cli.tries.attempt import Attempt
from destination.cli.tries.given import Given, given, made, no_rows
from destination.model import Operation
from destination.settings import Server, load
from destination.sync import unknown

PEOPLE_TRIED = 3
"""The example people that are tried where no rows are given; the last one's address is wrong."""

Options = Mapping[str, Any]
Place = tuple[Mapping[str, Any], Server, Given]
"""A destination's settings, the server's, and what is tried."""


async def carry_out(name: str, options: Options, begun: list[Attempt]) -> None:
    """
    Try what the options say.

    Args:
        begun: Holds the try once there is one, so that it can be read whatever happens.

    Raises:
        ConfigError: The destination cannot be made.
        Stop: What is given cannot be used.
    """
    async with _place(name, options) as (values, server, rows):
        attempt = Attempt(
            name,
            values,
            server,
            rows,
            Operation(options["operation"]),
            send=options["send"],
            read=options["read"] or options["sandbox"],
        )
        begun.append(attempt)
        await attempt.run()


@asynccontextmanager
async def _place(name: str, options: Options) -> AsyncIterator[Place]:
    rows = given(
        options["texts"],
        options["rows"],
        options["query"],
        limit=options["limit"],
        id_column=options["id_column"],
        sync_config=options["sync_config"],
    )
    if options["sandbox"]:
        if name not in registry.stand_ins():
            raise _unknown("Stand-in", name, registry.stand_ins())
        async with stand_in(name) as reached:
            yield reached.settings, Server(), rows or _people(reached.stand_in, options)
        return
    settings = load(Path(options["config"]) if options["config"] else None)
    if name not in settings.destinations:
        raise _unknown("Destination", name, list(settings.destinations))
    if rows is None:
        raise no_rows()
    yield settings.destinations[name], settings.server, rows


def _people(stand_in: Any, options: Options) -> Given:
    """Example people, as the stand-in takes them."""
    if not hasattr(stand_in, "sync"):
        raise no_rows()
    told = options["sync_config"]
    configuration = sync_configuration(told) if told else stand_in.sync()
    table = read_table(PEOPLE / "people.csv", None)
    people = made(table, PEOPLE_TRIED, options["id_column"], configuration, "")
    return Given(
        people.rows,
        people.columns,
        people.id_column,
        configuration,
        [f"The first {PEOPLE_TRIED} of the example people, and their sync: none are given."],
    )


def _unknown(what: str, name: str, names: Sequence[str]) -> Stop:
    if what == "Stand-in":
        then = "With --sandbox NAME is a kind that has a stand-in."
    elif name in registry.stand_ins():
        then = f"It is a kind; see it without a configuration: destination try {name} --sandbox"
    else:
        then = "See what is configured with: destination list"
    return Stop(f"{name} cannot be tried.", unknown(what, name, names), then, CONFIGURATION)
