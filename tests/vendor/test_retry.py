"""What is tried again, when, and how often; in virtual time."""

import asyncio
import random
from collections.abc import Awaitable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from statistics import mean, median
from typing import Any

import httpx
import pytest
import structlog
from hypothesis import given, settings
from hypothesis import strategies as st
from support import a_call, within

from destination.errors import (
    CircuitOpen,
    Code,
    DestinationError,
    NoAnswer,
    RateLimited,
    RefusedError,
    UnavailableError,
)
from destination.metrics import Metrics
from destination.model import Limits, Rate, Record
from destination.testing.clock import run_virtually
from destination.vendor.breaker import CONSECUTIVE
from destination.vendor.client import VendorClient
from destination.vendor.limiter import Limiter
from destination.vendor.retry import BASE, CAP, Budget, delay, may_repeat, retry_after
from destination.vendor.sender import Sender
from destinations.webhook import Settings, Webhook

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


@pytest.fixture
def quiet() -> Iterator[None]:
    """Thousands of log lines would be kept for a failure's report."""
    with structlog.testing.capture_logs():
        yield


def script(*steps: int | Exception | tuple[int, Mapping[str, str]]) -> list[Any]:
    return list(steps)


class Vendor(httpx.AsyncBaseTransport):
    """Answers by a script, one step a request, and notes when each came."""

    def __init__(self, steps: list[Any]) -> None:
        self.steps = steps
        self.times: list[float] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.times.append(asyncio.get_running_loop().time())
        step = self.steps[min(len(self.times), len(self.steps)) - 1]
        if isinstance(step, Exception):
            raise step
        status, headers = step if isinstance(step, tuple) else (step, {})
        return httpx.Response(status, headers=headers, stream=httpx.ByteStream(b""))


async def outcome(request: Awaitable[httpx.Response]) -> int | DestinationError:
    try:
        return (await request).status_code
    except DestinationError as error:
        return error


def call(
    vendor: Vendor,
    *,
    method: str = "POST",
    deadline: float = 25.0,
    rate: Rate | None = None,
    **options: Any,
) -> int | DestinationError:
    """One request of three attempts whose back-off is the longest it may be."""

    async def scenario() -> int | DestinationError:
        within(deadline)
        async with Sender(vendor) as http:
            client = VendorClient(
                http,
                meter=Metrics().of("x"),
                limiter=Limiter(rate),
                classify=lambda _: None,
                timeout=10,
                attempts=3,
                random=lambda: 1.0,
            )
            return await outcome(client.request(method, "https://v.example/", **options))

    return run_virtually(scenario())


REFUSED = httpx.ConnectError("refused")
LOST = httpx.ReadError("reset")


@pytest.mark.parametrize("failure", [REFUSED, 408, 425, 429, 503])
def test_what_was_not_taken_is_tried_again(failure: Any) -> None:
    """No connection, 408, 425, 429 and 503 are tried again, also for a POST."""
    vendor = Vendor(script(failure, failure, 200))

    assert call(vendor) == 200
    assert vendor.times == [0, BASE, BASE * 3]


@pytest.mark.parametrize("failure", [LOST, 500, 502, 504])
def test_what_may_have_been_taken_is_sent_once(failure: Any) -> None:
    """A POST without an answer, or with 500, 502 or 504, is not sent again."""
    vendor = Vendor(script(failure, 200))

    error = call(vendor)

    assert isinstance(error, NoAnswer)
    assert "may have been delivered" in error.reason
    assert len(vendor.times) == 1


@pytest.mark.parametrize("options", [{"method": "PUT"}, {"repeatable": True}])
@pytest.mark.parametrize("failure", [LOST, 500])
def test_what_is_repeatable_is_tried_again(failure: Any, options: Any) -> None:
    """A PUT, or a POST that is said to be repeatable, is tried again after no answer."""
    assert call(Vendor(script(failure, 200)), **options) == 200


@pytest.mark.parametrize("status", [301, 400, 401, 403, 404, 409, 410, 413, 422, 501, 505])
def test_a_refusal_is_final(status: int) -> None:
    """What the vendor refused is not sent again, whatever the method."""
    vendor = Vendor(script(status, 200))

    assert isinstance(call(vendor, method="PUT"), DestinationError)
    assert len(vendor.times) == 1


def test_three_attempts_are_all() -> None:
    """After three attempts the last error stands."""
    vendor = Vendor(script(503))

    error = call(vendor)

    assert isinstance(error, UnavailableError)
    assert len(vendor.times) == 3


