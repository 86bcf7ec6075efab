"""What the long proofs share: options, a progress bar or plain lines, figures as table and JSON."""

import argparse
import asyncio
import json
import math
import sys
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from destination.cli import table

INTERRUPTED = 130
PLAIN_LINES = 20
"""How many lines tell of the progress where there is no terminal."""


@dataclass
class Report:
    """What a proof has to show: figures by name, and what was found to be wrong."""

    title: str
    figures: dict[str, Any] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)

    def publish(self, path: Path | None) -> None:
        """Print the table and the failures; write both as JSON, if a path is given."""
        table(self.title, ["figure", "value"], [[*each] for each in self.figures.items()])
        for failure in self.failures:
            print(f"FAILED: {failure}")
        if path is not None:
            found = {"title": self.title, "figures": self.figures, "failures": self.failures}
            path.write_text(json.dumps(found, indent=2) + "\n")


def options(description: str) -> argparse.ArgumentParser:
    """A parser for what all proofs take."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    return parser


Proof = Callable[[argparse.Namespace, Report], Awaitable[None]]


def prove(title: str, parser: argparse.ArgumentParser, proof: Proof) -> NoReturn:
    """Run a proof to its end or to Ctrl-C; exits with 1 when something was found wrong."""
    chosen = parser.parse_args()
    report, code = Report(title), 0

    async def run() -> None:
        await proof(chosen, report)

    try:
        asyncio.run(run())
    except KeyboardInterrupt:
        print("Interrupted; these are the figures so far.", file=sys.stderr)
        code = INTERRUPTED
    report.publish(chosen.json)
    sys.exit(code or bool(report.failures))


@contextmanager
def progress(title: str, total: float) -> Iterator[Callable[[float, str], None]]:
    """A bar on a terminal, else a line now and then; it is told how far things are, and a word."""
    console = Console(stderr=True)
    if console.is_terminal:
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.completed:.0f}/{task.total:.0f} {task.fields[word]}"),
            TimeElapsedColumn(),
        )
        with Progress(*columns, console=console) as bar:
            task = bar.add_task(title, total=total, word="")
            yield lambda done, word: bar.update(task, completed=done, word=word)
        return
    told = 0

    def tell(done: float, word: str) -> None:
        nonlocal told
        if math.floor(done * PLAIN_LINES / total) > told:
            told = math.floor(done * PLAIN_LINES / total)
            print(f"{title}: {done:.0f} of {total:.0f} {word}", file=sys.stderr, flush=True)

    yield tell


def percentile(values: Sequence[float], share: float) -> float:
    """The value that a share of all does not exceed; not a number when there is none."""
    if not values:
        return math.nan
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


def slope(points: Sequence[tuple[float, float]]) -> float:
    """How fast the second of each pair grows with the first, by least squares."""
    mean_x = sum(x for x, _ in points) / len(points)
    mean_y = sum(y for _, y in points) / len(points)
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    return sum((x - mean_x) * (y - mean_y) for x, y in points) / spread if spread else 0.0


def milliseconds(seconds: float) -> float:
    """Rounded for a table."""
    return round(seconds * 1000, 1)
