"""Group S, continued: rows that come again, go, or come to what is not there."""

from contextlib import suppress
from typing import Any

from destination.cli.conform.behavior import behaved
from destination.cli.conform.case import Case, Needs
from destination.cli.conform.form import NOWHERE, Operations, choices, objects, readable
from destination.cli.conform.sample import (
    Sent,
    accepted,
    all_taken,
    optional_column,
    pair,
    params,
    rejections,
    required_fields,
    working,
    write,
)
from destination.cli.conform.server import Server
from destination.cli.conform.verdict import MUST, SHOULD, NotJudged, Unmet, require
from destination.cli.rows import Row

LONGEST = 500
"""Characters of a reason."""

AT_ONCE = 4

OPERATIONS = ("add", "change", "remove")


async def _again(server: Server) -> None:
    await accepted(server)
    for _ in range(2):
        all_taken(await write(server, pair(server)))


async def _changed(server: Server) -> None:
    await accepted(server)
    rows = [dict(row) for row in pair(server)]
    column = optional_column(server, await required_fields(server))
    if len({str(row.get(column)) for row in rows}) == 1:
        raise NotJudged(f'It needs two sample rows that differ in the column "{column}".')
    readable(await write(server, [rows[0] | {column: rows[1].get(column)}]), Sent)
    all_taken(await write(server, rows))


async def _mode(server: Server, operation: str, *, sends: bool) -> dict[str, str]:
    """
    What to change in the configuration for a mode that sends an operation, or does not.

    Its own mode is preferred. Raises NotJudged when there is none.
    """
    whole = dict(working(server))
    for changed in [{}, *await choices(server)]:
        operations = await _operations(server, whole | changed)
        if getattr(operations, operation) is sends:
            return changed
    raise NotJudged(f"{'No' if sends else 'Every'} mode sends {operation}.")


async def _operations(server: Server, whole: dict[str, Any]) -> Operations:
    """What ``behavior`` switches on; it is asked without a configuration where it takes none."""
    reply = await server.ask("behavior", {"configuration": whole})
    try:
        return behaved(reply if reply.code is None else await server.usual()).operations
    except Unmet:
        raise NotJudged("behavior does not say which operations are sent: see S3.") from None


async def _change_unknown(server: Server) -> None:
    await accepted(server)
    mode = await _mode(server, "change", sends=True)
    strangers = server.given.rows[len(pair(server)) :]
    if not strangers:
        raise NotJudged("It needs a third sample row, which is not added before.")
    readable(await write(server, strangers, "change", **mode), Sent)


async def _remove_unknown(server: Server) -> None:
    await accepted(server)
    mode = await _mode(server, "remove", sends=True)
    all_taken(await write(server, [_unheard_of(server)], "remove", **mode))


def _unheard_of(server: Server) -> Row:
    """A row that cannot have been there: its texts are others."""
    return {
        name: f"destination-conform.{value}" if isinstance(value, str) else value
        for name, value in pair(server)[0].items()
    }


async def _remove_twice(server: Server) -> None:
    await accepted(server)
    mode = await _mode(server, "remove", sends=True)
    for _ in range(2):
        all_taken(await write(server, server.given.rows, "remove", **mode))
    all_taken(await write(server, pair(server)))


async def _switched_off(server: Server) -> None:
    await accepted(server)
    for operation in OPERATIONS:
        with suppress(NotJudged):
            mode = await _mode(server, operation, sends=False)
            return await _is_refused(server, operation, mode)
    raise NotJudged("Every mode sends every operation.")


async def _is_refused(server: Server, operation: str, mode: dict[str, str]) -> None:
    reply = await write(server, pair(server), operation, **mode)
    if reply.code is None:
        count = len(rejections(reply))
        expected = f"every row in rejectedRows, since behavior does not send {operation}"
        require(reply.answer, expected, holds=count == len(pair(server)))
    readable(reply, Sent)


async def _test_row(server: Server) -> None:
    await accepted(server)
    all_taken(await write(server, pair(server)[:1]))


async def _no_id_column(server: Server) -> None:
    await accepted(server)
    asked = params(server, pair(server))
    del asked["idColumn"]
    readable(await server.rpc("add", asked), Sent)


async def _no_such_object(server: Server) -> None:
    await accepted(server)
    if not await objects(server):
        raise NotJudged("The server has no objects.")
    reply = await write(server, pair(server), object=NOWHERE)
    require(reply.answer, "an error that says so", holds=reply.code is not None)
    readable(reply, Sent)


CASES = (
    Case(
        "S24",
        "The same batch may come twice.",
        MUST,
        "After a time-out, and when all rows are synced again, rows come that were there before.",
        _again,
        Needs.ROWS,
    ),
    Case(
        "S25",
        "An add of a row that is there updates it, or says why not.",
        MUST,
        "Syncing all rows again sends every one as added.",
        _changed,
        Needs.ROWS,
    ),
    Case(
        "S26",
        "A change of a row that is not there is written, or says why not.",
        SHOULD,
        "The row may have been rejected before, or deleted at the vendor.",
        _change_unknown,
        Needs.ROWS,
    ),
    Case(
        "S27",
        "Removing a row that is not there succeeds.",
        MUST,
        "Rejected, it is tried again in every later run, for ever.",
        _remove_unknown,
        Needs.ROWS,
    ),
    Case(
        "S28",
        "Removing a row twice succeeds.",
        MUST,
        "The same, after a time-out.",
        _remove_twice,
        Needs.ROWS,
    ),
    Case(
        "S29",
        "An operation that behavior switches off rejects its rows.",
        SHOULD,
        "Rows that are not listed count as written.",
        _switched_off,
        Needs.ROWS,
    ),
    Case(
        "S34",
        "A single row is taken.",
        MUST,
        "The form's test button sends one.",
        _test_row,
        Needs.ROWS,
    ),
    Case(
        "S38",
        "Rows without an idColumn are taken, or refused with a reason.",
        SHOULD,
        "A crash tells nobody what is missing.",
        _no_id_column,
        Needs.ROWS,
    ),
    Case(
        "S39",
        "An object that does not exist fails the call.",
        SHOULD,
        "Taken silently, its rows count as written, and are nowhere.",
        _no_such_object,
        Needs.ROWS,
    ),
)
