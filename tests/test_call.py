"""One call: each row in its turn, none that was delivered already."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any

import pytest
from support import a_call

import destination as ht
from destination.call import POLL
from destination.deadline import ANSWER, LEAST
from destination.fingerprint import scope_of
from destination.mapping import Column, Entry, FieldMapping, Static
from destination.memory import PIECE, Memory
from destination.model import Batch, Record, Rejection
from destination.order import Order
from destination.state.sqlite import SqliteStore
from destination.state.store import Claim, Outcome, Standing
from destination.testing.clock import run_virtually

Deliver = Callable[[Batch[Any]], Awaitable[Iterable[Rejection]]]
SECRET = b"s" * 32


class Vendor(ht.Destination[ht.NoOptions, ht.NoOptions]):
    """Takes a second for each batch, then does what the test says; notes what was sent when."""

    kind = "vendor"

    def __init__(self, script: Deliver | None = None) -> None:
        super().__init__(ht.NoOptions())
        self.script = script
        self.sent: list[tuple[float, Any, Any]] = []

    async def deliver(self, batch: Batch[ht.NoOptions]) -> Iterable[Rejection]:
        now = asyncio.get_running_loop().time()
        self.sent += [(now, each.id, each.row.get("v")) for each in batch.records]
        await asyncio.sleep(1)
        return () if self.script is None else await self.script(batch)


def records(*ids: Any, v: int = 1) -> list[Record]:
    """Records of these ids, whose rows are version ``v``."""
    return [Record(position, id, {}, {"id": id, "v": v}) for position, id in enumerate(ids)]


def raising(error: Exception) -> Deliver:
    async def script(batch: Batch[Any]) -> Iterable[Rejection]:
        raise error

    return script


class Sync:
    """Calls of one sync to one vendor, which share order and memory."""

    def __init__(self, vendor: Vendor, store: SqliteStore, *, hold: bool = False) -> None:
        self.vendor, self.store, self.hold = vendor, store, hold
        self.order = Order()
        self.suppressed = 0

    async def call(
        self,
        sent: Sequence[Record],
        operation: str = "add",
        seconds: float = 25.0,
        *,
        scope: bytes = b"sync",
        **limits: Any,
    ) -> dict[int, str]:
        """The codes of the rejected records by position."""
        memory = Memory(self.store, SECRET, scope, operation, remember=3600, hold=self.hold)
        call = a_call(
            self.vendor, ht.Limits(**limits), asyncio.Semaphore(10), seconds,
            order=self.order, memory=memory,
        )  # fmt: skip
        rejections = await call.deliver(sent)
        self.suppressed += call.suppressed
        return {each.position: str(each.error.code) for each in rejections}


def play(
    scenario: Callable[[Sync], Awaitable[Any]], vendor: Vendor | None = None, **options: Any
) -> tuple[Any, Sync]:
    """Run a scenario in virtual time."""

    async def run() -> tuple[Any, Sync]:
        async with SqliteStore(None) as store:
            sync = Sync(vendor or Vendor(), store, **options)
            return await scenario(sync), sync

    return run_virtually(run())


class TestRepeats:
    """The same call again sends nothing that is known to have arrived."""

    def test_a_repeated_call_sends_nothing(self):
        """What was delivered is reported as delivered, and counted as suppressed."""

        async def scenario(sync: Sync) -> Any:
            return [await sync.call(records(1, 2, 3)) for _ in range(3)]

        answers, sync = play(scenario)

        assert answers == [{}, {}, {}]
        assert len(sync.vendor.sent) == 3
        assert sync.suppressed == 6

    def test_only_what_was_rejected_is_sent_again(self):
        """When a call that was partly refused is repeated, the refused rows alone go out."""

        async def script(batch: Batch[Any]) -> Iterable[Rejection]:
            return [each.reject(ht.RowError("odd")) for each in batch.records if each.id % 2]

        async def scenario(sync: Sync) -> Any:
            await sync.call(records(1, 2, 3))
            sync.vendor.sent.clear()
            return await sync.call(records(1, 2, 3))

        rejected, sync = play(scenario, Vendor(script))

        assert rejected == {0: "INVALID_ROW", 2: "INVALID_ROW"}
        assert [id for _, id, _ in sync.vendor.sent] == [1, 3]

    def test_ten_at_once_have_one_effect(self):
        """Of ten identical calls at the same time one sends, and all report the truth."""

        async def scenario(sync: Sync) -> Any:
            return await asyncio.gather(*(sync.call(records(1, 2)) for _ in range(10)))

        answers, sync = play(scenario)

        assert answers == [{}] * 10
        assert len(sync.vendor.sent) == 2

    @pytest.mark.parametrize(
        "change",
        [
            {"sent": records(1, v=2)},
            {"operation": "change"},
            {"operation": "remove"},
            {"scope": b"another mapping"},
            {"sent": records("1")},
        ],
    )
    def test_anything_else_is_sent(self, change):
        """Other content, operation, sync or type of id is not the same row again."""

        async def scenario(sync: Sync) -> None:
            await sync.call(records(1))
            await sync.call(**({"sent": records(1)} | change))

        _, sync = play(scenario)

        assert len(sync.vendor.sent) == 2

    def test_add_remove_add_sends_three_times(self):
        """Only the latest outcome of a row counts."""

        async def scenario(sync: Sync) -> None:
            for operation in ("add", "remove", "add"):
                await sync.call(records(1), operation)

        assert len(play(scenario)[1].vendor.sent) == 3

    @pytest.mark.parametrize(("hold", "sent"), [(False, 2), (True, 1)])
    def test_an_unknown_outcome_is_resent_or_held(self, hold, sent):
        """Asked for again, a row that may have arrived is sent once more, or held and said so."""
        vendor = Vendor(raising(ht.NoAnswer("timed out; may have been delivered")))

        async def scenario(sync: Sync) -> Any:
            return [await sync.call(records(1)) for _ in range(2)]

        answers, sync = play(scenario, vendor, hold=hold)

        assert answers == [{0: "OUTCOME_UNKNOWN"}] * 2
        assert len(sync.vendor.sent) == sent

    def test_a_row_twice_in_a_call_is_sent_twice_in_order(self):
        """Versions of one row in a call go one after another, and the last one counts."""

        async def scenario(sync: Sync) -> Any:
            both = [Record(n, 1, {}, {"v": n}) for n in range(2)]
            await sync.call(both)
            await sync.call(both[1:])
            return await sync.call(both[:1])

        _, sync = play(scenario)

        assert [v for _, _, v in sync.vendor.sent] == [0, 1, 0]
        assert sync.suppressed == 1

    @pytest.mark.parametrize(
        "error", [ht.RefusedError("no"), ht.UnavailableError("no"), ht.TargetError("no")]
    )
    def test_what_was_not_sent_is_sent_when_asked_again(self, error):
        """A refusal is no delivery: the row goes out again."""

        async def scenario(sync: Sync) -> None:
            await sync.call(records(1))
            await sync.call(records(1))

        assert len(play(scenario, Vendor(raising(error)))[1].vendor.sent) == 2

    def test_fatal_leaves_nothing_claimed(self):
        """After a call that failed as a whole its rows are sent by the next one."""
        vendor = Vendor(raising(ht.AuthError("no")))

        async def scenario(sync: Sync) -> Any:
            with pytest.raises(ht.AuthError):
                await sync.call(records(*range(50)))
            sync.vendor.script = None
            sync.vendor.sent.clear()
            return await sync.call(records(*range(50)))

        rejected, sync = play(scenario, vendor)

        assert rejected == {}
        assert len(sync.vendor.sent) == 50


class TestOrder:
    """Effects for one row start in the order in which they arrived."""

    def test_a_newer_version_waits_for_the_older_one(self):
        """Of two overlapping calls the later one's version goes out when the earlier is over."""

        async def scenario(sync: Sync) -> Any:
            async def later() -> dict[int, str]:
                await asyncio.sleep(0.5)
                return await sync.call(records(1, 9, v=2), "change")

            return await asyncio.gather(sync.call(records(1, 2), "add"), later())

        answers, sync = play(scenario)

        assert answers == [{}, {}]
        assert sorted(sync.vendor.sent) == [(0, 1, 1), (0, 2, 1), (0.5, 9, 2), (1.5, 1, 2)]

    def test_a_row_that_stays_busy_is_in_progress(self):
        """A call whose row is under way elsewhere until its deadline says so and sends nothing."""

        async def script(batch: Batch[Any]) -> Iterable[Rejection]:
            await asyncio.sleep(100)
            return ()

        async def scenario(sync: Sync) -> Any:
            first = asyncio.create_task(sync.call(records(1), seconds=1000))
            await asyncio.sleep(1)
            second = await sync.call(records(1, v=2), seconds=10)
            return await first, second, asyncio.get_running_loop().time()

        answers, sync = play(scenario, Vendor(script))

        assert answers[:2] == ({}, {0: "IN_PROGRESS"})
        assert len(sync.vendor.sent) == 1

    def test_a_row_that_another_process_sends_is_waited_for(self):
        """A claim of another process is looked at again until it is settled."""

        class Shared(SqliteStore):
            busy_until = 3.0

            async def claim(self, claims: Sequence[Claim], **options: Any) -> list[Standing]:
                if asyncio.get_running_loop().time() < self.busy_until:
                    return [Standing.BUSY] * len(claims)
                return await super().claim(claims, **options)

        async def run(busy_until: float) -> tuple[dict[int, str], float, int]:
            async with Shared(None) as store:
                store.busy_until = busy_until
                sync = Sync(Vendor(), store)
                rejected = await sync.call(records(1), seconds=10)
                return rejected, asyncio.get_running_loop().time(), len(sync.vendor.sent)

        rejected, ended, sent = run_virtually(run(3))
        assert (rejected, sent) == ({}, 1)
        assert 4 <= ended <= 4 + POLL

        rejected, ended, sent = run_virtually(run(100))
        assert (rejected, sent) == ({0: "IN_PROGRESS"}, 0)
        assert ended <= 10 - ANSWER - LEAST


