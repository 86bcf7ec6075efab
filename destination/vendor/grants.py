"""What a token endpoint is asked for a token with: three grants of OAuth 2, and room for others."""

import secrets
import time
from base64 import b64encode
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol
from urllib.parse import quote_plus

import jwt

JWT_LIFE = 300
"""Seconds for which an assertion is good; some vendors take none that lasts longer."""

JWT_BEFORE = 30
"""Seconds by which an assertion is dated back, for a vendor whose clock is behind."""

LONGEST_SECRET, SHORTEST_SECRET = 8192, 6
"""Characters of what comes with a token and is kept out of texts."""

NO_SECRETS = frozenset(
    {
        "audience",
        "client_id",
        "error",
        "expires_in",
        "expiresInSeconds",
        "grant_type",
        "resource",
        "scope",
        "token_type",
        "tokenType",
    }
)
"""What may be shown of a request for a token and of its answer."""

Key = jwt.algorithms.AllowedPrivateKeys


@dataclass(frozen=True, slots=True)
class TokenNames:
    """What an answer calls the token that it brings, its type, and its life in seconds."""

    token: str = "access_token"  # noqa: S105 - a name
    type: str = "token_type"
    life: str = "expires_in"


@dataclass(frozen=True, slots=True)
class TokenRequest:
    """
    A request for a token.

    Args:
        parameters: The body: a form, or a JSON object.
        headers: Beside the usual ones.
        url: Where to, if not to the address that ``TokenAuth`` is given.
        names: What its answer is read by.
    """

    parameters: Mapping[str, str] = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    url: str = ""
    json: bool = False
    names: TokenNames = TokenNames()


@dataclass(frozen=True, slots=True)
class Token:
    """
    A token.

    Args:
        until: When to renew it, on the event loop's clock.
        answer: All that came with it.
    """

    value: str = field(repr=False)
    until: float
    answer: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def secrets(self) -> Iterator[str]:
        """What must not be shown of it; the token itself is the last."""
        yield from secret_members(self.answer)
        yield self.value[:LONGEST_SECRET]


def secret_members(told: Mapping[str, Any]) -> Iterator[str]:
    """What must not be shown of a request for a token, or of its answer."""
    for name, value in told.items():
        if name in NO_SECRETS or not isinstance(value, str):
            continue
        if len(value) >= SHORTEST_SECRET and not value.isdigit():
            yield value[:LONGEST_SECRET]


Renewing = Generator[TokenRequest, Token, Token]
"""The requests of one renewal, each of which is sent the token that it brought."""


class Grant(Protocol):
    """A way to come by a token."""

    def renew(self, now: float) -> Renewing:
        """
        Yield one request after another; return the token that the vendor is to be shown.

        A request that brings none raises its DestinationError where it was yielded.

        Args:
            now: On the clock of ``Token.until``.
        """


@dataclass(frozen=True, slots=True)
class Client:
    """
    Who asks for a token.

    Args:
        secret: Empty for a public client, which shows its id alone.
        in_body: The secret is a parameter rather than HTTP Basic.
    """

    id: str
    secret: str = field(default="", repr=False)
    in_body: bool = False

    def form(self) -> Mapping[str, str]:
        """The parameters that name the client."""
        if not self.secret:
            return {"client_id": self.id}
        return {"client_id": self.id, "client_secret": self.secret} if self.in_body else {}

    def headers(self) -> Mapping[str, str]:
        """HTTP Basic, whose two parts are form-encoded first."""
        if self.in_body or not self.secret:
            return {}
        pair = f"{quote_plus(self.id)}:{quote_plus(self.secret)}"
        return {"Authorization": f"Basic {b64encode(pair.encode()).decode()}"}


class ClientCredentials:
    """The client's own credentials. ``more`` are parameters such as ``scope`` and ``audience``."""

    def __init__(self, client: Client, more: Mapping[str, str]) -> None:
        self._client = client
        self._more = more

    def renew(self, now: float) -> Renewing:
        """One request."""
        return (yield TokenRequest(self.form(), self._client.headers()))

    def form(self) -> Mapping[str, str]:
        """The parameters."""
        return {**self._more, "grant_type": "client_credentials", **self._client.form()}


class RefreshToken:
    """A refresh token; one that the vendor gives in its place is kept as long as this object."""

    def __init__(self, client: Client, refresh_token: str, more: Mapping[str, str]) -> None:
        self._client = client
        self._token = refresh_token
        self._more = more

    def renew(self, now: float) -> Renewing:
        """One request."""
        token = yield TokenRequest(self.form(), self._client.headers())
        self.learn(token.answer)
        return token

    def form(self) -> Mapping[str, str]:
        """The parameters, with the latest refresh token."""
        shown = {"grant_type": "refresh_token", "refresh_token": self._token}
        return {**self._more, **shown, **self._client.form()}

    def learn(self, answer: Mapping[str, Any]) -> None:
        """Keep the refresh token that came with the answer, if one did."""
        token = answer.get("refresh_token")
        if isinstance(token, str) and token:
            self._token = token


class ServiceAccount:
    """
    A signed assertion (RFC 7523), made anew for each request.

    Args:
        claims: Those that stay the same: ``iss``, ``aud``, perhaps ``sub`` and ``scope``.
        key: As ``private_key`` returns it.
        key_id: The assertion's ``kid``.
        clock: Seconds since 1970.
    """

    def __init__(
        self,
        claims: Mapping[str, str],
        key: Key,
        algorithm: Literal["RS256", "ES256"],
        *,
        key_id: str | None = None,
        more: Mapping[str, str],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._claims = claims
        self._key = key
        self._algorithm = algorithm
        self._headers = {"kid": key_id} if key_id else None
        self._more = more
        self._clock = clock

    def renew(self, now: float) -> Renewing:
        """One request; the assertion says who asks."""
        return (yield TokenRequest(self.form()))

    def form(self) -> Mapping[str, str]:
        """The parameters, with an assertion that is good from now on."""
        issued = int(self._clock()) - JWT_BEFORE
        times = {"iat": issued, "exp": issued + JWT_LIFE, "jti": secrets.token_hex(16)}
        assertion = jwt.encode({**self._claims, **times}, self._key, self._algorithm, self._headers)
        kind = "urn:ietf:params:oauth:grant-type:jwt-bearer"
        return {**self._more, "grant_type": kind, "assertion": assertion}


def private_key(pem: str, algorithm: Literal["RS256", "ES256"]) -> Key:
    r"""
    The key in a PEM text, whose line breaks may be written ``\n``.

    Raises:
        ValueError: It is no private key, or none for this algorithm, or has a password.
    """
    made = jwt.get_algorithm_by_name(algorithm)
    try:
        key: Key = made.prepare_key(pem.replace("\\n", "\n"))
        made.sign(b"", key)
    except Exception:  # noqa: BLE001 - the many that two libraries raise all mean the same
        raise ValueError(
            f"must be a private key in PEM for {algorithm}, without a password"
        ) from None
    if made.check_key_length(key):
        raise ValueError("must be a longer key: RSA needs 2048 bits")
    return key
