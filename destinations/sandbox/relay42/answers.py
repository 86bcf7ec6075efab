"""Bodies read strictly, refusals, and answers as they are planned."""

import json
from typing import Any

from aiohttp import web

JSON = dict[str, Any]

BEHAVIOR = (
    'a behavior looks like {"latency": seconds, '
    '"next": [{"status", "headers", "body", "times", "applied"}]}'
)


class Refusal(Exception):
    """A request that changes nothing."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status

    def response(self) -> web.Response:
        """The answer, in the REST API's shape."""
        body = {"errorCode": self.status, "message": str(self)}
        return web.json_response(body, status=self.status)


async def read_json(request: web.Request) -> Any:
    """The body's JSON. Raises Refusal for what is none, or does not say that it is UTF-8."""
    body = await request.read()
    if request.content_type != "application/json":
        raise Refusal(400, "the Content-Type must be application/json")
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise Refusal(400, "the body is not valid JSON") from None


def is_text(value: Any) -> bool:
    """Whether it is a text with something in it."""
    return isinstance(value, str) and bool(value.strip())


def is_number(value: Any) -> bool:
    """Whether it is a whole number above zero."""
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def planned_answers(plan: JSON) -> list[JSON]:
    """The same answer as often as planned, instead of what is asked or after it was ``applied``."""
    body = plan.get("body")
    text = body if isinstance(body, str) or body is None else json.dumps(body)
    headers = {name.title(): str(value) for name, value in plan.get("headers", {}).items()}
    if text is not body:
        headers.setdefault("Content-Type", "application/json")
    answer = {"status": int(plan["status"]), "text": text, "headers": headers}
    return [{"applied": bool(plan.get("applied")), "answer": answer}] * plan.get("times", 1)
