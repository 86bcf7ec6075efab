"""Group S, continued: rows on their way in, and the mappings that come with them."""

from typing import Any

from destination.cli.conform.case import Case, Judge, Needs
from destination.cli.conform.form import (
    entries,
    readable,
)
from destination.cli.conform.sample import (
    Sent,
    accepted,
    all_taken,
    optional_column,
    pair,
    params,
    required_fields,
    working,
    write,
)
from destination.cli.conform.server import Server
from destination.cli.conform.verdict import MUST, SHOULD, NotJudged


async def _documented(server: Server) -> None:
    asked = params(server, pair(server)) | {"configuration": server.given.configuration}
    all_taken(await server.rpc("add", asked))


def _identified(server: Server) -> dict[str, Any]:
    """The entry that rows are matched by."""
    for entry in entries(working(server), "identifierMapping"):
        return entry
    raise NotJudged("The configuration has no identifierMapping.")


async def _as_object(server: Server) -> None:
    await accepted(server)
    all_taken(await write(server, pair(server), identifierMapping=_identified(server)))


async def _as_list(server: Server) -> None:
    await accepted(server)
    all_taken(await write(server, pair(server), identifierMapping=[_identified(server)]))


async def _as_null(server: Server) -> None:
    await accepted(server)
    readable(await write(server, pair(server), identifierMapping=None), Sent)


def _without(*names: str) -> Judge:
    async def judge(server: Server) -> None:
        await accepted(server)
        asked = params(server, pair(server))
        for name in names:
            asked["configuration"].pop(name, None)
        readable(await server.rpc("add", asked), Sent)

    return judge


async def _no_custom(server: Server) -> None:
    await accepted(server)
    if any(entries(working(server), "customMappings")):
        raise NotJudged("The configuration has customMappings, which rows may need.")
    all_taken(await write(server, pair(server), customMappings=[]))
    all_taken(await write(server, pair(server), customMappings=None))
    asked = params(server, pair(server))
    asked["configuration"].pop("customMappings", None)
    all_taken(await server.rpc("add", asked))


async def _no_column(server: Server) -> None:
    await accepted(server)
    mapped = list(entries(working(server), "mappings"))
    if not mapped:
        raise NotJudged("The configuration has no mappings.")
    to = mapped[-1].get("to")
    for entry in (
        {"to": to, "type": "static", "value": "destination conform"},
        {"to": to, "type": "variable", "variable": "sync-id"},
    ):
        readable(await write(server, pair(server), mappings=[*mapped[:-1], entry]), Sent)


async def _no_rows(server: Server) -> None:
    all_taken(await write(server, []))


async def _null_value(server: Server) -> None:
    await accepted(server)
    column = optional_column(server, await required_fields(server))
    rows = [row | {column: None} for row in map(dict, pair(server))]
    all_taken(await write(server, rows), SHOULD)


async def _missing_column(server: Server) -> None:
    await accepted(server)
    column = optional_column(server, await required_fields(server))
    rows = [{name: row[name] for name in row if name != column} for row in pair(server)]
    all_taken(await write(server, rows), SHOULD)


async def _null_id(server: Server) -> None:
    await accepted(server)
    row = dict(pair(server)[0]) | {server.given.id_column: None}
    readable(await write(server, [row]), Sent)


def _beside(**columns: Any) -> Judge:
    async def judge(server: Server) -> None:
        await accepted(server)
        all_taken(await write(server, [columns | dict(row) for row in pair(server)]))

    return judge


CASES = (
    Case(
        "S4",
        "An add of the documented shape is taken whole: rejectedRows is [].",
        MUST,
        "It is what every run is made of.",
        _documented,
        Needs.ROWS,
    ),
    Case(
        "S5",
        "identifierMapping may be one object.",
        MUST,
        "Hightouch's published example reads it so.",
        _as_object,
        Needs.ROWS,
    ),
    Case(
        "S6",
        "identifierMapping may be a list.",
        MUST,
        "Hightouch's documentation shows it so.",
        _as_list,
        Needs.ROWS,
    ),
    Case(
        "S7",
        "identifierMapping as null is no crash.",
        SHOULD,
        "A sync may have nothing to match by; a crash fails the batch and says nothing.",
        _as_null,
        Needs.ROWS,
    ),
    Case(
        "S8",
        "A configuration without identifierMapping, or without any mapping, is no crash.",
        SHOULD,
        "The same: what is undefined in JavaScript is absent in JSON.",
        _without("identifierMapping", "mappings", "customMappings"),
        Needs.ROWS,
    ),
    Case(
        "S9",
        "customMappings may be empty, null or absent.",
        MUST,
        "Most syncs have none.",
        _no_custom,
        Needs.ROWS,
    ),
    Case(
        "S10",
        "A mapping entry without a column is no crash.",
        SHOULD,
        "Hightouch maps fixed values and variables too; such an entry has no from.",
        _no_column,
        Needs.ROWS,
    ),
    Case(
        "S17",
        "A call without rows is answered with an empty list of rejectedRows.",
        SHOULD,
        "Nothing to do is no failure.",
        _no_rows,
        Needs.ROWS,
    ),
    Case(
        "S19",
        "A null in a field that may be empty fails neither the call nor its row.",
        MUST,
        "Half of all real columns have nulls.",
        _null_value,
        Needs.ROWS,
    ),
    Case(
        "S20",
        "A column that a row does not have fails neither the call nor its row.",
        SHOULD,
        "A column that was taken out of the query would stop the whole sync.",
        _missing_column,
        Needs.ROWS,
    ),
    Case(
        "S21",
        "A row whose id is null is no crash.",
        SHOULD,
        "A text that says which row it was can be acted upon.",
        _null_id,
        Needs.ROWS,
    ),
    Case(
        "S22",
        "Columns that nothing is mapped from are ignored.",
        MUST,
        "Rows come with all columns of the query.",
        _beside(destination_conform="a column more", toString="x", __proto__="x"),
        Needs.ROWS,
    ),
    Case(
        "S23",
        "Objects, lists and large numbers in a row are no crash.",
        MUST,
        "Warehouses have columns of JSON and of 38 digits.",
        _beside(destination_conform={"a": [1, {"b": None}]}, conform_number=10**37),
        Needs.ROWS,
    ),
)
