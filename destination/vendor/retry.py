"""Which attempt may be repeated, and after how long. Pure: time and chance are arguments."""

import re
from collections import deque
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from destination.errors import Code, DestinationError, NoAnswer, UnavailableError

BASE = 0.25
"""Seconds of the first back-off at most; each further one may be twice as long."""

CAP = 4.0
"""Seconds of any back-off at most."""

LONGEST_WAIT = 24 * 3600.0
"""A vendor that asks for more than this many seconds is not believed."""

IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})
"""The methods that HTTP calls safe to send twice."""

_SECONDS = re.compile(r"\d{1,9}(\.\d{1,9})?", re.ASCII)


def may_repeat(error: DestinationError, *, repeatable: bool) -> bool:
    """
    Whether another attempt is allowed.

    What was not taken may be sent again; what may have been taken only when sending twice is
    harmless.
    """
    if isinstance(error, NoAnswer):
        return repeatable
    return isinstance(error, UnavailableError) and error.code in _NOT_TAKEN


_NOT_TAKEN = frozenset({Code.CONNECT_FAILED, Code.RATE_LIMITED})


def delay(attempt: int, error: DestinationError, random: Callable[[], float]) -> float:
    """
    Seconds before the attempt after this one.

    The vendor's wait, up to a tenth longer, when it named one. Otherwise chance decides
    between nothing and an exponentially growing limit, so that callers do not come in step.

    Args:
        attempt: The attempt that failed, counted from 1.
        random: A number in [0, 1) each time it is called.
    """
    if error.retry_after is not None:
        return error.retry_after * (1 + random() / 10)
    return random() * min(CAP, BASE * 2.0 ** (attempt - 1))


def retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """
    The seconds that ``Retry-After`` asks for, as a number or as a date of any HTTP form.

    A date is read against the vendor's own ``Date``, if it sends one, so that a wrong clock
    does no harm. None when there is no wait that can be believed: negative, past, more than
    a day, or not a wait at all.
    """
    text = headers.get("Retry-After", "").strip()
    if _SECONDS.fullmatch(text):
        seconds = float(text)
    elif until := _moment(text):
        seconds = (until - (_moment(headers.get("Date", "")) or now)).total_seconds()
    else:
        return None
    return seconds if 0 <= seconds <= LONGEST_WAIT else None


def _moment(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


class Budget:
    """
    Keeps retries from becoming a storm: few in any window, beside what is sent for the first time.

    Args:
        share: Retries allowed for each first attempt in the window.
        least: Retries always allowed in a window.
        window: Seconds.
    """

    def __init__(self, *, share: float = 0.2, least: int = 3, window: float = 10.0) -> None:
        self._share = share
        self._least = least
        self._window = window
        self._firsts: deque[float] = deque()
        self._retries: deque[float] = deque()

    def first(self, now: float) -> None:
        """A first attempt is being made."""
        self._firsts.append(now)
        self._forget(now)

    def take(self, now: float) -> bool:
        """True when one more retry is within the budget; it then counts."""
        self._forget(now)
        if len(self._retries) + 1 > max(self._least, self._share * len(self._firsts)):
            return False
        self._retries.append(now)
        return True

    def _forget(self, now: float) -> None:
        for times in (self._firsts, self._retries):
            while times and times[0] <= now - self._window:
                times.popleft()


_NOT_TRIED = frozenset({Code.CIRCUIT_OPEN, Code.DEADLINE_NOT_SENT, Code.SHUTTING_DOWN})


def telling(before: DestinationError | None, error: DestinationError) -> DestinationError:
    """
    Which of two attempts' errors tells the truth about both.

    What one attempt left open, a later one that was not taken or refused does not close. What was
    not even tried says less than what was.
    """
    if before is None or isinstance(error, NoAnswer):
        return error
    return before if isinstance(before, NoAnswer) or error.code in _NOT_TRIED else error
