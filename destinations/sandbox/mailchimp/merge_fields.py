"""The merge fields of the two audiences, and what their values must be."""

import re
from collections.abc import Callable
from datetime import date
from typing import Any

JSON = dict[str, Any]

NEWSLETTER_FIELDS: tuple[JSON, ...] = (
    {"tag": "FNAME", "name": "First name", "type": "text"},
    {"tag": "LNAME", "name": "Last name", "type": "text"},
    {"tag": "BORN", "name": "Born", "type": "date"},
    {"tag": "BIRTHDAY", "name": "Birthday", "type": "birthday"},
    {"tag": "LTV", "name": "Lifetime value", "type": "number"},
    {"tag": "PLAN", "name": "Plan", "type": "dropdown", "choices": ("free", "paid")},
    {"tag": "CITY", "name": "City", "type": "text"},
    {"tag": "ZIP", "name": "Zip code", "type": "zip"},
    {"tag": "SITE", "name": "Website", "type": "url"},
    {"tag": "ADDRESS", "name": "Address", "type": "address"},
)
CLUB_FIELDS: tuple[JSON, ...] = (
    {"tag": "FNAME", "name": "First name", "type": "text", "required": True},
    {"tag": "SEAT", "name": "Seat", "type": "radio", "choices": ("aisle", "window")},
)

PEOPLE = {"FNAME": "first_name", "LNAME": "last_name", "BORN": "born", "LTV": "ltv", "CITY": "city"}
"""The newsletter's merge fields for the columns of ``examples/people``."""

LONGEST_TEXT = 255
ADDRESS_PARTS = ("addr1", "city", "state", "zip")


def merge_fault(field: JSON, value: Any) -> str | None:
    """What is wrong with the value of a merge field, if anything."""
    if field["type"] in ("radio", "dropdown"):
        return None if value in field["choices"] else "Value must be one of the choices"
    accepts, fault = _RULES[field["type"]]
    return None if accepts(value) else fault


def _is_date(value: Any) -> bool:
    try:
        return bool(date.fromisoformat(value))
    except (TypeError, ValueError):
        return False


def _like(pattern: str) -> Callable[[Any], bool]:
    return lambda value: re.fullmatch(pattern, str(value)) is not None


def _is_address(value: Any) -> bool:
    return isinstance(value, dict) and all(value.get(part) for part in ADDRESS_PARTS)


_RULES: dict[str, tuple[Callable[[Any], bool], str]] = {
    "text": (
        lambda value: len(str(value)) <= LONGEST_TEXT,
        f"Value is longer than {LONGEST_TEXT} characters",
    ),
    "number": (_like(r"-?\d+(\.\d+)?([eE][+-]?\d+)?"), "Please enter a number"),
    "date": (_is_date, "Please enter a date"),
    "birthday": (_like(r"\d\d/\d\d"), "Please enter a month and day, MM/DD"),
    "zip": (_like(r"\d{5}"), "Please enter a zip code (5 digits)"),
    "url": (_like(r"https?://\S+"), "Please enter a full URL"),
    "address": (_is_address, "Please enter a complete address"),
}
