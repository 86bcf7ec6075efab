"""
Requests made and sent, without what an ``httpx.AsyncClient`` does beside that.

A client looks after cookies, redirects, proxies and hooks for each request. None of that is wanted
here, where a request should cost little more than its bytes.
"""

from collections.abc import AsyncGenerator, Mapping
from functools import lru_cache
from types import TracebackType
from typing import Any, Self

import httpx

from destination.errors import ConfigError

MANY_URLS = 1_000
"""URLs that are kept parsed."""

HEADERS = {
    "Accept": "*/*",
    "Accept-Encoding": "identity",
    "Connection": "keep-alive",
    "User-Agent": "destination",
}
"""Of every request that says nothing else."""


class Sender:
    """
    A vendor's address and credentials over a transport, which is open inside ``async with``.

    Args:
        base_url: What paths are below; an absolute URL stands alone.
        headers: Beside the usual ones, or in their place.
        https_only: Plain http is refused.
    """

    def __init__(
        self,
        transport: httpx.AsyncBaseTransport,
        *,
        base_url: str = "",
        auth: httpx.Auth | None = None,
        headers: Mapping[str, str] | None = None,
        https_only: bool = False,
    ) -> None:
        self._transport = transport
        self._base = base_url.rstrip("/")
        self._auth = auth
        self._headers = httpx.Headers({**HEADERS, **(headers or {})})
        self._https_only = https_only
        self._parsed = lru_cache(MANY_URLS)(httpx.URL)

    async def __aenter__(self) -> Self:
        await self._transport.__aenter__()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._transport.__aexit__(exc_type, exc_value, traceback)

    def build_request(
        self,
        method: str,
        url: str,
        *,
        timeout: httpx.Timeout,
        headers: Mapping[str, str] | None = None,
        extensions: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> httpx.Request:
        """
        A request.

        Args:
            url: Absolute, or a path below the base address.
            headers: Beside the sender's, or in their place.
            options: As for ``httpx.Request``: ``params``, ``content`` and the like.
        """
        merged = self._headers
        if headers:
            merged = httpx.Headers(merged)
            merged.update(headers)
        whole = url if "://" in url.partition("?")[0] else f"{self._base}/{url.lstrip('/')}"
        return httpx.Request(
            method,
            self._parsed(whole),
            headers=merged,
            extensions={**(extensions or {}), "timeout": timeout.as_dict()},
            **options,
        )

    async def send(self, request: httpx.Request) -> httpx.Response:
        """
        The answer up to its headers, after whatever must be asked for to be let in.

        Raises:
            httpx.RequestError: There was none.
            ConfigError: The request would go over plain http, and must not.
        """
        if self._auth is None:
            return await self._exchange(request)
        flow = self._auth.async_auth_flow(request)
        try:
            return await self._let_in(flow, await anext(flow))
        finally:
            await flow.aclose()

    async def _let_in(
        self, flow: AsyncGenerator[httpx.Request, httpx.Response], request: httpx.Request
    ) -> httpx.Response:
        """One exchange after another, until there is nothing more to ask."""
        while True:
            response = await self._exchange(request)
            try:
                following = await flow.asend(response)
            except StopAsyncIteration:
                return response
            except BaseException:
                await response.aclose()
                raise
            await response.aclose()
            request = following

    async def _exchange(self, request: httpx.Request) -> httpx.Response:
        if self._https_only and request.url.scheme != "https":
            raise ConfigError(
                "only https is allowed; allow_private_networks = true permits plain http"
            )
        try:
            response = await self._transport.handle_async_request(request)
        except httpx.RequestError as error:
            error.request = request
            raise
        response.request = request
        return response
