"""What a try has shown, for people and for programs."""

from collections.abc import Iterator, Sequence
from http import HTTPStatus
from typing import Any

import click

from destination.cli import table
from destination.cli.text import counted, shown, visible
from destination.cli.tries.attempt import Attempt, Fate, Outcome
from destination.cli.tries.mask import Shown
from destination.cli.tries.parts import answered, pretty, shown_headers, structured
from destination.cli.tries.watch import Asked

MANY = 20
"""Requests that are shown to people."""

LONGEST_SENT, LONGEST_ANSWERED, LONGEST_READ = 20_000, 2_000, 300
"""Characters of a body that are shown to people: of a request, of its answer, of what is there."""

TOLD = ("content-type", "retry-after", "location")
"""Headers of an answer that are shown."""

_WORDS = {
    Outcome.WOULD_BE_SENT: "would be sent",
    Outcome.DELIVERED: "delivered",
    Outcome.REJECTED: "rejected",
    Outcome.SKIPPED: "skipped: the settings leave it out",
    Outcome.NOTHING_TO_SEND: "nothing to send",
    Outcome.UNDETERMINED: "depends on what the vendor says there is",
    Outcome.UNKNOWN: "interrupted: may have been delivered",
    Outcome.NOT_SENT: "interrupted: not sent",
}


def failed(attempt: Attempt) -> bool:
    """Whether a row was rejected, or it is not known what became of it."""
    bad = {Outcome.REJECTED, Outcome.UNKNOWN, Outcome.NOT_SENT}
    return any(fate.outcome in bad for fate in attempt.fates())


# For programs -----------------------------------------------------------------------------------


def document(attempt: Attempt, exit_code: int) -> dict[str, Any]:
    """Everything, for JSON."""
    mask = _mask(attempt)
    return {
        "destination": attempt.name,
        "kind": attempt.kind,
        "operation": attempt.operation,
        "sent": attempt.send,
        "id_column": attempt.given.id_column,
        "sync_config": attempt.configuration,
        "notes": attempt.notes,
        "requests": [_request(attempt, mask, each) for each in attempt.asked],
        "rows": [_row(attempt, mask, fate) for fate in attempt.fates()],
        "exit_code": exit_code,
    }


def _request(attempt: Attempt, mask: Shown, asked: Asked) -> dict[str, Any]:
    answer = {
        "status": asked.status,
        "headers": {name: mask.text(asked.headers[name]) for name in TOLD if name in asked.headers},
        "body": structured(mask, asked, answered(asked)),
        "cut": asked.cut,
    }
    return {
        "number": asked.number,
        "for": _purpose(asked),
        "rows": _ids(attempt, asked.rows),
        "method": asked.request.method,
        "url": mask.url(asked.request.url),
        "headers": dict(shown_headers(mask, asked)),
        "body": structured(mask, asked, asked.request.content),
        "sent": asked.sent,
        "attempt_of": asked.first,
        "perhaps_after": asked.after,
        "ms": None if asked.seconds is None else round(asked.seconds * 1000, 1),
        "answer": answer if asked.status is not None else None,
        "failure": asked.failure or None,
    }


def _row(attempt: Attempt, mask: Shown, fate: Fate) -> dict[str, Any]:
    return {
        "id": _ids(attempt, [fate.position])[0],
        "outcome": fate.outcome,
        "reason": mask.text(fate.reason) or None,
        "requests": fate.requests,
    }


# For people -------------------------------------------------------------------------------------


def print_report(attempt: Attempt) -> None:
    """Every request, what came of it, and what became of each row, on standard output."""
    mask = _mask(attempt)
    rows = counted(len(attempt.given.rows), "row")
    click.secho(f"{attempt.name} ({attempt.kind}): {rows} to {attempt.operation}", bold=True)
    for note in attempt.notes:
        click.echo(f"  {visible(note)}")
    for asked in attempt.asked[:MANY]:
        click.echo()
        _print_request(attempt, mask, asked)
    if more := attempt.asked[MANY:]:
        click.echo(f"\n{counted(len(more), 'more request')}: --json shows all.")
    click.echo()
    table(
        "Rows",
        ["row", "what becomes of it", "requests"],
        [
            [
                shown(_ids(attempt, [fate.position])[0], 80),
                ": ".join(filter(None, (_WORDS[fate.outcome], mask.text(fate.reason)))),
                ", ".join(map(str, fate.requests)),
            ]
            for fate in attempt.fates()
        ],
    )
    for line in _ends(attempt):
        click.echo(line)


