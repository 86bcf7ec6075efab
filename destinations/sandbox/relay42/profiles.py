"""The part of the REST API that is about the facts of profiles."""

import asyncio
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from destinations.sandbox.relay42.answers import JSON, Refusal, is_number, is_text, read_json

SITE = 1234
"""The only site that the credentials are good for."""

PATH = r"/v1/site-{site:\d+}/profiles/{partner:\d+}/facts"

Profile = tuple[str, str]
"""A partner type and an id of that type."""


@dataclass(frozen=True)
class Fact:
    """A fact, until it lapses."""

    name: str
    ttl: int
    properties: dict[str, str]
    created: float

    def document(self) -> JSON:
        """As the API tells it."""
        return {
            "creation_time": int(self.created * 1000),
            "name": self.name,
            "original_ttl": self.ttl,
            "parameters": self.properties,
        }


class Profiles:
    """The profiles of one site and the facts that they have."""

    def __init__(self) -> None:
        self._profiles: dict[Profile, dict[str, Fact]] = {}

    def routes(self) -> list[web.RouteDef]:
        """Where the API listens."""
        handlers = {
            "GET": self._show,
            "POST": self._insert,
            "PUT": self._insert,
            "DELETE": self._delete,
        }
        return [web.route(method, PATH, handler) for method, handler in handlers.items()]

    def rows(self) -> list[JSON]:
        """Each id that has a fact, with the properties of it."""
        return [
            {"id": id, "fields": {"fact": fact.name, **fact.properties}}
            for partner, id in self._profiles
            for fact in self._facts((partner, id)).values()
        ]

    def _facts(self, profile: Profile) -> dict[str, Fact]:
        """The facts that have not lapsed."""
        now = _now()
        facts = self._profiles.get(profile, {})
        return {name: fact for name, fact in facts.items() if now < fact.created + fact.ttl}

    async def _show(self, request: web.Request) -> web.Response:
        profile = _profile(request, set())
        return web.json_response([fact.document() for fact in self._facts(profile).values()])

    async def _insert(self, request: web.Request) -> web.Response:
        """POST or PUT: all facts of the body, or none of them."""
        required = {"forceInsert"} if request.method == "POST" else set[str]()
        profile = _profile(request, required)
        force = request.query.get("forceInsert", "false")
        if force not in ("true", "false"):
            raise Refusal(400, "forceInsert is true or false")
        _check_charset(request, await request.read())
        facts = _read_facts(await read_json(request))
        if profile not in self._profiles and force != "true":
            raise Refusal(400, f"there is no profile {profile[1]}; the record is ignored")
        held = self._profiles.setdefault(profile, {})
        held.update({fact.name: fact for fact in facts})
        return web.Response()

    async def _delete(self, request: web.Request) -> web.Response:
        profile = _profile(request, {"fact"})
        self._profiles.get(profile, {}).pop(request.query["fact"], None)
        return web.Response()


def _profile(request: web.Request, required: set[str]) -> Profile:
    """Whom the request is about. Raises Refusal for another site, or parameters of another kind."""
    if int(request.match_info["site"]) != SITE:
        raise Refusal(401, "the user is not known for this site")
    required = {"partnerId", *required}
    optional = {"forceInsert"} if request.method == "PUT" else set[str]()
    given = list(request.query)
    if len(given) != len(set(given)) or not required <= set(given) <= required | optional:
        raise Refusal(400, f"the parameters are {', '.join(sorted(required))}")
    if not all(map(is_text, request.query.values())):
        raise Refusal(400, "a parameter is blank")
    return request.match_info["partner"], request.query["partnerId"]


def _check_charset(request: web.Request, body: bytes) -> None:
    if not body.isascii() and (request.charset or "").lower() != "utf-8":
        raise Refusal(400, "special characters need a Content-Type with charset=utf-8")


def _read_facts(body: Any) -> list[Fact]:
    if not isinstance(body, list) or not body or not all(map(_is_fact, body)):
        raise Refusal(400, 'the body is a list of {"factName", "factTtl", "properties"}')
    return [Fact(one["factName"], int(one["factTtl"]), one["properties"], _now()) for one in body]


def _is_fact(one: Any) -> bool:
    match one:
        case {"factName": name, "factTtl": ttl, "properties": dict() as properties, **more}:
            seconds = int(ttl) if isinstance(ttl, str) and ttl.isdecimal() else ttl
            texts = all(isinstance(value, str) for value in properties.values())
            return is_text(name) and is_number(seconds) and texts and not more
    return False


def _now() -> float:
    return asyncio.get_running_loop().time()
