"""Turning a JSON value into the type that a field declares.

Warehouses send numbers as text, dates in their own dialects and JSON inside strings. What
can be read without guessing is read; anything else rejects the row, and the reason says
what was expected and never what was there.
"""

import math
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Any

import msgspec

from destination.errors import RowError
from destination.literals import number_text, parse_moment, parse_number
from destination.model import Field, FieldType

MAX_DEPTH = 64
"""The most levels of lists and objects inside one value."""

MAX_ITEMS = 100_000
"""The most values that JSON inside a text may hold; its memory is many times its length."""

MAX_EMAIL = 254
"""The most characters of an email address."""

_NUMBERS, _NESTING = (int, float, Decimal), (dict, list)
_SHOWN_CHOICES = 10

_EMAIL = rf"(?=[^\n]{{3,{MAX_EMAIL}}}$)[^\s@\x00-\x1f\x7f-\x9f]+@[^\s@\x00-\x1f\x7f-\x9f]+"
_DAY = (
    r"(?!0000)(?:[0-9]{4}-(?:"
    r"(?:0[1-9]|1[0-2])-(?:0[1-9]|1[0-9]|2[0-8])|(?:0[13-9]|1[0-2])-(?:29|30)|"
    r"(?:0[13578]|1[02])-31)|"
    r"(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])|(?:[02468][048]|[13579][26])00)-02-29)"
)
"""A day of the calendar, as ``_date`` writes it."""

_is_email = re.compile(_EMAIL, re.MULTILINE).fullmatch

_WORDS = {
    **dict.fromkeys(("true", "yes", "t", "y", "1"), True),
    **dict.fromkeys(("false", "no", "f", "n", "0"), False),
}


def coerce(field: Field, value: Any) -> Any:
    """
    The value in the type that the field declares.

    Null stays null, and blank text is null for every type that is not text. REFERENCE and
    UNKNOWN values pass unchanged.

    Raises:
        RowError: The value cannot be read as that type. The message names the field and
            what was expected, never the value: rows are personal data.
    """
    kind = field.type
    if value is None:
        return value
    if type(value) in NATIVE[kind] and (type(value) is not float or math.isfinite(value)):
        return value
    convert = _CONVERT.get(kind)
    if convert is None:
        return value
    try:
        return _choice(field, value) if kind is FieldType.ENUM else convert(value)
    except (ValueError, TypeError, ArithmeticError, RecursionError, msgspec.DecodeError):
        raise RowError(f"{field.id}: expected {_expected(field)}") from None


