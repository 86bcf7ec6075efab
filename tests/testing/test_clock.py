"""Virtual time jumps, stands still for what is ready, and does not hide a hang."""

import asyncio
import time
from contextlib import suppress

import pytest

from destination.testing.clock import WaitsForever, run_virtually


def now() -> float:
    """The running loop's time."""
    return asyncio.get_running_loop().time()


def test_a_day_passes_in_no_time():
    """Sleeping moves the virtual clock, not the real one."""
    started = time.monotonic()

    async def scenario() -> float:
        await asyncio.sleep(3 * 86_400)
        return now()

    assert run_virtually(scenario()) == 3 * 86_400
    assert time.monotonic() - started < 5


def test_timers_fire_in_order():
    """Sleepers wake at their own times, earlier ones first."""
    woken: list[tuple[str, float]] = []

    async def sleeper(name: str, seconds: float) -> None:
        await asyncio.sleep(seconds)
        woken.append((name, now()))

    async def scenario() -> None:
        await asyncio.gather(sleeper("late", 2), sleeper("early", 0.5), sleeper("last", 2.5))

    run_virtually(scenario())

    assert woken == [("early", 0.5), ("late", 2), ("last", 2.5)]


def test_a_timeout_cuts_at_its_time():
    """asyncio.timeout follows the virtual clock."""

    async def scenario() -> float:
        with suppress(TimeoutError):
            async with asyncio.timeout(25):
                await asyncio.sleep(3600)
        return now()

    assert run_virtually(scenario()) == 25


def test_computing_takes_no_virtual_time():
    """The clock stands still while anything is ready to run."""

    async def scenario() -> float:
        for _ in range(1000):
            await asyncio.sleep(0)
        return now()

    assert run_virtually(scenario()) == 0


def test_waiting_for_nothing_is_an_error():
    """A wait that no timer can end raises, naming the task, instead of hanging."""

    async def scenario() -> None:
        asyncio.current_task().set_name("the stuck one")
        await asyncio.Event().wait()

    with pytest.raises(WaitsForever, match="the stuck one"):
        run_virtually(scenario())


def test_threads_are_awaited():
    """Work in a thread ends before the clock jumps over it."""

    async def scenario() -> tuple[str, float]:
        done = await asyncio.wait_for(asyncio.to_thread(lambda: time.sleep(0.02) or "done"), 3)
        return done, now()

    assert run_virtually(scenario()) == ("done", 0)


def test_sockets_of_one_loop_work():
    """A server and its client in the same loop talk without time passing."""

    async def scenario() -> tuple[bytes, float]:
        async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(await reader.readline())
            writer.close()
            await writer.wait_closed()

        server = await asyncio.start_server(echo, "127.0.0.1", 0)
        async with server:
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            writer.write(b"hello\n")
            line = await asyncio.wait_for(reader.readline(), 5)
            writer.close()
            await writer.wait_closed()
        return line, now()

    assert run_virtually(scenario()) == (b"hello\n", 0)


def test_an_exception_comes_out():
    """What the coroutine raises is raised."""

    async def scenario() -> None:
        await asyncio.sleep(1)
        raise KeyError("as it was")

    with pytest.raises(KeyError, match="as it was"):
        run_virtually(scenario())