def test_an_open_outcome_stays_open() -> None:
    """When an attempt may have been taken, a later one that was not does not say "not sent"."""
    error = call(Vendor(script(LOST, REFUSED)), method="PUT")

    assert isinstance(error, NoAnswer)
    assert error.code is Code.OUTCOME_UNKNOWN


@pytest.mark.parametrize("then", [302, 401, 403, 404, 409, 410, 422, 501])
def test_an_open_outcome_is_not_closed_by_a_refusal(then: int) -> None:
    """What may have been taken is not called refused because its repetition was."""
    vendor = Vendor(script(LOST, then))

    error = call(vendor, method="PUT")

    assert isinstance(error, NoAnswer)
    assert len(vendor.times) == 2


def test_what_is_not_tried_again_is_told_as_it_failed() -> None:
    """A request whose next turn would come too late says how it failed, not that time is up."""
    error = call(Vendor(script(REFUSED)), deadline=2.0, rate=Rate(0.5))

    assert isinstance(error, UnavailableError)
    assert error.code is Code.CONNECT_FAILED


def test_the_vendors_wait_is_kept() -> None:
    """``Retry-After`` in seconds is waited for, and at most a tenth more."""
    vendor = Vendor(script((429, {"Retry-After": "2"}), 200))

    assert call(vendor) == 200
    assert 2.0 <= vendor.times[1] <= 2.2


def test_a_wait_beyond_the_deadline_is_not_begun() -> None:
    """A wait that does not fit into the call ends it at once, as rate limited."""
    vendor = Vendor(script((429, {"Retry-After": "3600"}), 200))

    error = call(vendor)

    assert isinstance(error, RateLimited)
    assert len(vendor.times) == 1


def test_a_429_holds_the_whole_destination_back() -> None:
    """After a 429 no other request goes out before the vendor's wait is over."""
    vendor = Vendor(script((429, {"Retry-After": "5"}), 200))

    async def scenario() -> Any:
        within(25)
        async with Sender(vendor) as http:
            client = VendorClient(
                http,
                meter=Metrics().of("x"),
                limiter=Limiter(None),
                classify=lambda _: None,
                timeout=10,
                attempts=1,
                random=lambda: 0.0,
            )
            first = await outcome(client.request("POST", "https://v.example/1"))
            second = await outcome(client.request("POST", "https://v.example/2"))
            within(3)
            client._limiter.pause(60)
            third = await outcome(client.request("POST", "https://v.example/3"))
            return first, second, third

    first, second, third = run_virtually(scenario())

    assert isinstance(first, RateLimited)
    assert second == 200
    assert isinstance(third, RateLimited)
    assert vendor.times == [0, 5]


@pytest.mark.parametrize(("asked", "seconds"), [(600, 600), (7200, 3600), (86_400, 3600)])
def test_r3_a_long_wait_holds_everything_back_for_an_hour_at_most(asked: int, seconds: int) -> None:
    """In the vendor's wait rows are rejected at once and untried; after an hour they go out."""
    vendor = Vendor(script((429, {"Retry-After": str(asked)}), 200))

    async def scenario() -> tuple[list[Any], float, Any]:
        within(25)
        async with Sender(vendor) as http:
            client = VendorClient(
                http,
                meter=Metrics().of("x"),
                limiter=Limiter(None),
                classify=lambda _: None,
                timeout=10,
                attempts=3,
                random=lambda: 0.0,
            )
            told = [await outcome(client.request("POST", "https://v.example/")) for _ in range(9)]
            took = asyncio.get_running_loop().time()
            await asyncio.sleep(seconds - 20)
            within(25)
            return told, took, await outcome(client.request("POST", "https://v.example/"))

    told, took, at_last = run_virtually(scenario())

    assert all(isinstance(error, RateLimited) for error in told)
    assert took == 0
    assert at_last == 200
    assert vendor.times == [0, seconds]


def test_retries_keep_to_the_budget() -> None:
    """Of a hundred requests to a vendor that takes none, at most a fifth is retried."""
    vendor = Vendor(script(503))

    async def scenario() -> None:
        within(25)
        async with Sender(vendor) as http:
            client = VendorClient(
                http,
                meter=Metrics().of("x"),
                limiter=Limiter(None),
                classify=lambda _: None,
                timeout=10,
                attempts=3,
            )
            requests = (client.request("POST", "https://v.example/") for _ in range(100))
            await asyncio.gather(*map(outcome, requests))

    run_virtually(scenario())

    assert len(vendor.times) <= 120


