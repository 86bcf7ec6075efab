"""How a vendor's answer is read: what its status means, and which rows of a batch it refused."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import cached_property
from typing import Annotated, Any, Literal

import httpx
import msgspec
from jsonpointer import JsonPointer, JsonPointerException
from pydantic import AfterValidator, BeforeValidator, Field, model_validator

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
from destination.spec.selection import at
from destination.strict import Strict
from destination.template.values import text
from destination.vendor.retry import retry_after

Meaning = Literal["delivered", "refused", "retry", "unknown", "target", "auth", "config"]
"""
What a status means: delivered, refused for good, not taken and worth another attempt, of unknown
outcome, or refused because of the address, the credentials or the configuration.
"""


def _text(value: Any) -> Any:
    """YAML takes a status for a number."""
    return str(value) if type(value) is int else value


StatusPattern = Annotated[str, BeforeValidator(_text), Field(pattern=r"^[1-5](\d\d|xx)$")]
"""A status such as ``409``, or a class of them such as ``5xx``."""


def _pointer(value: str) -> str:
    try:
        JsonPointer(value)
    except JsonPointerException as error:
        raise ValueError(f"is no JSON Pointer such as /errors/0: {error}") from None
    return value


Pointer = Annotated[str, AfterValidator(_pointer)]
"""A place in a JSON document (RFC 6901); empty for the whole of it."""


class RowResults(Strict):
    """
    Where the answer to a request says what became of each of its rows.

    A result is a failure when something stands at its ``message``, or when there is no ``message``
    to look at. It is about the row at the position that ``index`` gives, or whose ``field`` equals
    what stands at ``id``; without both the results stand in the rows' order, one for each.
    """

    at: Pointer
    """The list of results, or the only one."""
    index: Pointer | None = None
    """In a result: the row's position in the request, from 0."""
    id: Pointer | None = None
    """In a result: what the row is known by."""
    field: str = ""
    """The field that `id` is compared with; empty for the row's own id."""
    message: Pointer | None = None
    """In a result: why the row was refused."""

    @model_validator(mode="after")
    def _consistent(self) -> "RowResults":
        if self.index is not None and self.id is not None:
            raise ValueError("a result is known by index or by id, not by both")
        if self.index is None and self.id is None and self.message is None:
            raise ValueError("results in order need a message, or all of them would be failures")
        return self


class Answer(Strict):
    """How answers are read, where they differ from what HTTP says."""

    statuses: dict[StatusPattern, Meaning] = Field(default_factory=dict)
    """What statuses mean, such as `{ "409" = "delivered" }`; an exact one counts before a class."""
    message: Pointer | None = None
    """Where the answer to a single row that is refused says why."""
    rows: RowResults | None = None
    """Where a good answer says which rows it refused all the same."""

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
        meaning = self.meaning(status)
        answered = f"the vendor answered {status}"
        if meaning is None and one_address and status in (404, 405):
            return TargetError(f"{answered}: nothing takes rows here")
        about_rows = 400 <= status < 500 and status not in _NOT_ABOUT_ROWS
        if meaning == "refused" or (meaning is None and about_rows):
            return self._refused(response)
        if meaning == "retry":
            wait = retry_after(response.headers, datetime.now(UTC))
            return RateLimited(f"not sent: {answered}", retry_after=wait)
        if meaning in _MEANT:
            error, means = _MEANT[meaning]
            return error(f"{answered}{means}")
        return None

    def _refused(self, response: httpx.Response) -> RefusedError:
        answered = f"the vendor answered {response.status_code}"
        words = ""
        if self.message is not None:
            with suppress(msgspec.DecodeError, RecursionError):
                words = _words(_found(msgspec.json.decode(response.content), self.message))
        return ToldError(answered, words) if words else RefusedError(answered)


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


class UnclearError(NoAnswer):
    """An answer from which it cannot be told which rows were taken."""

    def __init__(self, why: str) -> None:
        super().__init__(f"the vendor's answer does not say which rows it took: {why}")


def refused_row(words: str, record: Record) -> RefusedError:
    """The refusal of a row that an otherwise good answer tells of."""
    told = f": {quoted(words, record)}" if words else ""
    return RefusedError(f"the vendor refused the row{told}")


def refusals(
    results: RowResults, response: httpx.Response, payloads: Sequence[Sequence[Record]]
) -> Mapping[int, str]:
    """
    Which payloads of a request were refused, by position, and the vendor's words for why.

    Raises:
        UnclearError: The answer does not have the shape that it should have, or refuses what was
            not sent: which rows were taken cannot be known.
    """
    try:
        document = msgspec.json.decode(response.content)
    except (msgspec.DecodeError, RecursionError):
        raise UnclearError("it is not JSON") from None
    listed = _found(document, results.at)
    in_order = results.index is None and results.id is None
    if listed is None and not in_order:
        return {}
    every = [listed] if isinstance(listed, Mapping) else listed
    if not isinstance(every, list) or (in_order and len(every) != len(payloads)):
        raise UnclearError("its results are not the list that they should be")
    known = _known(results, payloads)
    refused = dict[int, str]()
    for number, result in enumerate(every):
        words = "" if results.message is None else _words(_found(result, results.message))
        if words or results.message is None:
            positions = _positions(results, result, known, number)
            if not positions or not 0 <= min(positions) <= max(positions) < len(payloads):
                raise UnclearError("it refuses a row that was not sent")
            refused |= dict.fromkeys(positions, words)
    return refused


def _known(
    results: RowResults, payloads: Sequence[Sequence[Record]]
) -> Mapping[str, Sequence[int]]:
    """The payloads for each id that an answer may name."""
    known: dict[str, list[int]] = {}
    for number, records in enumerate(payloads if results.id is not None else ()):
        for record in records:
            id = at(record.fields, results.field) if results.field else record.id
            known.setdefault(text(id).casefold(), []).append(number)
    return known


def _positions(
    results: RowResults, result: Any, known: Mapping[str, Sequence[int]], number: int
) -> Sequence[int]:
    """Which payloads a result is about."""
    if results.id is not None:
        return known.get(text(_found(result, results.id)).casefold(), ())
    if results.index is None:
        return (number,)
    index = _found(result, results.index)
    return (index,) if type(index) is int else ()


def _found(document: Any, pointer: str) -> Any:
    """What stands there; None where nothing does."""
    try:
        return JsonPointer(pointer).resolve(document, None)
    except (JsonPointerException, TypeError):
        return None


def _words(value: Any, levels: int = 3) -> str:
    """A vendor's words at some place: a text, or the texts of a list or an object."""
    if not value or not levels:
        return ""
    match value:
        case str():
            return value.strip()
        case Mapping():
            inner = ((name, _words(each, levels - 1)) for name, each in value.items())
            return "; ".join(f"{name}: {words}" for name, words in inner if words)
        case list():
            return "; ".join(filter(None, (_words(each, levels - 1) for each in value)))
    return text(value)
