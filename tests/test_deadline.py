"""Until when a call may work."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import pytest
from support import a_call

import destination as ht
from destination.deadline import ANSWER, DELIVERY, LEAST, TURN, Deadline, give_way
from destination.errors import Code
from destination.model import Batch, Record, Rejection
from destination.testing.clock import run_virtually


def now() -> float:
    return asyncio.get_running_loop().time()


@pytest.mark.parametrize(
    ("seconds", "end", "last_start"), [(25, 24.5, 23.5), (5, 4.5, 3.5), (1, 0.9, 0.7)]
)
def test_a_short_deadline_leaves_time_to_send(seconds, end, last_start):
    """What is kept for the answer and for a last attempt shrinks with a short deadline."""

    async def scenario() -> tuple[float, float]:
        deadline = Deadline(seconds)
        return deadline.end, deadline.last_start

    assert run_virtually(scenario()) == pytest.approx((end, last_start))


def test_a_limit_ends_where_the_deadline_is_moved_to():
    """A wait that began under the old deadline ends under the new one."""

    async def scenario() -> tuple[float, str]:
        deadline = Deadline(25)
        asyncio.get_running_loop().call_later(2, deadline.bring_forward, 5.0)
        with pytest.raises(TimeoutError):
            async with deadline.limit():
                await asyncio.sleep(3600)
        return now(), str(deadline.not_sent().code)

    assert run_virtually(scenario()) == (5 - ANSWER, "SHUTTING_DOWN")


def test_a_deadline_is_never_moved_back():
    """A shutdown that ends later than the call changes nothing about the call."""

    async def scenario() -> tuple[float, str]:
        deadline = Deadline(10)
        deadline.bring_forward(20)
        return deadline.at, str(deadline.not_sent().code)

    assert run_virtually(scenario()) == (10, "DEADLINE_NOT_SENT")


def test_a_limit_that_is_over_is_not_moved():
    """Bringing a deadline forward after its moment has passed, or after the block, does no harm."""

    async def scenario() -> float:
        deadline = Deadline(5)
        async with deadline.limit():
            pass
        with pytest.raises(TimeoutError):
            async with deadline.limit():
                await asyncio.sleep(100)
        deadline.bring_forward(1)
        return now()

    assert run_virtually(scenario()) == 5 - ANSWER


class Vendor(ht.Destination[ht.NoOptions, ht.NoOptions]):
    """Does with a batch what the test says."""

    kind = "vendor"

    def __init__(self, script: Callable[[Batch[Any]], Awaitable[Iterable[Rejection]]]) -> None:
        super().__init__(ht.NoOptions())
        self.script = script

    async def deliver(self, batch: Batch[ht.NoOptions]) -> Iterable[Rejection]:
        return await self.script(batch)


def shut_down(script: Any, at: float, by: float, **limits: Any) -> tuple[list[Any], float]:
    """The codes of 10 records' rejections (None: delivered) when a shutdown comes at a moment."""

    async def scenario() -> tuple[list[Any], float]:
        call = a_call(Vendor(script), ht.Limits(**limits), asyncio.Semaphore(100), 25)
        deadline = call._deadline
        asyncio.get_running_loop().call_later(at, deadline.bring_forward, by)
        rejections = await call.deliver([Record(n, n, {}, {}) for n in range(10)])
        codes = {each.position: each.error.code for each in rejections}
        return [codes.get(n) for n in range(10)], now()

    return run_virtually(scenario())


def test_a_shutdown_answers_with_what_was_delivered():
    """At the new deadline the rest is rejected as not sent, because the server is stopping."""

    async def script(batch: Batch[Any]) -> Iterable[Rejection]:
        await asyncio.sleep(2)
        return ()

    codes, ended = shut_down(script, at=3, by=8, concurrency=1)

    assert codes == [None] * 3 + [Code.OUTCOME_UNKNOWN] + [Code.SHUTTING_DOWN] * 6
    assert ended <= 8 - ANSWER


def test_a_shutdown_cuts_off_what_does_not_end():
    """A delivery that hangs may have arrived; one that waits for its turn certainly has not."""

    async def script(batch: Batch[Any]) -> Iterable[Rejection]:
        delivery = DELIVERY.get()
        delivery.waiting = batch.records[0].id % 2 == 0
        await asyncio.sleep(3600)
        return ()

    codes, ended = shut_down(script, at=3, by=8, concurrency=4)

    assert codes[:4] == [Code.SHUTTING_DOWN, Code.OUTCOME_UNKNOWN] * 2
    assert set(codes[4:]) == {Code.SHUTTING_DOWN}
    assert ended == 8 - ANSWER


def test_nothing_is_started_that_could_hardly_end():
    """In the last second before the new deadline nothing more is sent."""
    started = []

    async def script(batch: Batch[Any]) -> Iterable[Rejection]:
        started.append(now())
        await asyncio.sleep(0.9)
        return ()

    codes, _ = shut_down(script, at=0.5, by=6, concurrency=1)

    assert max(started) <= 6 - ANSWER - LEAST
    assert codes.count(None) == len(started)
    assert set(codes) == {None, Code.SHUTTING_DOWN}


@pytest.mark.parametrize(("worked", "others"), [(0.0, []), (TURN, []), (TURN * 2, ["a turn"])])
def test_who_works_long_gives_way(worked, others):
    """After a twentieth of a second others have a turn, and the next one begins."""

    async def scenario() -> tuple[float, list[str]]:
        had: list[str] = []
        asyncio.get_running_loop().call_soon(had.append, "a turn")
        return await give_way(now() - worked), had.copy()

    assert run_virtually(scenario()) == (0.0 if others else -worked, others)
