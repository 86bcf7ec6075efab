"""How a case says that an answer is not what it should be, or that there is nothing to judge."""

from enum import StrEnum

from destination.cli.conform.wire import Answer


class Level(StrEnum):
    """Whether Hightouch itself relies on a case, or it is good practice only."""

    MUST = "must"
    SHOULD = "should"


MUST, SHOULD = Level.MUST, Level.SHOULD


class Unmet(Exception):
    """
    An answer is not what it should be; the message is what was expected.

    Args:
        level: Where it is less serious than the case itself.
    """

    def __init__(self, answer: Answer, expected: str, level: Level | None = None) -> None:
        super().__init__(expected)
        self.answer = answer
        self.level = level


class NotJudged(Exception):
    """This server gives the case nothing to judge; the message says why."""


def require(answer: Answer, expected: str, *, holds: bool, level: Level | None = None) -> None:
    """Raise Unmet unless it holds."""
    if not holds:
        raise Unmet(answer, expected, level)
