"""Group T, continued: who is let in, health, and callers that hang up."""

from destination.cli.conform.case import Case, Needs
from destination.cli.conform.sample import accepted, added, all_taken
from destination.cli.conform.server import Server, decoded, response
from destination.cli.conform.transport import CALL, answered
from destination.cli.conform.verdict import MUST, SHOULD, NotJudged, require
from destination.cli.conform.wire import Answer, hang_up

REFUSALS = (401, 403)

WRONG = "destination-conform-wrong-secret"


def _is_stranger(answer: Answer) -> None:
    require(answer, "HTTP 401", holds=answer.status in REFUSALS)


async def _no_secret(server: Server) -> None:
    answer = await server.post(CALL, secret=False)
    _is_stranger(answer)
    challenged = answer.status == 401 and bool(answer.header("WWW-Authenticate"))
    require(answer, "HTTP 401 with WWW-Authenticate", holds=challenged, level=SHOULD)
    decoded(answer, "a body of JSON", level=SHOULD)


async def _wrong_secret(server: Server) -> None:
    wrong = {name: _wrong(value) for name, value in server.given.headers.items()}
    _is_stranger(await server.post(CALL, headers=wrong))


def _wrong(value: str) -> str:
    scheme, blank, _ = value.rpartition(" ")
    return f"{scheme}{blank}{WRONG}"


async def _own_header(server: Server) -> None:
    names = {name.lower() for name in server.given.headers} - {"authorization"}
    if not names:
        raise NotJudged("Give the secret in another header, such as --header 'X-Api-Key: …'.")
    own = {name: None for name in server.given.headers if name.lower() == "authorization"}
    answered(await server.post(CALL, headers=own))


async def _second_secret(server: Server) -> None:
    if server.given.second is None:
        raise NotJudged("Give two secrets that are valid: --token, twice.")
    answered(await server.post(CALL, headers=dict(server.given.second)))


async def _health(server: Server) -> None:
    answer = await server.post("", method="GET", path="/healthz", secret=False)
    require(answer, "HTTP 200", holds=answer.status == 200)
    words = [value.split()[-1].encode() for value in server.given.headers.values() if value]
    silent = not any(len(word) > 3 and word in answer.body for word in words)
    require(answer, "an answer without the secret in it", holds=silent)


async def _hung_up(server: Server) -> None:
    await accepted(server)
    body = added(server)
    await hang_up(server.address, server.request(body), server.seconds)
    all_taken(response(await server.post(body)))


CASES = (
    Case(
        "T19",
        "A request without the secret is refused: 401, WWW-Authenticate and a body of JSON.",
        MUST,
        "Headers are the only credentials that Hightouch offers; where they are not looked at "
        "anybody can write rows.",
        _no_secret,
        Needs.SECRET,
    ),
    Case(
        "T20",
        "A request with a wrong secret is refused with 401.",
        MUST,
        "A server that only looks whether there is a header lets everybody in.",
        _wrong_secret,
        Needs.SECRET,
    ),
    Case(
        "T21",
        "The secret may come in a header other than Authorization.",
        SHOULD,
        "Hightouch's form takes any header; a gateway may need Authorization for itself.",
        _own_header,
        Needs.SECRET,
    ),
    Case(
        "T23",
        "While a secret is changed, the old and the new one are both valid.",
        SHOULD,
        "Otherwise every sync fails between the change here and the change in Hightouch.",
        _second_secret,
        Needs.SECRET,
    ),
    Case(
        "T24",
        "GET /healthz is answered with 200 to anybody, and shows no secret.",
        SHOULD,
        "A platform's health check has no secret; without one it cannot restart a server that "
        "hangs.",
        _health,
    ),
    Case(
        "T25",
        "A batch whose caller hung up may be sent again at once.",
        MUST,
        "After its time-out Hightouch hangs up, and comes again with the same rows.",
        _hung_up,
        Needs.ROWS,
    ),
)
