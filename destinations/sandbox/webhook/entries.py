"""What a request must hold to be taken."""

import json
import math
from typing import Any

from aiohttp import web

NAME_LENGTH = 200
"""The most characters a first or a last name may have."""

Entry = dict[str, Any]

IDS = web.RequestKey("ids", list[Any])


class Refusal(Exception):
    """A request that changes nothing, and is answered with a status and ``{"error": …}``."""

    def __init__(self, status: int, message: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.headers = headers

    def response(self) -> web.Response:
        """The answer."""
        return web.json_response({"error": str(self)}, status=self.status, headers=self.headers)


def read_json(request: web.Request, body: bytes) -> Any:
    """The body's JSON. Raises Refusal for what is none, or has numbers that JSON has not."""
    if request.content_type != "application/json":
        raise Refusal(415, "the Content-Type must be application/json")
    try:
        return json.loads(body, parse_constant=_finite, parse_float=_finite)
    except (ValueError, RecursionError):
        raise Refusal(400, "the body is not valid JSON") from None


def _finite(literal: str) -> float:
    number = float(literal)
    if not math.isfinite(number):
        raise ValueError(literal)
    return number


def read_entries(request: web.Request, body: bytes, wrapper: str) -> tuple[list[Any], bool]:
    """
    The entries in a body, and whether they came as an array; the ids are kept for the log.

    Args:
        wrapper: The member of an object in which arrays come, if they do.
    """
    parsed = read_json(request, body)
    if wrapper and isinstance(parsed, dict) and parsed.keys() == {wrapper}:
        parsed = parsed[wrapper]
    elif wrapper and isinstance(parsed, list):
        raise Refusal(400, f"an array must be the member {wrapper!r} of an object")
    is_array = isinstance(parsed, list)
    entries = parsed if is_array else [parsed]
    request[IDS] = [entry["id"] for entry in entries if _is_entry(entry)]
    return entries, is_array


def faults(entries: list[Any]) -> dict[int, Refusal]:
    """What is wrong with entries, by position."""
    found = {}
    for position, entry in enumerate(entries):
        try:
            _check(entry, position)
        except Refusal as refusal:
            found[position] = refusal
    return found


def _check(entry: Any, position: int) -> None:
    if not _is_entry(entry):
        raise Refusal(400, f'entry {position} is not {{"operation", "id", "fields"}}')
    for name in ("first_name", "last_name"):
        value = entry["fields"].get(name)
        # A removal has no use for names.
        if entry["operation"] != "remove" and isinstance(value, str) and len(value) > NAME_LENGTH:
            raise Refusal(422, f"{name} is longer than {NAME_LENGTH} characters")


def _is_entry(entry: Any) -> bool:
    match entry:
        case {"operation": "add" | "change" | "remove", "id": id, "fields": dict()}:
            return isinstance(id, str | int | float) and not isinstance(id, bool)
    return False
