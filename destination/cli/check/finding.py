"""What a check found: one sentence about one subject, and how bad it is."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How bad it is; a failure makes the command exit with 1."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Finding:
    """
    One line of the report.

    Args:
        subject: What was looked at, such as ``credentials``.
        says: One sentence: what was found, and what to do where something is wrong.
    """

    subject: str
    level: Level
    says: str


@dataclass(frozen=True, slots=True)
class Group:
    """What was found of one destination, of a spec file, or of the server, which has no name."""

    name: str | None
    kind: str | None
    findings: Sequence[Finding]


def ok(subject: str, says: str) -> Finding:
    """All is well."""
    return Finding(subject, Level.OK, says)


def warning(subject: str, says: str) -> Finding:
    """It works, and not as well as it could."""
    return Finding(subject, Level.WARNING, says)


def failed(subject: str, says: str) -> Finding:
    """Rows would not arrive."""
    return Finding(subject, Level.FAILED, says)


def each_failed(subject: str, lines: str) -> list[Finding]:
    """A failure for each line."""
    return [failed(subject, line) for line in lines.splitlines()]
