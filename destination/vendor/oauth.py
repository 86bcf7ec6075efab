"""
OAuth 2 and its like: tokens that are fetched when they are needed, and renewed before they lapse.

A request for a token goes out through the client of the request that needs it, so the same
rules hold for its address, and within a share of the same attempt's time.
"""

import asyncio
import math
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager

import httpx

from destination.errors import DestinationError, UnavailableError
from destination.vendor.auth import ERRAND
from destination.vendor.grants import Grant, Token, TokenRequest
from destination.vendor.tokens import NO_TOKEN, Renewal, detached

MANY_SECRETS = 16
"""Tokens, and what came with them, that are kept out of texts: an old one may still be quoted."""

SHARE_OF_TIME = 0.5
"""The share of an attempt's time in which a token must be there: the rows need the rest."""


class TokenAuth(httpx.Auth):
    """
    ``Authorization: Bearer`` with a token that a grant brings.

    However many requests wait for a token, one asks for it, and what it is told holds for all.
    A 401 renews the token and repeats the request, once. Nothing of this outlives the object.

    Args:
        scope: What the grant asks for, words separated by spaces.
    """

    def __init__(self, token_url: str, grant: Grant, *, scope: str = "") -> None:
        self._url = token_url
        self._grant = grant
        self.parts = (grant,)
        self._scope = scope
        self._lock = asyncio.Lock()
        self._outcome: Token | DestinationError | None = None
        self.secrets: deque[str] = deque(maxlen=MANY_SECRETS)

    async def async_auth_flow(
        self, request: httpx.Request
    ) -> AsyncGenerator[httpx.Request, httpx.Response]:
        """The request with a token, after one for a token where that is needed."""
        await request.aread()  # so that it can be repeated
        end = _now() + _seconds(request)
        held: Token | None = None
        for last in (False, True):
            until = _now() + (end - _now()) * SHARE_OF_TIME
            async with self._turn(held, until) as due:
                if due:
                    renewal = Renewal(self._grant, _now(), self.secrets)
                    while asked := renewal.request:
                        began = _now()
                        answer = yield self._errand(asked, request, until)
                        await renewal.answered(answer, began)
                    self._outcome = renewal.token
            held = self._held()
            request.headers["Authorization"] = f"Bearer {held.value}"
            _hurry(request, end)
            response = yield request
            if last or response.status_code != 401:
                return
            await detached(response).aclose()

    @asynccontextmanager
    async def _turn(self, refused: Token | None, until: float) -> AsyncIterator[bool]:
        """Whether to ask for a token; nobody else does inside the block then."""
        before = self._outcome
        if isinstance(before, Token) and before is not refused and _now() < before.until:
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

    @property
    def withheld(self) -> list[str]:
        """
        Words of the scope that were asked for and not granted.

        An answer without a scope grants what was asked for (RFC 6749, 5.1).
        """
        granted = self._outcome.answer.get("scope") if isinstance(self._outcome, Token) else None
        if not isinstance(granted, str):
            return []
        return [word for word in self._scope.split() if word not in granted.split()]

    def _held(self) -> Token:
        """The token, if the last time that one was asked for brought one."""
        if isinstance(self._outcome, DestinationError):
            raise self._outcome.before_sending()
        assert self._outcome is not None  # noqa: S101 - somebody has just asked
        return self._outcome

    def _errand(self, asked: TokenRequest, request: httpx.Request, until: float) -> httpx.Request:
        """The request for a token, on behalf of one that needs it."""
        body = dict(asked.parameters)
        errand = httpx.Request(
            "POST",
            asked.url or self._url,
            data=None if asked.json else body,
            json=body if asked.json else None,
            headers={
                "Accept": "application/json",
                "Accept-Encoding": "identity",
                "User-Agent": request.headers.get("User-Agent", "destination"),
                **asked.headers,
            },
            extensions={**request.extensions, ERRAND: asked.names},
        )
        _hurry(errand, until)
        return errand


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
