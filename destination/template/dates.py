"""The date filter: ISO and mail dates and seconds since 1970, shown in UTC."""

import email.utils
import math
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from liquid.undefined import is_undefined

from destination.literals import parse_moment
from destination.template.values import FilterError, text

_MAX_SOURCE = 100
_MAX_FORMAT = 200
_DEFAULT = "%A, %B %-d, %Y at %-I:%M %P %z"
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_WRITTEN = (
    re.compile(r"(?P<month>[A-Za-z]{3,9}) (?P<day>\d{1,2}),? (?P<year>\d{4})", re.ASCII),
    re.compile(r"(?P<day>\d{1,2}) (?P<month>[A-Za-z]{3,9}),? (?P<year>\d{4})", re.ASCII),
    re.compile(r"(?P<month>\d{1,2})/(?P<day>\d{1,2})/(?P<year>\d{4})", re.ASCII),
    re.compile(r"(?P<year>\d{4})/(?P<month>\d{1,2})/(?P<day>\d{1,2})", re.ASCII),
)
_CODE = re.compile(r"%([-_0^#:]{0,3})(\d{0,2})([A-Za-z%])")
_WIDTHS = {**dict.fromkeys("deHIklmMSUWy", 2), "j": 3, "L": 3}


def date(value: Any, format: Any = None, *, now: datetime | None = None) -> Any:
    """
    The moment in strftime's words; what names no moment is returned unchanged.

    Args:
        now: What the words ``now`` and ``today`` mean; by default the clock's time.
    """
    moment = _moment(value, now)
    if moment is None:
        return value
    layout = _DEFAULT if format is None or is_undefined(format) else text(format)
    if len(layout) > _MAX_FORMAT:
        raise FilterError("the date format is too long")
    return _CODE.sub(lambda match: _written(moment, match), layout)


def _moment(value: Any, now: datetime | None) -> datetime | None:
    if isinstance(value, str):
        if len(value) > _MAX_SOURCE:
            return None
        if value in ("now", "today"):
            return now or datetime.now(UTC)
        if not (value.isascii() and value.isdigit()):
            return _read(value)
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return datetime.fromtimestamp(value, UTC)
    except (OverflowError, ValueError, OSError):
        return None


def _read(source: str) -> datetime | None:
    moment = parse_moment(source) or _mail_date(source) or _written_date(source)
    if moment is None or moment.tzinfo is UTC:
        return moment
    try:
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except OverflowError:
        return None


def _mail_date(source: str) -> datetime | None:
    try:
        return email.utils.parsedate_to_datetime(source) if ":" in source else None
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def _written_date(source: str) -> datetime | None:
    match = next((found for layout in _WRITTEN if (found := layout.fullmatch(source))), None)
    if match is None:
        return None
    month = match["month"].lower()[:3]
    try:
        number = int(month) if month.isdigit() else _MONTHS.index(month) + 1
        return datetime(int(match["year"]), number, int(match["day"]), tzinfo=UTC)
    except ValueError:
        return None


def _ordinal(day: int) -> str:
    suffixes = {1: "st", 2: "nd", 3: "rd"}
    return "th" if day // 10 == 1 else suffixes.get(day % 10, "th")


_CODES: dict[str, Callable[[datetime], Any]] = {
    "C": lambda moment: moment.year // 100,
    "e": lambda moment: moment.day,
    "h": lambda moment: f"{moment:%b}",
    "k": lambda moment: moment.hour,
    "l": lambda moment: moment.hour % 12 or 12,
    "L": lambda moment: moment.microsecond // 1000,
    "n": lambda moment: "\n",
    "N": lambda moment: f"{moment.microsecond // 1000:03}000000",
    "P": lambda moment: "am" if moment.hour < 12 else "pm",
    "q": lambda moment: _ordinal(moment.day),
    "s": lambda moment: math.floor(moment.timestamp()),
    "t": lambda moment: "\t",
    "u": lambda moment: moment.isoweekday(),
    "x": lambda moment: f"{moment.month}/{moment.day}/{moment.year}",
    "X": lambda moment: f"{moment.hour % 12 or 12}:{moment:%M:%S %p}",
    "c": lambda moment: f"{_CODES['x'](moment)}, {_CODES['X'](moment)}",
    "Y": lambda moment: moment.year,
    "Z": lambda moment: "UTC",
    "%": lambda moment: "%",
}
_STANDARD = frozenset("aAbBdHIjmMpSUwWyz")


def _written(moment: datetime, match: re.Match[str]) -> str:
    flags, width, code = match.groups()
    if code not in _CODES and code not in _STANDARD:
        return match[0]
    result = moment.strftime(f"%{code}") if code in _STANDARD else str(_CODES[code](moment))
    if code in _WIDTHS:
        result = result.lstrip("0") or "0"
    if code == "z" and ":" in flags:
        result = f"{result[:3]}:{result[3:]}"
    pad = " " if "_" in flags else "0" if "0" in flags else " " if code in "aAbBcekhlpP" else "0"
    size = 0 if "-" in flags else int(width or _WIDTHS.get(code, 0))
    result = result.upper() if "^" in flags else result.swapcase() if "#" in flags else result
    return result.rjust(size, pad)
