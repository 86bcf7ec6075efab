"""The options of a sync, asked for by the JSON Schema that the server lists."""

from collections.abc import Mapping
from typing import Any

import click

from destination.cli.sync.kinds import Choices, Kind, Several, kind_of
from destination.cli.text import shown

MAX_REFERENCES = 8
"""How far a reference within the document is followed."""


def ask_options(schema: Mapping[str, Any]) -> dict[str, Any]:
    """
    The value of each property that the person gives; what is left empty is left out.

    Raises:
        click.Abort: The person does not want to go on.
    """
    properties, required = schema.get("properties"), schema.get("required")
    values = {}
    for name, described in properties.items() if isinstance(properties, dict) else ():
        own = _resolved(described, schema)
        needed = isinstance(required, list) and name in required
        value = _ask(shown(own.get("title") or name, 80), own, needed=needed)
        if value is not None:
            values[name] = value
    return values


def _ask(title: str, described: Mapping[str, Any], *, needed: bool) -> Any:
    kind = kind_of(described)
    if about := described.get("description"):
        click.echo(f"{title}: {shown(about)}", err=True)
    choices = kind.each if isinstance(kind, Several) else kind
    for number, name in enumerate(choices.names if isinstance(choices, Choices) else (), 1):
        click.echo(f"  {number}  {name}", err=True)
    fallback, default = _default(kind, described)
    while True:
        typed: str = click.prompt(
            title + (" *" if needed else ""), default=default, show_default=bool(default), err=True
        )
        if typed == default and (fallback is not None or not needed):
            return fallback
        try:
            if typed.strip():
                return kind.read(typed.strip())
        except ValueError:
            pass
        click.echo(f"  {kind.expected}", err=True)


def _default(kind: Kind, described: Mapping[str, Any]) -> tuple[Any, str]:
    """The value that stands when nothing is typed, and how it is shown."""
    value = described.get("default", described.get("const"))
    if value is None:
        return None, ""
    try:
        return value, shown(kind.write(value), 200)
    except ValueError:
        return None, ""


def _resolved(
    described: Any, schema: Mapping[str, Any], depth: int = MAX_REFERENCES
) -> Mapping[str, Any]:
    """A property's own schema, with what it refers to within the document."""
    if not isinstance(described, dict) or not depth:
        return {}
    inner = [
        _resolved(each, schema, depth - 1)
        for name in ("allOf", "anyOf")
        for each in _list(described.get(name))
        if each != {"type": "null"}
    ]
    reference = described.get("$ref")
    if isinstance(reference, str) and reference.startswith("#/"):
        inner.append(_resolved(_found(schema, reference), schema, depth - 1))
    return {**inner[0], **described} if len(inner) == 1 else described


def _found(schema: Mapping[str, Any], reference: str) -> Any:
    target: Any = schema
    for part in reference[2:].split("/"):
        target = target.get(part) if isinstance(target, dict) else None
    return target


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
