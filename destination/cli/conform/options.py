"""Group C, continued: the form of options."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from destination.cli.conform.case import Case
from destination.cli.conform.form import (
    Options,
    choices,
    every,
    listed,
)
from destination.cli.conform.server import Reply, Server
from destination.cli.conform.verdict import MUST, SHOULD, NotJudged, require
from destination.schema import RESERVED

NO_OBJECTS = "The server has no objects."


async def _forms(server: Server) -> list[tuple[Mapping[str, Any], Mapping[str, Any], Reply]]:
    shown = await every(server, "list_options", Options)
    forms = [(each.options, reply) for each, reply in shown if each.options]
    if not forms:
        raise NotJudged("The server has no options.")
    return [(form.schema, form.uiSchema or {}, reply) for form, reply in forms]


def _properties(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    properties = schema.get("properties")
    return properties if isinstance(properties, dict) else {}


async def _root(server: Server) -> None:
    for schema, _, reply in await _forms(server):
        root = schema.get("type") == "object" and isinstance(schema.get("properties"), dict)
        require(reply.answer, "a schema of type object with properties", holds=root)


async def _no_options(server: Server) -> None:
    for each in await choices(server):
        shown, _ = await listed(server, "list_options", each, Options)
        if shown.options is None:
            return
    raise NotJudged("The server has options.")


async def _reserved(server: Server) -> None:
    for schema, _, reply in await _forms(server):
        taken = sorted(_properties(schema).keys() & (RESERVED - {"options"}))
        require(reply.answer, f"no option called {', '.join(taken)}", holds=not taken)


_JSON_TYPES: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, Decimal),
    "boolean": (bool,),
}


async def _enums(server: Server) -> None:
    for schema, _, reply in await _forms(server):
        for name, prop in _properties(schema).items():
            expected = f'values of the type that it names for the option "{name}"'
            require(reply.answer, expected, holds=_agree(prop))


def _agree(prop: Any) -> bool:
    """Whether the values of a list are of the type that is named beside it, where there are any."""
    values = prop.get("enum") if isinstance(prop, dict) else None
    if not isinstance(values, list) or not isinstance(prop.get("type"), str):
        return True
    types = _JSON_TYPES.get(prop["type"], (object,))
    return all(
        isinstance(value, types) and (bool in types or not isinstance(value, bool))
        for value in values
    )


async def _hints(server: Server) -> None:
    for schema, hints, reply in await _forms(server):
        unknown = [name for name in hints.keys() - _properties(schema) if name[:3] != "ui:"]
        expected = f"no hints for {', '.join(sorted(unknown))}, which the schema does not have"
        require(reply.answer, expected, holds=not unknown)


CASES = (
    Case(
        "C13",
        "The options' schema is an object with properties.",
        SHOULD,
        "Its properties become keys of the configuration; what becomes of another root is not "
        "documented.",
        _root,
    ),
    Case(
        "C14",
        "Where there are no options, list_options answers with null.",
        MUST,
        "An empty form is shown otherwise.",
        _no_options,
    ),
    Case(
        "C15",
        "No option is called object, mode, identifierMapping, mappings or customMappings.",
        MUST,
        "Options stand beside those in the configuration: one replaces the other.",
        _reserved,
    ),
    Case(
        "C16",
        "The values of a list are of the type that the schema names.",
        SHOULD,
        "The form compares them strictly: a chosen value is then never valid.",
        _enums,
    ),
    Case(
        "C17",
        "The uiSchema has hints for options of the schema only.",
        SHOULD,
        "A hint under a misspelt name does nothing, and nobody notices.",
        _hints,
    ),
)
