"""Calls that bring the same rows go one after another."""

import asyncio
import itertools
from collections.abc import Hashable, Iterable
from contextlib import ExitStack

from hypothesis import given
from hypothesis import strategies as st

from destination.order import Order
from destination.testing.clock import run_virtually


def played(calls: list[tuple[float, float, set[Hashable]]]) -> list[tuple[Hashable, float, float]]:
    """For calls that arrive, take so long and bring such rows: row by row, from when to when."""

    async def scenario() -> list[tuple[Hashable, float, float]]:
        order, seen = Order(), []
        now = asyncio.get_running_loop().time

        async def call(at: float, seconds: float, rows: set[Hashable]) -> None:
            await asyncio.sleep(at)
            with order.turn("sync", lambda: rows) as turn:
                held_up = {row for row in rows if turn.must_wait(row)}
                for group in (rows - held_up, held_up):
                    await turn.come(group)
                    started = now()
                    await asyncio.sleep(seconds)
                    seen.extend((row, started, now()) for row in group)

        await asyncio.gather(*(call(*each) for each in calls))
        assert order._open == {}
        return seen

    return run_virtually(scenario())


def test_a_later_call_waits_for_its_rows_only() -> None:
    """What an earlier call has too is sent when that call is over, everything else at once."""
    assert sorted(played([(0, 4, {"a", "b"}), (1, 1, {"b", "c"})])) == [
        ("a", 0, 4),
        ("b", 0, 4),
        ("b", 8, 9),
        ("c", 1, 2),
    ]


def test_calls_for_one_row_keep_their_order() -> None:
    """Of many calls for a row each starts when the one before it is over."""
    spans = played([(n, 10 - n, {"row"}) for n in range(5)])

    starts = [start for _, start, _ in spans]
    assert starts == sorted(starts)
    assert all(end <= start for (_, _, end), (_, start, _) in itertools.pairwise(spans))


def test_a_call_that_gives_up_passes_on_whom_it_waited_for() -> None:
    """A call behind one that gave up waits for the one that is still busy with the row."""

    async def scenario() -> float:
        order = Order()
        with ExitStack() as first:
            first.enter_context(order.turn("sync", lambda: ["row"]))
            with order.turn("sync", lambda: ["row"]) as second:
                assert second.must_wait("row")
            with order.turn("sync", lambda: ["row"]) as third:
                waiting = asyncio.create_task(third.come(["row"]))
                await asyncio.sleep(5)
                assert not waiting.done()
                first.close()
                await waiting
        return asyncio.get_running_loop().time()

    assert run_virtually(scenario()) == 5


ROWS = st.sets(st.sampled_from("abcd"), min_size=1)
CALLS = st.lists(st.tuples(st.integers(0, 5), st.integers(1, 5), ROWS), max_size=8)


@given(CALLS)
def test_no_row_is_in_two_calls_at_once(calls: Iterable[tuple[int, int, set[str]]]) -> None:
    """Whatever calls come, a row is never under way twice, and nobody waits for ever."""
    chosen = [(float(at), float(seconds), set(rows)) for at, seconds, rows in calls]

    spans = sorted(played(chosen), key=lambda span: (str(span[0]), span[1]))

    assert len(spans) == sum(len(rows) for _, _, rows in chosen)
    for (row, _, end), (other, start, _) in itertools.pairwise(spans):
        assert row != other or end <= start
