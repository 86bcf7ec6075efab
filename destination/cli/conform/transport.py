"""Group T: the HTTP around the calls."""

from dataclasses import replace

from destination.cli.conform.case import Case, Judge
from destination.cli.conform.server import Server, call, response
from destination.cli.conform.verdict import MUST, SHOULD, NotJudged, require
from destination.cli.conform.wire import Answer

CALL = call("behavior", {})

UNKNOWN = "no-such-path-of-destination-conform"


def answered(answer: Answer) -> None:
    """Raise Unmet unless the call was taken in; what came of it does not matter here."""
    response(answer)


def _is_json(answer: Answer) -> bool:
    media_type = answer.header("Content-Type").partition(";")[0].strip().lower()
    return media_type == "application/json"


async def _post(server: Server) -> None:
    answer = await server.post(CALL)
    answered(answer)
    require(answer, "Content-Type: application/json", holds=_is_json(answer))


def _as_type(*types: str | None) -> Judge:
    async def judge(server: Server) -> None:
        for media_type in types:
            answered(await server.post(CALL, headers={"Content-Type": media_type}))

    return judge


async def _forms(server: Server) -> None:
    form = "application/x-www-form-urlencoded"
    multipart = 'multipart/form-data; boundary="conform"'
    for media_type in (form, multipart, "text/plain"):
        answer = await server.post(CALL, headers={"Content-Type": media_type})
        require(answer, "HTTP 415", holds=answer.status == 415)


async def _other_methods(server: Server) -> None:
    for method in ("GET", "PUT", "DELETE"):
        answer = await server.post("" if method == "GET" else CALL, method=method)
        allowed = answer.status == 405 and "POST" in answer.header("Allow").upper()
        require(answer, "HTTP 405 with POST in its Allow header", holds=allowed)


async def _slash(server: Server) -> None:
    path, mark, query = server.address.path.partition("?")
    if path == "/":
        raise NotJudged("The URL has no path.")
    other = path.removesuffix("/") if path.endswith("/") else f"{path}/"
    answered(await server.post(CALL, path=other + mark + query))


async def _unknown_path(server: Server) -> None:
    for path in (f"/{UNKNOWN}", f"{server.address.path.split('?')[0].rstrip('/')}/{UNKNOWN}"):
        answer = await server.post(CALL, path=path)
        holds = answer.status == 404 and _is_json(answer)
        require(answer, "HTTP 404 with a body of JSON", holds=holds)


async def _chunked(server: Server) -> None:
    answered(await server.send(replace(server.request(CALL), chunked=True)))


async def _expecting(server: Server) -> None:
    answer = await server.send(replace(server.request(CALL), expects=True))
    require(answer, "100 Continue before the answer", holds=100 in answer.interim)
    answered(answer)


async def _charset(server: Server) -> None:
    answer = await server.post(CALL, headers={"Content-Type": "application/json; charset=klingon"})
    require(answer, "HTTP 415", holds=answer.status == 415)


CASES = (
    Case(
        "T1",
        "A POST of JSON is answered with HTTP 200, application/json and the call's id.",
        MUST,
        "Every call of Hightouch is one; anything else is shown as a failure of the destination.",
        _post,
    ),
    Case(
        "T2",
        "The content type may name its charset: application/json; charset=utf-8.",
        MUST,
        "Node's JSON-RPC clients write it so; a server that compares the whole text refuses all.",
        _as_type("application/json; charset=utf-8", 'application/json;charset="UTF-8"'),
    ),
    Case(
        "T3",
        "application/json-rpc is taken for JSON.",
        SHOULD,
        "It is an older name that some JSON-RPC clients still send.",
        _as_type("application/json-rpc"),
    ),
    Case(
        "T4",
        "A request without a content type is taken for JSON.",
        SHOULD,
        "Proxies drop the header now and then; the body is JSON all the same.",
        _as_type(None),
    ),
    Case(
        "T5",
        "A form, a multipart body or plain text is refused with 415.",
        SHOULD,
        "Any web page can make a browser post those; a server that reads them can be used so.",
        _forms,
    ),
    Case(
        "T6",
        "GET, PUT and DELETE are refused with 405 and an Allow header.",
        SHOULD,
        "Who opens the URL in a browser learns that it is the right one, and wants POST.",
        _other_methods,
    ),
    Case(
        "T7",
        "The path is the same with a slash at its end and without.",
        SHOULD,
        "A slash too many in Hightouch's form is easily typed and hard to see.",
        _slash,
    ),
    Case(
        "T8",
        "An unknown path is answered with 404 in JSON.",
        SHOULD,
        "Hightouch shows the body to its user: a page of HTML says nothing there.",
        _unknown_path,
    ),
    Case(
        "T15",
        "A charset that nobody knows is refused with 415.",
        SHOULD,
        "Guessing a charset changes people's names; a 500 hides what is wrong.",
        _charset,
    ),
    Case(
        "T17",
        "A body in chunks, without a length, is read.",
        SHOULD,
        "HTTP/1.1 asks it of every server, and a proxy may send any body so.",
        _chunked,
    ),
    Case(
        "T18",
        "A caller that expects 100 Continue is invited, and then answered.",
        SHOULD,
        "Some clients hold a large body back for the invitation: without it each call is slower.",
        _expecting,
    ),
)
