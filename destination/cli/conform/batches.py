"""Group E, continued: bodies that are no request, batches, and what answers must never be."""

import re

from destination.cli.conform.case import Case, Judge
from destination.cli.conform.server import (
    INVALID_REQUEST,
    METHOD_NOT_FOUND,
    PARSE_ERROR,
    Server,
    call,
    decoded,
    encoded,
    read,
    refused,
    replies,
    same_kind,
)
from destination.cli.conform.verdict import MUST, SHOULD, require

DEPTH = 100_000
CROWD = 1_000

BLUNDERS = (
    ("list_modes", {"object": {"conform": [1]}}),
    ("list_fields", {"object": 7, "mode": ["conform"]}),
    ("list_options", {"object": ["conform"]}),
    ("validate", {"configuration": 5}),
    ("behavior", {"configuration": "conform"}),
    ("add", {"idColumn": 3, "configuration": [], "rows": None}),
    ("add", {"rows": 7}),
)
"""Params of wrong types, which a careless handler trips over; none of them brings a row."""

_INSIDE = re.compile(
    r"Traceback \(most recent|File \\?\"[^\"]+\", line \d|\.(?:js|ts|py|rb|go|java):\d+|"
    r"node_modules|\b[A-Z]\w*(?:Error|Exception)\b|NoneType|object has no attribute|"
    r"is not iterable|not subscriptable|annot read property|annot read properties|"
    r"is not a function|undefined method|unexpected keyword argument|missing \d+ required|"
    r"list indices|string indices"
)
"""What the texts of exceptions are known by."""

ODD_TEXTS = ("\u0000", "\u2028", '"\\/', "😀", "\x7f\x85", "</script>", "%s%n")


def _refused(code: int, *bodies: str) -> Judge:
    async def judge(server: Server) -> None:
        for body in bodies:
            reply = refused(await server.post(body), code)
            require(reply.answer, "an error with the id null", holds=reply.id is None)

    return judge


async def _numbers_alone(server: Server) -> None:
    answer = await server.post("[1,2]")
    each = replies(answer)
    holds = [reply.code for reply in each] == [INVALID_REQUEST] * 2
    require(answer, "a list of two errors with the code -32600", holds=holds)


def _one(id: str | None, method: str = "behavior") -> str:
    return call(method, {}, id)


async def _mixed(server: Server) -> None:
    usual = (await server.usual()).code
    members = (_one('"a"'), "7", _one(None), _one('"b"', "no_such_method"), _one('"c"'))
    answer = await server.post(f"[{','.join(members)}]")
    codes = {str(reply.id): reply.code for reply in replies(answer)}
    wanted = {"a": usual, "None": INVALID_REQUEST, "b": METHOD_NOT_FOUND, "c": usual}
    require(answer, "an answer of its own to each member that has an id", holds=codes == wanted)


async def _silent(server: Server) -> None:
    answer = await server.post(f"[{_one(None)},{_one(None)}]")
    holds = answer.status == 204 and not answer.body
    require(answer, "HTTP 204 and no body", holds=holds)


async def _nested(server: Server) -> None:
    answer = await server.post(f"[[{_one('7')}]]")
    each = replies(answer)
    holds = [reply.code for reply in each] == [INVALID_REQUEST]
    require(answer, "a list of one error with the code -32600", holds=holds)


async def _crowd(server: Server) -> None:
    answer = await server.post(f"[{','.join(_one(str(number)) for number in range(CROWD))}]")
    refused(answer, INVALID_REQUEST)


async def _either(server: Server) -> None:
    """``read`` refuses a response that has both, or none; so each kind of answer is read."""
    for body in (_one('"1"'), _one('"1"', "no_such_method"), call("validate", 5), "7"):
        answer = await server.post(body)
        if answer.status == 200:
            read(answer, decoded(answer))


async def _discreet(server: Server) -> None:
    for method, params in BLUNDERS:
        answer = await server.post(call(method, params))
        text = answer.body.decode("utf-8", "replace")
        require(answer, "no text of an exception", holds=not _INSIDE.search(text))
        require(answer, "HTTP 200 and a JSON-RPC response", holds=answer.status == 200)
        read(answer, decoded(answer))


