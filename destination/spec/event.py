"""
The canonical event of customer data platforms: who did what, where and when.

Its members are those of Datafly Signal's event schema. A mapped field of one of their names, in
camel or snake case, is that member; any other is a property, or a trait of a user or a group.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from destination.coercion import coerce
from destination.errors import RowError
from destination.literals import parse_moment
from destination.model import Field, FieldType

SPELLINGS = {
    "user_id": "userId",
    "anonymous_id": "anonymousId",
    "group_id": "groupId",
    "message_id": "messageId",
    "event_id": "messageId",
}
"""Members by the names that they may be mapped by too."""

CONTEXT_SPELLINGS = {"user_agent": "userAgent"}

IDS = ("userId", "anonymousId", "groupId", "messageId")

TYPES = ("track", "page", "identify", "group")

_MEMBERS = frozenset({"type", "event", "timestamp", "context", *IDS})


def canonical_event(
    fields: Mapping[str, Any], *, event_id: str, anonymous_id: str, now: datetime
) -> dict[str, Any]:
    """
    The event that a record's fields make.

    Args:
        event_id: Its ``messageId``, where none is mapped; receivers know it as ``event_id`` too.
        anonymous_id: Its ``anonymousId``, where none is mapped.
        now: Its timestamp, where none is mapped.

    Raises:
        RowError: Its type is none, or it lacks the name that its type needs.
    """
    known, others = _sorted(fields)
    type = _text("type", known) or ("track" if known.get("event") else "identify")
    if type not in TYPES:
        raise RowError(f"type: expected one of {', '.join(TYPES)}")
    named = _named(type, known, others)
    ids = {name: _text(name, known) for name in IDS}
    id = ids["messageId"] or event_id
    place = "properties" if type in ("track", "page") else "traits"
    parts = {name: _object(name, others.pop(name, None)) for name in ("properties", "traits")}
    parts[place] = others | parts[place]
    return {
        "type": type,
        **named,
        **parts,
        "userId": ids["userId"],
        "anonymousId": ids["anonymousId"] or anonymous_id,
        "groupId": ids["groupId"],
        "context": _spelled(_object("context", known.get("context")), CONTEXT_SPELLINGS),
        "timestamp": _moment(known.get("timestamp"), now),
        "messageId": id,
        "event_id": id,
    }


def in_both_spellings(event: Mapping[str, Any]) -> dict[str, Any]:
    """The event with its members in snake case too, as templates for Datafly Signal name them."""
    snakes = {snake: event[camel] for snake, camel in SPELLINGS.items()}
    context = dict(event["context"])
    for snake, camel in CONTEXT_SPELLINGS.items():
        if camel in context:
            context[snake] = context[camel]
    return {**event, **snakes, "context": context}


def _sorted(fields: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    known, others = dict[str, Any](), dict[str, Any]()
    for name, value in fields.items():
        member = SPELLINGS.get(name, name)
        if member not in _MEMBERS:
            others[name] = value
        elif value is not None or member not in known:
            known[member] = value
    return known, others


def _named(type: str, known: Mapping[str, Any], others: dict[str, Any]) -> dict[str, Any]:
    """``event`` says what was tracked, ``name`` which page it was; a person's name is a trait."""
    page = {"name": others.pop("name", None)} if type == "page" else {}
    named = {"event": _text("event", known)} | {name: _text(name, page) for name in page}
    needed = {"track": "event", "page": "name"}.get(type)
    if needed and not named[needed]:
        raise RowError(f"{needed}: required for events of type {type}")
    return {name: text for name, text in named.items() if text}


_FIELDS = {
    **{name: Field(name) for name in ("type", "event", "name", *IDS)},
    **{name: Field(name, type=FieldType.OBJECT) for name in ("properties", "traits", "context")},
}


def _text(name: str, values: Mapping[str, Any]) -> str | None:
    """What has this name, as text that is not empty. Raises RowError for a list or an object."""
    text: str | None = coerce(_FIELDS[name], values.get(name))
    return text or None


def _object(name: str, value: Any) -> dict[str, Any]:
    """The object that a value is, or is the text of; null is an empty one."""
    if type(value) is dict:  # as deep as rows may be
        return value
    object: dict[str, Any] | None = coerce(_FIELDS[name], value)
    return object or {}


def _spelled(object: Mapping[str, Any], spellings: Mapping[str, str]) -> dict[str, Any]:
    return {spellings.get(name, name): value for name, value in object.items()}


def _moment(value: Any, now: datetime) -> str:
    """ISO 8601 with milliseconds, in UTC; a time without an offset is taken to be UTC."""
    moment = now
    if value not in (None, ""):
        parsed = parse_moment(value) if isinstance(value, str) else None
        if parsed is None:
            raise RowError("timestamp: expected a date and time such as 2026-01-31T09:30:00Z")
        moment = parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)
    try:
        moment = moment.astimezone(UTC)
    except OverflowError:
        raise RowError("timestamp: the first or last day there is, in another zone") from None
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
