"""Calls as Hightouch sends them: ten columns of which five are mapped, or fifty."""

import itertools
import json
from datetime import date, timedelta
from typing import Any

MAPPED = ("email", "first_name", "last_name", "lifetime_value", "signed_up")
CONFIGURATION = {
    "mode": "upsert",
    "identifierMapping": [{"from": "email", "to": "email"}],
    "mappings": [{"from": name, "to": name} for name in MAPPED[1:]],
}
FIELDS = {
    "email": "EMAIL",
    "first_name": "STRING",
    "last_name": "STRING",
    "lifetime_value": "NUMBER",
    "signed_up": "DATE",
}
"""The types that the receiver declares for what is mapped."""

COLUMNS = 10
FIRST_DAY = date(2023, 7, 1)
CITIES = ("Aarhus", "Bergen", "Cork", "Delft", "Évora", "Funchal", "Graz")

_ids = itertools.count(1)


def row(number: int, columns: int = COLUMNS) -> dict[str, Any]:
    """One person, a little over 200 bytes; further columns are attributes of 20 bytes or so."""
    person = {
        "id": number,
        "email": f"person{number}@example.org",
        "first_name": f"Given{number % 997}",
        "last_name": f"Family{number % 1009}",
        "city": CITIES[number % len(CITIES)],
        "lifetime_value": number % 10_000 + 0.5,
        "visits": number % 300,
        "active": number % 3 > 0,
        "plan": "team" if number % 5 else "free",
        "signed_up": (FIRST_DAY + timedelta(number % 1000)).isoformat(),
    }
    more = {f"attribute_{n}": f"value {number % (n + 50)}" for n in range(columns - COLUMNS)}
    return person | more


def rows(count: int, columns: int = COLUMNS) -> list[dict[str, Any]]:
    """So many people nobody has seen before: what was delivered already would not be sent."""
    return [row(next(_ids), columns) for _ in range(count)]


def call(count: int, columns: int = COLUMNS, *, odd: int = 0) -> bytes:
    """
    The body of a call that adds so many rows, as JSON.stringify would write it.

    Args:
        odd: One row of so many has a number as text.
    """
    people = rows(count, columns)
    for person in people[::odd] if odd else ():
        person["lifetime_value"] = str(person["lifetime_value"])
    params = {"idColumn": "id", "configuration": CONFIGURATION, "rows": people}
    body = {"jsonrpc": "2.0", "id": "1", "method": "add", "params": params}
    return json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode()
