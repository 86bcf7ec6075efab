"""Why a record was not delivered, and what should happen next.

The tree is drawn by the recovery that an error deserves; each leaf exists because some
``except`` treats it differently::

    DestinationError            message safe to show · code · retryable · retry_after
    ├─ FatalError               nothing will work until a person acts      stop the call
    │  ├─ AuthError             credentials refused
    │  │  └─ ForbiddenError     these, or this record: two in a row stop the call
    │  └─ ConfigError           settings, options, mapping, unknown object or mode
    ├─ UnavailableError         may work later                             retry, then reject
    │  ├─ RateLimited           carries the vendor's wait
    │  ├─ NoAnswer              sent, outcome unknown                      retry only if repeatable
    │  └─ CircuitOpen           not tried
    ├─ TargetError              this lane (channel, list, endpoint) is wrong   stop the lane
    ├─ RefusedError             understood and refused                     halve the batch
    └─ RowError                 this record is wrong                       reject the record
    anything else               a bug: logged under a reference, never shown
"""

import re
from enum import StrEnum
from typing import ClassVar, Self

REASON_LENGTH = 300
"""The most characters a reason may have; the platform's users group failures by this text."""

NOT_SENT = "not sent: "
"""How a message starts whose record certainly did not reach the vendor."""


class Code(StrEnum):
    """The closed list of words that a reason starts with."""

    VENDOR_REJECTED = "VENDOR_REJECTED"
    AUTH_FAILED = "AUTH_FAILED"
    RATE_LIMITED = "RATE_LIMITED"
    CONNECT_FAILED = "CONNECT_FAILED"
    TLS_ERROR = "TLS_ERROR"
    BLOCKED_URL = "BLOCKED_URL"
    REDIRECT_REFUSED = "REDIRECT_REFUSED"
    OUTCOME_UNKNOWN = "OUTCOME_UNKNOWN"
    CIRCUIT_OPEN = "CIRCUIT_OPEN"
    DEADLINE_NOT_SENT = "DEADLINE_NOT_SENT"
    SHUTTING_DOWN = "SHUTTING_DOWN"
    INVALID_ROW = "INVALID_ROW"
    TEMPLATE_ERROR = "TEMPLATE_ERROR"
    TOO_LARGE = "TOO_LARGE"
    INTERNAL = "INTERNAL"
    CONFIG_INVALID = "CONFIG_INVALID"
    NOT_SUPPORTED = "NOT_SUPPORTED"
    IN_PROGRESS = "IN_PROGRESS"
    DUPLICATE = "DUPLICATE"


class DestinationError(Exception):
    """
    A failure that may be shown to the person who runs the sync.

    Args:
        message: One sentence without row values or secrets. It says *not sent* or *may have
            been delivered* where that matters.
        code: The reason code; each class has a sensible default.
        retry_after: Seconds that the vendor asked us to wait, when it did.
    """

    code: Code
    default_code: ClassVar[Code] = Code.VENDOR_REJECTED
    retryable: ClassVar[bool] = False

    def __init__(
        self, message: str, *, code: Code | None = None, retry_after: float | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or self.default_code
        self.retry_after = retry_after

    def before_sending(self) -> Self:
        """The same error for a record that was not sent because of it."""
        told = self.message.removeprefix(NOT_SENT)
        return type(self)(NOT_SENT + told, code=self.code, retry_after=self.retry_after)

    @property
    def reason(self) -> str:
        """``CODE: text``: one line of at most 300 characters."""
        return reason(self.code, self.message)


class FatalError(DestinationError):
    """Nothing will work until a person acts: the call stops."""

    default_code = Code.CONFIG_INVALID


class AuthError(FatalError):
    """The vendor refused the credentials."""

    default_code = Code.AUTH_FAILED


class ForbiddenError(AuthError):
    """Not allowed: the credentials lack a right, or the vendor minds this one record."""


class ConfigError(FatalError):
    """Settings, options or mapping are wrong, or name an object or mode that does not exist."""


class UnavailableError(DestinationError):
    """The vendor did not take the request; it may later. Nothing was applied."""

    default_code = Code.CONNECT_FAILED
    retryable = True


class RateLimited(UnavailableError):
    """The vendor asked us to slow down; ``retry_after`` is its wait, if it named one."""

    default_code = Code.RATE_LIMITED


class NoAnswer(UnavailableError):
    """The request went out and its outcome is unknown: it may have been applied."""

    default_code = Code.OUTCOME_UNKNOWN


class CircuitOpen(UnavailableError):
    """Not tried: the vendor failed too often a moment ago."""

    default_code = Code.CIRCUIT_OPEN


class TargetError(DestinationError):
    """This lane (a channel, a list, an endpoint) is wrong: its other records fail alike."""


class RefusedError(DestinationError):
    """The vendor understood the request, refused it and applied nothing of it."""


class RowError(DestinationError):
    """This one record is wrong."""

    default_code = Code.INVALID_ROW


_UNPRINTABLE = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]+"
)


def reason(code: Code, text: str) -> str:
    """A reason as the platform shows it: ``CODE: text``, one line, at most 300 characters."""
    line = " ".join(_UNPRINTABLE.sub(" ", f"{code}: {text}").split())
    return line if len(line) <= REASON_LENGTH else line[: REASON_LENGTH - 1] + "…"
