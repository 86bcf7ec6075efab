"""
A small correct destination server, and relatives of it that are broken in one way each.

They post rows one by one to a small vendor that logs what arrives. Server, vendor and caller are
in one event loop, whose time is virtual.
"""

import asyncio
import base64
import json
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from hashlib import sha256
from typing import Any

import aiohttp
from aiohttp import web

from destination.testing.journal import Arrival, Exchange

SECRET = "sk_live_wDqN/8+é2"
DEADLINE = 25.0
LATENCY = 0.01

Row = Mapping[str, Any]


def content(method: str, row: Row) -> str:
    """The digest that the vendor logs for a row that these servers send."""
    return sha256(json.dumps([method, row], sort_keys=True).encode()).hexdigest()


def now() -> float:
    return asyncio.get_running_loop().time()


@asynccontextmanager
async def on_loopback(handler: Any) -> AsyncIterator[str]:
    """Serve POST requests at the address."""
    app = web.Application()
    app.router.add_post("/", handler)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/"
    finally:
        await runner.cleanup()


class SmallVendor:
    """
    Logs what arrives.

    Args:
        steps: For a row's id what becomes of it each time, the last for ever: a status, ``429:2``
            with a wait, or ``lost``: taken, and the connection is closed instead of an answer.
    """

    def __init__(self, steps: Mapping[Any, list[str]]) -> None:
        self._steps = steps
        self._seen: defaultdict[Any, int] = defaultdict(int)
        self.arrivals: list[Arrival] = []

    async def take(self, request: web.Request) -> web.Response:
        """One row."""
        method, row = await request.json()
        answer, _, wait = self._step(row["id"]).partition(":")
        self.arrivals.append(
            Arrival(
                at=now(),
                connection=len(self.arrivals) + 1,
                method=request.method,
                path=request.path,
                ids=(row["id"],),
                contents=(content(method, row),),
                taken=answer in ("200", "lost"),
                answer=answer,
                wait=float(wait) if wait else None,
            )
        )
        await asyncio.sleep(LATENCY)
        if answer == "lost":
            request.transport.abort()
            return web.Response()
        return web.Response(status=int(answer), headers={"Retry-After": wait} if wait else {})

    def _step(self, id: Any) -> str:
        steps = self._steps.get(id, ["200"])
        self._seen[id] += 1
        return steps[min(self._seen[id], len(steps)) - 1]