def _print_request(attempt: Attempt, mask: Shown, asked: Asked) -> None:
    click.secho(f"Request {asked.number}{_about(attempt, asked)}", bold=True)
    click.secho(f"  {asked.request.method} {visible(mask.url(asked.request.url))}", fg="cyan")
    for name, value in shown_headers(mask, asked):
        click.echo(f"  {visible(name)}: {visible(value)}")
    _print_body(pretty(mask, asked, asked.request.content), LONGEST_SENT)
    click.echo()
    if asked.status is not None or asked.failure:
        _print_answer(mask, asked)
    elif asked.sent:
        click.secho("  → interrupted before it was answered", fg="red")
    elif asked.errand:
        click.echo("  → not sent; a made-up token stands for the one that it would bring")
    else:
        click.echo("  → not sent")


def _print_answer(mask: Shown, asked: Asked) -> None:
    status, ms = asked.status, "" if asked.seconds is None else f" in {asked.seconds * 1000:.0f} ms"
    said = asked.failure if status is None else f"{status} {_phrase(status)}".strip()
    good = status is not None and 200 <= status < 300
    click.secho(f"  → {said}{ms}", fg="green" if good else "red")
    if status is not None and asked.failure:
        click.secho(f"    {asked.failure}", fg="red")
    for name in TOLD:
        if name in asked.headers:
            click.echo(f"  {name.title()}: {visible(mask.text(asked.headers[name]))}")
    most = LONGEST_ANSWERED if asked.rows else LONGEST_READ
    _print_body(pretty(mask, asked, answered(asked)), most)


def _print_body(text: str, most: int) -> None:
    if not text:
        return
    click.echo()
    for line in text[:most].split("\n"):
        click.echo(f"  {visible(line)}".rstrip())
    if len(text) > most:
        click.echo(f"  … {len(text) - most:,} more characters: --json shows them")


def _about(attempt: Attempt, asked: Asked) -> str:
    parts = [""]
    if asked.errand:
        parts.append("for a token")
    elif asked.rows:
        ids = [shown(id, 40) for id in _ids(attempt, asked.rows[:5])]
        more = f" and {len(asked.rows) - 5} more" if len(asked.rows) > 5 else ""
        parts.append(f"{'row' if len(asked.rows) == 1 else 'rows'} {', '.join(ids)}{more}")
    else:
        parts.append("asks what there is")
    if asked.first:
        parts.append(f"request {asked.first} again")
    if asked.after:
        parts.append(f"perhaps, after the answer to request {asked.after}")
    return " · ".join(parts)


def _ends(attempt: Attempt) -> Iterator[str]:
    sent = any(each.sent for each in attempt.asked)
    if attempt.send and sent:
        yield "What was sent is not remembered: the next run of a sync sends these rows again."
    if attempt.send:
        return
    outcomes = {fate.outcome for fate in attempt.fates()}
    if Outcome.UNDETERMINED in outcomes and not attempt.read:
        yield "What rows cause here depends on what the vendor says there is: --read asks it."
    if Outcome.WOULD_BE_SENT in outcomes:
        yield "What follows a request depends on its answer."
    if sent:
        yield "Requests that only read were sent, and no rows. With --send rows are."
    else:
        more = " With --send it is." if Outcome.WOULD_BE_SENT in outcomes else ""
        yield f"Nothing was sent.{more}"


def _mask(attempt: Attempt) -> Shown:
    for each in attempt.asked:
        attempt.mask.learn(each)
    return attempt.mask


def _ids(attempt: Attempt, positions: Sequence[int]) -> list[Any]:
    rows, column = attempt.given.rows, attempt.given.id_column
    return [rows[position][column] for position in positions]


def _purpose(asked: Asked) -> str:
    if asked.errand:
        return "token"
    return "rows" if asked.rows else "form"


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""
