"""Ways of being let in by a vendor that httpx does not bring."""

from collections.abc import Generator

import httpx


class HeaderAuth(httpx.Auth):
    """One header with a secret value, such as ``Authorization: Bearer …`` or ``X-Api-Key: …``."""

    def __init__(self, name: str, value: str) -> None:
        self._name = name
        self._value = value

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Put the header on the request."""
        request.headers[self._name] = self._value
        yield request


def bearer(token: str) -> HeaderAuth:
    """``Authorization: Bearer <token>``."""
    return HeaderAuth("Authorization", f"Bearer {token}")
