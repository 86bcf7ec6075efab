"""The endpoint of a customer, to which custom connectors send profiles of a segment."""

from collections.abc import Callable
from typing import Any

from aiohttp import web

from destinations.sandbox.relay42.answers import JSON, Refusal, is_number, is_text, read_json

PATH = "/segments"
ACTION = "X-Relay42-Action"

SEGMENT = "2582431"
"""The External ID of the only segment."""


def _are_ids(value: Any) -> bool:
    return bool(isinstance(value, list) and value and all(map(is_text, value))) and len(
        value
    ) == len(set(value))


def _are_members(value: Any) -> bool:
    return isinstance(value, dict) and bool(value) and None not in value.values()


SHAPE: dict[str, Callable[[Any], bool]] = {
    "siteNumber": is_number,
    "partnerNumber": is_number,
    "partnerAudienceId": is_text,
    "relay42AudienceNumber": is_number,
    "partnerIds": _are_ids,
    "audienceVariables": _are_members,
    "profileId": is_text,
    "sourceId": is_text,
    "data": _are_members,
}
"""The members of a payload in their order, and what each must be."""


class Segments:
    """
    One segment, and who is in it.

    ``DELETE`` removes, and so does ``POST`` to ``/segments/removals`` or with the action header
    saying ``remove``; any other ``POST`` adds, or replaces what was there of the profile.
    """

    def __init__(self) -> None:
        self._members: dict[str, JSON] = {}

    def routes(self) -> list[web.RouteDef]:
        """Where it listens."""
        return [
            web.post(PATH, self._receive),
            web.delete(PATH, self._receive),
            web.post(f"{PATH}/removals", self._receive),
        ]

    def rows(self) -> list[JSON]:
        """Each profile with the payload that it came in last."""
        return [{"id": id, "fields": payload} for id, payload in self._members.items()]

    async def _receive(self, request: web.Request) -> web.Response:
        payload = _payload(await read_json(request))
        id = payload.get("profileId") or " ".join(payload["partnerIds"])
        if _removes(request):
            self._members.pop(id, None)
        else:
            self._members[id] = payload
        return web.json_response({"accepted": 1})


def _removes(request: web.Request) -> bool:
    action = request.headers.get(ACTION)
    if action not in (None, "add", "remove"):
        raise Refusal(400, f"{ACTION} is add or remove")
    return request.method == "DELETE" or request.path != PATH or action == "remove"


def _payload(body: Any) -> JSON:
    """The payload, when it is of the documented shape and about the segment. Raises Refusal."""
    if not isinstance(body, dict) or "partnerIds" not in body:
        raise Refusal(422, "a payload is an object with partnerIds")
    if list(body) != [name for name in SHAPE if name in body]:
        raise Refusal(422, f"a payload has these members, in this order: {', '.join(SHAPE)}")
    for name, value in body.items():
        if not SHAPE[name](value):
            raise Refusal(422, f"{name} is not what it should be")
    if body.get("partnerAudienceId") != SEGMENT:
        raise Refusal(422, "partnerAudienceId names no segment")
    return body
