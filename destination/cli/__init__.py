"""The command line. Each command is imported when it is asked for, so that all start quickly."""

import importlib
import io
import os
import sys
from collections.abc import Sequence
from typing import IO, Any

import click

from destination import logs
from destination.cli.text import safe
from destination.errors import ConfigError
from destination.sync import unknown

COMMANDS = {
    "serve": "serve",
    "demo": "demo",
    "check": "check",
    "list": "describe",
    "describe": "describe",
    "try": "tries",
    "call": "call",
    "conform": "conform.command",
    "sync": "sync",
    "new": "new",
}
"""Command → the module of this package that holds it."""

FAILED, USAGE, CONFIGURATION, UNREACHABLE, INTERRUPTED = 1, 2, 3, 4, 130
"""Exit codes; 0 is fine."""


NARROW = 40
"""Columns that a table takes at least: in fewer rich leaves out what is in it."""


class _Lazy(click.Group):
    def main(self, *args: Any, **extra: Any) -> Any:
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):  # it may know few characters
                stream.reconfigure(errors="backslashreplace")
        return super().main(*args, **extra)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command:
        if cmd_name not in COMMANDS:
            raise click.UsageError(unknown("Command", cmd_name, list(COMMANDS)), ctx)
        module = importlib.import_module(f"destination.cli.{COMMANDS[cmd_name]}")
        command: click.Command = getattr(module, f"{cmd_name}_command")
        return command


@click.command(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="destination", message="%(prog)s %(version)s")
def main() -> None:
    """
    A Hightouch custom destination server.

    Hightouch's syncs reach any vendor API through one URL; every row that was not delivered
    comes back with its reason.

    \b
    Start here:
      destination demo                      see a whole sync, no account needed
      destination list                      the kinds of destination there are
      destination describe webhook          what a kind can be told
      destination check                     find what is wrong before the first sync
      destination try webhook --sandbox     see the requests that rows would cause
      destination serve                     run the server on destinations.toml
      destination conform URL               judge any server that Hightouch calls
      destination sync URL --rows FILE …    act as Hightouch against any server
      destination new NAME                  start a destination of your own

    Exit codes: 0 fine, 1 a check failed or rows were rejected, 2 usage, 3 configuration,
    4 the server called cannot be reached.
    """  # noqa: D301 - click reads it as a mark
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        click.get_current_context().color = False
    # Standard output is for data; serve configures its log anew from the settings.
    logs.configure(level="warning", format="auto")


class Stop(click.ClickException):
    """The end of a command: what failed, why, what to do next, and the exit code."""

    def __init__(self, what: str, why: str, then: str, code: int = USAGE) -> None:
        super().__init__(f"{what} {why}")
        self.what, self.why, self.then = what, why, then
        self.exit_code = code  # type: ignore[misc]  # click asks the exception itself

    def show(self, file: IO[Any] | None = None) -> None:
        """Three lines to standard error."""
        click.echo(
            f"{click.style('Error', fg='red', bold=True)}: {safe(self.what)}", file, err=True
        )
        for line in (*self.why.splitlines(), *self.then.splitlines()):
            click.echo(f"  {safe(line)}", file, err=True)


def unreadable(error: ConfigError) -> Stop:
    """What to say where the server's file or environment cannot be understood."""
    return Stop(
        "The configuration cannot be read.",
        error.message,
        "Mend it, then run this again.",
        CONFIGURATION,
    )


config_option = click.option(
    "--config",
    "-c",
    type=click.Path(dir_okay=False),
    help="The server's file. Default: DESTINATION_CONFIG, else ./destinations.toml.",
)
json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print JSON for a program to read."
)


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Print a table to standard output, numbers to the right; as wide as it needs when piped."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    drawn = Table(title=title, title_justify="left", title_style="bold")
    for position, column in enumerate(columns):
        numeric = bool(rows) and all(isinstance(row[position], int) for row in rows)
        drawn.add_column(column, justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        drawn.add_row(*(Text(safe(str(cell))) for cell in row))
    console = Console()
    if not console.is_terminal:
        console = Console(width=140)  # a pipe has no width; rich would take 80
    elif console.width < NARROW:
        console = Console(width=NARROW)
    console.print(drawn)
