"""The findings: for a person, and as JSON for a program; and what is being checked meanwhile."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

import click
from rich.console import Console
from rich.text import Text

from destination.cli.check.finding import Group, Level
from destination.cli.text import counted, safe

COLOURS = {Level.OK: "green", Level.WARNING: "yellow", Level.FAILED: "red"}

SOON = 1.0
"""Seconds of silence before a terminal shows what is waited for."""


def document(groups: Sequence[Group]) -> list[dict[str, Any]]:
    """An object for each finding."""
    return [
        {
            "name": group.name,
            "kind": group.kind,
            "check": finding.subject,
            "outcome": str(finding.level),
            "says": finding.says,
        }
        for group in groups
        for finding in group.findings
    ]


def lines(groups: Sequence[Group]) -> Iterator[str]:
    """A line for each finding, below the name of what it is about; the sum at the end."""
    for group in groups:
        kind = f" ({group.kind})" if group.kind else ""
        yield click.style(safe(f"{group.name or 'server'}{kind}"), bold=True)
        for finding in group.findings:
            word = click.style(f"{finding.level:<7}", fg=COLOURS[finding.level])
            yield f"  {word}  {finding.subject:<12}  {safe(finding.says)}"
        yield ""
    yield total(groups)


def total(groups: Sequence[Group]) -> str:
    """How many findings of each sort there are."""
    count = Counter(finding.level for group in groups for finding in group.findings)
    warnings = counted(count[Level.WARNING], "warning")
    return f"{count[Level.FAILED]} failed, {warnings}, {count[Level.OK]} ok"


class Waiting:
    """What is being checked, for a person who waits."""

    def __init__(self) -> None:
        self._names = list[str]()

    @asynccontextmanager
    async def of(self, name: str) -> AsyncIterator[None]:
        """This is being checked inside the block."""
        self._names.append(name)
        try:
            yield
        finally:
            self._names.remove(name)

    @asynccontextmanager
    async def shown(self) -> AsyncIterator[None]:
        """On a terminal, after a moment of silence; it is gone after the block."""
        task = asyncio.create_task(self._show())
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def _show(self) -> None:
        console = Console(stderr=True)
        if not console.is_terminal:
            return
        await asyncio.sleep(SOON)
        with console.status("") as status:
            while True:
                status.update(Text(f"Checking {', '.join(self._names)} …"))
                await asyncio.sleep(SOON / 4)
