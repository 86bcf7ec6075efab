"""Who may use the REST API: HTTP Basic, or an API key, a refresh token and tokens."""

import asyncio
import hmac
import secrets
from base64 import b64decode
from typing import Any

from aiohttp import web

from destinations.sandbox.relay42.answers import JSON, Refusal, read_json

IDENTIFIER = "sandbox"
"""The API identifier of the only user."""


class Users:
    """
    One user, whose access token and API key are the same text.

    Args:
        token_life: Seconds for which a token is good.
        refresh_life: The same of a refresh token.
    """

    def __init__(self, secret: str, *, token_life: float, refresh_life: float) -> None:
        self._secret = secret
        self._lives = {"token": token_life, "refreshToken": refresh_life}
        self._until: dict[str, dict[str, float]] = {"token": {}, "refreshToken": {}}
        self.given = {"token": 0, "refreshToken": 0}
        """How many there were of either."""

    def routes(self) -> list[web.RouteDef]:
        """Where keys and refresh tokens are taken."""
        return [
            web.post("/users/authenticate", self._authenticate),
            web.post("/users/token", self._renew),
        ]

    def revoke(self, *kinds: str) -> None:
        """No ``token``, or no ``refreshToken``, that was given is good any more."""
        for kind in kinds:
            self._until[kind].clear()

    def check(self, request: web.Request) -> None:
        """Raises Refusal for a request of somebody else."""
        scheme, _, sent = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() == "basic":
            identifier, _, secret = b64decode(sent).decode(errors="replace").partition(":")
            right = identifier == IDENTIFIER and self._is_secret(secret)
        else:
            right = scheme.lower() == "bearer" and self._is_good("token", sent)
        if not right:
            raise Refusal(401, "the user is not known for this site")

    async def _authenticate(self, request: web.Request) -> web.Response:
        if not self._is_secret(await _sole(request, "apiKey")):
            raise Refusal(401, "the API key is not known")
        return web.json_response(self._give("refreshToken"))

    async def _renew(self, request: web.Request) -> web.Response:
        if not self._is_good("refreshToken", await _sole(request, "refreshToken")):
            raise Refusal(401, "the refresh token is not known")
        return web.json_response({**self._give("token"), "tokenType": "Bearer"})

    def _give(self, kind: str) -> JSON:
        value, life = secrets.token_urlsafe(24), self._lives[kind]
        self._until[kind][value] = asyncio.get_running_loop().time() + life
        self.given[kind] += 1
        return {kind: value, "expiresInSeconds": life}

    def _is_good(self, kind: str, value: str) -> bool:
        return self._until[kind].get(value, 0.0) > asyncio.get_running_loop().time()

    def _is_secret(self, sent: str) -> bool:
        return hmac.compare_digest(sent.encode(errors="replace"), self._secret.encode())


async def _sole(request: web.Request, name: str) -> str:
    """The only member of the body, which is a text."""
    body: Any = await read_json(request)
    if not isinstance(body, dict) or list(body) != [name] or not isinstance(body[name], str):
        raise Refusal(400, f'the body is {{"{name}"}}')
    value: str = body[name]
    return value
