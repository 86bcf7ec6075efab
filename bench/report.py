"""What is told of the results: a table on the terminal, a page of the documentation, and JSON."""

import dataclasses
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.lines import LINES, Line
from bench.processes import ROOT
from bench.summary import Results, Spread
from bench.trials import TEMPLATES, TRIALS
from destination.cli import table

PAGE = ROOT / "docs" / "performance.md"
TEXT = Path(__file__).with_name("performance.md")
"""The page without its figures."""

HEADINGS = ("", "measure", "wanted", "median", "lowest to highest", "met")
YES_NO = {True: "yes", False: "no", None: ""}


def shown(line: Line, spread: Spread) -> list[str]:
    """A line as the cells of a row."""
    word = "at most" if line.at_most else "at least"
    wanted = "" if line.wanted is None else f"{word} {line.wanted:g}{line.unit}"
    aim = "" if line.aim is None else f"{'; ' if wanted else ''}aim {line.aim:g}{line.unit}"
    return [
        line.id,
        line.what,
        wanted + aim,
        _number(spread.median) + line.unit,
        f"{_number(spread.lowest)} to {_number(spread.highest)}",
        YES_NO[line.met(spread.median)],
    ]


def _number(value: float) -> str:
    """Three digits that say something."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def tell(results: Results, lines: Sequence[Line]) -> None:
    """Print the table."""
    cells = [shown(*each) for each in results.lines(lines)]
    table("Bench", list(HEADINGS), cells)


def page(results: Results, machine: Mapping[str, str], command: str, repeats: int) -> str:
    """The page; it has no figure but the run's own."""
    return TEXT.read_text("utf-8").format(
        command=command,
        repeats=repeats,
        lines=_markdown(HEADINGS, [shown(*each) for each in results.lines()]),
        templates="\n".join(f"- {name}: `{source}`" for name, source in TEMPLATES.items()),
        machine=_markdown(("", ""), [list(each) for each in machine.items()]),
        figures="".join(_figures(results)),
    )


def _figures(results: Results) -> Iterator[str]:
    for name in results.samples:
        cells = [
            [figure, _number(each.median), f"{_number(each.lowest)} to {_number(each.highest)}"]
            for figure, each in results.figures(name).items()
        ]
        yield f"\n{TRIALS[name].title}:\n\n"
        yield _markdown(("figure", "median", "lowest to highest"), cells)


def _markdown(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [headings, ["---"] * len(headings), *rows]
    cells = ([cell.replace("|", r"\|") for cell in line] for line in lines)
    return "".join(f"| {' | '.join(line)} |\n" for line in cells)


def write_json(results: Results, machine: Mapping[str, str], path: Path) -> None:
    """Everything that was measured, for a program."""
    lines: list[dict[str, Any]] = [
        {"id": line.id, "what": line.what, "wanted": line.wanted, "met": line.met(spread.median)}
        | dataclasses.asdict(spread)
        for line, spread in results.lines(LINES)
    ]
    document = {"machine": dict(machine), "lines": lines, "samples": results.samples}
    path.write_text(json.dumps(document, indent=2) + "\n")
