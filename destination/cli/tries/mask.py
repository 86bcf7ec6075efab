"""What may be shown of requests and answers: rows, on purpose, and no credentials."""

import json
import os
import re
from collections.abc import Iterable, Iterator
from urllib.parse import unquote_plus

import httpx

from destination.cli.tries.watch import Asked
from destination.confidential import names_secret, told_by
from destination.instance import Instance
from destination.masking import HIDDEN, Mask
from destination.vendor.grants import NO_SECRETS, secret_members

WORTH = 6
"""What credentials put on a request is looked for elsewhere when it has so many characters."""

OPEN = frozenset({"webhook-id", "webhook-timestamp"})
"""Headers that come with a signature and are no secrets."""

_STRING = re.compile(r'"(?:[^"\\]|\\.)*+"', re.DOTALL)


class Shown:
    """
    Requests and answers without credentials.

    Beside the secrets that the destination itself knows these are environment variables, headers
    and parameters by whose names they hold one, and whatever the way of being let in puts on a
    request.
    """

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self._learned = dict[str, None]()
        for name, value in os.environ.items():
            if names_secret(name.replace("_", "-")):
                for secret in told_by(value):
                    self._add(secret)
        self._names: set[str] = set()
        self._mask = Mask(self._secrets)

    def _secrets(self) -> Iterable[str]:
        return (*self._instance.secrets(), *self._learned)

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
        for body in (asked.request.content, asked.body) if asked.errand else ():
            for secret in secret_members(dict(_members(body))):
                self._add(secret)

    def text(self, text: str) -> str:
        """The text without secrets, also where JSON writes them in another way."""
        return self._mask.text(_STRING.sub(self._string, text))

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
            f"{name}: {self.text(text) if name in NO_SECRETS else HIDDEN}"
            for name, text in _members(body)
        )
        return "\n".join(shown)

    def _hides(self, name: str) -> bool:
        return name.lower() not in OPEN and (name.lower() in self._names or names_secret(name))

    def _add(self, secret: str) -> None:
        if len(secret) >= WORTH:
            self._learned[secret] = None

    def _string(self, found: re.Match[str]) -> str:
        try:
            text = json.loads(found[0])
        except ValueError:
            return found[0]
        masked = self._mask.text(text)
        return found[0] if masked == text else json.dumps(masked, ensure_ascii=False)


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
