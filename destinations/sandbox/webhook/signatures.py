"""How a receiver of webhooks knows who wrote them."""

import hmac
import secrets
from base64 import b64encode
from collections.abc import Mapping
from typing import Any, Literal

from standardwebhooks import Webhook
from standardwebhooks.webhooks import WebhookVerificationError

SigningScheme = Literal["hmac", "standard_webhooks"]


class Signatures:
    """Signatures of one scheme with one secret, which is random."""

    def __init__(self, scheme: SigningScheme) -> None:
        self._scheme = scheme
        self._key = secrets.token_bytes(24)

    def settings(self) -> dict[str, Any]:
        """The ``signing`` of a destination that delivers here."""
        if self._scheme == "hmac":
            return {"scheme": "hmac", "secret": self._key.hex()}
        return {"scheme": "standard_webhooks", "secrets": [f"whsec_{self._encoded}"]}

    def holds(self, headers: Mapping[str, str], body: bytes) -> bool:
        """Whether the body is signed, with this secret, and a moment ago where that is told."""
        if self._scheme == "hmac":
            digest = hmac.new(self._key.hex().encode(), body, "sha256").hexdigest()
            sent = headers.get("X-Signature-256", "").encode(errors="surrogateescape")
            return hmac.compare_digest(sent, f"sha256={digest}".encode())
        try:
            Webhook(self._key).verify(body, dict(headers), json_parse=False)
        except (WebhookVerificationError, ValueError):
            return False
        return True

    @property
    def _encoded(self) -> str:
        return b64encode(self._key).decode()
