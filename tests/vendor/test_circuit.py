"""A vendor that is given a rest, as those see it who want to send to it; in virtual time."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from support import within

from destination.errors import Code, DestinationError, NoAnswer
from destination.metrics import Metrics
from destination.model import Rate
from destination.testing.clock import run_virtually
from destination.vendor.breaker import CONSECUTIVE
from destination.vendor.client import VendorClient
from destination.vendor.limiter import Limiter
from destination.vendor.sender import Sender as HttpSender

REFUSED = httpx.ConnectError("refused")
Outcome = int | Code


def now() -> float:
    return asyncio.get_running_loop().time()


@dataclass
class Vendor(httpx.AsyncBaseTransport):
    """Answers every request alike, after some seconds, until it is told otherwise."""

    answer: int | Exception = 200
    seconds: float = 0.0
    headers: dict[str, str] = field(default_factory=dict)
    times: list[float] = field(default_factory=list)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.times.append(now())
        answer = self.answer
        await asyncio.sleep(self.seconds)
        if isinstance(answer, Exception):
            raise answer
        return httpx.Response(answer, headers=self.headers, stream=httpx.ByteStream(b""))


class Sender:
    """A client to that vendor, whose rests are as long as they are meant to be."""

    def __init__(self, vendor: Vendor, http: HttpSender, **options: Any) -> None:
        self.metrics = Metrics()
        self.client = VendorClient(
            http,
            meter=self.metrics.of("x"),
            limiter=Limiter(options.pop("rate", None)),
            classify=options.pop("classify", lambda _: None),
            timeout=10,
            random=lambda: 0.5,
            **options,
        )
        self.vendor = vendor

    async def send(self, **options: Any) -> Outcome:
        """One request: its status, or the code of what it raises."""
        return (await self.told(**options)) or 200

    async def told(self, **options: Any) -> Code | None:
        error = await self.error(**options)
        return error and error.code

    async def error(self, **options: Any) -> DestinationError | None:
        within(25)
        try:
            await self.client.request("POST", "https://v.example/", **options)
        except DestinationError as error:
            return error
        return None

    async def together(self, count: int) -> Counter[Outcome]:
        """So many requests at once, and how often each outcome was had."""
        return Counter(await asyncio.gather(*(self.send() for _ in range(count))))

    async def open(self) -> None:
        """Fail until the circuit opens, then answer well again."""
        self.vendor.answer = REFUSED
        for _ in range(CONSECUTIVE):
            assert await self.send() is Code.CONNECT_FAILED
        self.vendor.answer = 200
        self.vendor.times.clear()

    def counted(self, name: str) -> dict[str, float]:
        """A metric of this destination by outcome."""
        return {
            sample.labels.get("outcome", ""): sample.value
            for family in text_string_to_metric_families(self.metrics.text().decode())
            for sample in family.samples
            if sample.name == f"destination_{name}"
        }


def play(
    scenario: Callable[[Sender], Coroutine[Any, Any, Any]],
    vendor: Vendor | None = None,
    **options: Any,
) -> Any:
    """What a scenario returns, in virtual time."""

    async def run() -> Any:
        chosen = vendor or Vendor()
        async with HttpSender(chosen) as http:
            return await scenario(Sender(chosen, http, **options))

    return run_virtually(run())


def test_c3_while_open_nothing_goes_out() -> None:
    """A hundred requests to a vendor at rest are rejected in no time, and it sees none of them."""

    async def scenario(sender: Sender) -> tuple[Any, float, int]:
        await sender.open()
        started = now()
        told = await sender.together(100)
        return told, now() - started, len(sender.vendor.times)

    assert play(scenario) == ({Code.CIRCUIT_OPEN: 100}, 0.0, 0)


def test_c3_an_open_circuit_does_not_wait_for_the_rate() -> None:
    """What is rejected because of a rest takes no turn of the rate, and waits for none."""

    async def scenario(sender: Sender) -> tuple[Any, float]:
        await sender.open()
        started = now()
        told = await sender.together(100)
        return told, now() - started

    assert play(scenario, rate=Rate(1, 1)) == ({Code.CIRCUIT_OPEN: 100}, 0.0)


def test_c3_what_waits_for_its_turn_when_it_opens_is_not_sent() -> None:
    """Of requests that wait for the rate, those whose turn comes in the rest do not go out."""
    vendor = Vendor(REFUSED)

    async def scenario(sender: Sender) -> Counter[Outcome]:
        return await sender.together(20)

    told = play(scenario, vendor, rate=Rate(1, 1))

    assert told == {Code.CONNECT_FAILED: 10, Code.CIRCUIT_OPEN: 10}
    assert len(vendor.times) == CONSECUTIVE


@pytest.mark.parametrize("attempts", [1, 3])
def test_r6_ten_failures_and_what_was_under_way_are_all(attempts: int) -> None:
    """A vendor that fails always sees ten requests and those that were under way at the tenth."""
    vendor, concurrency = Vendor(REFUSED, seconds=0.1), 8

    async def scenario(sender: Sender) -> Counter[Outcome]:
        permits = asyncio.Semaphore(concurrency)

        async def one() -> Outcome:
            async with permits:
                return await sender.send()

        return Counter(await asyncio.gather(*(one() for _ in range(100))))

    told = play(scenario, vendor, attempts=attempts)

    assert len(vendor.times) <= CONSECUTIVE + concurrency
    assert told[Code.CONNECT_FAILED] + told[Code.CIRCUIT_OPEN] == 100


def test_c3_the_first_error_is_the_one_that_is_told() -> None:
    """A request that failed and may not be repeated because of a rest says how it failed."""
    vendor = Vendor(REFUSED)

    async def scenario(sender: Sender) -> Counter[Outcome]:
        return await sender.together(CONSECUTIVE)

    told = play(scenario, vendor, attempts=3)

    assert told == {Code.CONNECT_FAILED: CONSECUTIVE}
    assert len(vendor.times) == CONSECUTIVE  # each was to be tried again, in the rest


def test_c3_an_open_outcome_is_told_rather_than_the_rest() -> None:
    """What may have been taken is not called "not sent" because its repetition was forbidden."""
    vendor = Vendor(500)

    async def scenario(sender: Sender) -> list[DestinationError | None]:
        requests = (sender.error(repeatable=True) for _ in range(CONSECUTIVE))
        return list(await asyncio.gather(*requests))

    errors = play(scenario, vendor, attempts=3)

    assert all(isinstance(error, NoAnswer) for error in errors)
    assert len(vendor.times) == CONSECUTIVE


def test_c3_an_open_outcome_is_told_rather_than_refused_credentials() -> None:
    """What may have been taken is not called "not sent" because others made the circuit open."""
    vendor = Vendor(500)

    async def scenario(sender: Sender) -> DestinationError | None:
        open_outcome = asyncio.create_task(sender.error(repeatable=True))
        await asyncio.sleep(0.1)  # it was answered, and will be tried again
        vendor.answer = 401
        assert await sender.told() is await sender.told() is Code.AUTH_FAILED
        return await open_outcome

    error = play(scenario, vendor, attempts=3)

    assert isinstance(error, NoAnswer)
    assert len(vendor.times) == 3


def test_c3_one_probe_of_many_requests() -> None:
    """After the rest one request of fifty goes out; the others are rejected while it is open."""

    async def scenario(sender: Sender) -> tuple[Any, float, int, Any]:
        await sender.open()
        await asyncio.sleep(31)
        sender.vendor.seconds = 5
        started = now()
        told = await sender.together(50)
        seen = len(sender.vendor.times)
        return told, now() - started, seen, await sender.together(50)

    told, seconds, seen, afterwards = play(scenario)

    assert told == {200: 1, Code.CIRCUIT_OPEN: 49}
    assert (seconds, seen) == (5, 1)
    assert afterwards == {200: 50}


def test_c3_a_probe_is_not_repeated() -> None:
    """A probe that fails gives the vendor a longer rest at once, whatever attempts are left."""
    vendor = Vendor()

    async def scenario(sender: Sender) -> list[Outcome]:
        for _ in range(CONSECUTIVE):
            vendor.answer = REFUSED
            await sender.send()
        vendor.times.clear()
        await asyncio.sleep(31)
        told = [await sender.send()]
        await asyncio.sleep(58)
        told.append(await sender.send())
        vendor.answer = 200
        await asyncio.sleep(3)
        return [*told, await sender.send(), await sender.send()]

    assert play(scenario, vendor, attempts=3) == [Code.CONNECT_FAILED, Code.CIRCUIT_OPEN, 200, 200]
    assert len(vendor.times) == 3


def cancelled(sender: Sender) -> Awaitable[Any]:
    """A request that is given up after a second."""
    sender.vendor.seconds = 5
    return asyncio.wait_for(sender.send(), 1)


async def broken(sender: Sender) -> None:
    """A request whose answer a destination's own code stumbles over."""
    sender.client._classify = lambda _: 1 / 0  # type: ignore[assignment, return-value]
    try:
        await sender.send()
    finally:
        sender.client._classify = lambda _: None


