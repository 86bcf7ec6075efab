"""What may be shown of requests and answers: rows, on purpose, and no credentials."""

import base64
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import quote, quote_plus, unquote_plus, urlsplit

import httpx
from pydantic import BaseModel, SecretStr

from destination.cli.text import sought
from destination.cli.tries.watch import Asked

HIDDEN = "[secret]"

WORTH = 6
"""What credentials put on a request is looked for elsewhere when it has so many characters."""

HARMLESS = frozenset(
    {
        "audience",
        "client_id",
        "error",
        "expires_in",
        "expiresInSeconds",
        "grant_type",
        "resource",
        "scope",
        "token_type",
        "tokenType",
    }
)
"""What may be shown of a request for a token and of its answer."""

OPEN = frozenset({"webhook-id", "webhook-timestamp"})
"""Headers that come with a signature and are no secrets."""

_NAMED = re.compile(
    r"token|secret|passw|signature|credential|cookie|authoriz|api[-_]?key"
    r"|(?:^|[^a-z])(?:key|sig|auth|pwd)(?:$|[^a-z])",
    re.IGNORECASE,
)
_STRING = re.compile(r'"(?:[^"\\]|\\.)*+"', re.DOTALL)


class Mask:
    """
    Puts ``[secret]`` in place of every credential.

    These are the settings' secrets however they are written, environment variables and headers
    and parameters by whose names they hold one, and whatever the way of being let in puts on a
    request.
    """

    def __init__(self, settings: BaseModel) -> None:
        self._secrets: set[str] = set()
        self._names: set[str] = set()
        self._pattern: re.Pattern[str] | None = None
        for secret in _secrets(settings):
            self._learn(secret)
        for name, value in os.environ.items():
            if _NAMED.search(name.replace("_", "-")) and len(value) >= WORTH:
                self._learn(value)

    async def learn_auth(self, auth: httpx.Auth | None) -> None:
        """Learn which headers and parameters a way of being let in adds, by letting it do so."""
        if auth is None:
            return
        request = httpx.Request("POST", "https://vendor.invalid/", content=b"{}")
        before = set(request.headers)
        flow = auth.async_auth_flow(request)
        try:
            sent = await anext(flow)
        finally:
            await flow.aclose()
        self._names |= {name.lower() for name in request.headers if name not in before} - OPEN
        if sent.url.host == request.url.host:
            self._names |= {name.lower() for name in sent.headers if name not in before} - OPEN
            self._names |= {name.lower() for name in sent.url.params}

    def learn(self, asked: Asked) -> None:
        """Learn the credentials on a request, and the tokens in its answer."""
        for name, value in asked.request.headers.items():
            if self._hides(name):
                self._add(value.split(" ", 1)[-1])
        for name, value in asked.request.url.params.multi_items():
            if self._hides(name):
                self._add(value)
        if asked.errand:
            for name, text in (*_members(asked.request.content), *_members(asked.body)):
                if name not in HARMLESS and not text.isdigit():
                    self._add(text)

    def text(self, text: str) -> str:
        """The text without secrets, also where JSON writes them in another way."""
        return self._plain(_STRING.sub(self._string, text))

    def header(self, name: str, value: str) -> str:
        """A header's value; of credentials the scheme is left."""
        if not self._hides(name):
            return self.text(value)
        scheme, space, _ = value.partition(" ")
        return f"{scheme} {HIDDEN}" if space and scheme.isalpha() else HIDDEN

    def url(self, url: httpx.URL) -> str:
        """An address without credentials."""
        address, _, query = str(url.copy_with(userinfo=b"")).partition("?")
        pairs = (
            f"{name}={HIDDEN}" if value and self._hides(unquote_plus(name)) else part
            for part in query.split("&")
            for name, _, value in [part.partition("=")]
        )
        return self.text(address) + (f"?{self.text('&'.join(pairs))}" if query else "")

    def token_text(self, body: bytes) -> str:
        """What a request for a token or its answer says, by name."""
        shown = (
            f"{name}: {self.text(text) if name in HARMLESS else HIDDEN}"
            for name, text in _members(body)
        )
        return "\n".join(shown)

    def _hides(self, name: str) -> bool:
        return name.lower() not in OPEN and (
            name.lower() in self._names or bool(_NAMED.search(name))
        )

    def _add(self, secret: str) -> None:
        if len(secret) >= WORTH:
            self._learn(secret)

    def _learn(self, secret: str) -> None:
        self._secrets |= set(_spellings(secret))
        self._pattern = None

    def _string(self, found: re.Match[str]) -> str:
        try:
            text = json.loads(found[0])
        except ValueError:
            return found[0]
        masked = self._plain(text)
        return found[0] if masked == text else json.dumps(masked, ensure_ascii=False)

    def _plain(self, text: str) -> str:
        if not self._secrets:
            return text
        if self._pattern is None:
            longest = sorted(self._secrets, key=len, reverse=True)
            self._pattern = re.compile("|".join(map(sought, longest)), re.IGNORECASE)
        return self._pattern.sub(HIDDEN, text)


def _secrets(value: Any) -> Iterator[str]:
    """Every secret in settings; of one that is an address what stands behind the host."""
    match value:
        case SecretStr():
            text = value.get_secret_value()
            parts = urlsplit(text) if "://" in text else None
            yield text.partition(parts.netloc)[2].lstrip("/") if parts and parts.netloc else text
        case BaseModel():
            for _, inner in value:
                yield from _secrets(inner)
        case Mapping():
            for inner in value.values():
                yield from _secrets(inner)
        case list() | tuple():
            for inner in value:
                yield from _secrets(inner)


def _spellings(secret: str) -> Iterable[str]:
    encoded = secret.encode("utf-8", "replace")
    ways = {
        secret,
        quote(secret, safe=""),
        quote_plus(secret),
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
        base64.b64encode(encoded).decode(),
        base64.urlsafe_b64encode(encoded).decode().rstrip("="),
    }
    return ways - {""} if secret.strip() else ()


def _pairs(query: str) -> Iterator[tuple[str, str]]:
    for part in query.split("&"):
        name, _, value = part.partition("=")
        yield name, value


def _members(body: bytes) -> Iterator[tuple[str, str]]:
    """The members of a JSON object, or the parameters of a form."""
    try:
        told = json.loads(body)
    except (ValueError, RecursionError):
        text = body.decode("utf-8", "replace")
        if "=" in text:
            yield from ((unquote_plus(name), unquote_plus(value)) for name, value in _pairs(text))
        return
    if isinstance(told, dict):
        yield from (
            (name, value if isinstance(value, str) else json.dumps(value))
            for name, value in told.items()
        )
