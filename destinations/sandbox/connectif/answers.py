"""How the API answers: documents, pages, refusals, and its window of requests."""

import asyncio
import json
import math
import time
from email.utils import formatdate
from typing import Any

from aiohttp import web

JSON = dict[str, Any]

PAGE = 2
"""Items on a page: few, so that there are several."""

BEHAVIOR = (
    'A behavior looks like {"limit": 100, "window": seconds, "latency": seconds, '
    '"scopes": ["read", "write"], "next": [{"status", "headers", "body", "times", "applied"}]}.'
)


class Refusal(Exception):
    """A request that changes nothing; a 401 has no document."""

    def __init__(self, status: int, title: str = "", detail: str = "", **more: Any) -> None:
        super().__init__(detail)
        self.status = status
        self._document = {"status": status, "title": title, "detail": detail, **more}

    def response(self) -> web.Response:
        """The answer."""
        if self.status == 401:
            return web.Response(status=401)
        return web.json_response(self._document, status=self.status)


class Window:
    """
    A window of requests, which begins with the first one after the last window has ended.

    Args:
        limit: Requests in a window.
        seconds: How long it is.
    """

    def __init__(self, limit: int, seconds: float) -> None:
        self.limit = limit
        self.seconds = seconds
        self._taken = 0
        self._end: float | None = None
        self._epoch: float | None = None

    def take(self) -> None:
        """Count a request. Raises Refusal when the window has no room."""
        now = self._now()
        if self._end is None or now >= self._end:
            self._taken, self._end = 0, now + self.seconds
        if self._taken >= self.limit:
            raise Refusal(429, "Too Many Requests", "Requests rate limit reached.")
        self._taken += 1

    def headers(self) -> dict[str, str]:
        """What an answer says of the window, and the time at which it says so."""
        now = self._now()
        return {
            "X-RateLimit-Limit": str(self.limit),
            "X-RateLimit-Remaining": str(self.limit - self._taken),
            "X-RateLimit-Reset": str(math.ceil(now if self._end is None else self._end)),
            "Date": formatdate(now, usegmt=True),
        }

    def _now(self) -> float:
        """Seconds since 1970 that pass as the event loop's do."""
        passed = asyncio.get_running_loop().time()
        if self._epoch is None:
            self._epoch = int(time.time()) - passed
        return self._epoch + passed


def page(request: web.Request, items: list[JSON]) -> web.Response:
    """The page that is asked for, with links to those beside it."""
    asked = request.query.get("page", "1")
    if not asked.isdecimal() or int(asked) < 1:
        raise Refusal(400, "Bad Request", "page must be a number.")
    number = int(asked)
    links = {}
    if number > 1:
        links["prev"] = str(request.url.update_query(page=number - 1))
    if len(items) > number * PAGE:
        links["next"] = str(request.url.update_query(page=number + 1))
    results = items[(number - 1) * PAGE : number * PAGE]
    return web.json_response({"links": links, "results": results})


def planned_answers(plan: JSON) -> list[JSON]:
    """The same answer as often as planned, instead of what is asked or after it was ``applied``."""
    body = plan.get("body")
    text = body if isinstance(body, str) or body is None else json.dumps(body)
    headers = {name.title(): str(value) for name, value in plan.get("headers", {}).items()}
    if text is not body:
        headers.setdefault("Content-Type", "application/json")
    answer = {"status": int(plan["status"]), "text": text, "headers": headers}
    return [{"applied": bool(plan.get("applied")), "answer": answer}] * plan.get("times", 1)
