"""A token endpoint's answers: read within bounds, a token or why there is none."""

import math
from collections import deque
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any

import httpx
import msgspec

from destination.errors import (
    AuthError,
    ConfigError,
    DestinationError,
    RateLimited,
    UnavailableError,
)
from destination.vendor.answers import BODY_FAILED, read
from destination.vendor.grants import Grant, Token, TokenNames, TokenRequest
from destination.vendor.retry import retry_after

MARGIN, SHARE_OF_LIFE = 60.0, 0.2
"""Seconds before a token lapses at which it is renewed: so many, or this share of a short life."""

NO_TOKEN = "not sent: no access token: "  # noqa: S105 - a message
THE_ENDPOINT = f"{NO_TOKEN}the token endpoint "

ERRORS = frozenset(
    {
        "invalid_client",
        "invalid_grant",
        "invalid_request",
        "invalid_scope",
        "unauthorized_client",
        "unsupported_grant_type",
    }
)
"""The words of RFC 6749 for why there is no token; others might quote what they are about."""


class Renewal:
    """
    One renewal by a grant.

    ``request`` is what to ask next; None once ``token`` is there.

    Args:
        secrets: Takes what must not be shown of the answers.
    """

    def __init__(self, grant: Grant, now: float, secrets: deque[str]) -> None:
        self._renewing = grant.renew(now)
        self._secrets = secrets
        self.request: TokenRequest | None = None
        self.token: Token | None = None
        self._go_on(partial(next, self._renewing))

    async def answered(self, response: httpx.Response, began: float) -> None:
        """
        The request was answered with this.

        Args:
            began: When it was sent, from which the life of a token counts.

        Raises:
            AuthError: The endpoint refused, or gave a type of token that is not known.
            ConfigError: It is none.
            UnavailableError: It may bring a token later.
        """
        assert self.request is not None  # noqa: S101 - or nothing was asked
        try:
            token = await _token(response, began, self.request.names)
        except DestinationError as error:
            self._go_on(partial(self._renewing.throw, error))
        else:
            self._secrets.extend(token.secrets)
            self._go_on(partial(self._renewing.send, token))

    def _go_on(self, step: Callable[[], TokenRequest]) -> None:
        try:
            self.request = step()
        except StopIteration as done:
            self.request, self.token = None, done.value


async def _token(response: httpx.Response, began: float, names: TokenNames) -> Token:
    """The token in an answer; one whose life is not told is used until it is refused."""
    told = await _content(response)
    if error := _refusal(response, told):
        raise error
    value, kind = told.get(names.token), told.get(names.type) or "bearer"
    if not (isinstance(value, str) and value and value.isascii() and value.isprintable()):
        raise UnavailableError(f"{THE_ENDPOINT}gave an answer without one")
    if str(kind).lower() != "bearer":
        raise AuthError(f"{THE_ENDPOINT}gave one of an unknown type")
    try:
        life = float(told.get(names.life, math.inf))
    except (TypeError, ValueError, OverflowError):
        life = math.inf
    useful = life - min(MARGIN, life * SHARE_OF_LIFE) if life > 0 else 0.0
    return Token(value, began + useful, told)


def detached(response: httpx.Response) -> httpx.Response:
    """
    The same answer, for oneself, within an authentication flow.

    httpx reads what it is left of an answer, inflates it and has no limit; so it is left nothing.
    """
    taken = httpx.Response(
        response.status_code,
        headers=response.headers,
        stream=response.stream,
        request=response.request,
    )
    response.stream = httpx.ByteStream(b"")
    response.headers.pop("Content-Encoding", None)
    return taken


async def _content(response: httpx.Response) -> Mapping[str, Any]:
    """The object in an answer; an empty one where a refusal is not readable."""
    try:
        told = msgspec.json.decode(await read(detached(response)))
    except (*BODY_FAILED, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        told = None
    if isinstance(told, dict):
        return told
    if response.is_success:
        raise UnavailableError(f"{THE_ENDPOINT}gave an answer that cannot be read")
    return {}


def _refusal(response: httpx.Response, told: Mapping[str, Any]) -> DestinationError | None:
    """Why an answer brings no token, by its status and its ``error``."""
    status, word = response.status_code, told.get("error")
    answered = f"{THE_ENDPOINT}answered {status}"
    if isinstance(word, str) and word in ERRORS:
        answered += f" ({word})"
    if status in (400, 401, 403) or (response.is_success and word):
        return AuthError(f"{answered}: it refused the credentials")
    if response.is_success:
        return None
    wait = retry_after(response.headers, datetime.now(UTC))
    if status == 429 or wait is not None:
        return RateLimited(answered, retry_after=wait)
    if status in (408, 425) or status >= 500 or status < 200:
        return UnavailableError(answered)
    return ConfigError(f"{answered}: is its address right?")
