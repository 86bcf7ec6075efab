"""What became of a run: tables for a person, one document for a program."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import click

from destination.cli import FAILED, INTERRUPTED, UNREACHABLE, Stop, table
from destination.cli.rows import Row
from destination.cli.sync.answers import Behavior, Problems
from destination.cli.sync.changes import LeftOut
from destination.cli.sync.progress import rate
from destination.cli.sync.run import Outcome
from destination.cli.text import counted, shown
from destination.model import Operation

MOST_REASONS = 20
"""Reasons in the table; the document for programs has all of them."""


@dataclass(slots=True)
class Report:
    """
    One run, as it ended.

    Args:
        url: Where to, without secrets.
        left_out: Rows that cannot be sent.
        unchanged: Rows that needed no sending.
        recorded: By operation, rows that were not to be sent.
        behavior: None where it was not asked, as for a test row.
        seconds: How long the run took, with the waits between retries.
        seconds_in_calls: How long its calls took.
        test_row: Only a single row was sent.
        unsaved: Why the state could not be saved.
    """

    url: str
    outcomes: Sequence[Outcome] = ()
    left_out: Sequence[LeftOut] = ()
    unchanged: int = 0
    recorded: Mapping[Operation, int] = field(default_factory=dict)
    behavior: Behavior | None = None
    problems: Problems = field(default_factory=Problems)
    notes: Sequence[str] = ()
    seconds: float = 0.0
    seconds_in_calls: float = 0.0
    test_row: bool = False
    interrupted: bool = False
    gave_up: bool = False
    unsaved: Stop | None = None

    @property
    def sent(self) -> int:
        """Rows that were sent, those that were sent again counted again."""
        return sum(each.reached + each.repeated for each in self.outcomes)

    @property
    def exit_code(self) -> int:
        """130 when interrupted, 4 when the server was gone, 1 when not all was well."""
        if self.unsaved:
            return self.unsaved.exit_code
        if self.interrupted:
            return INTERRUPTED
        if self.gave_up:
            return UNREACHABLE
        wrong = self.left_out or self.problems or any(each.refused for each in self.outcomes)
        return FAILED if wrong else 0

    def reasons(self) -> list[tuple[str, int]]:
        """Each reason and how many rows it stands for, the most frequent first."""
        return Counter(reason for _, reason, _ in self.refused()).most_common()

    def refused(self) -> Iterator[tuple[str, str, Row]]:
        """The operation, the reason and the row of all that was not accepted."""
        for each in self.left_out:
            yield "", each.reason, each.row
        for outcome in self.outcomes:
            for position, refusal in sorted(outcome.refused.items()):
                yield str(outcome.operation), refusal.reason, outcome.rows[position]


def print_report(report: Report) -> None:
    """Tables on standard output; a sentence for a test row."""
    if report.test_row:
        click.echo(_verdict(report.outcomes[0]))
    else:
        _print_rows(report)
        _print_counts("Why rows were not accepted", ("rows", "reason"), report.reasons())
    problems = report.problems.most_common()
    _print_counts("What the server answered wrongly", ("times", "what"), problems)
    for sentence in _sentences(report):
        click.echo(sentence)


def _verdict(outcome: Outcome) -> str:
    for refusal in outcome.refused.values():
        return f"The row was {'not accepted' if refusal.failed else 'rejected'}: {refusal.reason}"
    return "The row was accepted." if outcome.reached else "The row was not sent."


def _print_rows(report: Report) -> None:
    lines: list[list[Any]] = [
        [
            str(each.operation),
            len(each.rows),
            each.accepted,
            each.rejected,
            each.failed,
            each.unsent,
        ]
        for each in report.outcomes
    ]
    if report.left_out:
        lines.append(["left out", len(report.left_out), 0, len(report.left_out), 0, 0])
    lines += [[str(name), n, 0, 0, 0, n] for name, n in report.recorded.items() if n]
    sums = [sum(line[column] for line in lines) for column in range(1, 6)]
    headings = ["operation", "rows", "accepted", "rejected", "call failed", "not sent"]
    table("Rows", headings, [*lines, ["in all", *sums]])


def _print_counts(title: str, headings: Sequence[str], counts: Sequence[tuple[str, int]]) -> None:
    if counts:
        rows = [[count, shown(text)] for text, count in counts[:MOST_REASONS]]
        table(title, headings, rows)
    if (more := len(counts) - MOST_REASONS) > 0:
        click.echo(f"… and {more} more.")


def _sentences(report: Report) -> Iterator[str]:
    if report.unchanged:
        yield f"Unchanged, and not sent: {counted(report.unchanged, 'row')}."
    behavior = report.behavior
    if behavior and (off := [each for each in Operation if each not in behavior.operations]):
        yield f"behavior switches off: {', '.join(off)}."
    if behavior and behavior.skip_initial_run and report.recorded.get(Operation.ADD):
        yield "behavior says skipInitialRun: the rows of the first run are recorded, not sent."
    if calls := sum(each.calls for each in report.outcomes):
        again = sum(each.repeated for each in report.outcomes)
        repeated = f", {again:,} of them again," if again else ""
        yield (
            f"Sent {counted(report.sent, 'row')}{repeated} in {counted(calls, 'call')}: "
            f"{report.seconds:.1f} s, {rate(report.sent, report.seconds_in_calls)}."
        )
    if report.gave_up:
        yield "The run was given up: the server could not be connected to any more."
    if report.interrupted:
        yield "The run was interrupted."


def document(report: Report) -> dict[str, Any]:
    """The report for a program: counts and reasons, no values of rows."""
    behavior = report.behavior
    return {
        "url": report.url,
        "behavior": behavior
        and {
            "batchSize": behavior.batch_size,
            "operations": {str(each): each in behavior.operations for each in Operation},
            "skipInitialRun": behavior.skip_initial_run,
        },
        "operations": {str(each.operation): _counts(each) for each in report.outcomes},
        "left_out": len(report.left_out),
        "unchanged": report.unchanged,
        "recorded": {str(name): count for name, count in report.recorded.items()},
        "reasons": [{"rows": count, "reason": reason} for reason, count in report.reasons()],
        "problems": [
            {"times": count, "problem": text} for text, count in report.problems.most_common()
        ],
        "notes": list(report.notes),
        "seconds": round(report.seconds, 3),
        "rows_per_second": round(report.sent / (report.seconds_in_calls or 1), 1),
        "interrupted": report.interrupted,
        "gave_up": report.gave_up,
        "exit_code": report.exit_code,
    }


def _counts(outcome: Outcome) -> dict[str, int]:
    return {
        "rows": len(outcome.rows),
        "accepted": outcome.accepted,
        "rejected": outcome.rejected,
        "call_failed": outcome.failed,
        "not_sent": outcome.unsent,
        "sent_again": outcome.repeated,
        "calls": outcome.calls,
    }
