"""Words fit for a terminal."""


def shown(value: object, most: int = 300) -> str:
    """Other people's text as one line without control characters, cut off where it is long."""
    text = str(value)[: most * 4]
    line = " ".join("".join(each if each.isprintable() else " " for each in text).split())
    return line if len(line) <= most else line[: most - 1] + "…"


def safe(text: str) -> str:
    """The text, in its lines, without a character that a terminal might obey."""
    return "\n".join("".join(map(visible, line)) for line in text.split("\n"))


def visible(character: str) -> str:
    """The character, or how it is written where a terminal might obey it."""
    if character.isprintable():
        return character
    return _WRITTEN.get(character) or f"\\u{ord(character):04x}"


_WRITTEN = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def counted(count: int, noun: str) -> str:
    """So many things: ``1 row``, ``1,995 rows``."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