class Server:
    """Correct: it delivers each row once, tells what became of it, and remembers."""

    breaks = ""
    """The rules that a history of such a server violates."""

    def __init__(self, vendor: str, http: aiohttp.ClientSession) -> None:
        self.vendor, self.http = vendor, http
        self.delivered: dict[Any, str] = {}
        self.firsts = self.retries = 0
        self.log: list[str] = []
        self.tasks: set[asyncio.Task[Any]] = set()

    async def handle(self, request: web.Request) -> web.Response:
        call = await request.json()
        answer = await self.answer(call["method"], call["params"]["rows"])
        return web.json_response({"jsonrpc": "2.0", "id": call["id"], **answer})

    async def answer(self, method: str, rows: list[Row]) -> dict[str, Any]:
        return {"result": {"rejectedRows": await self.rejected(method, rows)}}

    async def rejected(self, method: str, rows: list[Row]) -> list[dict[str, Any]]:
        outcomes = [(row, await self.deliver(method, row)) for row in rows]
        return [self.rejection(row["id"], reason) for row, reason in outcomes if reason]

    def rejection(self, id: Any, reason: str) -> dict[str, Any]:
        return {"id": id, "reason": reason}

    async def deliver(self, method: str, row: Row) -> str:
        """Why the row was not delivered; nothing if it was."""
        if self.knows(method, row):
            return ""
        self.firsts += 1
        for attempt in range(3):
            if attempt and not self.may_retry():
                break
            status, wait = await self.send(method, row)
            self.log.append(f"attempt {attempt + 1}: {status}")
            if status not in (429, 503):
                break
            await asyncio.sleep(self.pause(wait))
        if status == 200:
            self.delivered[row["id"]] = content(method, row)
        return self.reason(status)

    def knows(self, method: str, row: Row) -> bool:
        return self.delivered.get(row["id"]) == content(method, row)

    def may_retry(self) -> bool:
        self.retries += 1
        return self.retries <= max(3, self.firsts // 5)

    def pause(self, wait: float | None) -> float:
        return wait or 0.25

    def reason(self, status: int) -> str:
        match status:
            case 200:
                return ""
            case 0:
                return "OUTCOME_UNKNOWN: no answer; may have been delivered"
            case 429:
                return "RATE_LIMITED: not sent: the vendor asked for a pause"
            case 503:
                return "CONNECT_FAILED: not sent: the vendor is not available"
        return "VENDOR_REJECTED: the vendor refused it"

    async def send(self, method: str, row: Row) -> tuple[int, float | None]:
        """The status, 0 if none came, and the wait that was asked for."""
        try:
            async with self.http.post(self.vendor, json=[method, row]) as answer:
                wait = answer.headers.get("Retry-After")
                return answer.status, float(wait) if wait else None
        except aiohttp.ClientError:
            return 0, None


class DropsARow(Server):
    """One row is neither sent nor rejected."""

    breaks = "D1"

    async def deliver(self, method: str, row: Row) -> str:
        return "" if row["id"] == 3 else await super().deliver(method, row)


class TakesRefusalForSuccess(Server):
    """What the vendor refused is not rejected."""

    breaks = "D1"

    def reason(self, status: int) -> str:
        return "" if status == 400 else super().reason(status)


class SendsOtherContent(Server):
    """The vendor gets something else under the row's id."""

    breaks = "D1 D5"

    async def send(self, method: str, row: Row) -> tuple[int, float | None]:
        return await super().send(method, {**row, "name": "other"})


class FailsAsAWhole(Server):
    """One row fails, and so does the call; so the rows whose fate was open come again."""

    breaks = "D1 D6"

    async def answer(self, method: str, rows: list[Row]) -> dict[str, Any]:
        answer = await super().answer(method, rows)
        failed = answer["result"]["rejectedRows"]
        return {"error": {"code": -32603, "message": "failed"}} if failed else answer


class AnswersTwofold(Server):
    """Every answer has a result and an error."""

    breaks = "D1"

    async def answer(self, method: str, rows: list[Row]) -> dict[str, Any]:
        return {**await super().answer(method, rows), "error": None}


class RejectsTwice(Server):
    """Each rejected row stands twice in the answer."""

    breaks = "D2"

    async def rejected(self, method: str, rows: list[Row]) -> list[dict[str, Any]]:
        return 2 * await super().rejected(method, rows)


class RejectsAsText(Server):
    """A rejected 7 comes back as "7": the row 7 counts as acknowledged."""

    breaks = "D1 D2 D6"

    def rejection(self, id: Any, reason: str) -> dict[str, Any]:
        return super().rejection(str(id), reason)


class InventsAnId(Server):
    """A row that nobody sent is rejected."""

    breaks = "D2"

    async def rejected(self, method: str, rows: list[Row]) -> list[dict[str, Any]]:
        stranger = self.rejection("stranger", self.reason(400))
        return [*await super().rejected(method, rows), stranger]


class AnswersLate(Server):
    """The answer is ready and kept back until after the deadline."""

    breaks = "D4"

    async def answer(self, method: str, rows: list[Row]) -> dict[str, Any]:
        answer = await super().answer(method, rows)
        await asyncio.sleep(DEADLINE)
        return answer


class SendsAfterAnswering(Server):
    """A row is acknowledged first and sent later."""

    breaks = "D1 D5"

    async def answer(self, method: str, rows: list[Row]) -> dict[str, Any]:
        self.tasks.add(asyncio.create_task(self.later(method, rows[0])))
        return await super().answer(method, rows[1:])

    async def later(self, method: str, row: Row) -> None:
        await asyncio.sleep(DEADLINE)
        await super().deliver(method, row)


class SendsTwice(Server):
    """Every request is sent two times."""

    breaks = "D6 R3 R4"

    async def send(self, method: str, row: Row) -> tuple[int, float | None]:
        await super().send(method, row)
        return await super().send(method, row)


class ForgetsWhatItDelivered(Server):
    """The same call again is delivered again."""

    breaks = "D6"

    def knows(self, method: str, row: Row) -> bool:
        return False


class SaysItWasNotSent(Server):
    """A row that may have been delivered is reported as not sent."""

    breaks = "D6 D11"

    def reason(self, status: int) -> str:
        return super().reason(status or 503)


class GivesTwoLines(Server):
    """A reason has a line break."""

    breaks = "D11"

    def reason(self, status: int) -> str:
        return super().reason(status).replace("the", "the\n")


class InventsACode(Server):
    """A reason has a code of its own."""

    breaks = "D11"

    def reason(self, status: int) -> str:
        return super().reason(status).replace("VENDOR_REJECTED", "VENDOR_SAID_NO")


class IgnoresThePause(Server):
    """It tries again as soon as it likes."""

    breaks = "R3"

    def pause(self, wait: float | None) -> float:
        return 0.25


class RetriesWithoutBudget(Server):
    """It tries three times whatever share of requests fails."""

    breaks = "R4"

    def may_retry(self) -> bool:
        return True


class TellsTheSecret(Server):
    """A reason quotes the credentials."""

    breaks = "P1"

    def reason(self, status: int) -> str:
        return super().reason(status).replace("refused it", f"refused {SECRET}")


class LogsTheSecret(Server):
    """The log has the Authorization header."""

    breaks = "P1"

    async def send(self, method: str, row: Row) -> tuple[int, float | None]:
        self.log.append(f"Basic {base64.b64encode(f'user:{SECRET}'.encode()).decode()}")
        return await super().send(method, row)


async def called(http: aiohttp.ClientSession, url: str, method: str, rows: list[Row]) -> Exchange:
    """The exchange that a call makes."""
    sent = now()
    request = {"jsonrpc": "2.0", "id": "1", "method": method, "params": {"rows": rows}}
    async with http.post(url, json=request) as response:
        answered = now()
        text = await response.text()
        answer = json.loads(text)
        status = response.status
    return Exchange(method, rows, "id", sent, answered, status, answer, DEADLINE, text)
