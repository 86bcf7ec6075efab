"""
P1: whether what was planted as a secret stands anywhere that it should not.

A text is read as it is and with percent, JSON and HTML escapes undone; in each reading a canary
is looked for as it is, in base64 at any alignment and in hex, without regard to case.
"""

import base64
import html
import re
from collections.abc import Iterable, Iterator, Mapping
from urllib.parse import unquote, unquote_plus

from destination.testing.history import Violation

SHORTEST = 8
"""Fewer characters are found by chance."""


def leaks(texts: Mapping[str, str | bytes], canaries: Iterable[str]) -> list[Violation]:
    """
    Where canaries stand, one violation for each text and canary. It does not repeat them.

    Args:
        texts: Whatever the server let out, each under a name of its own.
        canaries: What was planted; a violation tells them by their position, from 1.

    Raises:
        ValueError: A canary has fewer than 8 characters.
    """
    planted = [dict(_forms(canary)) for canary in canaries]
    return [
        Violation("P1", f"canary {position} stands in {name}, {form}")
        for name, text in texts.items()
        for readings in (list(_readings(text)),)
        for position, forms in enumerate(planted, 1)
        if (form := _found(forms, readings))
    ]


def _found(forms: Mapping[str, str], readings: Iterable[tuple[str, str]]) -> str:
    for escape, reading in readings:
        for needle, form in forms.items():
            if needle in reading:
                return f"{form}{escape}"
    return ""


def _readings(text: str | bytes) -> Iterator[tuple[str, str]]:
    """The text and what its escapes stand for, each without its case and once."""
    plain = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    known = {"": ""}
    for escape, reading in (
        ("", plain),
        (", percent-encoded", unquote(plain)),
        (", percent-encoded", unquote_plus(plain)),
        (", escaped as in JSON", _from_json(plain)),
        (", escaped as in HTML", html.unescape(plain)),
    ):
        folded = reading.casefold()
        if folded not in known:
            known[folded] = escape
            yield escape, folded


def _from_json(text: str) -> str:
    """Without JSON's escapes, wherever they stand; two halves of a pair become one character."""

    def character(escape: re.Match[str]) -> str:
        return chr(int(escape[1], 16)) if escape[1] else _ESCAPES.get(escape[2], escape[2])

    halves = re.sub(r"\\(?:u([0-9a-fA-F]{4})|(.))", character, text)
    return halves.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


_ESCAPES = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}


def _forms(canary: str) -> Iterator[tuple[str, str]]:
    """What to look for and what it is called."""
    if len(canary) < SHORTEST:
        raise ValueError(f"a canary has at least {SHORTEST} characters")
    yield canary.casefold(), "as it is"
    for spelt in dict.fromkeys((canary, canary.lower(), canary.upper())):
        data = spelt.encode("utf-8", "surrogatepass")
        yield data.hex(), "in hex"
        for offset in range(3):
            whole = base64.b64encode(bytes(offset) + data)
            # Characters at the ends also hold bits of what stands beside the canary.
            inner = whole[-(-offset * 8 // 6) : (offset + len(data)) * 8 // 6].decode().casefold()
            yield inner, "in base64"
            yield inner.replace("+", "-").replace("/", "_"), "in base64"
