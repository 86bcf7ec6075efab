"""Which rows of a batch an otherwise good answer refused."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from functools import lru_cache
from typing import Annotated, Any

import httpx
import msgspec
from jsonpointer import JsonPointer, JsonPointerException
from pydantic import AfterValidator, model_validator

from destination.errors import NoAnswer, RefusedError
from destination.model import Record
from destination.quoting import quoted
from destination.spec.selection import at
from destination.strict import Some, Strict
from destination.template.values import text

_parsed = lru_cache(maxsize=256)(JsonPointer)


def _pointer(value: str) -> str:
    try:
        _parsed(value)
    except JsonPointerException as error:
        raise ValueError(f"is no JSON Pointer such as /errors/0: {error}") from None
    return value


Pointer = Annotated[str, AfterValidator(_pointer)]
"""A place in a JSON document (RFC 6901); empty for the whole of it."""


class RowResults(Strict):
    """
    Where the answer to a request says what became of each of its rows.

    A result is a failure when what stands at its ``ok`` is not in ``ok_is``; without ``ok``, when
    something stands at its ``message``; without both, always. It is about the row at the position
    that ``index`` gives, or whose ``field`` equals what stands at ``id``; without both the results
    stand in the rows' order, one for each.
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
    ok: Pointer | None = None
    """In a result: whether the row was taken."""
    ok_is: Annotated[tuple[bool | int | str, ...], Some] = (True,)
    """What stands at `ok` of a row that was taken, such as `["created", "updated"]`."""

    @model_validator(mode="after")
    def _consistent(self) -> "RowResults":
        if self.ok is None and "ok_is" in self.model_fields_set:
            raise ValueError("ok_is is what stands at ok, and there is no ok")
        if self.index is not None and self.id is not None:
            raise ValueError("a result is known by index or by id, not by both")
        if self.index is None and self.id is None and self.message is None and self.ok is None:
            raise ValueError("results in order need a message or ok, or all would be failures")
        if self.field and self.id is None:
            raise ValueError("field is what id is compared with, and there is no id")
        return self


class UnclearError(NoAnswer):
    """An answer from which it cannot be told which rows were taken."""

    def __init__(self, why: str) -> None:
        super().__init__(
            f"the vendor's answer does not say which rows it took: {why}; may have been delivered"
        )


def refused_row(words: str, record: Record) -> RefusedError:
    """The refusal of a row that an otherwise good answer tells of."""
    told = f": {quoted(words, record)}" if words else ""
    return RefusedError(f"the vendor refused the row{told}")


def refusals(
    results: RowResults, response: httpx.Response, payloads: Sequence[Sequence[Record]]
) -> Mapping[int, str]:
    """
    Which payloads of a request were refused, by position, and the vendor's words for why.

    Where results are known by index or by id, an object that could hold them and does not
    refuses nothing.

    Raises:
        UnclearError: The answer does not have the shape that it should have, or refuses what was
            not sent: which rows were taken cannot be known.
    """
    try:
        document = msgspec.json.decode(response.content)
    except (ValueError, RecursionError):
        raise UnclearError("it is not JSON") from None
    known = _known(results, payloads)
    refused = dict[int, str]()
    for number, result in enumerate(_listed(results, document, len(payloads))):
        said = None if results.message is None else found(result, results.message)
        if _failed(results, result, said):
            positions = _positions(results, result, known, number)
            if not positions or not 0 <= min(positions) <= max(positions) < len(payloads):
                raise UnclearError("it refuses a row that was not sent")
            refused |= dict.fromkeys(positions, worded(said))
    return refused


def _failed(results: RowResults, result: Any, said: Any) -> bool:
    """Whether a result tells of a row that was refused. Raises UnclearError."""
    if results.ok is None:
        return bool(said) or results.message is None
    told = found(result, results.ok)
    if not isinstance(told, bool | int | str):
        raise UnclearError("a result does not say whether its row was taken")
    return not any(type(told) is type(good) and told == good for good in results.ok_is)


def _listed(results: RowResults, document: Any, count: int) -> Sequence[Any]:
    """The results in an answer to so many payloads. Raises UnclearError."""
    listed = found(document, results.at)
    in_order = results.index is None and results.id is None
    if listed is None and not in_order and _could_hold(document, results.at):
        return ()
    every = [listed] if isinstance(listed, Mapping) else listed
    if not isinstance(every, list) or (in_order and len(every) != count):
        raise UnclearError("its results are not the list that they should be")
    inside = any((results.index, results.id, results.message, results.ok))
    if inside and not all(isinstance(each, Mapping | list) for each in every):
        raise UnclearError("a result is not the object that it should be")
    return every


def _could_hold(document: Any, pointer: str) -> bool:
    """Whether what the pointer names is nothing but left out."""
    return bool(pointer) and isinstance(found(document, pointer.rpartition("/")[0]), Mapping)


def _known(
    results: RowResults, payloads: Sequence[Sequence[Record]]
) -> Mapping[str, Sequence[int]]:
    """The payloads for each id that an answer may name."""
    known: dict[str, list[int]] = {}
    for number, records in enumerate(payloads if results.id is not None else ()):
        for record in records:
            id = at(record.fields, results.field) if results.field else record.id
            known.setdefault(_name(id), []).append(number)
    known.pop("", None)
    return known


def _name(id: Any) -> str:
    """What a row is compared by; "" for what names none."""
    named = isinstance(id, str | int | float | Decimal) and not isinstance(id, bool)
    return text(id).casefold() if named else ""


def _positions(
    results: RowResults, result: Any, known: Mapping[str, Sequence[int]], number: int
) -> Sequence[int]:
    """Which payloads a result is about."""
    if results.id is not None:
        return known.get(_name(found(result, results.id)), ())
    if results.index is None:
        return (number,)
    index = found(result, results.index)
    return (index,) if type(index) is int else ()


def found(document: Any, pointer: str) -> Any:
    """What stands there; None where nothing does."""
    try:
        return _parsed(pointer).resolve(document, None)
    except (JsonPointerException, TypeError):
        return None


def worded(value: Any, levels: int = 3) -> str:
    """A vendor's words at some place: a text, or the texts of a list or an object."""
    if not value or not levels:
        return ""
    match value:
        case str():
            return value.strip()
        case Mapping():
            inner = ((name, worded(each, levels - 1)) for name, each in value.items())
            return "; ".join(f"{name}: {words}" for name, words in inner if words)
        case list():
            return "; ".join(filter(None, (worded(each, levels - 1) for each in value)))
    return text(value)