class TestRecording:
    """What arrived is on record before anything else is sent."""

    def test_at_most_the_rows_in_flight_are_not_on_record(self):
        """Whenever the server dies, only rows under way have an outcome that nobody knows."""
        open_claims: list[int] = []

        class Watched(SqliteStore):
            def __init__(self) -> None:
                super().__init__(None)
                self.unsettled = 0

            async def settle(
                self, outcomes: Sequence[tuple[Claim, Outcome]], **options: Any
            ) -> None:
                await super().settle(outcomes, **options)
                self.unsettled -= len(outcomes)

        async def run() -> None:
            async with Watched() as store:
                sync = Sync(Vendor(), store)

                async def watch(batch: Batch[Any]) -> Iterable[Rejection]:
                    store.unsettled += len(batch.records)
                    open_claims.append(store.unsettled)
                    return ()

                sync.vendor.script = watch
                await sync.call(records(*range(40)), concurrency=4)
                assert store.unsettled == 0

        run_virtually(run())

        assert len(open_claims) == 40
        assert max(open_claims) <= 4

    def test_what_ends_together_is_written_together(self):
        """Ten rows that are acknowledged at one moment cost one step of the store."""
        steps: list[int] = []

        class Counted(SqliteStore):
            async def settle(
                self, outcomes: Sequence[tuple[Claim, Outcome]], **options: Any
            ) -> None:
                steps.append(len(outcomes))
                await super().settle(outcomes, **options)

        async def run() -> dict[int, str]:
            async with Counted(None) as store:
                return await Sync(Vendor(), store).call(records(*range(100)), concurrency=100)

        assert run_virtually(run()) == {}
        assert sum(steps) == 100
        assert len(steps) <= 10


