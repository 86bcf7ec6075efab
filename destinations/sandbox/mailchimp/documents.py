"""The API's documents: problems, contacts, audiences, merge fields; answers as they are planned."""

import json
from collections.abc import Iterable
from typing import Any
from uuid import uuid4

from aiohttp import web

JSON = dict[str, Any]

WHEN = "2026-01-31T09:30:00+00:00"
DOCUMENTATION = "https://mailchimp.com/developer/marketing/docs/errors/"
LINKS = ("self", "parent", "update", "upsert", "delete", "activity", "goals", "notes")


class Refusal(Exception):
    """What the API refuses: a status, a title and a detail, and perhaps fields."""

    def __init__(self, status: int, title: str, detail: str, *errors: dict[str, str]) -> None:
        super().__init__(title)
        self.status = status
        self.title = title
        self.detail = detail
        self.errors = errors

    def response(self) -> web.Response:
        """The answer: problem+json."""
        problem = {
            "type": DOCUMENTATION,
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            "instance": str(uuid4()),
        }
        if self.errors:
            problem["errors"] = list(self.errors)
        return web.json_response(
            problem, status=self.status, content_type="application/problem+json"
        )


def invalid(field: str, message: str) -> Refusal:
    """The refusal of a value."""
    detail = message if field == "email_address" else "Your merge fields were invalid."
    return Refusal(400, "Invalid Resource", detail, {"field": field, "message": message})


def member_document(audience: str, hashed: str, contact: JSON, tags: list[JSON]) -> JSON:
    """A whole contact, as long as the API's own are."""
    path = f"https://us0.api.mailchimp.com/3.0/lists/{audience}/members/{hashed}"
    schema = "https://us0.api.mailchimp.com/schema/3.0/Definitions/Lists/Members"
    return {
        "id": hashed,
        "email_address": contact["email_address"],
        "unique_email_id": hashed[:10],
        "contact_id": hashed,
        "full_name": "",
        "web_id": int(hashed[:8], 16),
        "email_type": contact.get("email_type", "html"),
        "status": contact["status"],
        "merge_fields": contact["merge_fields"],
        "stats": {"avg_open_rate": 0, "avg_click_rate": 0},
        "ip_signup": "",
        "timestamp_signup": WHEN,
        "ip_opt": "192.0.2.1",
        "timestamp_opt": WHEN,
        "member_rating": 2,
        "last_changed": WHEN,
        "language": contact.get("language", ""),
        "vip": contact.get("vip", False),
        "email_client": "",
        "location": {"latitude": 0, "longitude": 0, "gmtoff": 0, "dstoff": 0, "country_code": ""},
        "source": "API - Generic",
        "tags_count": len(tags),
        "tags": tags,
        "list_id": audience,
        "_links": [
            {"rel": rel, "href": path, "method": "GET", "targetSchema": f"{schema}/{rel}.json"}
            for rel in LINKS
        ],
    }


def list_document(id: str, name: str, *, double_optin: bool, members: int) -> JSON:
    """An audience."""
    return {
        "id": id,
        "name": name,
        "double_optin": double_optin,
        "email_type_option": True,
        "marketing_permissions": False,
        "date_created": WHEN,
        "visibility": "prv",
        "stats": {"member_count": members, "total_contacts": members},
    }


def merge_field_document(audience: str, position: int, field: JSON) -> JSON:
    """A merge field."""
    return {
        "merge_id": position,
        "tag": field["tag"],
        "name": field["name"],
        "type": field["type"],
        "required": field.get("required", False),
        "default_value": "",
        "public": False,
        "display_order": position,
        "options": {"choices": list(field["choices"])} if "choices" in field else {"size": 25},
        "help_text": "",
        "list_id": audience,
    }


def trimmed(document: Any, paths: Iterable[str]) -> Any:
    """The document with what the dotted paths name only; no paths leave it whole."""
    inner: dict[str, list[str]] = {}
    for path in paths:
        name, _, rest = path.partition(".")
        inner.setdefault(name, []).extend([rest] if rest else [])
    if not inner:
        return document
    if isinstance(document, list):
        return [trimmed(each, paths) for each in document]
    return {name: trimmed(document[name], inner[name]) for name in inner if name in document}


BEHAVIOR = (
    'A behavior looks like {"latency": seconds, "connections": 10, '
    '"next": [{"status", "headers", "body", "times", "applied"}]}.'
)


def planned_answers(plan: JSON) -> list[JSON]:
    """The same answer as often as planned, instead of what is asked or after it was ``applied``."""
    body = plan.get("body")
    text = body if isinstance(body, str) or body is None else json.dumps(body)
    headers = {name.title(): str(value) for name, value in plan.get("headers", {}).items()}
    if text is not body:
        headers.setdefault("Content-Type", "application/problem+json")
    answer = {"status": int(plan["status"]), "text": text, "headers": headers}
    return [{"applied": bool(plan.get("applied")), "answer": answer}] * plan.get("times", 1)
