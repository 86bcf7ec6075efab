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

BODIES = {"data", "files", "json"}
"""What httpx makes a body of."""


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
        self._headers = {**_encoded(HEADERS), **_encoded(headers or {})}
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
        content: bytes | None = None,
        **options: Any,
    ) -> httpx.Request:
        """
        A request. Host and Content-Length are left to the connection.

        Args:
            url: Absolute, or a path below the base address.
            headers: Beside the sender's, or in their place.
            options: As for ``httpx.Request``: ``params``, ``data`` and the like.
        """
        whole = url if "://" in url.partition("?")[0] else f"{self._base}/{url.lstrip('/')}"
        stream = None if options.keys() & BODIES else httpx.ByteStream(content or b"")
        request = httpx.Request(
            method,
            self._parsed(whole),
            headers=self._merged(headers or {}),
            extensions={**(extensions or {}), "timeout": timeout.as_dict()},
            stream=stream,
            **options,
        )
        if stream is not None:
            request.read()
        return request

    def _merged(self, headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
        return [*{**self._headers, **_encoded(headers)}.values()]

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
            response = await self._let_in(flow, await anext(flow))
        finally:
            await flow.aclose()
        response.request = request  # and not a copy of it with a secret
        return response

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


def _encoded(headers: Mapping[str, str]) -> dict[str, tuple[bytes, bytes]]:
    """By name in small letters: each in the letters that it was written in."""
    return {
        name.lower(): (name.encode("ascii"), value.encode("ascii"))
        for name, value in headers.items()
    }
