"""A run of ``destination sync``: its batches, its waits, its end; in virtual time."""

import asyncio
from collections.abc import Callable
from typing import Any

from destination.cli.caller import CallError, NotConnected, Unreachable
from destination.cli.sync.changes import Changes
from destination.cli.sync.interrupt import Interrupt
from destination.cli.sync.progress import Lines
from destination.cli.sync.run import Outcome, Run, Sync
from destination.model import Operation
from destination.testing.clock import run_virtually

ROWS = [{"id": number} for number in range(5)]
NOTHING = {"rejectedRows": []}


class Told:
    """Keeps what it is told of a run."""

    def __init__(self) -> None:
        self.begun: list[tuple[str, int]] = []
        self.notes: list[str] = []

    def begin(self, title: str, total: int) -> None:
        self.begun.append((title, total))

    def advance(self, rows: int, refused: int) -> None:
        pass

    def note(self, text: str) -> None:
        self.notes.append(text)


class Server:
    """Answers calls as the test says, and keeps when they came with which rows."""

    def __init__(self, answer: Callable[[list[int]], Any], seconds: float = 0.0) -> None:
        self.calls: list[tuple[float, list[int]]] = []
        self._answer = answer
        self._seconds = seconds

    async def call(self, method: str, params: Any) -> Any:
        ids = [row["id"] for row in params["rows"]]
        self.calls.append((asyncio.get_running_loop().time(), ids))
        await asyncio.sleep(self._seconds)
        return self._answer(ids)


def run(
    server: Server, *, retries: int = 0, presses: tuple[float, ...] = (), told: Told | None = None
) -> tuple[Run, Outcome]:
    """Add the five rows by two, while somebody presses Ctrl-C at these moments."""

    async def carried_out() -> tuple[Run, Outcome]:
        interrupt, loop = Interrupt(), asyncio.get_running_loop()
        for moment in presses:
            loop.call_later(moment, interrupt.press)
        made = Run(
            server.call, Sync("id", {}), told or Told(), interrupt, batch_size=2, retries=retries
        )
        (outcome,) = await made(Changes.everything(ROWS), {Operation.ADD})
        return made, outcome

    return run_virtually(carried_out())


def reject(*ids: int) -> Callable[[list[int]], Any]:
    """Reject these ids wherever they come."""
    return lambda sent: {"rejectedRows": [{"id": i, "reason": "no"} for i in sent if i in ids]}


def test_retries_wait_twice_as_long_each_time() -> None:
    """Rejected rows are sent again after 1, 2 and 4 seconds, alone and in batches of the size."""
    server = Server(reject(0, 2, 4))

    _, outcome = run(server, retries=3)

    again = [([0, 2]), ([4])]
    assert server.calls[3:] == [(at, ids) for at in (1, 3, 7) for ids in again]
    assert (outcome.accepted, outcome.rejected, outcome.repeated) == (2, 3, 9)


def test_a_run_without_rejections_does_not_wait() -> None:
    """Where everything is accepted there is no retry and no wait."""
    server = Server(reject())

    _, outcome = run(server, retries=3)

    assert server.calls == [(0, [0, 1]), (0, [2, 3]), (0, [4])]
    assert outcome.accepted == 5


def test_the_first_ctrl_c_lets_the_call_under_way_end() -> None:
    """One Ctrl-C: the batch under way is answered, the others are not sent, nothing is retried."""
    server = Server(reject(1), seconds=10)

    _, outcome = run(server, retries=3, presses=(12,))

    assert [ids for _, ids in server.calls] == [[0, 1], [2, 3]]
    assert (outcome.accepted, outcome.rejected, outcome.unsent) == (3, 1, 1)


def test_the_second_ctrl_c_leaves_the_call_under_way() -> None:
    """Two: the rows under way count as failed, for they may have been delivered."""
    server = Server(reject(), seconds=1000)

    _, outcome = run(server, presses=(1, 2))

    assert (outcome.accepted, outcome.failed, outcome.unsent) == (0, 2, 3)
    assert {each.reason for each in outcome.refused.values()} == {
        "interrupted before the answer; may have been delivered"
    }


