"""Calls with the sample rows: good ones, and some that the server refuses."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import msgspec

from destination.cli.conform.form import entries, fields, shaped
from destination.cli.conform.server import Reply, Server, call
from destination.cli.conform.verdict import Level, NotJudged, Unmet, require
from destination.cli.rows import Row

PAIR = 2
"""How many of the sample rows go out in a usual batch; the third is kept as a stranger."""

SPOILT = "destination-conform-1"
"""The id of a row that is meant to be refused."""


class Rejected(msgspec.Struct):
    """A row that was not taken; ids may be of any type that a row's may."""

    id: Any
    reason: str


class Sent(msgspec.Struct):
    """The result of ``add``, ``change`` and ``remove``."""

    rejectedRows: list[Rejected] | None  # noqa: N815 - the wire's name


def working(server: Server) -> Mapping[str, Any]:
    """The configuration that was given, or a variant of it that ``accepted`` found to work."""
    whole: Mapping[str, Any] = server.memo.get("working") or server.given.configuration or {}
    return whole


def params(server: Server, rows: Sequence[Row], **changed: Any) -> dict[str, Any]:
    """The params of ``add``, ``change`` and ``remove``, with some of the configuration changed."""
    whole = {**working(server), **changed}
    return {"idColumn": server.given.id_column, "configuration": whole, "rows": list(rows)}


def pair(server: Server) -> Sequence[Row]:
    """The rows of a usual batch."""
    return server.given.rows[:PAIR]


def added(server: Server) -> str:
    """The request that adds them."""
    return call("add", params(server, pair(server)))


def rejections(reply: Reply, level: Level | None = None) -> list[Rejected]:
    """What was refused; a result of null is taken for nothing. Raises Unmet for another shape."""
    if reply.code is None and reply.result is None:
        return []
    return shaped(reply, Sent, level).rejectedRows or []


async def write(
    server: Server, rows: Sequence[Row], operation: str = "add", **changed: Any
) -> Reply:
    """What the server says to rows, under a configuration with some of it changed."""
    return await server.rpc(operation, params(server, rows, **changed))


def all_taken(reply: Reply, level: Level | None = None) -> None:
    """Raise Unmet unless no row is refused."""
    expected = "every row taken: an empty list of rejectedRows"
    require(reply.answer, expected, holds=reply.code is None)
    require(reply.answer, expected, holds=not rejections(reply), level=level)


async def accepted(server: Server) -> None:
    """
    Raise NotJudged where the sample rows are not even taken as they are, which S4 tells.

    A server that knows only the other way to write identifierMapping is from now on spoken to so.
    """
    if "working" not in server.memo:
        given = server.given.configuration or {}
        server.memo["working"] = await _first_working(server, (given, _otherwise(given)))
    if server.memo["working"] is None:
        raise NotJudged("The sample rows are not taken as they are: see S4.")


async def _first_working(
    server: Server, variants: Sequence[Mapping[str, Any]]
) -> Mapping[str, Any] | None:
    asked = params(server, pair(server))
    for variant in variants:
        with suppress(Unmet):
            all_taken(await server.rpc("add", asked | {"configuration": variant}))
            return variant
    return None


def _otherwise(configuration: Mapping[str, Any]) -> Mapping[str, Any]:
    """With identifierMapping as an object where it is a list, or the other way round."""
    mapping = configuration.get("identifierMapping")
    other = mapping[0] if isinstance(mapping, list) and mapping else [mapping]
    return {**configuration, "identifierMapping": other}


def optional_column(server: Server, required: set[str]) -> str:
    """A column that is mapped to a field which may be empty. Raises NotJudged without one."""
    whole = working(server)
    kept = {entry.get("from") for entry in entries(whole, "identifierMapping")}
    kept.add(server.given.id_column)
    for entry in entries(whole, "mappings", "customMappings"):
        column = entry.get("from")
        if isinstance(column, str) and column not in kept and entry.get("to") not in required:
            return column
    raise NotJudged("The configuration maps no column that may be empty.")


async def required_fields(server: Server) -> set[str]:
    """The ids of the fields that must not be empty."""
    marked = await fields(server)
    return {field.id for field in marked if field.required is True or field.identifier is True}


NONSENSE = "neither an address nor an id"

Spoil = Callable[[Any], Row]
"""Makes a row, of the id that it is given, that the server refuses."""


async def spoiler(server: Server) -> Spoil:
    """A way to spoil a row that this server refuses, and it alone. Raises NotJudged without one."""
    ways = await spoilers(server)
    if not ways:
        raise NotJudged("No row was found that the server refuses.")
    if not server.memo["listed"]:
        raise NotJudged("A bad row fails the whole call: see S11.")
    return ways[-1]


async def spoilers(server: Server) -> list[Spoil]:
    """
    The ways to spoil a row that this server does not take, found by trying.

    Those that fail the call as a whole come first; the last is one that it names in rejectedRows,
    where there is such a way.
    """
    if "spoilers" not in server.memo:
        await accepted(server)
        found: list[Spoil] = []
        server.memo["listed"] = False
        for spoil in _ways(server):
            reply = await write(server, [spoil(SPOILT)])
            server.memo["listed"] = reply.code is None and bool(rejections(reply))
            if reply.code is not None or server.memo["listed"]:
                found.append(spoil)
            if server.memo["listed"]:
                break  # what is tried beyond it might be written
        server.memo["spoilers"] = found
    ways: list[Spoil] = server.memo["spoilers"]
    return ways


def _ways(server: Server) -> list[Spoil]:
    """First what a record is matched by is missing, then nonsense; then all is of a wrong type."""
    given, first, whole = server.given, server.given.rows[0], working(server)
    every = [
        entry["from"]
        for entry in entries(whole, "identifierMapping", "mappings", "customMappings")
        if isinstance(entry.get("from"), str) and entry["from"] != given.id_column
    ]
    identifiers = [entry.get("from") for entry in entries(whole, "identifierMapping")]
    matched = [column for column in every if column in identifiers]
    changes: tuple[dict[str, Any], ...] = (
        dict.fromkeys(matched, None),
        dict.fromkeys(matched, NONSENSE),
        {column: {"conform": [1]} for column in every},
    )
    return [_way(given.id_column, first, each) for each in changes if each]


def _way(id_column: str, row: Row, changes: Mapping[str, Any]) -> Spoil:
    def spoil(id: Any) -> Row:
        return {**row, **changes, id_column: id}

    return spoil


async def told(server: Server, rows: Sequence[Row]) -> tuple[Reply, list[Rejected]]:
    """What is said of a batch. Raises NotJudged where it fails as a whole, which S11 tells."""
    reply = await write(server, rows)
    if reply.code is not None:
        raise NotJudged("A bad row fails the whole call: see S11.")
    return reply, rejections(reply)
