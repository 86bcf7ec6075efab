"""Credentials kept out of texts: a vendor, or a proxy before it, may quote what it was sent."""

import json
import re
from base64 import urlsafe_b64decode
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator
from contextvars import ContextVar
from functools import wraps
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar
from urllib.parse import quote, quote_plus

from destination.errors import DestinationError

HIDDEN = "[secret]"

RUN = 8
"""So many characters of a secret, one after another, are taken for it."""

SHORT = 4
"""A secret of fewer characters is looked for as a word only, or it would be found in others."""

_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{12,}={0,2}")
_CAPITALS = {ord(each): each.lower() for each in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"}


class Mask:
    """
    Puts ``[secret]`` in place of credentials, and of any eight characters of one.

    They are found percent-encoded, in JSON's escapes, in other letters and within Base64 too.

    Args:
        secrets: What they are by now; asked for each text.
        wholes: What is hidden only where all of it stands.
    """

    def __init__(self, secrets: Callable[[], Iterable[str]], wholes: Iterable[str] = ()) -> None:
        self._secrets = secrets
        self._given = tuple(wholes)
        self._known: tuple[str, ...] | None = None
        self._runs: frozenset[str] = frozenset()
        self._wholes = self._words = _any_of(())

    def text(self, text: str) -> str:
        """The text without secrets; what is hidden already stays as it is."""
        self._learn()
        shown = HIDDEN.join(map(self._without_runs, text.split(HIDDEN)))
        return self._words.sub(HIDDEN, shown)

    def error(self, error: DestinationError) -> None:
        """The same for what an error says."""
        error.message = self.text(error.message)
        error.args = (error.message,)

    def _learn(self) -> None:
        known = tuple(self._secrets())
        if known == self._known:
            return
        spelled = {each for secret in known for each in _spellings(secret)}
        wholes = {each for secret in self._given for each in _spellings(secret)}
        short = {each for each in spelled if SHORT <= len(each) < RUN}
        words = {rf"(?<!\w){re.escape(each)}(?!\w)" for each in spelled if len(each) < SHORT}
        self._runs = frozenset(run for each in spelled for run in _runs(_folded(each)))
        self._wholes = _any_of(map(re.escape, wholes | short))
        self._words = _any_of([re.escape(HIDDEN), *map(re.escape, wholes | short), *words])
        self._known = known

    def _without_runs(self, text: str) -> str:
        if not self._known:
            return text
        covered = bytearray(len(text))
        for start, run in enumerate(_runs(_folded(text))):
            if run in self._runs:
                covered[start : start + RUN] = b"x" * RUN
        for word in _BASE64.finditer(text):
            if self._is_in(word[0]):
                covered[word.start() : word.end()] = b"x" * len(word[0])
        shown, end = list[str](), 0
        for found in re.finditer(b"x+", covered):
            shown += text[end : found.start()], HIDDEN
            end = found.end()
        return "".join([*shown, text[end:]])

    def _is_in(self, word: str) -> bool:
        """Whether Base64 holds a secret, wherever it begins in the word."""
        for start in range(4):
            encoded = word[start:].rstrip("=").replace("+", "-").replace("/", "_")
            filled = encoded + "A" * (-len(encoded) % 4)
            text = urlsafe_b64decode(filled).decode("utf-8", "replace")
            if not self._runs.isdisjoint(_runs(_folded(text))) or self._wholes.search(text):
                return True
        return False


MASK: ContextVar[Mask] = ContextVar("mask")
"""The mask of the destination that the current task works for."""


def hidden(text: str) -> str:
    """The text without the secrets of that destination."""
    mask = MASK.get(None)
    return mask.text(text) if mask else text


class Masked(Protocol):
    """What has a mask."""

    mask: Mask


M = TypeVar("M", bound=Masked)
P = ParamSpec("P")
T = TypeVar("T")


def masked(
    ask: Callable[Concatenate[M, P], Awaitable[T]],
) -> Callable[Concatenate[M, P], Coroutine[Any, Any, T]]:
    """A method whose errors hold no secret, nor do a vendor's words that are quoted meanwhile."""

    @wraps(ask)
    async def asked(self: M, /, *args: P.args, **kwargs: P.kwargs) -> T:
        MASK.set(self.mask)
        try:
            return await ask(self, *args, **kwargs)
        except DestinationError as error:
            self.mask.error(error)
            raise

    return asked


def _spellings(secret: str) -> set[str]:
    if not secret.strip():
        return set()
    return {
        secret,
        quote(secret, errors="replace"),
        quote(secret, safe="", errors="replace"),
        quote_plus(secret, errors="replace"),
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
    }


def _runs(text: str) -> Iterator[str]:
    return (text[start : start + RUN] for start in range(len(text) - RUN + 1))


def _folded(text: str) -> str:
    """The same with small letters, and as long."""
    small = text.lower()
    return small if len(small) == len(text) else text.translate(_CAPITALS)


def _any_of(patterns: Iterable[str]) -> re.Pattern[str]:
    longest = sorted(patterns, key=len, reverse=True)
    return re.compile("|".join(longest) or "(?!)", re.IGNORECASE)
