"""The options of a sync, asked for by the JSON Schema that the server lists."""

from collections.abc import Iterable, Mapping
from typing import Any

import click

from destination.cli.sync.kinds import Choices, Kind, Several, kind_of
from destination.cli.text import shown

CHOOSE = "  Choose"
"""What is asked below choices."""

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
    fallback, default = _default(kind, described)
    question = _explained(title, shown(described.get("description") or ""), kind)
    while True:
        typed = typed_line(question + (" *" if needed else ""), default)
        if typed == default and (default or not needed):
            return fallback
        try:
            if typed:
                return kind.read(typed)
            click.echo("  This is required.", err=True)
        except ValueError:
            click.echo(f"  {kind.expected}", err=True)


def _explained(title: str, about: str, kind: Kind) -> str:
    """Show what can be chosen; what to ask then."""
    choices = kind.each if isinstance(kind, Several) else kind
    names = choices.names if isinstance(choices, Choices) else ()
    if about or names:
        click.echo(f"{title}: {about}".rstrip(), err=True)
    numbered(names)
    return CHOOSE if names else title


def numbered(names: Iterable[str]) -> None:
    """Show choices, from 1 on."""
    for number, name in enumerate(names, 1):
        click.echo(f"  {number}  {name}", err=True)


def typed_line(question: str, default: str) -> str:
    """What the person types, or the default. Raises click.Abort at Ctrl-C and Ctrl-D."""
    typed: str = click.prompt(question, default=default, show_default=bool(default), err=True)
    return typed.strip()


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
    parts = [*_list(described.get("allOf")), *_list(described.get("anyOf"))]
    parts = [each for each in parts if each != {"type": "null"}]
    reference = described.get("$ref")
    if isinstance(reference, str) and reference.startswith("#/"):
        parts.append(_found(schema, reference))
    if len(parts) != 1:
        return described
    return {**_resolved(parts[0], schema, depth - 1), **described}


def _found(schema: Mapping[str, Any], reference: str) -> Any:
    target: Any = schema
    for part in reference[2:].split("/"):
        target = target.get(part) if isinstance(target, dict) else None
    return target


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