@pytest.mark.parametrize(
    ("give_up", "raises"), [(cancelled, TimeoutError), (broken, ZeroDivisionError)]
)
def test_c3_a_probe_that_is_given_up_makes_room(give_up: Any, raises: Any) -> None:
    """A probe without an outcome is no outcome: the next request is the probe."""

    async def scenario(sender: Sender) -> tuple[Any, Any]:
        await sender.open()
        await asyncio.sleep(31)
        with pytest.raises(raises):
            await give_up(sender)
        still_open = sender.client._breaker.is_open
        sender.vendor.seconds = 0
        return still_open, [await sender.send(), await sender.send()]

    assert play(scenario) == (True, [200, 200])


@pytest.mark.parametrize(
    ("status", "code"), [(401, Code.AUTH_FAILED), (403, Code.AUTH_FAILED), (410, "CONFIG_INVALID")]
)
def test_c3_credentials_refused_twice_are_refused_for_all(status: int, code: Code) -> None:
    """After two such answers nothing goes out, and everybody is told why, and that it did not."""
    vendor = Vendor(status)

    async def scenario(sender: Sender) -> tuple[list[Any], DestinationError | None]:
        return [await sender.told() for _ in range(5)], await sender.error()

    told, last = play(scenario, vendor)

    assert told == [code] * 5
    assert len(vendor.times) == 2
    assert last.reason.startswith(f"{code}: not sent: the vendor answered {status}")


