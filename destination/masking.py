"""Credentials kept out of texts: a vendor, or a proxy before it, may quote what it was sent."""

import json
import re
from base64 import urlsafe_b64decode
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator
from contextvars import ContextVar
from functools import wraps
from html import escape
from itertools import takewhile
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar
from urllib.parse import quote, quote_plus

from destination.errors import DestinationError

HIDDEN = "[secret]"

SHORT = 4
"""A secret of fewer characters is looked for as a word only, or it would be found in others."""

LEAST = 12
"""
A longer secret is taken for whole where its middle half stands, and at least so many characters,
so that one which was cut short is found. Of less nothing may be told: who guesses at a secret, by a
row or an option that a message quotes, would learn from a part that is hidden that it is right.
"""

_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{12,}={0,2}")
_CAPITALS = {ord(each): each.lower() for each in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"}


class Mask:
    """
    Puts ``[secret]`` in place of credentials.

    They are found percent-encoded, in JSON's escapes, in other letters and within Base64 too.

    Args:
        secrets: What they are by now; asked for each text.
        wholes: What is hidden only where all of it stands.
    """

    def __init__(self, secrets: Callable[[], Iterable[str]], wholes: Iterable[str] = ()) -> None:
        self._secrets = secrets
        self._given = tuple(wholes)
        self._known: tuple[str, ...] | None = None
        self._around: dict[str, list[tuple[str, str]]] = {}
        self._anywhere = self._pattern = _any_of(())

    def text(self, text: str) -> str:
        """The text without secrets; what is hidden already stays as it is."""
        self._learn()
        return HIDDEN.join(map(self._masked, text.split(HIDDEN)))

    def error(self, error: DestinationError) -> None:
        """The same for what an error says."""
        error.message = self.text(error.message)
        error.args = (error.message,)

    def _learn(self) -> None:
        known = tuple(self._secrets())
        if known == self._known:
            return
        spelled = {_folded(each) for secret in known for each in _spellings(secret)}
        wholes = {_folded(each) for whole in self._given for each in _spellings(whole)}
        words = [each for each in spelled if len(each) < SHORT]
        self._around = {}
        for secret in spelled.difference(words):
            before, middle, after = _parted(secret)
            self._around.setdefault(middle, []).append((before, after))
        anywhere = [*map(re.escape, {*self._around, *spelled.difference(words), *wholes})]
        self._anywhere = _any_of(anywhere)
        self._pattern = _any_of(
            [*anywhere, *(rf"(?<!\w){re.escape(each)}(?!\w)" for each in words)]
        )
        self._known = known

    def _masked(self, text: str) -> str:
        covered = bytearray(len(text))
        for start, end in self._spans(text):
            covered[start:end] = b"x" * (end - start)
        shown, end = list[str](), 0
        for hidden in re.finditer(b"x+", covered):
            shown += text[end : hidden.start()], HIDDEN
            end = hidden.end()
        return "".join([*shown, text[end:]])

    def _spans(self, text: str) -> Iterator[tuple[int, int]]:
        """Where secrets stand."""
        folded = _folded(text)
        for found in self._pattern.finditer(folded):
            start, end = found.span()
            for before, after in self._around.get(found[0], [("", "")]):
                ahead = folded[max(0, start - len(before)) : start]
                first = start - _shared(reversed(ahead), reversed(before))
                yield first, end + _shared(folded[end : end + len(after)], after)
        for word in _BASE64.finditer(text):
            if self._is_in(word[0]):
                yield word.span()

    def _is_in(self, word: str) -> bool:
        """Whether Base64 holds a secret, wherever it begins in the word."""
        for start in range(4):
            encoded = word[start:].rstrip("=").replace("+", "-").replace("/", "_")
            filled = encoded + "A" * (-len(encoded) % 4)
            text = urlsafe_b64decode(filled).decode("utf-8", "replace")
            if self._anywhere.search(_folded(text)):
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
        escape(secret),
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
    }


def _parted(secret: str) -> tuple[str, str, str]:
    """What it is found by, and what stands before and after that."""
    start = min(len(secret) // 4, max(0, len(secret) - LEAST) // 2)
    end = len(secret) - start
    return secret[:start], secret[start:end], secret[end:]


def _shared(text: Iterable[str], other: Iterable[str]) -> int:
    """How many characters both begin with."""
    return len([*takewhile(lambda pair: pair[0] == pair[1], zip(text, other, strict=False))])


def _folded(text: str) -> str:
    """The same with small letters, and as long."""
    small = text.lower()
    return small if len(small) == len(text) else text.translate(_CAPITALS)


def _any_of(patterns: Iterable[str]) -> re.Pattern[str]:
    longest = sorted(patterns, key=len, reverse=True)
    return re.compile("|".join(longest) or "(?!)")
