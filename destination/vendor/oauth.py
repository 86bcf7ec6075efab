"""
OAuth 2: tokens that are fetched when they are needed, and renewed before they lapse.

The request for a token goes out through the client of the request that needs it, so the same
rules hold for its address, and within a share of the same attempt's time.
"""

import asyncio
import math
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
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
from destination.vendor.auth import ERRAND
from destination.vendor.grants import Grant
from destination.vendor.retry import retry_after

MARGIN, SHARE_OF_LIFE = 60.0, 0.2
"""Seconds before a token lapses at which it is renewed: so many, or this share of a short life."""

SHARE_OF_TIME = 0.5
"""The share of an attempt's time in which a token must be there: the rows need the rest."""

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


@dataclass(frozen=True, slots=True)
class _Token:
    """An access token, and when to renew it by the loop's clock."""

    value: str = field(repr=False)
    until: float


class TokenAuth(httpx.Auth):
    """
    ``Authorization: Bearer`` with a token that a grant brings.

    However many requests wait for a token, one asks for it, and what it is told holds for all.
    A 401 renews the token and repeats the request, once. Nothing of this outlives the object.
    """

    def __init__(self, token_url: str, grant: Grant) -> None:
        self._url = token_url
        self._grant = grant
        self._lock = asyncio.Lock()
        self._outcome: _Token | DestinationError | None = None

    async def async_auth_flow(
        self, request: httpx.Request
    ) -> AsyncGenerator[httpx.Request, httpx.Response]:
        """The request with a token, after one for a token where that is needed."""
        await request.aread()  # so that it can be repeated
        end = _now() + _seconds(request)
        token: _Token | None = None
        for last in (False, True):
            until = _now() + (end - _now()) * SHARE_OF_TIME
            async with self._turn(token, until) as due:
                if due:
                    began = _now()
                    answer = yield self._errand(request, until)
                    self._outcome = await self._granted(answer, began)
            token = self._held()
            request.headers["Authorization"] = f"Bearer {token.value}"
            _hurry(request, end)
            response = yield request
            if last or response.status_code != 401:
                return
            await _detached(response).aclose()

    @asynccontextmanager
    async def _turn(self, refused: _Token | None, until: float) -> AsyncIterator[bool]:
        """Whether to ask for a token; nobody else does inside the block then."""
        before = self._outcome
        if isinstance(before, _Token) and before is not refused and _now() < before.until:
            yield False
            return
        try:
            async with asyncio.timeout_at(until if until < math.inf else None):
                await self._lock.acquire()
        except TimeoutError:
            raise UnavailableError(f"{NO_TOKEN}there was no answer in time") from None
        try:
            yield self._outcome is before
        except DestinationError as error:
            self._outcome = error.before_sending()
            raise
        finally:
            self._lock.release()

    def _held(self) -> _Token:
        """The token, if the last time that one was asked for brought one."""
        if isinstance(self._outcome, DestinationError):
            raise self._outcome.before_sending()
        assert self._outcome is not None  # noqa: S101 - somebody has just asked
        return self._outcome

    def _errand(self, request: httpx.Request, until: float) -> httpx.Request:
        """The request for a token."""
        errand = httpx.Request(
            "POST",
            self._url,
            data=dict(self._grant.form()),
            headers={
                "Accept": "application/json",
                "Accept-Encoding": "identity",
                "User-Agent": request.headers.get("User-Agent", "destination"),
                **self._grant.headers(),
            },
            extensions={**request.extensions, ERRAND: True},
        )
        _hurry(errand, until)
        return errand

    async def _granted(self, answer: httpx.Response, began: float) -> _Token:
        """The token in an answer. Raises DestinationError when there is none."""
        told = await _content(answer)
        if error := _refusal(answer, told):
            raise error
        value, kind = told.get("access_token"), told.get("token_type") or "bearer"
        if not (isinstance(value, str) and value and value.isascii() and value.isprintable()):
            raise UnavailableError(f"{THE_ENDPOINT}gave an answer without one")
        if str(kind).lower() != "bearer":
            raise AuthError(f"{THE_ENDPOINT}gave one of an unknown type")
        self._grant.learn(told)
        return _Token(value, began + _useful_life(told.get("expires_in")))


def _refusal(answer: httpx.Response, told: Mapping[str, Any]) -> DestinationError | None:
    """Why an answer brings no token, by its status and its ``error``."""
    status, word = answer.status_code, told.get("error")
    answered = f"{THE_ENDPOINT}answered {status}"
    if isinstance(word, str) and word in ERRORS:
        answered += f" ({word})"
    if status in (400, 401, 403) or (answer.is_success and word):
        return AuthError(f"{answered}: it refused the credentials")
    if answer.is_success:
        return None
    wait = retry_after(answer.headers, datetime.now(UTC))
    if status == 429 or wait is not None:
        return RateLimited(answered, retry_after=wait)
    if status in (408, 425) or status >= 500 or status < 200:
        return UnavailableError(answered)
    return ConfigError(f"{answered}: is token_url right?")


async def _content(answer: httpx.Response) -> Mapping[str, Any]:
    """The object in an answer; an empty one where a refusal is not readable."""
    taken = _detached(answer)
    try:
        told = msgspec.json.decode(await read(taken))
    except (*BODY_FAILED, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        told = None
    finally:
        await taken.aclose()
    if isinstance(told, dict):
        return told
    if answer.is_success:
        raise UnavailableError(f"{THE_ENDPOINT}gave an answer that cannot be read")
    return {}


def _detached(response: httpx.Response) -> httpx.Response:
    """
    The same answer, for oneself.

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


def _useful_life(told: Any) -> float:
    """Seconds until a token is renewed; one whose life is not told is used until it is refused."""
    try:
        life = float(told)
    except (TypeError, ValueError, OverflowError):
        return math.inf
    return max(0.0, life - min(MARGIN, life * SHARE_OF_LIFE)) if life == life else math.inf


def _seconds(request: httpx.Request) -> float:
    """How long an attempt may take in all."""
    told = request.extensions.get("timeout", {}).get("pool")
    return math.inf if told is None else float(told)


def _hurry(request: httpx.Request, end: float) -> None:
    """Scale the request's time-outs down to what is left. Raises UnavailableError for nothing."""
    left, seconds = end - _now(), _seconds(request)
    if left <= 0:
        raise UnavailableError(f"{NO_TOKEN}there was no answer in time")
    if left < seconds:
        before = request.extensions["timeout"]
        request.extensions["timeout"] = {
            name: told and told * left / seconds for name, told in before.items()
        }


def _now() -> float:
    return asyncio.get_running_loop().time()
