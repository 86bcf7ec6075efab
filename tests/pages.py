"""A page of the documentation as its reader meets it: commands to type, and files to write."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]

_BLOCK = re.compile(r"^```([\w-]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_WRITTEN = re.compile(r"\b(?:[Ww]rite|[Ss]ave) (?:it |this |them )?(?:as )?`([\w./-]+)`")
_VARIES = (r"[\d,]+ rows/s", r"\d+:\d\d:\d\d", r"[\d.]+ s,")
"""Rates and times: what a page may show as it was once, since everybody knows that it varies."""


@dataclass(frozen=True)
class Command:
    """A line to type, and what the page shows under it; nothing where it shows nothing."""

    line: str
    shown: str


@dataclass(frozen=True)
class File:
    """A file that the page has its reader write: the paragraph before it says which."""

    name: str
    text: str


def steps(page: str) -> Iterator[Command | File]:
    """What a reader does, in the order of the page."""
    end = 0
    for block in _BLOCK.finditer(page):
        before, end = page[end : block.start()].strip().rpartition("\n\n")[2], block.end()
        language, text = block.groups()
        if language == "console":
            yield from _commands(text)
        elif named := _WRITTEN.findall(before):
            yield File(named[-1], text)


def _commands(text: str) -> Iterator[Command]:
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        line, _, shown = re.sub(r"\\\n\s*", "", part).partition("\n")
        yield Command(line, shown.strip("\n"))


def agrees(shown: str, printed: str) -> bool:
    """
    Whether this was printed, where the page shows that.

    ``…`` stands for anything within a line, and alone in a line for any lines. How wide things are
    drawn does not count.
    """
    lines = [
        r"(?s:.*)" if line.strip() == "…" else re.escape(line).replace("…", ".*")
        for line in _masked(shown).splitlines()
    ]
    return re.fullmatch("\n".join(lines), _masked(printed)) is not None


def _masked(text: str) -> str:
    for pattern in _VARIES:
        text = re.sub(pattern, "…", text)
    lines = (re.sub(r"[ ─━]+", " ", line).strip() for line in text.strip().splitlines())
    return "\n".join(lines)


def ours(line: str) -> Iterator[list[str]]:
    """The words of each command of ours in a line, from the command's name on."""
    for found in re.finditer(r"(?:^|[\s/])destination ([^|;&<>]*)", line):
        try:
            yield shlex.split(found[1])
        except ValueError:  # a quote that was opened before our command
            yield found[1].split()


def spoken(page: str) -> Iterator[list[str]]:
    """The words of each command of ours that the page's sentences name."""
    for code in re.findall(r"`([^`\n]+)`", _BLOCK.sub("", page)):
        if re.match(r"(?:\.venv/bin/)?destination [a-z]", code):
            yield from ours(code)