def _unless_blank(convert: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """An empty cell of a spreadsheet is no value, whatever the column's type."""

    def converted(value: Any) -> Any:
        blank = isinstance(value, str) and not value.strip()
        return None if blank else convert(value)

    return converted


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return number_text(_number(value))


def _choice(field: Field, value: Any) -> str:
    text = _text(value)
    if field.choices and text not in field.choices:
        raise ValueError
    return text


def _number(value: Any) -> int | float | Decimal:
    if isinstance(value, str):
        value = parse_number(value)
    if isinstance(value, bool) or not isinstance(value, _NUMBERS):
        raise TypeError
    if not isinstance(value, int) and not math.isfinite(value):
        raise ValueError
    return value


def _boolean(value: Any) -> bool:
    if isinstance(value, str) and (word := value.strip().lower()) in _WORDS:
        return _WORDS[word]
    if isinstance(value, bool | int | float) and value in (0, 1):
        return bool(value)
    raise ValueError


def _moment(value: Any) -> datetime | None:
    # BigQuery's client libraries send dates as {"value": "2026-01-31"}.
    if isinstance(value, dict) and value.keys() == {"value"}:
        value = value["value"]
    if not isinstance(value, str):
        raise TypeError  # a number could be seconds, milliseconds or days
    if not value.strip():
        return None
    moment = parse_moment(value)
    if moment is None:
        raise ValueError
    return moment


def _date(value: Any) -> str | None:
    moment = _moment(value)
    return None if moment is None else moment.date().isoformat()


def _datetime(value: Any) -> str | None:
    moment = _moment(value)
    if moment is None:
        return None
    zone = moment.tzname()  # None, or UTC with the offset behind it
    clock = moment.replace(tzinfo=None).isoformat()
    clock = clock.rstrip("0") if moment.microsecond else clock
    return clock if zone is None else clock + (zone[3:] or "Z")


def _email(value: Any) -> str:
    text = value.strip() if isinstance(value, str) else ""
    if not _is_email(text):
        raise ValueError
    return text


def _json(kind: type) -> Callable[[Any], Any]:
    """Accepts a list or an object, or the text of one."""

    def converted(value: Any) -> Any:
        if isinstance(value, str):
            if sum(map(value.count, ",[{")) > MAX_ITEMS:
                raise ValueError
            value = msgspec.json.decode(value)
        if not isinstance(value, kind) or _too_deep(value):
            raise ValueError
        return value

    return converted


def _too_deep(value: Any) -> bool:
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [child for item in level for child in _children(item)]
        if not level:
            return False
    return True


def _children(item: Any) -> list[Any]:
    values = item.values() if isinstance(item, dict) else item
    return [value for value in values if isinstance(value, _NESTING)]


def _expected(field: Field) -> str:
    if field.type is not FieldType.ENUM or not field.choices:
        return _EXPECTED[field.type]
    shown = ", ".join(field.choices[:_SHOWN_CHOICES])
    return f"one of {shown}" + (", …" if len(field.choices) > _SHOWN_CHOICES else "")


NATIVE: Mapping[FieldType, frozenset[type]] = MappingProxyType(
    {
        **dict.fromkeys(FieldType, frozenset()),
        FieldType.STRING: frozenset({str}),
        FieldType.NUMBER: frozenset({int, float}),
        FieldType.BOOLEAN: frozenset({bool}),
    }
)
"""The types whose values, as they come from JSON, a field takes as they are."""

FITS: Mapping[FieldType, Callable[[str], object]] = MappingProxyType(
    {
        FieldType.EMAIL: _is_email,
        FieldType.DATE: re.compile(_DAY).fullmatch,
    }
)
"""Whether a text is what a field takes as it is; of one that is not, ``coerce`` knows more."""


LONGEST: Mapping[FieldType, int] = MappingProxyType({FieldType.EMAIL: MAX_EMAIL})
"""The most characters of a text that a field takes as it is, where there is a limit."""

_are_lines_of_emails = re.compile(rf"\n(?:{_EMAIL}\n)*+", re.MULTILINE).fullmatch
_are_lines_of_days = re.compile(rf"\n(?:{_DAY}\n)*+").fullmatch

_BESIDE_AT = bytes({*range(0x21, 0x7F)} - {ord("@")})
"""What of ASCII may stand in an address, but for the sign."""


def _are_emails(texts: Iterable[str]) -> bool:
    lines = ("", *texts, "")
    joined, count = "\n".join(lines), len(lines) - 2
    if not joined.isascii():
        return joined.count("\n") == count + 1 and _are_lines_of_emails(joined) is not None
    # One sign is left of each, if it is an address that has something on both of its sides.
    signs = joined.encode().translate(None, delete=_BESIDE_AT)
    on_an_edge = "\n@" in joined or "@\n" in joined
    return signs == b"\n" + b"@\n" * count and not on_an_edge


def _are_days(texts: Iterable[str]) -> bool:
    days = {*texts}  # of which there are not so many
    joined = "\n".join(("", *days, ""))
    return joined.count("\n") == len(days) + 1 and _are_lines_of_days(joined) is not None


ALL_FIT: Mapping[FieldType, Callable[[Iterable[str]], bool]] = MappingProxyType(
    {FieldType.EMAIL: _are_emails, FieldType.DATE: _are_days}
)
"""
The same of many texts at once, which takes a fraction of the time.

None of them may be empty, or longer than ``LONGEST``.
"""

_CONVERT: Mapping[FieldType, Callable[[Any], Any]] = MappingProxyType(
    {
        FieldType.STRING: _text,
        FieldType.ENUM: _text,
        FieldType.NUMBER: _unless_blank(_number),
        FieldType.BOOLEAN: _unless_blank(_boolean),
        FieldType.DATE: _date,
        FieldType.DATETIME: _datetime,
        FieldType.EMAIL: _unless_blank(_email),
        FieldType.OBJECT: _unless_blank(_json(dict)),
        FieldType.ARRAY: _unless_blank(_json(list)),
    }
)

_EXPECTED: Mapping[FieldType, str] = MappingProxyType(
    {
        FieldType.STRING: "text",
        FieldType.ENUM: "text",
        FieldType.NUMBER: "a number such as 12.5",
        FieldType.BOOLEAN: "true or false",
        FieldType.DATE: "a date such as 2026-01-31",
        FieldType.DATETIME: "a date and time such as 2026-01-31T09:30:00Z",
        FieldType.EMAIL: "an email address",
        FieldType.OBJECT: f"a JSON object at most {MAX_DEPTH} levels deep",
        FieldType.ARRAY: f"a JSON array at most {MAX_DEPTH} levels deep",
    }
)
