"""Other people's words, fit for a terminal."""


def shown(value: object, most: int = 300) -> str:
    """One line without control characters or direction signs, cut off after so many characters."""
    text = str(value)[: most * 4]
    line = " ".join("".join(each if each.isprintable() else " " for each in text).split())
    return line if len(line) <= most else line[: most - 1] + "…"
