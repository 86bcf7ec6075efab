"""How a vendor's answer is read: what its status means, and where it says more."""

import re
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from functools import cached_property
from typing import Annotated, Any, Literal, Self

import httpx
import msgspec
from pydantic import BeforeValidator, Field, model_validator

from destination.errors import (
    AuthError,
    ConfigError,
    DestinationError,
    NoAnswer,
    RateLimited,
    RefusedError,
    TargetError,
)
from destination.model import Record
from destination.quoting import quoted
from destination.spec.results import Pointer, RowResults, found, worded
from destination.strict import Strict
from destination.template.values import text
from destination.vendor.retry import retry_after

Meaning = Literal["delivered", "refused", "retry", "unknown", "target", "auth", "config"]
"""
What a status means: delivered, refused for good, not taken and worth another attempt, of unknown
outcome, or refused because of the address, the credentials or the configuration.
"""


_STATUS = r"^[1-5](\d\d|xx)$"


Refusal = Literal["refused", "retry", "unknown", "target", "auth", "config"]
"""What an error code means, in the same words."""


def _status(value: Any) -> str:
    text = str(value)  # YAML takes a status for a number
    if not re.fullmatch(_STATUS, text):
        raise ValueError("must be a status such as 409, or a class of them such as 4xx")
    return text


StatusPattern = Annotated[str, BeforeValidator(_status), Field(pattern=_STATUS)]
"""A status such as ``409``, or a class of them such as ``5xx``."""


class Answer(Strict):
    """How answers are read, where they differ from what HTTP says."""

    statuses: dict[StatusPattern, Meaning] = Field(default_factory=dict)
    """What statuses mean, such as `{ "409" = "delivered" }`; an exact one counts before a class."""
    code: Pointer | None = None
    """Where an answer that is no success has a code of the vendor's own."""
    codes: dict[str, Refusal] = Field(default_factory=dict)
    """What these codes mean; they count before statuses."""
    message: Pointer | None = None
    """Where the answer to a single row that is refused says why."""
    rows: RowResults | None = None
    """Where a good answer says which rows it refused all the same."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if (self.code is None) is bool(self.codes):
            raise ValueError("code says where an answer has what codes lists: both or none")
        return self

    def meaning(self, status: int) -> Meaning | None:
        """What a status means here; None leaves it to HTTP."""
        return self.statuses.get(str(status)) or self.statuses.get(f"{status // 100}xx")

    @cached_property
    def accepted(self) -> frozenset[int]:
        """The statuses that are a success."""
        return frozenset(each for each in range(200, 600) if self.meaning(each) == "delivered")

    def error(self, response: httpx.Response, *, one_address: bool) -> DestinationError | None:
        """
        The error in an answer; None for one that HTTP's own meaning will do for.

        Args:
            one_address: All rows go there, so that one which is not there concerns them all.
        """
        status = response.status_code
        answered = f"the vendor answered {status}"
        meaning = self.meaning(status)
        if (code := self._code(response)) in self.codes:
            meaning, answered = self.codes[code], f"{answered} ({code})"
        if meaning is None and one_address and status in (404, 405):
            return TargetError(f"{answered}: nothing takes rows here")
        about_rows = 400 <= status < 500 and status not in _NOT_ABOUT_ROWS
        if meaning == "refused" or (meaning is None and about_rows):
            return self._refused(response, answered)
        if meaning == "retry":
            wait = retry_after(response.headers, datetime.now(UTC))
            return RateLimited(f"not sent: {answered}", retry_after=wait)
        if meaning in _MEANT:
            error, means = _MEANT[meaning]
            return error(f"{answered}{means}")
        return None

    def _code(self, response: httpx.Response) -> str:
        """The vendor's code in an answer that is no success; "" where there is none."""
        if self.code is None or response.is_success:
            return ""
        code = found(_document(response), self.code)
        return text(code) if isinstance(code, str | int) else ""

    def _refused(self, response: httpx.Response, answered: str) -> RefusedError:
        words = "" if self.message is None else worded(found(_document(response), self.message))
        return ToldError(answered, words) if words else RefusedError(answered)


def _document(response: httpx.Response) -> Any:
    """The JSON in an answer; None where it is none."""
    with suppress(ValueError, RecursionError):
        return msgspec.json.decode(response.content)
    return None


_MEANT: Mapping[Meaning | None, tuple[type[DestinationError], str]] = {
    "unknown": (NoAnswer, "; may have been delivered"),
    "target": (TargetError, ", which concerns all rows that go there"),
    "auth": (AuthError, ": it refused the credentials"),
    "config": (ConfigError, ", which calls for a person"),
}

_NOT_ABOUT_ROWS = frozenset({401, 403, 408, 410, 425, 429})


class ToldError(RefusedError):
    """A refusal with the vendor's own words, which may quote the row that they are about."""

    def __init__(self, answered: str, words: str) -> None:
        super().__init__(answered)
        self.words = words

    def about(self, record: Record) -> RefusedError:
        """The refusal of this record, with those of the words that may be shown."""
        return RefusedError(f"{self.message}: {quoted(self.words, record)}")