@pytest.mark.parametrize("status", [400, 404, 409, 413, 422, 302, 501])
def test_c3_refusals_do_not_open_it(status: int) -> None:
    """A hundred refused rows are a hundred requests."""
    vendor = Vendor(status)

    async def scenario(sender: Sender) -> Counter[Outcome]:
        return await sender.together(100)

    told = play(scenario, vendor)

    assert Code.CIRCUIT_OPEN not in told
    assert len(vendor.times) == 100


def test_c3_throttling_does_not_open_it() -> None:
    """A vendor that asks for pauses is paused for, and not taken for one that is down."""
    vendor = Vendor(429, headers={"Retry-After": "1"})

    async def scenario(sender: Sender) -> set[Outcome]:
        return {await sender.send() for _ in range(30)}

    assert play(scenario, vendor) == {Code.RATE_LIMITED}
    assert len(vendor.times) == 30


def test_c3_what_is_counted() -> None:
    """Attempts by outcome, retries, denied retries and the circuit stand in the metrics."""
    vendor = Vendor()
    circuit: list[float] = []

    async def scenario(sender: Sender) -> Sender:
        for answer in (200, 200, 422, 500, 200):
            vendor.answer = answer
            await sender.send()
        circuit.append(sender.counted("circuit_open")[""])
        vendor.answer = REFUSED
        for _ in range(CONSECUTIVE):
            await sender.send()
        circuit.append(sender.counted("circuit_open")[""])
        await asyncio.sleep(31)
        vendor.answer = 200
        await sender.send()
        circuit.append(sender.counted("circuit_open")[""])
        return sender

    sender = play(scenario, vendor, attempts=3)

    # Of ten failures one was a third attempt, three are always allowed, and six asked in vain.
    attempts = {"accepted": 4, "VENDOR_REJECTED": 1, "OUTCOME_UNKNOWN": 1, "CONNECT_FAILED": 10}
    assert sender.counted("attempts_total") == attempts
    assert sum(attempts.values()) == len(vendor.times)
    assert sender.counted("retries_total") == {"": 3}
    assert sender.counted("retries_denied_total") == {"": 6}
    assert circuit == [0, 1, 0]
