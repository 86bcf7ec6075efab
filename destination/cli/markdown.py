"""What a kind can be told, as Markdown: the part of a page that its declarations write."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from destination.cli import USAGE, Stop
from destination.cli.parameters import limit_rows, needed

BEGIN, END = "<!-- described: begin -->", "<!-- described: end -->"
"""Between them a page has what was described."""

OPERATIONS = {"add": "added", "change": "changed", "remove": "removed"}


def put_into(page: Path, text: str) -> None:
    """
    Write this between the page's marks.

    Raises:
        Stop: The page cannot be read or written, or has no marks.
    """
    try:
        with page.open(encoding="utf-8", newline="") as file:
            before, _, rest = file.read().partition(BEGIN)
        _, mark, after = rest.partition(END)
        if not mark:
            raise Stop(
                f"There is no place for it in {page}.",
                f"The page has no lines {BEGIN} and {END}.",
                "Put them where it shall stand.",
                USAGE,
            )
        end = "\r\n" if rest.startswith("\r\n") else "\n"
        put = f"{BEGIN}\n{text}\n{END}".replace("\n", end)
        page.write_text(f"{before}{put}{after}", "utf-8", newline="")
    except UnicodeDecodeError:
        why = "It is not text in UTF-8."
        raise Stop(f"{page} cannot be read.", why, "Write it in UTF-8.", USAGE) from None
    except OSError as error:
        raise Stop(
            f"{page} cannot be written.", error.strerror or "", "Name a page that is there.", USAGE
        ) from None


def kind(described: Mapping[str, Any], settings: Sequence[Sequence[Mapping[str, Any]]]) -> str:
    """
    Settings, form, modes, fields and limits, under headings of the third level.

    Args:
        described: What ``describe --json`` prints.
        settings: Those of each shape that the settings may have.
    """
    parts = [_settings(each, alone=len(settings) == 1) for each in settings]
    if described["options"]:
        parts.append(_options(described["options"]))
    for each in described["objects"]:
        of = f" of {_code(each['id'])}" if each["id"] else ""
        parts.append(f"### Modes{of}\n\n{_modes(each['modes'])}")
        if each["fields"]:
            parts.append(f"### Fields{of}\n\n{_fields(each['fields'])}")
    parts.append(f"### Limits\n\n{_limits(described['limits'])}")
    return "\n\n".join(parts)


def parts(tables: Mapping[str, Sequence[Mapping[str, Any]]]) -> str:
    """The tables of a spec file, under headings of the third level."""
    return "\n\n".join(f"### {title}\n\n{_keys(rows, 'key')}" for title, rows in tables.items())


def _settings(rows: Sequence[Mapping[str, Any]], *, alone: bool) -> str:
    if alone:
        return f"### Settings\n\n{_keys(rows, 'setting')}"
    said = f"{rows[0]['name']} = {rows[0]['type']}"
    return f"### Settings with `{said}`\n\n{_keys(rows, 'setting')}"


def _keys(rows: Iterable[Mapping[str, Any]], what: str) -> str:
    return _table(
        (what, "takes", "default", "meaning"),
        (
            (_code(each["name"]), _type(each["type"]), _default(each), each["description"])
            for each in rows
        ),
    )


def _options(rows: Iterable[Mapping[str, Any]]) -> str:
    return "### The form\n\n" + _table(
        ("option", "in the form", "takes", "default", "meaning"),
        (
            (
                _code(each["name"]),
                each["title"],
                _type(each["type"]),
                _default(each),
                each["description"] if each["description"] != each["title"] else "",
            )
            for each in rows
        ),
    )


def _modes(modes: Iterable[Mapping[str, Any]]) -> str:
    return _table(
        ("mode", "in the form", "rows that are sent", "meaning"),
        ((_code(each["id"]), each["label"], _sent(each), each["description"]) for each in modes),
    )


def _sent(mode: Mapping[str, Any]) -> str:
    sent = ", ".join(word for name, word in OPERATIONS.items() if mode[name])
    return f"{sent}; none of the first run" if mode["skip_initial_run"] else sent


def _fields(fields: Iterable[Mapping[str, Any]]) -> str:
    return _table(
        ("field", "in the form", "type", "", "meaning"),
        (
            (
                _code(each["id"]),
                each["label"],
                _type(" | ".join(each["choices"])) or each["type"],
                ", ".join(mark for mark in ("identifier", "required") if each[mark]),
                each["description"],
            )
            for each in fields
        ),
    )


def _limits(limits: Mapping[str, Any]) -> str:
    rows = [(_code(name) if name else "", *rest) for name, *rest in limit_rows(limits)]
    return _table(("setting", "default", "meaning"), rows)


def _type(type: str) -> str:
    """Choices one by one; a table's members are too many to be named here."""
    if "{" in type:
        return "list of tables" if type.startswith("list of") else "table"
    return ", ".join(_code(each) if '"' in each else each for each in type.split(" | "))


def _default(parameter: Mapping[str, Any]) -> str:
    shown = needed(dict(parameter))
    if shown.startswith("{"):
        return ", ".join(
            f"`{name} = {json.dumps(value)}`" for name, value in json.loads(shown).items()
        )
    return _code(shown) if shown not in ("", "required") else shown


def _code(text: Any) -> str:
    return f"`{text}`"


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(_cell(cell) for cell in line)} |" for line in lines)


def _cell(text: str) -> str:
    return re.sub(r"\s+", " ", text.replace("|", "\\|")).strip()
