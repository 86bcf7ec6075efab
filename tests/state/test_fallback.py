"""Rows are delivered whether the store works or not."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from destination.state.fallback import LEFT_ALONE, PATIENCE, FallbackStore
from destination.state.sqlite import SqliteStore
from destination.state.store import Claim, Outcome, Standing, StoreError
from destination.testing.clock import run_virtually

HOURS = 3600.0
ROW, OTHER = Claim(b"k" * 16, b"1" * 16), Claim(b"o" * 16, b"1" * 16)


class Flaky(SqliteStore):
    """A store in memory that fails, or hangs, while the test wants it to."""

    def __init__(self) -> None:
        super().__init__(None)
        self.broken = self.hangs = False
        self.steps = 0

    async def _run(self, step: Callable[[], Any]) -> Any:
        self.steps += 1
        if self.hangs:
            await asyncio.Event().wait()
        if self.broken:
            raise StoreError("disk I/O error")
        return await super()._run(step)


async def stands(store: FallbackStore, claim: Claim) -> Standing:
    [standing] = await store.claim([claim], remember=HOURS, hold=False)
    return standing


def test_a_store_that_fails_is_replaced_and_comes_back() -> None:
    """While the store fails memory serves; when it is back, what memory knows still counts."""

    async def scenario() -> None:
        real, failures = Flaky(), []
        store = FallbackStore(real, required=True, failed=lambda: failures.append(1))
        async with store:
            real.broken = True
            assert await stands(store, ROW) is Standing.SEND
            await store.settle([(ROW, Outcome.DELIVERED)], remember=HOURS)
            assert store.degraded
            assert len(failures) == 1

            real.broken = False
            await asyncio.sleep(LEFT_ALONE)
            assert not store.degraded
            assert await stands(store, ROW) is Standing.DELIVERED
            assert await stands(store, OTHER) is Standing.SEND

    with capture_logs() as logs:
        run_virtually(scenario())
    assert [line["event"] for line in logs] == ["state.failed"]
    assert logs[0]["error"] == "disk I/O error"


def test_a_store_that_hangs_is_not_waited_for() -> None:
    """A step that hangs costs a call its patience once, and the next one nothing."""

    async def scenario() -> tuple[float, int]:
        real = Flaky()
        async with FallbackStore(real, required=True, failed=lambda: None) as store:
            real.hangs = True
            started, steps = asyncio.get_running_loop().time(), real.steps
            for _ in range(3):
                assert await stands(store, ROW) is Standing.SEND
            real.hangs = False
            return asyncio.get_running_loop().time() - started, real.steps - steps

    assert run_virtually(scenario()) == (PATIENCE, 1)


def test_a_delivery_that_only_memory_saw_is_overtaken_by_a_later_one() -> None:
    """Once memory has served, it is kept up to date, so that it never answers with old news."""
    newer = Claim(ROW.key, b"2" * 16)

    async def scenario() -> Standing:
        real = Flaky()
        async with FallbackStore(real, required=True, failed=lambda: None) as store:
            real.broken = True
            await stands(store, ROW)
            await store.settle([(ROW, Outcome.DELIVERED)], remember=HOURS)
            real.broken = False
            await asyncio.sleep(LEFT_ALONE)
            await stands(store, newer)
            await store.settle([(newer, Outcome.DELIVERED)], remember=HOURS)
            return await stands(store, ROW)

    assert run_virtually(scenario()) is Standing.SEND


async def test_a_store_that_is_not_required_need_not_open(tmp_path: Path) -> None:
    """Where no store was asked for by name, memory serves, and says that it does."""
    nowhere = SqliteStore(tmp_path / "nowhere" / "state.db")
    failures: list[int] = []

    async with FallbackStore(nowhere, required=False, failed=lambda: failures.append(1)) as store:
        assert store.degraded
        assert len(await store.secret()) == 32
        assert await stands(store, ROW) is Standing.SEND
        await store.settle([(ROW, Outcome.DELIVERED)], remember=HOURS)
        assert await stands(store, ROW) is Standing.DELIVERED
    assert failures == [1]


async def test_a_store_that_is_required_must_open(tmp_path: Path) -> None:
    """A store that was asked for by name and cannot be opened is an error."""
    nowhere = SqliteStore(tmp_path / "nowhere" / "state.db")

    with pytest.raises(StoreError):
        async with FallbackStore(nowhere, required=True, failed=lambda: None):
            pass
