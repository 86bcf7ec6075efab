"""A token endpoint: OAuth 2 with three grants, whose tokens expire."""

import asyncio
import hmac
import secrets
from base64 import b64decode
from collections.abc import Mapping
from typing import Any, Literal
from urllib.parse import unquote_plus

import jwt
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

GrantType = Literal["client_credentials", "refresh_token", "service_account"]

CLIENT = "sandbox"
"""The id of the only client, and the issuer of its assertions."""

SCOPE = "rows"

PATH = "/oauth/token"

ASSERTION = "urn:ietf:params:oauth:grant-type:jwt-bearer"


class Denied(Exception):
    """No token, answered as RFC 6749 says."""

    def response(self) -> web.Response:
        """401 for credentials that are wrong, 400 for all else."""
        word = str(self)
        headers = {"WWW-Authenticate": "Basic"} if word == "invalid_client" else {}
        return web.json_response({"error": word}, status=401 if headers else 400, headers=headers)


class Tokens:
    """
    Gives tokens to one client by one grant.

    A refresh token is good once: the answer brings the next.

    Args:
        secret: The client's.
        expires_in: Seconds for which a token is good.
    """

    def __init__(self, grant: GrantType, *, secret: str, expires_in: float) -> None:
        self.expires_in = expires_in
        self.given = 0
        """How many tokens were given."""
        self._grant = grant
        self._secret = secret
        self._refresh_token = secrets.token_urlsafe(24)
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._until: dict[str, float] = {}

    def settings(self, base_url: str) -> dict[str, Any]:
        """The ``auth`` of a destination that gets its tokens here."""
        common = {"scheme": f"oauth2_{self._grant}", "token_url": base_url + PATH, "scope": SCOPE}
        if self._grant == "service_account":
            pem = self._key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
            return {
                **common,
                "issuer": CLIENT,
                "algorithm": "ES256",
                "private_key": pem.decode(),
            }
        client = {**common, "client_id": CLIENT, "client_secret": self._secret}
        if self._grant == "refresh_token":
            return {**client, "refresh_token": self._refresh_token}
        return client

    def takes(self, token: str) -> bool:
        """Whether a token was given here and is still good."""
        return self._until.get(token, 0.0) > asyncio.get_running_loop().time()

    def revoke(self) -> None:
        """No token that was given is good any more."""
        self._until.clear()

    async def give(self, request: web.Request) -> web.Response:
        """A token, or the reason why not."""
        form = {name: str(value) for name, value in (await request.post()).items()}
        try:
            more = self._granted(request, form)
        except Denied as denied:
            return denied.response()
        token = secrets.token_urlsafe(24)
        self._until[token] = asyncio.get_running_loop().time() + self.expires_in
        self.given += 1
        told = {"access_token": token, "token_type": "Bearer", "expires_in": self.expires_in}
        return web.json_response(told | more, headers={"Cache-Control": "no-store"})

    def _granted(self, request: web.Request, form: Mapping[str, str]) -> dict[str, str]:
        """What else the answer says. Raises Denied."""
        expected = ASSERTION if self._grant == "service_account" else self._grant
        if form.get("grant_type") != expected:
            raise Denied("unsupported_grant_type")
        if self._grant == "service_account":
            self._check_assertion(form.get("assertion", ""), str(request.url))
            return {}
        self._check_client(request, form)
        if self._grant == "client_credentials":
            return {}
        if not _same(form.get("refresh_token", ""), self._refresh_token):
            raise Denied("invalid_grant")
        self._refresh_token = secrets.token_urlsafe(24)
        return {"refresh_token": self._refresh_token}

    def _check_client(self, request: web.Request, form: Mapping[str, str]) -> None:
        id, secret = form.get("client_id", ""), form.get("client_secret", "")
        scheme, _, encoded = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() == "basic":
            try:
                id, _, secret = b64decode(encoded).decode().partition(":")
            except ValueError:
                raise Denied("invalid_client") from None
            id, secret = unquote_plus(id), unquote_plus(secret)
        if id != CLIENT or not _same(secret, self._secret):
            raise Denied("invalid_client")

    def _check_assertion(self, assertion: str, audience: str) -> None:
        try:
            jwt.decode(
                assertion,
                self._key.public_key(),
                ["ES256"],
                audience=audience,
                issuer=CLIENT,
                options={"require": ["exp", "iat", "iss", "aud"]},
            )
        except jwt.PyJWTError:
            raise Denied("invalid_grant") from None


def _same(sent: str, right: str) -> bool:
    return hmac.compare_digest(sent.encode(errors="surrogateescape"), right.encode())
