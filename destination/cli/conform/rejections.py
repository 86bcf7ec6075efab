"""Group S, continued: what is said of rows that are not taken."""

import asyncio
import re
from typing import Any

from destination.cli.conform.case import Case, Needs
from destination.cli.conform.sample import (
    pair,
    rejections,
    spoiler,
    spoilers,
    told,
    write,
)
from destination.cli.conform.server import Server
from destination.cli.conform.verdict import MUST, SHOULD, NotJudged, require

LONGEST = 500
"""Characters of a reason."""

AT_ONCE = 4

OPERATIONS = ("add", "change", "remove")


async def _one_bad(server: Server) -> None:
    ways = await spoilers(server)
    if not ways:
        raise NotJudged("No row was found that the server refuses.")
    good = list(pair(server))
    for spoil in ways:
        reply = await write(server, [*good[:1], spoil("conform-bad"), *good[1:]])
        expected = "the bad row alone in rejectedRows, with a reason"
        require(reply.answer, expected, holds=reply.code is None)
        ids = [each.id for each in rejections(reply)]
        require(reply.answer, expected, holds=ids == ["conform-bad"])


def _echoed(*ids: Any) -> Any:
    async def judge(server: Server) -> None:
        for id in ids:
            spoil = await spoiler(server)
            reply, rejected = await told(server, [spoil(id)])
            came = [each.id for each in rejected]
            same = [(type(each), each) for each in came] == [(type(id), id)]
            require(reply.answer, "the row's id as it was sent", holds=same)

    return judge


async def _subset(server: Server) -> None:
    spoil = await spoiler(server)
    rows = [spoil("conform-a"), *pair(server), spoil("conform-b")]
    reply, rejected = await told(server, rows)
    sent = [row[server.given.id_column] for row in rows]
    among = all(each.id in sent for each in rejected)
    require(reply.answer, "only ids that were sent", holds=among)


async def _once(server: Server) -> None:
    spoil = await spoiler(server)
    reply, rejected = await told(server, [spoil("conform-twice"), spoil("conform-twice")])
    require(reply.answer, "the id once", holds=len(rejected) == 1)


async def _apart(server: Server) -> None:
    spoil = await spoiler(server)
    ids = [f"conform-call-{number}" for number in range(AT_ONCE)]
    good = pair(server)[:1]
    answers = await asyncio.gather(*(told(server, [*good, spoil(id)]) for id in ids))
    for (reply, rejected), id in zip(answers, ids, strict=True):
        own = [each.id for each in rejected] == [id]
        require(reply.answer, f"the id {id} alone", holds=own)


async def _reasons(server: Server) -> None:
    spoil = await spoiler(server)
    rows = [spoil("conform-x"), spoil("conform-y")]
    reply, rejected = await told(server, rows)
    texts = [each.reason for each in rejected]
    spoken = bool(texts) and all(text.strip() for text in texts)
    require(reply.answer, "a reason for each row", holds=spoken)
    short = all(len(text) <= LONGEST and "\n" not in text for text in texts)
    require(reply.answer, f"reasons of one line and at most {LONGEST} characters", holds=short)
    require(reply.answer, "the same reason for the same fault", holds=len(set(texts)) == 1)
    values = [str(value) for row in (*server.given.rows, *rows) for value in row.values()]
    secrets = [value.split()[-1] for value in server.given.headers.values() if value]
    quiet = not any(_stands_in(value, text) for value in [*values, *secrets] for text in texts)
    require(reply.answer, "reasons without values of the row", holds=quiet)


def _stands_in(value: str, text: str) -> bool:
    return len(value) > 3 and re.search(rf"(?<!\w){re.escape(value)}(?!\w)", text) is not None


CASES = (
    Case(
        "S11",
        "One bad row is rejected with a reason, and the others are written.",
        MUST,
        "Otherwise one customer without an address keeps thousands of others from being synced.",
        _one_bad,
        Needs.ROWS,
    ),
    Case(
        "S12",
        "The id of a rejected row comes back as the number it was.",
        MUST,
        'Hightouch finds the row by it: "7" is not 7.',
        _echoed(7),
        Needs.ROWS,
    ),
    Case(
        "S13",
        "An id of thirty digits comes back with all of them.",
        MUST,
        "Rounded, it is the id of another row, or of none: the failure is shown nowhere.",
        _echoed(9007199254740993, 123456789012345678901234567891),
        Needs.ROWS,
    ),
    Case(
        "S14",
        "An id with blanks and characters beyond ASCII comes back as it was.",
        MUST,
        "The same: trimmed or normalised, it is another id.",
        _echoed("  Zoë 名前 😀 "),
        Needs.ROWS,
    ),
    Case(
        "S15",
        "Only ids that were sent are rejected.",
        MUST,
        "An id that Hightouch does not know belongs to no row.",
        _subset,
        Needs.ROWS,
    ),
    Case(
        "S16",
        "No id is rejected twice in one answer.",
        SHOULD,
        "Counts of failures are wrong otherwise.",
        _once,
        Needs.ROWS,
    ),
    Case(
        "S35",
        "Of calls at once, each hears of its own rows.",
        MUST,
        "Two syncs to one server run at the same time.",
        _apart,
        Needs.ROWS,
    ),
    Case(
        "S37",
        "A reason is one line, the same for the same fault, without values of the row.",
        SHOULD,
        "People group failures by their text: a text for each row is a thousand groups.",
        _reasons,
        Needs.ROWS,
    ),
)
