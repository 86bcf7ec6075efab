"""Group E: one request of JSON-RPC, and its response."""

from typing import Any

from destination.cli.conform.case import Case, Judge
from destination.cli.conform.server import (
    ABSENT,
    INVALID_PARAMS,
    INVALID_REQUEST,
    METHOD_NOT_FOUND,
    Server,
    call,
    refused,
    response,
    same_kind,
)
from destination.cli.conform.verdict import MUST, SHOULD, require

NO_PARAMS: tuple[tuple[str, Any], ...] = (("absent", ABSENT), ("null", None), ("[]", []))


def _echoes(id: str) -> Judge:
    async def judge(server: Server) -> None:
        await server.rpc("behavior", {}, id)

    return judge


async def _notification(server: Server) -> None:
    answer = await server.post(call("behavior", {}, id=None))
    require(answer, "no response object", holds=not answer.body)
    require(answer, "HTTP 204", holds=answer.status == 204)


def _invalid(*bodies: str) -> Judge:
    async def judge(server: Server) -> None:
        for body in bodies:
            refused(await server.post(body), INVALID_REQUEST)

    return judge


def _with_id(id: str) -> str:
    return call("behavior", {}, id)


def _replaced(old: str, *news: str) -> tuple[str, ...]:
    return tuple(call("behavior", {}).replace(old, new) for new in news)


def _unknown(*methods: str) -> Judge:
    async def judge(server: Server) -> None:
        for method in methods:
            answer = await server.post(call(method, {}))
            expected = f"HTTP 200 and an error with the code {METHOD_NOT_FOUND}"
            require(answer, expected, holds=answer.status == 200)
            require(answer, expected, holds=response(answer).code == METHOD_NOT_FOUND)

    return judge


async def _empty_params(server: Server) -> None:
    usual = await server.usual()
    for name, params in NO_PARAMS:
        expected = f"with params {name} the same kind of answer as with {{}}"
        same_kind(await server.rpc("behavior", params), usual, expected)


async def _wrapped_params(server: Server) -> None:
    expected = "with params [{}] the same kind of answer as with {}"
    same_kind(await server.rpc("behavior", [{}]), await server.usual(), expected)


async def _scalar_params(server: Server) -> None:
    for params in (3, "text", True):
        refused(await server.post(call("behavior", params)), INVALID_PARAMS, INVALID_REQUEST)


def _like_usual(body: str, what: str) -> Judge:
    async def judge(server: Server) -> None:
        usual = await server.usual()
        same_kind(response(await server.post(body)), usual, f"the same kind of answer {what}")

    return judge


ODD_NAMES = dict.fromkeys(("self", "from", "context", "request", "class", "__proto__"), 1)

CASES = (
    Case(
        "E1",
        "An id that is text comes back.",
        MUST,
        "Hightouch's ids are text; an answer under another id is an answer to nobody.",
        _echoes('"3f2b8c1e-9d4a-4f6b-8a57-0c6f2c1d9e10"'),
    ),
    Case(
        "E2",
        "The id 0 comes back.",
        SHOULD,
        'A server that asks "is there an id?" takes 0 for none, and does not answer.',
        _echoes("0"),
    ),
    Case(
        "E3",
        "The empty text as an id comes back.",
        SHOULD,
        "The same mistake as with 0.",
        _echoes('""'),
    ),
    Case(
        "E4",
        "The id 1.5 comes back.",
        SHOULD,
        "JSON-RPC allows it; a rounded id belongs to another call.",
        _echoes("1.5"),
    ),
    Case(
        "E5",
        "A whole number of thirty digits as an id comes back with all of them.",
        SHOULD,
        "A server that rounds it rounds the ids of rows too: those above 2^53 then name other "
        "rows.",
        _echoes("123456789012345678901234567891"),
    ),
    Case(
        "E6",
        "An id beyond ASCII comes back.",
        SHOULD,
        "Where the envelope is damaged, names in the rows are too.",
        _echoes('"Zoë 名前 😀"'),
    ),
    Case(
        "E7",
        "A request whose id is null is answered, with null.",
        SHOULD,
        "It is a request; without an answer the caller waits for its time-out.",
        _echoes("null"),
    ),
    Case(
        "E8",
        "A request without an id gets no response object: 204 and no body.",
        SHOULD,
        "Its caller does not read one; an empty body that calls itself JSON is an error to most "
        "clients.",
        _notification,
    ),
    Case(
        "E9",
        "An id that is true, an object or a list is refused with -32600.",
        SHOULD,
        "It is no id; what is done under it cannot be told to anybody.",
        _invalid(*map(_with_id, ("true", "{}", "[1]"))),
    ),
    Case(
        "E10",
        'A request without "jsonrpc" is refused with -32600.',
        SHOULD,
        "What is no call should not be carried out: it may be something else that was sent here.",
        _invalid(*_replaced('"jsonrpc":"2.0",', "")),
    ),
    Case(
        "E11",
        '"jsonrpc" as the number 2.0 is refused with -32600.',
        SHOULD,
        "The same.",
        _invalid(*_replaced('"2.0"', "2.0")),
    ),
    Case(
        "E12",
        "A method that is not text is refused with -32600.",
        SHOULD,
        "A server that looks a list up among its methods crashes.",
        _invalid(*_replaced('"behavior"', "7", "null", "[]", "{}")),
    ),
    Case(
        "E13",
        "An unknown method is answered with -32601, HTTP 200 and the id.",
        MUST,
        "Hightouch lets a server leave methods out; so it must be able to tell that one is not "
        "there from a failure.",
        _unknown("no_such_method", "list_object"),
    ),
    Case(
        "E14",
        "Names that every object has, such as toString and __class__, are unknown methods.",
        SHOULD,
        "Looked up carelessly they are found, and called: the server hangs or shows its inside.",
        _unknown("toString", "constructor", "__class__", "__init__", "rpc.x"),
    ),
    Case(
        "E15",
        "For a method without params they may be absent, null, {} or [].",
        SHOULD,
        'Hightouch documents "no request body"; clients write that in each of these ways.',
        _empty_params,
    ),
    Case(
        "E16",
        "Params in a list of one object are that object.",
        SHOULD,
        "Some clients send named params so.",
        _wrapped_params,
    ),
    Case(
        "E17",
        "Params that are neither an object nor a list are refused with -32602 or -32600.",
        SHOULD,
        "A call that was misunderstood should fail as such, not as a fault of the server.",
        _scalar_params,
    ),
    Case(
        "E18",
        "A param that the method does not know is ignored.",
        SHOULD,
        "Hightouch may send more than it documents, as it does to behavior; a server that refuses "
        "it stops working the day it does.",
        _like_usual(call("behavior", {"conform": 1}), "with a param more"),
    ),
    Case(
        "E19",
        "A member of the envelope that JSON-RPC does not know is ignored.",
        SHOULD,
        "Clients put trace ids and the like there.",
        _like_usual(call("behavior", {})[:-1] + ',"meta":{"a":1}}', "with a member more"),
    ),
    Case(
        "E34",
        "Params named self, from, context or __proto__ are harmless.",
        SHOULD,
        "Handed on as arguments they collide with the server's own names.",
        _like_usual(call("behavior", dict(ODD_NAMES)), "with such params"),
    ),
)
