"""What a conformance case is, and how it ends."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from destination.cli.conform.server import Server
from destination.cli.conform.verdict import Level
from destination.cli.conform.wire import Answer, Request

GROUPS: Mapping[str, str] = {
    "T": "Transport",
    "E": "Envelope",
    "C": "Configuration methods",
    "S": "Sync methods",
}
"""The letter that a case's id begins with → what the group is called."""


Judge = Callable[[Server], Awaitable[None]]
"""Returns when a case holds, and else raises Unmet, NotJudged or NoAnswer."""


class Needs(StrEnum):
    """What the person who runs a case must give; the value says how."""

    NOTHING = ""
    SECRET = "it needs the server's secret: --token, or --header"  # noqa: S105
    CONFIGURATION = "it needs a sync's configuration: --sync-config"
    ROWS = "it writes rows: --sync-config and --rows"


class Outcome(StrEnum):
    """How a case ended."""

    PASSED = "passed"
    FAILED = "failed"
    """A must does not hold."""
    WARNED = "warned"
    """A should does not hold."""
    SKIPPED = "skipped"
    OUTSIDE = "outside"
    """It cannot be judged from outside."""


@dataclass(frozen=True, slots=True)
class Case:
    """
    One line of the table.

    Args:
        title: A sentence that is true of a server that conforms.
        why: Why it matters, to somebody who runs syncs.
    """

    id: str
    title: str
    level: Level
    why: str
    judge: Judge
    needs: Needs = Needs.NOTHING


@dataclass(frozen=True, slots=True)
class Outside:
    """A case that cannot be judged from outside, and why not."""

    id: str
    title: str
    why: str


@dataclass(frozen=True, slots=True)
class Result:
    """
    What became of a case.

    Args:
        says: What was expected of a case that failed, or why it was skipped.
        sent: The request that was decisive.
        came: Its answer, or what came instead of one.
    """

    case: Case | Outside
    outcome: Outcome
    says: str = ""
    sent: Request | None = None
    came: Answer | str = ""
