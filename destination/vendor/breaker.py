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

    def begin(self) -> bool:
        """A request goes out that ``blocks`` did not forbid. True when it is the probe."""
        self._probing = self._open_until is not None
        return self._probing

    def abandon(self, *, probe: bool) -> None:
        """The request was given up without an outcome: another may probe."""
        if probe:
            self._probing = False

    def ended(self, error: DestinationError | None, now: float, *, probe: bool) -> None:
        """The request's outcome, as it was classified; None when it was taken."""
        self.abandon(probe=probe)
        match error:
            case FatalError():
                self._fatal += 1
                if self._fatal >= FATAL or probe:
                    self._open(error, now)
            case UnavailableError() if not isinstance(error, RateLimited):
                self._failed(error, now, probe=probe)
            case _:  # taken, or a no that proves that the vendor is there
                self._answered(now, counts=error is None)

    def _failed(self, error: DestinationError, now: float, *, probe: bool) -> None:
        self._fatal = 0
        self._failures += 1
        self._note(now, failed=True)
        often = len(self._recent) >= SAMPLE and self._recent_failures >= SHARE * len(self._recent)
        if probe or self._failures >= CONSECUTIVE or often:
            self._open(error, now)

    def _answered(self, now: float, *, counts: bool) -> None:
        self._failures = self._fatal = 0
        if counts:
            self._note(now, failed=False)
        if self._open_until is not None:
            self._recent.clear()
            self._recent_failures = 0
            self._open_until = self._because = None
            self._rest = REST

    def _open(self, error: DestinationError, now: float) -> None:
        if self._open_until is not None:
            if now < self._open_until:
                return  # it was under way already when the circuit opened
            self._rest = min(2 * self._rest, LONGEST_REST)
        self._because = error
        self._open_until = now + self._rest * (0.9 + 0.2 * self._random())

    def _note(self, now: float, *, failed: bool) -> None:
        self._recent.append((now, failed))
        self._recent_failures += failed
        while self._recent and self._recent[0][0] <= now - WINDOW:
            self._recent_failures -= self._recent.popleft()[1]
