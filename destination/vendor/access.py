"""The operator's settings for being let in and for signing: one model for each scheme."""

from base64 import b64decode
from typing import Annotated, Literal

import httpx
from pydantic import AfterValidator, Field, SecretStr, ValidationInfo, field_validator

from destination.strict import Address, HeaderName, Line, SecretLine, Some, Strict
from destination.vendor.auth import HeaderAuth, QueryAuth, bearer
from destination.vendor.grants import (
    Client,
    ClientCredentials,
    Grant,
    RefreshToken,
    ServiceAccount,
    private_key,
)
from destination.vendor.oauth import TokenAuth
from destination.vendor.signing import (
    Algorithm,
    HmacSignature,
    Signature,
    Signed,
    StandardWebhooks,
)


class NoAuth(Strict):
    """No credentials."""

    scheme: Literal["none"] = "none"

    def auth(self) -> httpx.Auth | None:
        """Nothing."""
        return None


class Bearer(Strict):
    """``Authorization: Bearer <token>``."""

    scheme: Literal["bearer"]
    token: SecretLine

    def auth(self) -> httpx.Auth | None:
        """The header."""
        return bearer(self.token.get_secret_value())


class Basic(Strict):
    """User name and password."""

    scheme: Literal["basic"]
    username: Annotated[str, Field(pattern="^[^:]*$")]
    password: SecretStr

    def auth(self) -> httpx.Auth | None:
        """Httpx's own."""
        return httpx.BasicAuth(self.username, self.password.get_secret_value())


class Header(Strict):
    """A header of any name with a secret value."""

    scheme: Literal["header"]
    name: HeaderName
    value: SecretLine

    def auth(self) -> httpx.Auth | None:
        """The header."""
        return HeaderAuth(self.name, self.value.get_secret_value())


class Query(Strict):
    """A query parameter of any name with a secret value."""

    scheme: Literal["query"]
    name: Line
    value: SecretLine

    def auth(self) -> httpx.Auth | None:
        """The parameter."""
        return QueryAuth(self.name, self.value.get_secret_value())


class _Tokens(Strict):
    token_url: Address
    """Where tokens are given out."""
    scope: Annotated[str, Field(pattern=r"^[\x20-\x7e]*$")] = ""
    """What the token is to be good for; words separated by spaces."""
    parameters: dict[Line, Line] = Field(default_factory=dict)
    """More parameters of the request for a token, such as ``audience``."""

    def auth(self) -> httpx.Auth | None:
        """A token, renewed when it must be."""
        return TokenAuth(str(self.token_url), self._grant(), scope=self.scope)

    def _grant(self) -> Grant:
        raise NotImplementedError

    def _more(self) -> dict[str, str]:
        return {**self.parameters, **({"scope": self.scope} if self.scope else {})}


class _ForClients(_Tokens):
    client_id: Line
    client_secret: SecretLine
    client_auth: Literal["basic", "body"] = "basic"
    """How the client's secret is shown: in HTTP Basic, or as a parameter."""

    def _client(self) -> Client:
        secret = self.client_secret.get_secret_value()
        return Client(self.client_id, secret, in_body=self.client_auth == "body")


class OAuthClientCredentials(_ForClients):
    """OAuth 2 with the client's own credentials."""

    scheme: Literal["oauth2_client_credentials"]

    def _grant(self) -> Grant:
        return ClientCredentials(self._client(), self._more())


class OAuthRefreshToken(_ForClients):
    """OAuth 2 with a refresh token that a person's consent brought."""

    scheme: Literal["oauth2_refresh_token"]
    client_secret: SecretLine = SecretStr("")
    """Empty for a public client."""
    refresh_token: SecretLine

    def _grant(self) -> Grant:
        return RefreshToken(self._client(), self.refresh_token.get_secret_value(), self._more())


class OAuthServiceAccount(_Tokens):
    """OAuth 2 with an assertion that a service account's key signs (RFC 7523)."""

    scheme: Literal["oauth2_service_account"]
    issuer: Line
    algorithm: Literal["RS256", "ES256"] = "RS256"
    private_key: SecretStr
    key_id: Line | None = None
    subject: Line | None = None
    audience: Line | None = None

    @field_validator("private_key")
    @classmethod
    def _usable(cls, value: SecretStr, info: ValidationInfo) -> SecretStr:
        if algorithm := info.data.get("algorithm"):
            private_key(value.get_secret_value(), algorithm)
        return value

    def _grant(self) -> Grant:
        claims = {"iss": self.issuer, "aud": self.audience or str(self.token_url)}
        claims |= {"sub": self.subject} if self.subject else {}
        claims |= {"scope": self.scope} if self.scope else {}
        key = private_key(self.private_key.get_secret_value(), self.algorithm)
        return ServiceAccount(claims, key, self.algorithm, key_id=self.key_id, more=self.parameters)


Auth = Annotated[
    NoAuth
    | Bearer
    | Basic
    | Header
    | Query
    | OAuthClientCredentials
    | OAuthRefreshToken
    | OAuthServiceAccount,
    Field(discriminator="scheme"),
]
"""A way of being let in."""


class Hmac(Strict):
    """The HMAC of the body in a header: ``sha256=`` and hexadecimal digits."""

    scheme: Literal["hmac"]
    secret: SecretLine
    algorithm: Algorithm = "sha256"
    header: HeaderName = "X-Signature-256"

    def signature(self) -> Signature:
        """What signs."""
        return HmacSignature(
            self.secret.get_secret_value(), algorithm=self.algorithm, header=self.header
        )


def _webhook_secret(value: SecretStr) -> SecretStr:
    text = value.get_secret_value().removeprefix("whsec_")
    try:
        key = b64decode(text + "=" * (-len(text) % 4), validate=True)
    except ValueError:
        key = b""
    if not 24 <= len(key) <= 64:
        raise ValueError("must be whsec_ and 24 to 64 bytes in base64")
    return value


class StandardSignature(Strict):
    """The headers of Standard Webhooks 1.0; of several secrets any may be the receiver's."""

    scheme: Literal["standard_webhooks"]
    secrets: Annotated[tuple[Annotated[SecretStr, AfterValidator(_webhook_secret)], ...], Some]

    def signature(self) -> Signature:
        """What signs."""
        return StandardWebhooks([each.get_secret_value() for each in self.secrets])


Signing = Annotated[Hmac | StandardSignature, Field(discriminator="scheme")]
"""A way of signing what is sent."""


def credentials(auth: Auth, signing: Signing | None = None) -> httpx.Auth | None:
    """What a ``Connection`` takes: the way of being let in, with a signature if one is wanted."""
    return Signed(signing.signature(), auth.auth()) if signing else auth.auth()
