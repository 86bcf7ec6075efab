"""Names are looked up on threads of the destination's own, which may be left behind."""

import asyncio
import socket
import subprocess
import sys
import threading
from pathlib import Path

import httpx
import pytest

from destination.vendor import resolver
from destination.vendor.resolver import Resolver
from destination.vendor.transport import AiohttpTransport

ROOT = Path(__file__).parents[2]
FOUND = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.1", 443))]


class Names:
    """A system's lookup that does as it is told, and counts."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.error: Exception | None = None
        self.hanging: set[str] = set()
        self.released = threading.Event()
        self.begun = threading.Semaphore(0)
        self.ended = threading.Semaphore(0)

    def __call__(self, host, port, family):
        self.asked.append(host)
        self.begun.release()
        try:
            if host in self.hanging:
                self.released.wait(30)
            if self.error is not None:
                raise self.error
            return FOUND
        finally:
            self.ended.release()


@pytest.fixture
def names(monkeypatch):
    """The system's lookup, replaced; whoever hangs in it is let go at the end."""
    names = Names()
    monkeypatch.setattr(resolver, "lookup", names)
    yield names
    names.released.set()


@pytest.fixture
def short_patience(monkeypatch):
    """A lookup is given up after a tenth of a second: how long exactly is tested once."""
    monkeypatch.setattr(resolver, "PATIENCE", 0.1)
    return 0.1


async def failure(made: Resolver, host: str) -> OSError:
    """What a lookup raises."""
    with pytest.raises(OSError) as raised:
        await made.resolve(host, 443)
    return raised.value


async def test_a_name_becomes_its_addresses(names):
    """What the system finds is handed on as numbers, with the name that was asked for."""
    [found] = await Resolver().resolve("vendor.example", 443)

    assert (found["hostname"], found["host"], found["port"]) == ("vendor.example", "192.0.2.1", 443)
    assert names.asked == ["vendor.example"]


def test_f04_patience_is_two_seconds():
    """A lookup is waited for no longer than F04 allows."""
    assert resolver.PATIENCE <= 2.0


async def test_f04_a_lookup_that_hangs_is_given_up(names, short_patience):
    """The waiting ends, though the system's lookup goes on."""
    names.hanging = {"slow.example"}
    started = asyncio.get_running_loop().time()

    error = await failure(Resolver(), "slow.example")

    assert short_patience <= asyncio.get_running_loop().time() - started < short_patience + 1
    assert "too long" in str(error)
    assert not names.ended.acquire(blocking=False)


async def test_f04_no_more_lookups_hang_than_a_few(names, short_patience):
    """While earlier lookups hang, further ones fail at once and start no thread."""
    names.hanging = {"slow.example"}
    made = Resolver()
    for _ in range(resolver.AT_ONCE):
        await failure(made, "slow.example")
    threads = threading.active_count()

    errors = await asyncio.gather(*(failure(made, f"{n}.example") for n in range(40)))

    assert {str(error) for error in errors} == {"[Errno None] earlier lookups hang"}
    assert names.asked == ["slow.example"] * resolver.AT_ONCE
    assert threading.active_count() <= threads


async def test_f04_then_heals(names, short_patience):
    """Once the lookups that hung have ended, names are looked up again."""
    names.hanging = {"slow.example"}
    made = Resolver()
    for _ in range(resolver.AT_ONCE):
        await failure(made, "slow.example")

    names.released.set()
    for _ in range(resolver.AT_ONCE):
        await asyncio.to_thread(names.ended.acquire)

    async with asyncio.timeout(5):
        while True:
            try:
                assert await made.resolve("slow.example", 443)
                break
            except OSError:
                await asyncio.sleep(0)  # the loop has yet to hear of the threads' end


async def test_f04_a_lookup_that_ends_late_harms_nothing(names, short_patience):
    """What a lookup that was given up finds in the end is dropped, and complained of nowhere."""
    complaints = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: complaints.append(context))
    names.hanging, names.error = {"slow.example"}, socket.gaierror(socket.EAI_AGAIN, "later")
    await failure(Resolver(), "slow.example")

    names.released.set()
    await asyncio.to_thread(names.ended.acquire)
    await asyncio.sleep(0.05)

    assert complaints == []


