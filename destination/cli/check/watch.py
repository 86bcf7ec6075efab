"""What passes between a destination and its vendor while it is checked: who answered, and when."""

import time
from dataclasses import dataclass, field
from datetime import UTC
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Self

import httpx

COARSE = 1.0
"""Seconds by which a ``Date`` header may be wrong: it has whole seconds only."""


@dataclass(frozen=True, slots=True)
class Answer:
    """
    An answer's head.

    Args:
        seconds: How long it took.
        ahead: Seconds by which this machine's clock is ahead of the answer's date, as far as that
            can be told; None where it has none.
    """

    host: str
    seconds: float
    ahead: float | None


@dataclass(slots=True)
class Seen:
    """
    What was seen so far.

    Args:
        answered: Whether the latest request was.
        words: The system's own for why it was not.
    """

    answers: list[Answer] = field(default_factory=list)
    answered: bool = False
    words: str = ""


class Watched(httpx.AsyncBaseTransport):
    """Another transport, of whose answers the heads are noted."""

    def __init__(self, inner: httpx.AsyncBaseTransport, seen: Seen) -> None:
        self._inner = inner
        self._seen = seen

    async def __aenter__(self) -> Self:
        await self._inner.__aenter__()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc_value: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        await self._inner.__aexit__(exc_type, exc_value, traceback)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """One exchange, noted."""
        sent = time.time()
        self._seen.answered = False
        try:
            response = await self._inner.handle_async_request(request)
        except httpx.TransportError as error:
            self._seen.words = next(iter(getattr(error, "__notes__", ())), "")
            raise
        received = time.time()
        self._seen.answered = True
        ahead = ahead_of(response.headers, sent, received)
        self._seen.answers.append(Answer(request.url.host, received - sent, ahead))
        return response


def ahead_of(headers: httpx.Headers, sent: float, received: float) -> float | None:
    """
    Seconds by which our clock is ahead of an answer's date; 0 where the two may agree.

    An answer that a cache kept is as old as its ``Age`` says.

    Args:
        sent: When the request was sent and when its answer came, in seconds since 1970.
    """
    try:
        moment = parsedate_to_datetime(headers["Date"])
        age = max(0.0, float(headers.get("Age", 0)))
        theirs = moment.replace(tzinfo=moment.tzinfo or UTC).timestamp() + age
    except (KeyError, TypeError, ValueError, OverflowError):
        return None
    if theirs > received:
        return received - theirs
    return max(0.0, sent - theirs - COARSE)
