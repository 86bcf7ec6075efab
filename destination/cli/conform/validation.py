"""Group C, continued: ``validate``, which a user's click on save calls."""

from typing import Any

from destination.cli.conform.case import Case, Needs
from destination.cli.conform.form import (
    NOWHERE,
    Errors,
    Options,
    chosen,
    configuration,
    entries,
    fields,
    listed,
    modes,
    readable,
    shaped,
)
from destination.cli.conform.server import METHOD_NOT_FOUND, Reply, Server
from destination.cli.conform.verdict import MUST, SHOULD, NotJudged, require

MAPPINGS = ("identifierMapping", "mappings", "customMappings")

COLUMN = "destination_conform_column"

ODD: tuple[dict[str, Any], ...] = (
    {},
    {"configuration": None},
    {"configuration": {}},
    {"configuration": {"identifierMapping": None, "mappings": None, "customMappings": None}},
    {"configuration": {"identifierMapping": {}, "mappings": [{}]}},
)


async def _validated(server: Server, whole: Any) -> Reply:
    reply = await server.ask("validate", {"configuration": whole})
    if reply.code == METHOD_NOT_FOUND:
        raise NotJudged("The server does not implement validate, which Hightouch allows.")
    return reply


async def _good(server: Server) -> None:
    reply = await _validated(server, await configuration(server))
    errors = shaped(reply, Errors).errors
    require(reply.answer, "no errors: []", holds=not errors)


async def _unmapped(server: Server) -> None:
    required = [field for field in await fields(server) if field.required is True]
    if not required:
        raise NotJudged("The server has no required fields.")
    whole = await configuration(server) | {name: [] for name in MAPPINGS}
    await _names(server, whole, *(name for field in required for name in (field.id, field.label)))


async def _names(server: Server, whole: Any, *names: str) -> None:
    """One of the errors must have one of the names in it."""
    reply = await _validated(server, whole)
    told = " ".join(shaped(reply, Errors).errors).casefold()
    named = any(name.casefold() in told for name in names)
    require(reply.answer, f"an error that names {' or '.join(names[:2])}", holds=named)


async def _option_missing(server: Server) -> None:
    form = (await listed(server, "list_options", await chosen(server), Options))[0].options
    required = form.schema.get("required") if form else None
    if form is None or not isinstance(required, list) or not required:
        raise NotJudged("The server has no required options.")
    name = str(required[0])
    whole = {key: value for key, value in (await configuration(server)).items() if key != name}
    properties = form.schema.get("properties")
    shown = properties.get(name) if isinstance(properties, dict) else None
    title = shown.get("title") if isinstance(shown, dict) else None
    await _names(server, whole, name, str(title or name))


async def _unknown_field(server: Server) -> None:
    whole = await configuration(server)
    custom = [*entries(whole, "customMappings"), {"from": COLUMN, "to": NOWHERE}]
    reply = await _validated(server, whole | {"customMappings": custom})
    errors = shaped(reply, Errors).errors
    if not any(NOWHERE in error for error in errors):
        if not errors or errors == await _usual_errors(server):
            raise NotJudged(
                "validate has nothing to say, which is right where any field may be mapped."
            )
        require(reply.answer, f"an error that names {NOWHERE}", holds=False)


async def _usual_errors(server: Server) -> list[str]:
    return shaped(await _validated(server, await configuration(server)), Errors).errors


async def _twice(server: Server) -> None:
    whole = await configuration(server)
    names = [entry.get("to") for entry in entries(whole, "mappings")]
    names += [field.id for field in await fields(server) if field.identifier is not True]
    if not names:
        raise NotJudged("There are no fields to map.")
    columns = (COLUMN, f"{COLUMN}_2")
    twice = [{"from": column, "to": names[0]} for column in columns]
    reply = await _validated(server, whole | {"mappings": twice})
    errors = shaped(reply, Errors).errors
    named = any(column in error for error in errors for column in (*columns, str(names[0])))
    require(reply.answer, "an error that names the field or a column", holds=named)


async def _unknown_mode(server: Server) -> None:
    whole = await configuration(server)
    object = whole.get("object")
    if not await modes(server, object if isinstance(object, str) else None):
        raise NotJudged("The server has no modes.")
    reply = await _validated(server, whole | {"mode": NOWHERE})
    if reply.code is None:
        require(reply.answer, "an error", holds=bool(shaped(reply, Errors).errors))
    readable(reply, Errors)


async def _odd(server: Server) -> None:
    await _validated(server, {})
    for params in ODD:
        readable(await server.ask("validate", params), Errors)


CASES = (
    Case(
        "C20",
        "validate has nothing to say of a good configuration: [].",
        MUST,
        "Anything else keeps the sync from being saved.",
        _good,
        Needs.CONFIGURATION,
    ),
    Case(
        "C21",
        "validate names a required field that is not mapped.",
        SHOULD,
        "Otherwise every row of the first run is refused, and why is found out there.",
        _unmapped,
    ),
    Case(
        "C22",
        "validate names a required option that is missing.",
        SHOULD,
        "A configuration may be edited as JSON, where no form asks for it.",
        _option_missing,
    ),
    Case(
        "C23",
        "validate names a mapped field that does not exist.",
        SHOULD,
        "Its column is never written, and nobody is told.",
        _unknown_field,
    ),
    Case(
        "C24",
        "validate tells of two columns that are mapped to one field.",
        SHOULD,
        "One of them is lost, and which one is chance.",
        _twice,
    ),
    Case(
        "C25",
        "validate tells of an unknown mode.",
        SHOULD,
        "A mode that was renamed would otherwise fail in the run, at night.",
        _unknown_mode,
    ),
    Case(
        "C27",
        "validate answers a configuration that is missing, null or partial in sentences.",
        SHOULD,
        "People edit it as JSON; a crash tells them nothing.",
        _odd,
    ),
)
