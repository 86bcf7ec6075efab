"""A vendor's answer: read within bounds, and what its status means."""

from collections.abc import Mapping
from datetime import UTC, datetime

import httpx

from destination.deadline import in_step
from destination.errors import (
    AuthError,
    Code,
    ConfigError,
    DestinationError,
    ForbiddenError,
    NoAnswer,
    RateLimited,
    RefusedError,
    TargetError,
    UnavailableError,
)
from destination.inflate import InflatedTooLarge, InflateError, Inflater
from destination.vendor.auth import ERRAND
from destination.vendor.retry import retry_after

MAX_ANSWER = 256 * 1024
"""The most bytes of an answer that are read, after inflating, unless a destination says more."""

BODY_FAILED = (httpx.TransportError, InflateError, InflatedTooLarge)
"""What reading an answer's body may raise."""


async def read(response: httpx.Response, most: int = MAX_ANSWER) -> bytes:
    """
    The body, inflated, of a response that is over then.

    Its stream is read as it is: httpx would wrap it three times.

    Raises:
        BODY_FAILED: The body cannot be had whole.
    """
    stream = response.stream
    assert isinstance(stream, httpx.AsyncByteStream)  # noqa: S101 - it came of an async transport
    try:
        await in_step()
        encoding = response.headers.get("content-encoding", "").lower()
        if not Inflater.supports(encoding):
            raise InflateError("unknown encoding")
        inflater = Inflater(encoding, most)
        empty = True
        async for piece in stream:
            inflater.feed(piece)
            empty = False
        return b"" if empty else bytes(inflater.finish())
    except httpx.RequestError as error:
        error.request = response.request
        raise
    finally:
        await stream.aclose()


class Answer(httpx.Response):
    """
    A response that is over, with its body as ``read`` took it from the stream.

    httpx would take it through three more generators to find out what it is.
    """

    def __init__(self, response: httpx.Response, content: bytes) -> None:
        super().__init__(
            response.status_code,
            headers=response.headers,
            stream=httpx.ByteStream(content),
            request=response.request,
            extensions=response.extensions,
        )
        if "content-encoding" in self.headers:  # the body is inflated by now
            del self.headers["content-encoding"]
            self.headers.pop("content-length", None)
        self._whole = content

    @property
    def content(self) -> bytes:
        """The body, inflated."""
        return self._whole


def whom(error: Exception) -> str:
    """Who was asked when httpx raised this: the vendor, or whoever gives out its tokens."""
    errand = isinstance(error, httpx.RequestError) and error.request.extensions.get(ERRAND)
    return "the token endpoint" if errand else "the vendor"


def no_answer(error: Exception) -> UnavailableError:
    """The error for a request that went out and whose answer could not be had."""
    match error:
        case httpx.TimeoutException():
            why = "timed out"
        case InflatedTooLarge():
            why = "too long"
        case InflateError():
            why = "not readable"
        case _:
            why = "connection lost"
    if whom(error) != "the vendor":
        return UnavailableError(f"not sent: no usable answer from {whom(error)} ({why})")
    return NoAnswer(f"no usable answer ({why}); may have been delivered")


def refusal(response: httpx.Response) -> DestinationError | None:
    """
    The error that a status means, None for a success.

    408, 425, 429 and 503 say that the request was not taken; 500, 502 and 504 leave it open.
    """
    status = response.status_code
    answered = f"the vendor answered {status}"
    if 200 <= status < 300:
        return None
    if status < 200:
        return NoAnswer(f"{answered}, which is no answer; may have been delivered")
    if status < 400:
        return TargetError(
            f"{answered}, a redirect, which is not followed", code=Code.REDIRECT_REFUSED
        )
    if told := _TOLD.get(status):
        error, meaning = told
        return error(f"{answered}: {meaning}")
    if status in (408, 425, 429, 503):
        return _not_taken(response)
    if status in (500, 502, 504) or status > 505:
        return NoAnswer(f"{answered}; may have been delivered")
    return RefusedError(answered)


_TOLD: Mapping[int, tuple[type[DestinationError], str]] = {
    401: (AuthError, "it refused the credentials"),
    403: (ForbiddenError, "it refused the credentials, or what was sent"),
    410: (ConfigError, "the address is gone for good"),
}


def _not_taken(response: httpx.Response) -> UnavailableError:
    answered = f"not sent: the vendor answered {response.status_code}"
    wait = retry_after(response.headers, datetime.now(UTC))
    if response.status_code == 429 or wait is not None:
        return RateLimited(f"{answered}; it wants fewer requests or a pause", retry_after=wait)
    return UnavailableError(f"{answered}; it did not take the request", code=Code.RATE_LIMITED)
