"""The server under test: what can be asked of it, and what must be true of any answer."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from destination.cli.conform.given import Given
from destination.cli.conform.verdict import Level, Unmet, require
from destination.cli.conform.wire import Address, Answer, NoAnswer, Request, exchange

ABSENT: Any = object()
"""Params that are not there."""

ID = '"1"'

PLAIN: Mapping[str, str] = {
    "User-Agent": "destination-conform",
    "Accept": "application/json",
    "Content-Type": "application/json",
}

PING_SECONDS = 5.0

PARSE_ERROR, INVALID_REQUEST, METHOD_NOT_FOUND, INVALID_PARAMS, INTERNAL_ERROR = (
    -32700, -32600, -32601, -32602, -32603,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Reply:
    """
    One JSON-RPC response object.

    Args:
        result: Where it is not an error.
        code: Where it is one.
        id: As it was read: whole numbers exact, others as Decimal.
    """

    answer: Answer
    result: Any = None
    code: int | None = None
    message: str = ""
    id: Any = None


class Server:
    """
    A destination server at an address.

    Every method that asks it raises NoAnswer when nothing comes that is HTTP.

    Args:
        seconds: How long one answer may take.
    """

    def __init__(self, address: Address, given: Given, seconds: float) -> None:
        self.address = address
        self.given = given
        self.seconds = seconds
        self.memo: dict[str, Any] = {}
        """What cases found out, for others."""
        self.latest: Answer | None = None
        """The latest answer of any case."""

    def request(
        self,
        body: bytes | str = b"",
        *,
        method: str = "POST",
        path: str | None = None,
        headers: Mapping[str, str | None] | None = None,
        secret: bool = True,
    ) -> Request:
        """
        A request with the usual headers and the secret.

        Args:
            headers: Set beside or instead of the usual ones; None leaves one out.
            secret: False leaves out all headers that were given.
        """
        told = headers or {}
        names = {name.lower() for name in told}
        usual = {**PLAIN, **(self.given.headers if secret else {})}
        kept = {name: value for name, value in usual.items() if name.lower() not in names}
        sent = kept | {name: value for name, value in told.items() if value is not None}
        content = body.encode() if isinstance(body, str) else body
        return Request(method, path or self.address.path, sent, content, told)

    async def send(self, request: Request, seconds: float | None = None) -> Answer:
        """The answer to a request."""
        within = min(seconds or self.seconds, self.seconds)
        self.latest = await exchange(self.address, request, within)
        return self.latest

    async def post(self, body: bytes | str, **kwargs: Any) -> Answer:
        """The answer to a body; the rest is as in ``request``."""
        return await self.send(self.request(body, **kwargs))

    async def rpc(self, method: str, params: Any = ABSENT, id: str = ID) -> Reply:
        """The response object to a call; raises Unmet when the answer is none."""
        return response(await self.post(call(method, params, id)), id)

    async def ask(self, method: str, params: Any) -> Reply:
        """The same for a call that does not change anything, made once."""
        key = call(method, params)
        if key not in self.memo:
            try:
                self.memo[key] = await self.rpc(method, params)
            except NoAnswer as silence:  # to wait for it once is enough
                self.memo[key] = silence
        reply: Reply | NoAnswer = self.memo[key]
        if isinstance(reply, NoAnswer):
            raise NoAnswer(reply.sent, str(reply))
        return reply

    async def is_there(self) -> bool:
        """Whether any answer of HTTP comes."""
        try:
            await self.send(self.request(call("behavior", {})), PING_SECONDS)
        except NoAnswer:
            return False
        return True

    async def usual(self) -> Reply:
        """What ``behavior`` answers to ``{}``: what variants of a request are compared with."""
        return await self.ask("behavior", {})


def call(method: str, params: Any = ABSENT, id: str | None = ID) -> str:
    """A request's JSON; the id stands in it as it is given, and None leaves it out."""
    head = '{"jsonrpc":"2.0",' + ("" if id is None else f'"id":{id},')
    tail = "" if params is ABSENT else f',"params":{encoded(params)}'
    return f'{head}"method":{encoded(method)}{tail}}}'


def encoded(value: Any) -> str:
    """JSON as short as it can be; a Decimal is written as the number it is."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=float)


def decoded(
    answer: Answer, expected: str = "an answer of strict JSON", level: Level | None = None
) -> Any:
    """The JSON document of an answer; raises Unmet for what only lenient parsers take."""

    def refuse(constant: str) -> Any:
        raise ValueError(constant)

    try:
        return json.loads(answer.body.decode("utf-8"), parse_constant=refuse, parse_float=Decimal)
    except (ValueError, RecursionError):
        raise Unmet(answer, expected, level) from None


def response(answer: Answer, id: str = ID) -> Reply:
    """
    The one response object that an answer holds, with HTTP 200 and the id.

    Raises:
        Unmet: It is not that.
    """
    require(answer, "HTTP 200 and a JSON-RPC response", holds=answer.status == 200)
    reply = read(answer, decoded(answer, "a JSON-RPC response in strict JSON"))
    require(answer, f"a response with the id {id}", holds=_same(json.loads(id), reply.id))
    return reply


def read(answer: Answer, document: Any) -> Reply:
    """A response object out of a document; raises Unmet when it is none."""
    members = document if isinstance(document, dict) else {}
    whole = members.get("jsonrpc") == "2.0" and "id" in members
    require(answer, 'a response object with "jsonrpc": "2.0" and an id', holds=whole)
    alone = ("result" in members) is not ("error" in members)
    require(answer, "either a result or an error, and not both", holds=alone)
    if "result" in members:
        return Reply(answer, result=members["result"], id=members["id"])
    match members["error"]:
        case {"code": int(code), "message": str(message)} if not isinstance(code, bool):
            return Reply(answer, code=code, message=message, id=members["id"])
    raise Unmet(answer, "an error with a whole number as its code, and a message")


def replies(answer: Answer) -> list[Reply]:
    """The response objects of a batch's answer; raises Unmet when it is no list of them."""
    require(answer, "HTTP 200 and a list of responses", holds=answer.status == 200)
    document = decoded(answer)
    require(answer, "a list of responses", holds=isinstance(document, list))
    return [read(answer, member) for member in document]


def refused(answer: Answer, *codes: int) -> Reply:
    """The error that an answer holds, whatever its id; raises Unmet unless it has such a code."""
    expected = f"HTTP 200 and an error with the code {' or '.join(map(str, codes))}"
    require(answer, expected, holds=answer.status == 200)
    document = decoded(answer, expected)
    require(answer, expected, holds=isinstance(document, dict) and "error" in document)
    reply = read(answer, document)
    require(answer, expected, holds=reply.code in codes)
    return reply


def same_kind(reply: Reply, usual: Reply, expected: str) -> None:
    """Raise Unmet unless both are results, or errors with the same code."""
    require(reply.answer, expected, holds=reply.code == usual.code)


def _same(sent: Any, came: Any) -> bool:
    """Text equals text, and numbers of the same value are equal however they are written."""
    if isinstance(sent, float):
        sent = Decimal(repr(sent))
    kinds = [isinstance(each, str) or each is None for each in (sent, came)]
    return kinds[0] == kinds[1] and not isinstance(came, bool) and bool(sent == came)
