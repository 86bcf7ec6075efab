"""How a run is getting on: bars on a terminal, plain lines elsewhere; on standard error."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    ProgressColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
)
from rich.progress import Progress as RichProgress
from rich.text import Text

from destination.cli.sync.run import Progress
from destination.cli.text import counted

EVERY = 10.0
"""Seconds between plain lines."""


class Lines:
    """A line when rows have been sent, and now and then on the way."""

    def __init__(self, prefix: str = "", clock: Callable[[], float] = time.monotonic) -> None:
        self._prefix = prefix
        self._clock = clock
        self.begin("", 0)

    def begin(self, title: str, total: int) -> None:
        """So many rows begin to be sent."""
        self._title, self._total = title, total
        self._sent = self._refused = 0
        self._began = self._said = self._clock()

    def advance(self, rows: int, refused: int) -> None:
        """So many were sent."""
        self._sent += rows
        self._refused += refused
        now = self._clock()
        if self._sent < self._total and now - self._said < EVERY:
            return
        self._said = now
        all_rows = counted(self._total, "row")
        of = "" if self._sent == self._total else f"{self._sent:,} of "
        refused_so_far = f", {self._refused:,} not accepted" if self._refused else ""
        self.note(
            f"{self._prefix}{self._title}: {of}{all_rows}{refused_so_far}, "
            f"{rate(self._sent, now - self._began)}"
        )

    def note(self, text: str) -> None:
        """A sentence for the person who waits."""
        click.echo(text, err=True)


class Bars:
    """A bar for what is being sent."""

    def __init__(self, progress: RichProgress, prefix: str = "") -> None:
        self._progress = progress
        self._prefix = prefix

    def begin(self, title: str, total: int) -> None:
        """So many rows begin to be sent."""
        self._refused = 0
        self._task = self._progress.add_task(f"{self._prefix}{title}", total=total, refused="")

    def advance(self, rows: int, refused: int) -> None:
        """So many were sent."""
        self._refused += refused
        text = f"{self._refused:,} not accepted" if self._refused else ""
        self._progress.update(self._task, advance=rows, refused=text)

    def note(self, text: str) -> None:
        """A sentence above the bars."""
        self._progress.console.print(Text(text))


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text(rate(task.completed, task.elapsed or 0), style="progress.data.speed")


@contextmanager
def watched(prefix: str = "") -> Iterator[Progress]:
    """Whoever is told of a run inside the block shows it as standard error can."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield Lines(prefix)
        return
    columns = (
        TextColumn("{task.description:<13}"),
        BarColumn(bar_width=30),
        MofNCompleteColumn(),
        _Rate(),
        TimeElapsedColumn(),
        TextColumn("[red]{task.fields[refused]}"),
    )
    with RichProgress(*columns, console=console) as progress:
        yield Bars(progress, prefix)


def rate(rows: float, seconds: float) -> str:
    """So many rows a second, in words."""
    return f"{rows / seconds:,.0f} rows/s" if seconds > 0 else "- rows/s"