def test_the_budget_counts_a_window() -> None:
    """Three retries are always allowed in ten seconds, a fifth of the first attempts otherwise."""
    budget = Budget()

    assert [budget.take(0) for _ in range(4)] == [True, True, True, False]
    assert not budget.take(9.9)
    assert budget.take(10)
    for _ in range(50):
        budget.first(20.5)
    assert [budget.take(20.5) for _ in range(11)] == [True] * 10 + [False]


@pytest.mark.parametrize(
    ("error", "repeatable", "again"),
    [
        (UnavailableError("x"), False, True),
        (RateLimited("x"), False, True),
        (NoAnswer("x"), False, False),
        (NoAnswer("x"), True, True),
        (CircuitOpen("x"), True, False),
        (UnavailableError("x", code=Code.DEADLINE_NOT_SENT), True, False),
        (RefusedError("x"), True, False),
    ],
)
def test_only_what_may_be_is_repeated(error: Any, *, repeatable: bool, again: bool) -> None:
    """The error's class decides, and for an open outcome whether repeating is harmless."""
    assert may_repeat(error, repeatable=repeatable) is again


@given(st.integers(1, 50), st.floats(0, 1, exclude_max=True))
def test_back_off_is_bounded(attempt: int, chance: float) -> None:
    """No back-off is negative or longer than four seconds."""
    assert 0 <= delay(attempt, UnavailableError("x"), lambda: chance) <= CAP


def test_back_off_is_spread_evenly() -> None:
    """The back-off is chance times its limit: callers do not come in step."""
    error = UnavailableError("x")

    assert [delay(1, error, lambda c=c: c / 4) for c in range(4)] == [0, 0.0625, 0.125, 0.1875]


IN_TEN = NOW + timedelta(seconds=10)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2", 2.0),
        (" 7 ", 7.0),
        ("1.5", 1.5),
        ("0", 0.0),
        ("86400", 86400.0),
        (format_datetime(IN_TEN, usegmt=True), 10.0),
        ("Saturday, 21-Nov-26 12:00:10 GMT", 10.0),
        ("Sat Nov 21 12:00:10 2026", 10.0),
        ("-1", None),
        ("86401", None),
        ("nan", None),
        ("inf", None),
        ("1e999", None),
        ("１", None),
        ("", None),
        ("soon", None),
        ("Sat, 21 Nov 2026 11:59:00 GMT", None),
        ("Sat, 99 Nov 2026 11:59:00 GMT", None),
    ],
)
def test_a_wait_is_read_or_ignored(text: str, seconds: float | None) -> None:
    """Seconds and all three forms of an HTTP date are read; what cannot be believed is ignored."""
    assert retry_after({"Retry-After": text}, NOW) == seconds


def test_a_date_is_read_against_the_vendors_clock() -> None:
    """With a ``Date`` of its own, a vendor whose clock is a day off is understood."""
    skewed = NOW + timedelta(days=1)
    headers = {
        "Date": format_datetime(skewed, usegmt=True),
        "Retry-After": format_datetime(skewed + timedelta(seconds=4), usegmt=True),
    }

    assert retry_after(headers, NOW) == 4.0


SKEW = timedelta(days=-3, hours=5)
FORMS = ["%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"]


@pytest.mark.parametrize("dated", FORMS)
@pytest.mark.parametrize("form", FORMS)
def test_r3_a_date_of_any_form_is_waited_for(form: str, dated: str) -> None:
    """A date four seconds after the vendor's own is four seconds, though its clock is days off."""
    theirs = datetime.now(UTC) + SKEW
    headers = {
        "Date": theirs.strftime(dated),
        "Retry-After": (theirs + timedelta(seconds=4)).strftime(form),
    }
    vendor = Vendor(script((429, headers), 200))

    assert call(vendor) == 200
    assert 4.0 <= vendor.times[1] <= 4.4


def test_r3_a_date_without_another_is_read_against_our_clock() -> None:
    """A vendor that does not date its answers is waited for to the second."""
    at = datetime.now(UTC) + timedelta(seconds=10)
    vendor = Vendor(script((503, {"Retry-After": format_datetime(at, usegmt=True)}), 200))

    assert call(vendor) == 200
    assert 8.5 <= vendor.times[1] <= 11.0  # the header drops what is less than a second