class TestLongCalls:
    """Many rows are looked up step by step, so that a slow store costs no more than time."""

    def test_rows_that_the_store_does_not_get_to_are_not_sent(self):
        """They are rejected as not sent; those before them are delivered."""

        class Slow(SqliteStore):
            async def claim(self, claims: Sequence[Claim], **options: Any) -> list[Standing]:
                await asyncio.sleep(1)
                return await super().claim(claims, **options)

        async def run() -> tuple[dict[int, str], int]:
            async with Slow(None) as store:
                sync = Sync(Vendor(), store)
                rejected = await sync.call(records(*range(4 * PIECE)), seconds=4, batch_size=PIECE)
                return rejected, len(sync.vendor.sent)

        rejected, sent = run_virtually(run())

        assert set(rejected.values()) == {"DEADLINE_NOT_SENT"}
        assert sent + len(rejected) == 4 * PIECE
        assert sent == 2 * PIECE


def test_a_scope_is_the_sync() -> None:
    """What is remembered belongs to a destination, object, mode, mapping and options."""
    batch = Batch("user", "upsert", ht.Operation.ADD, "upsert", ht.NoOptions(), ())
    mapping = FieldMapping(
        (Entry("email", Column("email"), identifier=True), Entry("x", Static(1)))
    )
    other = FieldMapping((*mapping.entries, Entry("y", Static(2))))

    scopes = [
        scope_of("crm", mapping, batch),
        scope_of("crm2", mapping, batch),
        scope_of("crm", other, batch),
        scope_of("crm", mapping, Batch("org", "upsert", batch.operation, "v", batch.options, ())),
        scope_of("crm", mapping, Batch("user", "mirror", batch.operation, "v", batch.options, ())),
    ]

    assert len(set(scopes)) == len(scopes)
    again = Batch("user", "upsert", ht.Operation.REMOVE, "delete", ht.NoOptions(), ())
    assert scope_of("crm", mapping, again) == scopes[0]
