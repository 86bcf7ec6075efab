"""Requests are paced to the rate, in the order in which they ask, lane by lane."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from destination.model import Rate, per_second
from destination.testing.clock import run_virtually
from destination.vendor.limiter import Limiter

FOREVER = float("inf")


def at(scenario: Callable[[], Awaitable[Any]]) -> Any:
    """The scenario's result, in virtual time."""

    async def run() -> Any:
        return await scenario()

    return run_virtually(run())


def now() -> float:
    """The virtual time."""
    return asyncio.get_running_loop().time()


def turns(rate: Rate | None, count: int, **kwargs: Any) -> list[float]:
    """When each of so many requests, asked for at once, had its turn."""

    async def scenario() -> list[float]:
        limiter = Limiter(rate)

        async def one() -> float:
            assert await limiter.acquire(FOREVER, **kwargs)
            return now()

        return await asyncio.gather(*(one() for _ in range(count)))

    return at(scenario)


def test_without_a_rate_nothing_waits():
    """No rate is no limit."""
    assert turns(None, 1000) == [0.0] * 1000


def test_requests_are_spaced_evenly():
    """At two a second each request has its turn half a second after the one before."""
    assert turns(Rate(2), 5) == [0, 0.5, 1, 1.5, 2]


def test_turns_are_taken_in_order():
    """Who asks first goes first."""

    async def scenario() -> list[int]:
        limiter, order = Limiter(Rate(10)), []

        async def one(number: int) -> None:
            await limiter.acquire(FOREVER)
            order.append(number)

        await asyncio.gather(*(one(number) for number in range(20)))
        return order

    assert at(scenario) == list(range(20))


def test_a_burst_goes_at_once():
    """As many as the burst go at once; the rest follow at the rate."""
    assert turns(Rate(1, burst=3), 6) == [0, 0, 0, 1, 2, 3]


@pytest.mark.parametrize(("count", "burst"), [(1, 1), (9, 1), (10, 1), (100, 10), (0.5, 1)])
def test_a_rate_s_burst_is_a_tenth_of_it(count, burst):
    """Vendors count whole windows: a small burst does not exceed them."""
    assert per_second(count).burst == burst
    assert per_second(count, burst=7).burst == 7


def test_an_idle_limiter_saves_up_the_burst_and_no_more():
    """A long pause gives the burst back, not the whole pause's worth of requests."""

    async def scenario() -> list[float]:
        limiter = Limiter(Rate(1, burst=2))
        for _ in range(2):
            await limiter.acquire(FOREVER)
        await asyncio.sleep(1000)
        times = []
        for _ in range(4):
            await limiter.acquire(FOREVER)
            times.append(now() - 1000)
        return times

    assert at(scenario) == [0, 0, 1, 2]


def test_the_rate_holds_over_any_window():
    """However requests come, no window of n seconds has more than burst + n·rate of them."""

    async def scenario() -> list[float]:
        limiter, times = Limiter(Rate(5, burst=3)), []

        async def one(asked: float) -> None:
            await asyncio.sleep(asked)
            await limiter.acquire(FOREVER)
            times.append(now())

        await asyncio.gather(*(one((n * 7 % 50) / 10) for n in range(60)))
        return sorted(times)

    times = at(scenario)
    for start in times:
        for seconds in (0.5, 1.0, 2.0):
            within = [each for each in times if start <= each < start + seconds - 1e-9]
            assert len(within) <= 3 + 5 * seconds


def test_each_lane_has_its_own_pace():
    """Lanes do not wait for each other."""

    async def scenario() -> dict[str, list[float]]:
        limiter = Limiter(Rate(1))
        times: dict[str, list[float]] = {"a": [], "b": []}

        async def one(lane: str) -> None:
            await limiter.acquire(FOREVER, lane)
            times[lane].append(now())

        await asyncio.gather(*(one("ab"[n % 2]) for n in range(6)))
        return times

    assert at(scenario) == {"a": [0, 1, 2], "b": [0, 1, 2]}


def test_a_turn_after_the_deadline_is_refused_at_once():
    """Who could only go too late is told so without waiting, and takes nobody's turn."""

    async def scenario() -> tuple[list[bool], float, float]:
        limiter = Limiter(Rate(1))
        admitted = await asyncio.gather(*(limiter.acquire(2.0) for _ in range(10)))
        ended = now()
        await limiter.acquire(FOREVER)
        return admitted, ended, now()

    admitted, ended, after = at(scenario)

    assert admitted == [True] * 3 + [False] * 7
    assert ended == 2
    assert after == 3


def test_refusing_takes_no_time():
    """The answer that there is no turn comes at once."""

    async def scenario() -> tuple[bool, float]:
        limiter = Limiter(Rate(0.1))
        await limiter.acquire(FOREVER)
        return await limiter.acquire(5.0), now()

    assert at(scenario) == (False, 0)


def test_clock_and_sleep_are_arguments():
    """The limiter's time is whatever it is given."""
    slept: list[float] = []
    time = [100.0]

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        time[0] += seconds

    async def scenario() -> None:
        limiter = Limiter(Rate(4), now=lambda: time[0], sleep=sleep)
        for _ in range(3):
            assert await limiter.acquire(FOREVER)

    asyncio.run(scenario())

    assert slept == [0.25, 0.25]