def failing_together(count: int) -> list[list[float]]:
    """The moments at which each of many clients tries, none of which knows of the others."""
    vendors = [Vendor(script(503)) for _ in range(count)]

    async def one(vendor: Vendor) -> None:
        within(25)
        async with Sender(vendor) as http:
            client = VendorClient(
                http,
                meter=Metrics().of("x"),
                limiter=Limiter(None),
                classify=lambda _: None,
                timeout=10,
                attempts=3,
                random=chance,
            )
            await outcome(client.request("POST", "https://v.example/"))

    async def scenario() -> None:
        await asyncio.gather(*map(one, vendors))

    chance = random.Random(20261123).random
    run_virtually(scenario())
    return [vendor.times for vendor in vendors]


def test_r1_clients_that_fail_together_do_not_come_back_together() -> None:
    """Of five hundred clients that fail at once the back-offs are spread evenly, each time."""
    times = failing_together(500)

    for attempt, longest in ((1, BASE), (2, 2 * BASE)):
        waits = sorted((each[attempt] - each[attempt - 1]) / longest for each in times)
        largest_gap = max(
            max((n + 1) / len(waits) - wait, wait - n / len(waits)) for n, wait in enumerate(waits)
        )
        # Kolmogorov: of truly even draws one in a thousand sets has a larger gap than this.
        assert largest_gap <= 1.95 / len(waits) ** 0.5
        tenths = [sum(n / 10 <= wait < (n + 1) / 10 for wait in waits) for n in range(10)]
        assert sum(tenths) == len(times)
        assert max(tenths) <= 2 * len(times) / 10


MOMENTS = st.lists(st.tuples(st.sampled_from([0, 1, 3, 9, 10]), st.integers(0, 20)), max_size=12)


@given(MOMENTS)
@settings(deadline=None)
def test_r4_no_window_has_more_retries_than_its_share(moments: list[tuple[int, int]]) -> None:
    """Ten seconds that end with a retry hold three, or one for five first attempts, at most."""
    budget, now = Budget(), 0
    firsts: list[int] = []
    retries: list[int] = []
    for seconds, count in moments:
        now += seconds
        for _ in range(count):
            budget.first(now)
            firsts.append(now)
        for _ in range(count + 4):
            within_window = sum(at > now - 10 for at in retries)
            share = sum(at > now - 10 for at in firsts) / 5
            allowed = budget.take(now)
            assert allowed is (within_window < max(3, int(share)))
            retries += [now] * allowed


class Flaky(httpx.AsyncBaseTransport):
    """A vendor that does not take a share of what it is sent, as chance has it."""

    def __init__(self, share: float, chance: random.Random) -> None:
        self.share, self.chance, self.requests = share, chance, 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.requests += 1
        await asyncio.sleep(0.05 + 0.1 * self.chance.random())
        status = 503 if self.chance.random() < self.share else 200
        return httpx.Response(status, stream=httpx.ByteStream(b""))


def hundred_rows(share: float, seed: int) -> tuple[int, int]:
    """How many rows of one call are delivered, and with how many requests."""
    chance = random.Random(seed)
    vendor = Flaky(share, chance)
    plugin, limits = Webhook(Settings(url="https://v.example/")), Limits()

    async def scenario() -> int:
        async with Sender(vendor) as http:
            plugin.http = VendorClient(
                http,
                meter=Metrics().of("x"),
                limiter=Limiter(limits.rate),
                classify=plugin.classify,
                timeout=10,
                attempts=limits.attempts,
                random=chance.random,
            )
            call = a_call(plugin, limits, asyncio.Semaphore(limits.concurrency), 25)
            records = [Record(n, n, {}, {}) for n in range(100)]
            return 100 - len(await call.deliver(records))

    return run_virtually(scenario()), vendor.requests


@pytest.mark.usefixtures("quiet")
class TestRandomFailures:
    """Calls with a hundred rows each to a vendor that fails at random."""

    def test_r6_one_failure_in_ten_is_made_good(self) -> None:
        """At one failure in ten, ninety-nine rows of a hundred are delivered in one call."""
        assert mean(hundred_rows(0.1, seed)[0] for seed in range(100)) >= 99

    def test_r6_at_one_in_two_the_budget_is_the_limit(self) -> None:
        """At one failure in two, half of the calls deliver fifty-eight rows of a hundred."""
        calls = [hundred_rows(0.5, seed) for seed in range(100)]

        assert median(delivered for delivered, _ in calls) >= 58
        assert max(requests for _, requests in calls) <= 120

    def test_r6_a_vendor_that_always_fails_is_left_alone(self) -> None:
        """When all fails, nothing goes out after the tenth failure but what was under way."""
        calls = [hundred_rows(1.0, seed) for seed in range(100)]

        assert max(requests for _, requests in calls) <= CONSECUTIVE + Limits().concurrency
