"""
When to leave a vendor alone. Pure: time and chance are arguments.

A vendor that fails again and again is given a rest: what would be sent to it is refused at once,
so that rows come back while there is time, and the vendor has a chance to recover. After the
rest a single request probes it.
"""

from collections import deque
from collections.abc import Callable

from destination.errors import (
    CircuitOpen,
    DestinationError,
    FatalError,
    RateLimited,
    UnavailableError,
)

CONSECUTIVE = 10
"""Failures in a row that open the circuit."""

FATAL = 2
"""Answers in a row that say "not until a person acts", such as refused credentials, that do."""

SHARE, SAMPLE, WINDOW = 0.75, 20, 10.0
"""The share of failures that opens it, among at least so many answers, within so many seconds."""

REST, LONGEST_REST = 30.0, 300.0
"""Seconds of the first rest and of any; each is twice the one before, give or take a tenth."""


class Breaker:
    """
    One destination's circuit: closed, open, or half open with one probe under way.

    Args:
        random: A number in [0, 1) each time it is called.
    """

    def __init__(self, random: Callable[[], float]) -> None:
        self._random = random
        self._recent: deque[tuple[float, bool]] = deque()
        self._recent_failures = 0
        self._failures = 0
        self._fatal = 0
        self._rest = REST
        self._open_until: float | None = None
        self._because: DestinationError | None = None
        self._probing = False
        self._period = 0
        """Counts how often the circuit opened and closed."""

    @property
    def is_open(self) -> bool:
        """True from the failure that opened the circuit to the answer that closes it."""
        return self._open_until is not None

    def blocks(self, now: float) -> DestinationError | None:
        """Why nothing may be sent now; None when something may."""
        if self._open_until is None or (now >= self._open_until and not self._probing):
            return None
        if isinstance(self._because, FatalError):
            return self._because.before_sending()
        return CircuitOpen("not sent: the vendor failed too often a moment ago and is given a rest")

    def begin(self) -> int:
        """A request goes out that ``blocks`` did not forbid; its outcome is told with this."""
        self._probing = self.is_open
        return self._period

    def abandon(self, began: int) -> None:
        """The request was given up without an outcome: another may probe."""
        if began == self._period:
            self._probing = False

    def ended(self, error: DestinationError | None, now: float, began: int) -> None:
        """
        The request's outcome, as it was classified; None when it was taken.

        What was under way when the circuit opened changes nothing any more: no failure makes
        the rest longer, and no late success cuts it short.
        """
        if began != self._period:
            return
        self._probing = False
        match error:
            case FatalError():
                self._fatal += 1
                if self._fatal >= FATAL or self.is_open:
                    self._open(error, now)
            case UnavailableError() if not isinstance(error, RateLimited):
                self._failed(error, now)
            case _:  # taken, or a no that proves that the vendor is there
                self._answered(now, counts=error is None)

    def _failed(self, error: DestinationError, now: float) -> None:
        self._fatal = 0
        self._failures += 1
        self._note(now, failed=True)
        often = len(self._recent) >= SAMPLE and self._recent_failures >= SHARE * len(self._recent)
        if self.is_open or self._failures >= CONSECUTIVE or often:
            self._open(error, now)

    def _answered(self, now: float, *, counts: bool) -> None:
        self._failures = self._fatal = 0
        if counts:
            self._note(now, failed=False)
        if self.is_open:
            self._recent.clear()
            self._recent_failures = 0
            self._open_until = self._because = None
            self._rest = REST
            self._period += 1

    def _open(self, error: DestinationError, now: float) -> None:
        if self.is_open:
            self._rest = min(2 * self._rest, LONGEST_REST)
        self._because = error
        self._open_until = now + self._rest * (0.9 + 0.2 * self._random())
        self._period += 1

    def _note(self, now: float, *, failed: bool) -> None:
        self._recent.append((now, failed))
        self._recent_failures += failed
        while self._recent and self._recent[0][0] <= now - WINDOW:
            self._recent_failures -= self._recent.popleft()[1]
