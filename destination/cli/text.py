"""Words fit for a terminal, and JSON for programs that no terminal obeys either."""

import json
import re
from typing import Any

import msgspec


def shown(value: object, most: int = 300) -> str:
    """Other people's text as one line without control characters, cut off where it is long."""
    text = str(value)[: most * 4]
    line = " ".join("".join(each if each.isprintable() else " " for each in text).split())
    return line if len(line) <= most else line[: most - 1] + "…"


def visible(text: str) -> str:
    """The whole text, with what a terminal might obey written as JSON writes it."""
    return _OBEYED.sub(lambda found: _written(found[0]), text)


def safe(text: str) -> str:
    """The text, in its lines, without a character that a terminal might obey."""
    return "\n".join(map(visible, text.split("\n")))


def json_text(value: Any) -> str:
    """A value as indented JSON, every character of which can be shown."""
    text = msgspec.json.format(msgspec.json.encode(value, enc_hook=str)).decode()
    return safe(text)


def _written(character: str) -> str:
    return character if character.isprintable() else json.dumps(character)[1:-1]


_OBEYED = re.compile(r"[^ -~]")


def counted(count: int, noun: str) -> str:
    """So many things: ``1 row``, ``1,995 rows``."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
