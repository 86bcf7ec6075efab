"""What Connectif's refusals mean, and when it takes more."""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Self

import httpx

from destination import (
    AuthError,
    Code,
    DestinationError,
    NoAnswer,
    RateLimited,
    Record,
    RefusedError,
    RowError,
    TargetError,
    quoted,
)

NO_CONTACT = "E0501"
LONGEST_WAIT = 24 * 3600.0
"""A window that ends in more than so many seconds is not believed."""

MANY_FAULTS = 20

_CODE = re.compile(r"E\d{4}", re.ASCII)
_SECONDS = re.compile(r"\d{1,12}(?:\.\d{1,9})?", re.ASCII)


class NotListed(RefusedError):
    """Events are not listed, which is no reason not to send any."""


class Problem(RefusedError):
    """A refusal. Its own words may quote a row, so they wait for ``about``."""

    words = ""

    @classmethod
    def of(cls, response: httpx.Response) -> Self:
        """The refusal in an answer's document, or in its status alone."""
        said = _document(response)
        code = str(said.get("code"))
        shown = code if _CODE.fullmatch(code) else response.status_code
        problem = cls(f"Connectif answered {shown}")
        faults = said.get("validationErrors")
        told: list[Any] = [said.get("title"), said.get("detail")]
        if isinstance(faults, list) and faults:
            told = [_fault(one) for one in faults[:MANY_FAULTS]]
        problem.words = "; ".join(one for one in told if isinstance(one, str) and one)
        return problem

    def about(self, record: Record) -> Self:
        """The same with Connectif's words, without the record's values."""
        if self.words:
            self.message += f": {quoted(self.words, record)}"
        return self


def _fault(fault: Any) -> str:
    """``path: reason``, as far as both are told."""
    parts = [fault.get("path"), fault.get("reason")] if isinstance(fault, dict) else []
    return ": ".join(part for part in parts if isinstance(part, str))


def refusal(response: httpx.Response, *, webhook: bool) -> DestinationError | None:
    """The error in an answer; None leaves it to the status."""
    status = response.status_code
    if status == 429:
        return _throttled(response)
    if response.request.method != "POST" and status in (403, 404, 405):
        return NotListed(f"Connectif answered {status} and does not list events")
    if response.is_success and response.request.method == "POST":
        unread = NoAnswer("Connectif's answer cannot be read; may have been delivered")
        return None if _is_yes(response, webhook=webhook) else unread
    match status:
        case 403 if not webhook:
            return AuthError(
                "Connectif answered 403: the key may not write custom events, "
                "or the account is blocked"
            )
        case 404:
            return TargetError("Connectif answered 404: it knows no event of this alias")
        case 413:
            return RowError("Connectif answered 413: the event is too long", code=Code.TOO_LARGE)
        case 400 if _document(response).get("code") == NO_CONTACT:
            return RowError(
                "the contact does not exist in Connectif; the option createContact creates it",
                code=Code.VENDOR_REJECTED,
            )
    return Problem.of(response) if status in (400, 422) else None


def _is_yes(response: httpx.Response, *, webhook: bool) -> bool:
    """201, which is documented for the API; what a webhook answers is not, but is no web page."""
    if response.status_code == 201:
        return True
    if webhook:
        return not response.content.lstrip().startswith(b"<")
    return bool(_document(response))


def _throttled(response: httpx.Response) -> DestinationError | None:
    wait = until_reset(response.headers, datetime.now(UTC))
    if wait is None:
        return None  # there may be a Retry-After
    return RateLimited("not sent: Connectif answered 429 until its window ends", retry_after=wait)


def pause(response: httpx.Response, now: datetime) -> float | None:
    """Seconds for which nothing more is taken after this answer, where it says so."""
    if response.headers.get("X-RateLimit-Remaining", "").strip() != "0":
        return None
    return until_reset(response.headers, now)


def until_reset(headers: Mapping[str, str], now: datetime) -> float | None:
    """
    Seconds until the window ends, by the vendor's own ``Date`` where it sends one.

    None when it has ended, or when there is no time that can be believed.
    """
    reset = headers.get("X-RateLimit-Reset", "").strip()
    if not _SECONDS.fullmatch(reset):
        return None
    wait = float(reset) - (_date(headers.get("Date", "")) or now).timestamp()
    return wait if 0 < wait <= LONGEST_WAIT else None


def _date(text: str) -> datetime | None:
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError):
        return None
    return date if date.tzinfo else date.replace(tzinfo=UTC)


def _document(response: httpx.Response) -> dict[str, Any]:
    try:
        document = json.loads(response.content)
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}
