"""Signatures over what is sent, for receivers that want to know who wrote it."""

import hmac
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from datetime import UTC, datetime
from typing import Literal, Protocol
from uuid import uuid4

import httpx
from standardwebhooks import Webhook

from destination.errors import ConfigError, RowError

REQUEST_ID = "request_id"
"""The request extension with an id that all attempts of one request share."""

Algorithm = Literal["sha1", "sha256", "sha512"]


class Signature(Protocol):
    """What signs a request."""

    def sign(self, request: httpx.Request) -> None:
        """Put the signature on the request, whose body is there whole."""


class Signed(httpx.Auth):
    """
    A signature beside any way of being let in.

    The request with the rows is signed, once for each attempt; what is sent to be let in, such as
    a request for a token, is not.
    """

    def __init__(self, signature: Signature, auth: httpx.Auth | None = None) -> None:
        self._signature = signature
        self._auth = auth or httpx.Auth()
        self.parts = (self._signature, self._auth)

    def async_auth_flow(
        self, request: httpx.Request
    ) -> AsyncGenerator[httpx.Request, httpx.Response]:
        """Sign, and go on as without a signature."""
        request.read()
        self._signature.sign(request)
        return self._auth.async_auth_flow(request)


class HmacSignature:
    """``X-Signature-256: sha256=…``: the HMAC of the body's bytes in lower-case hexadecimal."""

    def __init__(
        self,
        secret: str,
        *,
        algorithm: Algorithm = "sha256",
        header: str = "X-Signature-256",
    ) -> None:
        self._key = secret.encode()
        self._algorithm = algorithm
        self._header = header

    def sign(self, request: httpx.Request) -> None:
        """Sign the body."""
        digest = hmac.new(self._key, request.content, self._algorithm).hexdigest()
        request.headers[self._header] = f"{self._algorithm}={digest}"


class StandardWebhooks:
    """
    The three headers of Standard Webhooks 1.0: ``webhook-id``, ``-timestamp`` and ``-signature``.

    The id is the request's own header where it has one, otherwise one that all attempts share.

    Args:
        secrets: ``whsec_`` and base64, the prefix being optional; while a secret is replaced there
            are two, and a receiver that knows either accepts the request.
        clock: Seconds since 1970.
    """

    def __init__(self, secrets: Sequence[str], *, clock: Callable[[], float] = time.time) -> None:
        self._keys = [Webhook(secret) for secret in secrets]
        self._clock = clock

    def sign(self, request: httpx.Request) -> None:
        """
        Sign id, time and body.

        Raises:
            RowError: The request's own id cannot be signed.
            ConfigError: The body is not text in UTF-8.
        """
        headers = request.headers
        id = headers.get("webhook-id") or request.extensions.get(REQUEST_ID) or uuid4().hex
        if "." in id:
            raise RowError("not sent: a webhook-id must not have a full stop")
        moment = datetime.fromtimestamp(int(self._clock()), UTC)
        try:
            body = request.content.decode()
        except UnicodeDecodeError:
            raise ConfigError("not sent: Standard Webhooks cannot sign what is not UTF-8") from None
        headers["webhook-id"] = id
        headers["webhook-timestamp"] = str(int(moment.timestamp()))
        headers["webhook-signature"] = " ".join(
            key.sign(msg_id=id, timestamp=moment, data=body) for key in self._keys
        )
