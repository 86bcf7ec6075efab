"""The page about a kind, in Markdown, made of what the kind declares."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from inspect import cleandoc
from typing import Any

from destination.cli.parameters import needed
from destination.model import Operation


def page(described: Mapping[str, Any]) -> str:
    """The page of a kind, from its description as ``destination describe --json`` prints it."""
    return "\n\n".join(_parts(described)) + "\n"


def named(described: Mapping[str, Any]) -> dict[str, str]:
    """The settings by which a configuration says that it means this kind."""
    return {name: described[name] for name in ("kind", "spec", "module") if name in described}


def _parts(described: Mapping[str, Any]) -> Iterator[str]:
    yield f"# {described['label'] or described['kind']}"
    yield cleandoc(described["description"])
    settings = "\n".join(
        f"{name} = {json.dumps(value)}" for name, value in named(described).items()
    )
    yield f"```toml\n{settings}\n```"
    for title, name in (("Settings", "settings"), ("The form", "options")):
        if rows := [_parameter(each) for each in described[name]]:
            yield f"## {title}"
            yield _table(("name", "type", "default", "what it is"), rows)
    for each in described["objects"]:
        of = f" of {each['label'] or each['id']}" if each["id"] else ""
        yield f"## Modes{of}"
        titles = ("mode", "label", "row added", "row changed", "row removed", "what it does")
        yield _table(titles, [_mode(mode) for mode in each["modes"]])
        yield f"## Fields{of}"
        yield _table(("field", "label", "type", "", "what it is"), map(_field, each["fields"]))
    yield "## Limits"
    tuned = [each["name"] for each in described["common_settings"]]
    limits = {name: told for name, told in described["limits"].items() if name in tuned and told}
    yield _table(("limit", "value"), [[f"`{name}`", _value(told)] for name, told in limits.items()])


def _mode(told: Mapping[str, Any]) -> list[str]:
    verbs = [told[operation] or "–" for operation in Operation]
    return [f"`{told['id']}`", told["label"], *verbs, told["description"]]


def _parameter(told: dict[str, Any]) -> list[str]:
    return [f"`{told['name']}`", told["type"], needed(told), told["description"]]


def _field(told: Mapping[str, Any]) -> list[str]:
    marks = ", ".join(name for name in ("identifier", "required") if told[name])
    return [f"`{told['id']}`", told["label"], told["type"], marks, told["description"]]


def _value(value: Any) -> str:
    """A rate is several numbers."""
    if isinstance(value, Mapping):
        return f"{value['per_second']:g} requests a second, {value['burst']} at once"
    return f"{value:g}"


def _table(titles: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    lines = [titles, ["---"] * len(titles), *rows]
    return "\n".join(f"| {' | '.join(map(_cell, line))} |" for line in lines)


def _cell(value: Any) -> str:
    """One line, in which a bar does not end the cell."""
    return " ".join(str(value).split()).replace("|", "\\|")
