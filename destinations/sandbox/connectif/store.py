"""Contacts, and the events that came about them; of HTTP it knows nothing but refusals."""

import re
import secrets
from collections import deque
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

from destinations.sandbox.connectif.answers import JSON, Refusal
from destinations.sandbox.connectif.events import EVENTS

_EMAIL = re.compile(r"[^\s@]+@[^\s@]+\.[^\s@.]+")
_PHONE = re.compile(r"\+?[0-9][0-9 ()-]{3,20}")
_DATE = re.compile(r"\d{4}-\d\d-\d\d(T\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d))?")


class Store:
    """
    What a store has received.

    ``events`` are the latest of all, each with its alias and fields.
    """

    def __init__(self) -> None:
        self.events: deque[JSON] = deque(maxlen=10_000)
        self._contacts: dict[str, JSON] = {}
        self._types = {
            each["alias"]: each
            for types in EVENTS.values()
            for each in types
            if each["category"] == "receive"
        }

    def event_type(self, alias: str, how: str) -> JSON:
        """The event of this alias that is received in this way. Raises Refusal."""
        event = self._types.get(alias)
        if event is None or event["receiveType"] != how:
            raise Refusal(404, "Not Found", f"Custom event type {alias} not found.")
        return event

    def extracted(self, event: JSON, body: JSON) -> JSON:
        """The fields of the event that are found in the body; all else does not matter."""
        pointers = (
            (each["id"], each.get("jsonPointerPath") or f"/{each['id']}")
            for each in event["fields"]
        )
        found = ((id, _found(body, pointer)) for id, pointer in pointers)
        return {id: value for id, value in found if value is not None}

    def receive(self, event: JSON, fields: JSON, *, create: bool, strict: bool) -> str:
        """
        Take an event, and give its id.

        Args:
            create: Make the contact if there is none.
            strict: Refuse fields that the event does not have.

        Raises:
            Refusal: The fields are not the event's, or there is no such contact.
        """
        if faults := list(_faults(event, fields, strict=strict)):
            raise Refusal(
                422, "Unprocessable Entity", "Validation failed.", validationErrors=faults
            )
        [key] = [each["id"] for each in event["fields"] if each["isPrimaryKey"]]
        address = fields[key]
        if not create and address.lower() not in self._contacts:
            raise Refusal(400, "Bad Request", f"Contact {address} does not exist.", code="E0501")
        taken = {"event": event["alias"], "fields": fields}
        self._contacts[address.lower()] = {"id": address, **taken}
        self.events.append(taken)
        return secrets.token_hex(12)

    def last(self, alias: str) -> list[JSON]:
        """The contacts whose last event was this, and what it brought."""
        return [
            {"id": contact["id"], "fields": contact["fields"]}
            for contact in self._contacts.values()
            if contact["event"] == alias
        ]


def _found(body: Any, pointer: str) -> Any:
    """What a JSON Pointer leads to, None when there is nothing."""
    for token in pointer.removeprefix("/").split("/"):
        name = token.replace("~1", "/").replace("~0", "~")
        if isinstance(body, list) and name.isdecimal():
            body = body[int(name)] if int(name) < len(body) else None
        else:
            body = body.get(name) if isinstance(body, dict) else None
    return body


def _faults(event: JSON, fields: JSON, *, strict: bool) -> Iterator[JSON]:
    known = {each["id"]: each for each in event["fields"]}
    for id in fields.keys() - known.keys() if strict else ():
        yield {"path": id, "reason": "is not allowed"}
    for id, field in known.items():
        if id not in fields:
            if field["required"]:
                yield {"path": id, "reason": "is required"}
        elif not _TAKES[field["type"]](field, fields[id]):
            yield {"path": id, "reason": f"{fields[id]!r} is not a valid {field['type']}"}


def _is_number(_: JSON, value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_date(_: JSON, value: Any) -> bool:
    if not (isinstance(value, str) and _DATE.fullmatch(value)):
        return False
    try:
        datetime.fromisoformat(value)
    except ValueError:
        return False
    return True


def _is_option(field: JSON, value: Any) -> bool:
    return value in [option["id"] for option in field["options"]]


def _are_options(field: JSON, value: Any) -> bool:
    return (
        isinstance(value, list)
        and all(isinstance(item, str) and _is_option(field, item) for item in value)
        and len(set(value)) == len(value)
    )


_TAKES: dict[str, Callable[[JSON, Any], bool]] = {
    "text": lambda _, value: isinstance(value, str),
    "email": lambda _, value: isinstance(value, str) and bool(_EMAIL.fullmatch(value)),
    "phone": lambda _, value: isinstance(value, str) and bool(_PHONE.fullmatch(value)),
    "integer": lambda _, value: type(value) is int,
    "decimal": _is_number,
    "boolean": lambda _, value: isinstance(value, bool),
    "date": _is_date,
    "radio": _is_option,
    "checkbox": _are_options,
}