async def _deep(server: Server) -> None:
    pits = "[" * DEPTH, call("behavior", {"x": "?"}).replace('"?"', "[" * DEPTH + "]" * DEPTH)
    for body in pits:
        answer = await server.post(body)
        expected = "a server that still answers afterwards"
        require(answer, expected, holds=await server.is_there())
        require(answer, "no HTTP 5xx", holds=answer.status < 500)


async def _no_numbers(server: Server) -> None:
    for number in ("NaN", "-Infinity"):
        body = call("behavior", {"x": "?"}).replace('"?"', number)
        answer = await server.post(body)
        if answer.status != 400:
            refused(answer, PARSE_ERROR)


async def _strict(server: Server) -> None:
    for text in ODD_TEXTS:
        answer = await server.post(call(f"no_such_method {text}", {text: text}, encoded(text)))
        if answer.body:
            decoded(answer, "an answer of strict JSON, whatever characters were sent")
        same_kind(
            await server.rpc("behavior", {}, encoded(text)), await server.usual(), "an answer"
        )


CASES = (
    Case(
        "E20",
        "Broken JSON is answered with -32700 and the id null.",
        SHOULD,
        "Hightouch shows the answer to its user: plain text or a page reads like another fault.",
        _refused(PARSE_ERROR, '{"jsonrpc":"2.0",', "conform", "{'a':1}"),
    ),
    Case(
        "E21",
        "An empty body is answered with -32700.",
        SHOULD,
        "The same; it is what health checks and curious people send.",
        _refused(PARSE_ERROR, ""),
    ),
    Case(
        "E22",
        'null, 3 and "x" as the whole body are answered with -32600.',
        SHOULD,
        "They are JSON, so a parse error would send whoever looks for the fault the wrong way.",
        _refused(INVALID_REQUEST, "null", "3", '"x"'),
    ),
    Case(
        "E23",
        "An empty list is answered with one -32600.",
        SHOULD,
        "JSON-RPC says so; an empty answer looks like a lost one.",
        _refused(INVALID_REQUEST, "[]"),
    ),
    Case(
        "E24",
        "[1,2] is answered with two errors.",
        SHOULD,
        "Each member of a batch has an answer of its own, or its caller waits.",
        _numbers_alone,
    ),
    Case(
        "E25",
        "In a batch each request is answered for itself, beside bad ones.",
        SHOULD,
        "One bad member that spoils the whole batch makes good calls fail.",
        _mixed,
    ),
    Case(
        "E26",
        "A batch of notifications is answered with 204.",
        SHOULD,
        "There is nothing to say; an empty list would be an answer to nobody.",
        _silent,
    ),
    Case(
        "E27",
        "A list within a batch is answered with -32600, as one member.",
        SHOULD,
        "Unpacked without a limit it goes round the cap on batches.",
        _nested,
    ),
    Case(
        "E28",
        "A batch of 1,000 calls is refused with one -32600.",
        SHOULD,
        "Without a cap a small body makes the server do a thousand calls' work at once.",
        _crowd,
    ),
    Case(
        "E29",
        "A response has a result or an error, never both.",
        MUST,
        "With both it is open whether rows were taken.",
        _either,
    ),
    Case(
        "E30",
        "Params of wrong types are answered in JSON-RPC, without the text of an exception.",
        SHOULD,
        "Such a text shows values, paths and credentials to everybody who can see the sync.",
        _discreet,
    ),
    Case(
        "E31",
        "A body of 100,000 nested brackets is answered, and the server lives.",
        SHOULD,
        "One body should not end the process that all syncs depend on.",
        _deep,
    ),
    Case(
        "E32",
        "NaN and Infinity are no JSON: -32700.",
        SHOULD,
        "Taken in, they go out again to the vendor, which refuses the whole request.",
        _no_numbers,
    ),
    Case(
        "E33",
        "Every answer is strict JSON, whatever characters are in the request.",
        MUST,
        "An answer that cannot be parsed counts as none: the whole batch fails.",
        _strict,
    ),
)
