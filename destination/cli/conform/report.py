"""What a run has shown: for a person, and as JSON for a program."""

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

import click

from destination.cli.conform.case import GROUPS, Case, Outcome, Result
from destination.cli.conform.mask import Mask
from destination.cli.conform.run import Run
from destination.cli.conform.wire import Answer, Request
from destination.cli.text import counted

WORDS = {
    Outcome.PASSED: ("ok", "green"),
    Outcome.FAILED: ("FAIL", "red"),
    Outcome.WARNED: ("warn", "yellow"),
    Outcome.SKIPPED: ("skip", "cyan"),
    Outcome.OUTSIDE: ("–", "white"),
}
"""Outcome → the word at the beginning of a case's line, and its colour."""


def shown(run: Run, url: str, mask: Mask) -> Iterator[str]:
    """The report's lines: group by group, what cannot be judged at the end, then the sum."""
    yield mask.url(url)
    judged = [each for each in run.results if each.outcome is not Outcome.OUTSIDE]
    for letter, results in groupby(judged, key=lambda result: result.case.id[0]):
        yield f"\n{click.style(GROUPS[letter], bold=True)}"
        for result in results:
            yield from _lines(result, mask)
    if outside := [each for each in run.results if each.outcome is Outcome.OUTSIDE]:
        yield f"\n{click.style('Not to be judged from outside', bold=True)}"
        for result in outside:
            yield from _lines(result, mask)
    yield f"\n{summary(run)}"


def _lines(result: Result, mask: Mask) -> Iterator[str]:
    word, colour = WORDS[result.outcome]
    yield f"  {click.style(f'{word:<5}', fg=colour)}{result.case.id:<4} {result.case.title}"
    if result.outcome in (Outcome.SKIPPED, Outcome.OUTSIDE):
        yield f"            {mask.text(result.says)}"
    for name, text in told(result, mask).items():
        yield f"            {name:<9} {text}"


def told(result: Result, mask: Mask) -> dict[str, str]:
    """Of a case that does not hold: what was sent, what came, what was expected, and why."""
    if result.sent is None or not isinstance(result.case, Case):
        return {}
    return {
        "sent": sent(result.sent, mask),
        "received": received(result.came, mask),
        "expected": mask.text(result.says),
        "why": result.case.why,
    }


def sent(request: Request, mask: Mask) -> str:
    """A request on one line."""
    head = [f"{request.method} {mask.url(request.path)}"]
    head += [
        f"without {name}" if value is None else f"{name}: {mask.text(value)}"
        for name, value in request.told.items()
    ]
    if request.announced is not None:
        head.append(f"Content-Length: {request.announced}")
    head += ["in chunks"] if request.chunked else []
    head += ["Expect: 100-continue"] if request.expects else []
    return _with_body(head, request.body, mask)


def received(came: Answer | str, mask: Mask) -> str:
    """An answer on one line, or what came instead."""
    if isinstance(came, str):
        return mask.text(came)
    media_type = mask.text(came.header("Content-Type"))[:80]
    return _with_body([str(came.status), *filter(None, [media_type])], came.body, mask)


def _with_body(head: Sequence[str], body: bytes, mask: Mask) -> str:
    if not body:
        return ", ".join([*head, "no body"])
    return f"{', '.join([*head, f'{len(body):,} bytes'])}: {mask.body(body)}"


def summary(run: Run) -> str:
    """The last lines: how many of each, and what follows from it."""
    counts = Counter(each.outcome for each in run.results)
    parts = (
        f"{counts[Outcome.PASSED]} passed",
        f"{counts[Outcome.FAILED]} failed",
        f"{counts[Outcome.WARNED]} warned",
        f"{counts[Outcome.SKIPPED]} skipped",
        f"{counts[Outcome.OUTSIDE]} not to be judged",
    )
    if run.gone:
        verdict, colour = f"The server did not answer any more after {run.gone}.", "red"
    elif run.holds:
        verdict, colour = (
            "Everything that Hightouch relies on holds, as far as it was judged.",
            "green",
        )
    else:
        verdict, colour = "Something that Hightouch relies on does not hold.", "red"
    total = f"{counted(len(run.results), 'case')}: {', '.join(parts)}."
    return f"{total}\n{click.style(verdict, fg=colour, bold=True)}"


def document(run: Run, url: str, mask: Mask) -> dict[str, Any]:
    """The same for a program; outcomes are ``passed``, ``failed``, ``warned`` and so on."""
    counts = Counter(str(each.outcome) for each in run.results)
    return {
        "url": mask.url(url),
        "holds": run.holds,
        "unanswered_after": run.gone or None,
        "summary": {str(outcome): counts[outcome] for outcome in Outcome},
        "cases": [_entry(each, mask) for each in run.results],
    }


def _entry(result: Result, mask: Mask) -> dict[str, Any]:
    case = result.case
    entry: dict[str, Any] = {
        "id": case.id,
        "group": GROUPS[case.id[0]],
        "title": case.title,
        "level": str(case.level) if isinstance(case, Case) else None,
        "outcome": str(result.outcome),
    }
    if result.outcome in (Outcome.SKIPPED, Outcome.OUTSIDE):
        entry["reason"] = mask.text(result.says)
    return entry | told(result, mask)
