"""Group C, continued: the form of options."""

from collections.abc import Mapping
from typing import Any

from destination.cli import rjsf
from destination.cli.conform.case import Case
from destination.cli.conform.form import (
    Options,
    choices,
    every,
    listed,
)
from destination.cli.conform.server import Reply, Server
from destination.cli.conform.verdict import MUST, SHOULD, NotJudged, require

NO_OBJECTS = "The server has no objects."


async def _forms(server: Server) -> list[tuple[Mapping[str, Any], Mapping[str, Any], Reply]]:
    shown = await every(server, "list_options", Options)
    forms = [(each.options, reply) for each, reply in shown if each.options]
    if not forms:
        raise NotJudged("The server has no options.")
    return [(form.schema, form.uiSchema or {}, reply) for form, reply in forms]


async def _root(server: Server) -> None:
    for schema, _, reply in await _forms(server):
        holds = rjsf.is_root(schema)
        require(reply.answer, "a schema of type object with properties", holds=holds)


async def _no_options(server: Server) -> None:
    for each in await choices(server):
        shown, _ = await listed(server, "list_options", each, Options)
        if shown.options is None:
            return
    raise NotJudged("The server has options.")


async def _reserved(server: Server) -> None:
    for schema, _, reply in await _forms(server):
        taken = rjsf.taken(schema)
        require(reply.answer, f"no option called {', '.join(taken)}", holds=not taken)


async def _enums(server: Server) -> None:
    for schema, _, reply in await _forms(server):
        for name, prop in rjsf.properties(schema).items():
            expected = f'values of the type that it names for the option "{name}"'
            require(reply.answer, expected, holds=rjsf.agree(prop))


async def _hints(server: Server) -> None:
    for schema, hints, reply in await _forms(server):
        unknown = rjsf.without_option(schema, hints)
        expected = f"no hints for {', '.join(unknown)}, which the schema does not have"
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