@pytest.mark.parametrize("error", [socket.gaierror(socket.EAI_AGAIN, "x"), OSError(5, "x")])
async def test_f04_a_passing_failure_is_not_remembered(names, error):
    """After a failure of the resolver itself the name is looked up anew."""
    made, names.error = Resolver(), error
    await failure(made, "vendor.example")

    names.error = None

    assert await made.resolve("vendor.example", 443)


async def test_f03_a_name_that_does_not_exist_is_looked_up_once(names):
    """That a name does not exist is remembered, for this name only."""
    made, names.error = Resolver(), socket.gaierror(socket.EAI_NONAME, "x")
    for _ in range(5):
        await failure(made, "nowhere.example")
    assert names.asked == ["nowhere.example"]

    names.error = None

    assert await made.resolve("other.example", 443)


async def test_f03_then_heals(names, monkeypatch):
    """A name that has come to exist is found once the memory of its absence is over."""
    monkeypatch.setattr(resolver, "UNKNOWN_FOR", 0.05)
    made, names.error = Resolver(), socket.gaierror(socket.EAI_NONAME, "x")
    await failure(made, "new.example")
    names.error = None
    await asyncio.sleep(0.06)

    assert await made.resolve("new.example", 443)


@pytest.mark.parametrize("host", ["", "a" * 64 + ".example", "a..b", "\udc80"])
async def test_what_is_no_name_is_not_found(host):
    """Text that no name can be is an OSError like any other, whatever Python makes of it."""
    await failure(Resolver(), host)


async def test_m11_a_resolver_that_hangs_costs_no_other_destination(monkeypatch, names):
    """Forty lookups that hang leave another destination's lookups as fast as they were."""
    names.hanging = {"slow.example"}
    monkeypatch.setattr(resolver, "PATIENCE", 5.0)
    slow = [Resolver() for _ in range(40)]
    hanging = [asyncio.create_task(each.resolve("slow.example", 443)) for each in slow]
    await asyncio.sleep(0)  # all of them begin
    assert all(names.begun.acquire(timeout=5) for _ in slow)
    healthy, started = Resolver(), asyncio.get_running_loop().time()

    for _ in range(20):
        assert await healthy.resolve("vendor.example", 443)
    assert await asyncio.to_thread(int, "1") == 1  # the loop's own threads are free too

    assert asyncio.get_running_loop().time() - started < 1
    assert not any(task.done() for task in hanging)
    for task in hanging:
        task.cancel()
    await asyncio.gather(*hanging, return_exceptions=True)


async def test_x1_one_refused_address_refuses_the_name(names, monkeypatch):
    """The check sees every address of a name, and one that it refuses is the name's answer."""
    seen = []

    def check(address):
        seen.append(address)
        if address == "10.0.0.1":
            raise OSError(1, "refused")

    found = [*FOUND, (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("10.0.0.1", 443))]
    monkeypatch.setattr(resolver, "lookup", lambda *_: found)

    error = await failure(Resolver(check), "vendor.example")

    assert error.errno == 1
    assert seen == ["192.0.2.1", "10.0.0.1"]


async def test_requests_at_once_share_a_lookup(names):
    """However many requests wait for a name, it is looked up once for a transport."""
    names.error = socket.gaierror(socket.EAI_AGAIN, "x")
    async with httpx.AsyncClient(transport=AiohttpTransport()) as http:
        outcomes = await asyncio.gather(
            *(http.get("http://vendor.example") for _ in range(20)), return_exceptions=True
        )

    assert {type(each) for each in outcomes} == {httpx.ConnectError}
    assert names.asked == ["vendor.example"]


HANGING = """
import asyncio, time
from destination.vendor import resolver

resolver.PATIENCE = 0.05
resolver.lookup = lambda *_: time.sleep(60)


async def main():
    try:
        await resolver.Resolver().resolve("slow.example", 443)
    except OSError as error:
        print(error)


asyncio.run(main())
"""


def test_f04_a_lookup_that_hangs_does_not_keep_the_process():
    """A process ends while a lookup of its own still hangs."""
    done = subprocess.run(
        [sys.executable, "-c", HANGING],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert "too long" in done.stdout