def test_ctrl_c_ends_the_wait_between_retries() -> None:
    """Ctrl-C while rejected rows wait for their retry ends the run there and then."""
    server = Server(reject(0))

    made, outcome = run(server, retries=3, presses=(0.5,))

    assert len(server.calls) == 3
    assert outcome.rejected == 1
    assert not made.gave_up


def test_a_run_is_given_up_when_the_server_is_gone() -> None:
    """After three calls in a row without a connection the rest is not sent, nor retried."""

    def gone(_: list[int]) -> Any:
        raise NotConnected("http://example.com", "does not answer")

    made, outcome = run(Server(gone), retries=3)

    assert made.gave_up
    assert outcome.failed == 5
    assert outcome.refused[0].reason == "not sent: the server does not answer"


def test_one_connection_that_fails_is_no_reason_to_give_up() -> None:
    """A call without a connection between others fails its rows, and their retry succeeds."""
    answers = iter([NOTHING, NotConnected("http://example.com", "does not answer"), NOTHING])

    def answer(_: list[int]) -> Any:
        each = next(answers, NOTHING)
        if isinstance(each, Exception):
            raise each
        return each

    made, outcome = run(Server(answer), retries=1)

    assert not made.gave_up
    assert outcome.accepted == 5


def test_a_call_without_an_answer_may_have_delivered() -> None:
    """Rows of a call that gets no answer failed, may have been delivered, and are sent again."""
    answers = iter([Unreachable("http://example.com", "gave no answer within 60 s"), NOTHING])

    def answer(_: list[int]) -> Any:
        each = next(answers, NOTHING)
        if isinstance(each, Exception):
            raise each
        return each

    server = Server(answer)
    _, outcome = run(server)
    assert {position: each.reason for position, each in outcome.refused.items()} == dict.fromkeys(
        (0, 1), "the server gave no answer within 60 s; may have been delivered"
    )
    assert (outcome.failed, outcome.accepted) == (2, 3)


def test_the_same_failure_is_noted_once() -> None:
    """However many calls fail for one reason, the person who waits is told of it once."""

    def failing(_: list[int]) -> Any:
        raise CallError({"code": -32603, "message": "away"})

    told = Told()
    run(Server(failing), retries=1, told=told)

    assert [note for note in told.notes if "A call failed" in note] == [
        "A call failed. add failed: -32603: away."
    ]


def test_only_time_in_calls_is_counted() -> None:
    """The throughput does not count the waits between retries."""
    made, _ = run(Server(reject(0), seconds=2), retries=3)

    assert made.seconds == 2 * 6


def test_two_rows_with_one_id_share_their_rejection() -> None:
    """Where a batch has an id twice nobody can say which row is meant: both are rejected."""

    async def carried_out() -> Outcome:
        rows = [{"id": 7, "a": 1}, {"id": 8}, {"id": 7, "a": 2}]
        server = Server(reject(7))
        made = Run(server.call, Sync("id", {}), Told(), Interrupt(), batch_size=9)
        (outcome,) = await made(Changes.everything(rows), {Operation.ADD})
        return outcome

    assert sorted(run_virtually(carried_out()).refused) == [0, 2]


def test_plain_lines_come_now_and_then(capsys: Any) -> None:
    """Without a terminal a line tells of a long operation every ten seconds, and of its end."""
    now = iter([0.0, 0.0, 4.0, 11.0, 12.0, 20.0])
    lines = Lines("run 1 ", clock=lambda: next(now))
    lines.begin("add", 4000)
    for refused in (0, 3, 0, 1):
        lines.advance(1000, refused)

    assert capsys.readouterr().err.splitlines() == [
        "run 1 add: 2,000 of 4,000 rows, 3 not accepted, 182 rows/s",
        "run 1 add: 4,000 rows, 4 not accepted, 200 rows/s",
    ]
