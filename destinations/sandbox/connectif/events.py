"""The custom integrations of the store, and their event types."""

from typing import Any

JSON = dict[str, Any]

SHOP, CLUB = "64f0c0ffee0000000000000a", "64f0c0ffee0000000000000b"
"""The ids of the two integrations."""

PERSON, REMOVED, ORDER, CUSTOMER, LEFT = (
    "person", "person-removed", "order", "customer", "customer-left"
)  # fmt: skip
"""The aliases of the events that can be received; the last two by webhook."""

INTEGRATIONS: list[JSON] = [
    {"id": SHOP, "name": "Shop", "eventsEnabled": True},
    {"id": CLUB, "name": "Club", "eventsEnabled": True},
]

TAGS = (
    "vip", "trial", "newsletter", "früh dran", "a,b", 'says "hi"', "back\\slash", "日本", "🎂",
    "changed",
)  # fmt: skip


def _field(id: str, type: str, name: str = "", **more: Any) -> JSON:
    told = {"id": id, "name": name or id.replace("_", " ").capitalize(), "type": type}
    return {**told, "required": False, "isPrimaryKey": False, **more}


def _email(**more: Any) -> JSON:
    return _field("email", "email", "E-mail", required=True, isPrimaryKey=True, **more)


def _options(*ids: str) -> list[JSON]:
    return [{"id": id, "label": id.capitalize()} for id in ids]


def _type(number: int, name: str, category: str, *fields: JSON, **more: Any) -> JSON:
    when = "2026-01-31T09:30:00.000Z"
    told = {"id": f"64f0c0ffee00000000000{number:03}", "name": name, "category": category}
    return {**told, "createdAt": when, "updatedAt": when, "fields": list(fields), **more}


def _received(number: int, alias: str, name: str, how: str, *fields: JSON) -> JSON:
    return _type(number, name, "receive", *fields, alias=alias, receiveType=how)


EVENTS: dict[str, list[JSON]] = {
    SHOP: [
        _received(
            1,
            PERSON,
            "Person",
            "api",
            _email(),
            _field("first_name", "text"),
            _field("last_name", "text"),
            _field("born", "date"),
            _field("ltv", "decimal", "Lifetime value"),
            _field("subscribed", "boolean"),
            _field("tags", "checkbox", options=_options(*TAGS)),
            _field("city", "text"),
        ),
        _received(2, REMOVED, "Person removed", "api", _email(), _field("city", "text")),
        _type(3, "Order sent", "send", _field("number", "text"), webhookUrl="https://e.example"),
        _received(
            4,
            ORDER,
            "Order",
            "api",
            _email(),
            _field("number", "integer", required=True),
            _field("total", "decimal"),
            _field("paid", "boolean"),
            _field("plan", "radio", options=_options("free", "gold")),
            _field("gifts", "checkbox", options=_options("bag", "pen", "7")),
            _field("phone", "phone", defaultCountryCode="34"),
            _field("placed", "date"),
        ),
        _received(5, "visit", "Visit", "web", _field("page", "text")),
    ],
    CLUB: [
        _received(
            6,
            CUSTOMER,
            "Customer",
            "webhook",
            _email(jsonPointerPath="/customer/email"),
            _field("first_name", "text", jsonPointerPath="/customer/name/first"),
            _field("visits", "integer", jsonPointerPath="/stats/0/a~1b"),
            _field("gifts", "checkbox", jsonPointerPath="/gifts", options=_options("bag", "pen")),
            _field("city", "text"),
        ),
        _received(
            7,
            LEFT,
            "Customer left",
            "webhook",
            _field("mail", "email", required=True, isPrimaryKey=True, jsonPointerPath="/who"),
        ),
    ],
}
