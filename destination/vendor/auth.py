"""Ways of being let in by a vendor that httpx does not bring."""

from collections.abc import Generator, Iterator
from urllib.parse import quote

import httpx

ERRAND = "errand"
"""
The request extension of a request with nothing of the rows in it: one for a token.

Its value is what the answer's members are called, as ``TokenNames``.
"""


def within(auth: object) -> Iterator[object]:
    """A way of being let in, and what it is made of, such as a signature or a grant: its parts."""
    yield auth
    for part in getattr(auth, "parts", ()):
        yield from within(part)


def held_by(auth: object) -> Iterator[str]:
    """The secrets that a way of being let in has now, beside those of the settings."""
    for part in within(auth):
        yield from getattr(part, "secrets", ())


class HeaderAuth(httpx.Auth):
    """One header with a secret value, such as ``Authorization: Bearer …`` or ``X-Api-Key: …``."""

    def __init__(self, name: str, value: str) -> None:
        self._name = name
        self._value = value
        self.secrets = (value.split(" ", 1)[-1],)

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Put the header on the request."""
        request.headers[self._name] = self._value
        yield request


def bearer(token: str) -> HeaderAuth:
    """``Authorization: Bearer <token>``."""
    return HeaderAuth("Authorization", f"Bearer {token}")


class QueryAuth(httpx.Auth):
    """
    One query parameter with a secret value, percent-encoded, after those that the URL has.

    Only what is sent has it: the request that an answer or an error belongs to does not.
    """

    def __init__(self, name: str, value: str) -> None:
        self._pair = f"{quote(name, safe='')}={quote(value, safe='')}".encode()
        self.secrets = (value,)

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Send a copy whose URL ends with the parameter."""
        query = b"&".join(part for part in (request.url.query, self._pair) if part)
        yield httpx.Request(
            request.method,
            request.url.copy_with(query=query),
            headers=request.headers,
            stream=request.stream,
            extensions=request.extensions,
        )
