"""The trials run: round after round, in which every contestant has its turn."""

import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from bench.trials import TRIALS, Turns

Samples = dict[str, list[dict[str, float]]]
"""A trial's whole rounds, by its name."""

Tell = Callable[[str], None]


def run(trials: Sequence[str], rounds: int, samples: Samples) -> None:
    """Run these trials; ``samples`` has all that was measured, also when this is broken off."""
    total = sum(TRIALS[name].warm_up + rounds for name in trials)
    with tempfile.TemporaryDirectory() as folder, progress(total) as (tell, advance):
        for name in trials:
            own = Path(folder) / name
            own.mkdir()
            tell(f"{name}: starting")
            with TRIALS[name].ready(own) as turns:
                for _ in range(TRIALS[name].warm_up):
                    in_turn(turns, 0, f"{name}, warm-up", tell)
                    advance()
                for number in range(1, rounds + 1):
                    title = f"{name}, round {number} of {rounds}"
                    samples.setdefault(name, []).append(in_turn(turns, number, title, tell))
                    advance()


def in_turn(turns: Turns, number: int, title: str, tell: Tell) -> dict[str, float]:
    """One round's figures: every contestant has its turn, and each round another is first."""
    names = [*turns]
    first = number % len(names)
    sample: dict[str, float] = {}
    for name in names[first:] + names[:first]:
        tell(f"{title}: {name}")
        sample |= {f"{name}, {figure}": value for figure, value in turns[name]().items()}
    return sample


@contextmanager
def progress(total: int) -> Iterator[tuple[Tell, Callable[[], None]]]:
    """On a terminal a bar, elsewhere a line for each turn: what tells of it, and what moves it."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda word: print(word, file=sys.stderr, flush=True), lambda: None
        return
    columns = (
        BarColumn(),
        TextColumn("{task.completed:.0f}/{task.total:.0f}"),
        TimeElapsedColumn(),
        TextColumn("{task.description}"),
    )
    with Progress(*columns, console=console) as bar:
        task = bar.add_task("", total=total)
        yield lambda word: bar.update(task, description=word), lambda: bar.advance(task)
