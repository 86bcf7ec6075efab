"""A transport between a destination and its vendor that answers some requests itself."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from types import TracebackType
from typing import Self

import httpx

Pass = Callable[[], Awaitable[httpx.Response]]
"""Have the vendor answer."""

Meddle = Callable[[httpx.Request, Pass], Awaitable[httpx.Response]]


class Meddler(httpx.AsyncBaseTransport):
    """
    Passes requests on, and notes them, until it is told otherwise.

    Set ``meddle`` to decide about each request; None passes all on.
    """

    def __init__(self) -> None:
        self.inner: httpx.AsyncBaseTransport | None = None
        self.meddle: Meddle | None = None
        self.requests: list[httpx.Request] = []
        self.times: list[float] = []
        """When each request came, on the event loop's clock."""

    def __call__(self, inner: httpx.AsyncBaseTransport) -> Self:
        """Stand before this transport."""
        self.inner = inner
        return self

    def answer(
        self,
        status: int,
        headers: Mapping[str, str] | None = None,
        content: bytes = b"{}",
        *,
        times: int | None = None,
    ) -> None:
        """Answer so many requests like this, by default all, in place of the vendor."""
        left = [times]

        async def meddle(_: httpx.Request, pass_on: Pass) -> httpx.Response:
            if left[0] == 0:
                return await pass_on()
            left[0] = None if left[0] is None else left[0] - 1
            return canned(status, headers, content)

        self.meddle = meddle

    def echo(self, status: int) -> None:
        """Answer every request with its own body, as vendors do that quote what they refuse."""

        async def meddle(request: httpx.Request, _: Pass) -> httpx.Response:
            return canned(status, {"Content-Type": "application/json"}, request.content)

        self.meddle = meddle

    async def __aenter__(self) -> Self:
        assert self.inner is not None, "the meddler stands before nothing"  # noqa: S101
        await self.inner.__aenter__()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc_value: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        assert self.inner is not None  # noqa: S101 - it was entered
        await self.inner.__aexit__(exc_type, exc_value, traceback)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """The vendor's answer, or what ``meddle`` makes of it."""
        inner = self.inner
        assert inner is not None  # noqa: S101 - it was entered
        self.requests.append(request)
        self.times.append(asyncio.get_running_loop().time())
        if self.meddle is None:
            return await inner.handle_async_request(request)
        return await self.meddle(request, lambda: inner.handle_async_request(request))


def canned(
    status: int, headers: Mapping[str, str] | None = None, content: bytes = b""
) -> httpx.Response:
    """An answer whose body is read as one from a socket is."""
    return httpx.Response(status, headers=headers, stream=httpx.ByteStream(content))


async def lost(_: httpx.Request, pass_on: Pass) -> httpx.Response:
    """The vendor takes the request, and its answer does not arrive."""
    response = await pass_on()
    await response.aclose()
    raise httpx.ReadError("the connection broke")
