"""One call's records: cut, delivered within limits, reported by position, whatever happens."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from typing import Any

import pytest
from pydantic import BaseModel
from structlog.testing import capture_logs
from support import a_call

import destination as ht
from destination.call import waves
from destination.deadline import ANSWER, DELIVERY, LEAST, Deadline
from destination.errors import CircuitOpen, Code, DestinationError, reason
from destination.mapping import FieldMapping, Plan
from destination.memory import NoMemory
from destination.model import Batch, Record, Rejection, Row
from destination.records import Mapper
from destination.state.store import Outcome
from destination.testing.clock import run_virtually

SECRET = "canary-4b6e"

Deliver = Callable[[Batch[Any]], Awaitable[Iterable[Rejection]]]


class Nothing(BaseModel):
    """No settings."""


class Scripted(ht.Destination[Nothing, ht.NoOptions]):
    """
    A destination that does what the test says, and notes who was delivered when.

    Args:
        script: What ``deliver`` does; by default it takes one second and takes every record.
    """

    kind = "scripted"

    def __init__(self, script: Deliver | None = None) -> None:
        super().__init__(Nothing())
        self.script = script
        self.batches: list[list[Any]] = []
        self.started: list[float] = []
        self.running = 0
        self.most = 0
        self.lanes: dict[Any, str] = {}

    def lane(self, record: Record, options: ht.NoOptions) -> str:
        return str(record.fields.get("lane", ""))

    async def deliver(self, batch: Batch[ht.NoOptions]) -> Iterable[Rejection]:
        self.batches.append([record.id for record in batch.records])
        self.started.append(asyncio.get_running_loop().time())
        self.lanes |= {record.id: DELIVERY.get().lane for record in batch.records}
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            if self.script is not None:
                return await self.script(batch)
            await asyncio.sleep(1)
            return ()
        finally:
            self.running -= 1


def record(position: int, id: Any = None, **fields: Any) -> Record:
    """A record whose id is its position unless another is given."""
    return Record(position, position if id is None else id, fields, {})


def records(count: int) -> list[Record]:
    """Records with ids of their own."""
    return [record(position) for position in range(count)]


def deliver(
    plugin: Scripted,
    sent: Sequence[Record],
    *,
    deadline: float = 1000.0,
    permits: int = 100,
    **limits: Any,
) -> tuple[dict[int, DestinationError], float]:
    """What was rejected, by position, and how long it took in virtual time."""

    async def scenario() -> tuple[dict[int, DestinationError], float]:
        call = a_call(plugin, ht.Limits(**limits), asyncio.Semaphore(permits), deadline)
        rejections = await call.deliver(sent)
        assert [each.position for each in rejections] == sorted(
            {each.position for each in rejections}
        )
        errors = {each.position: each.error for each in rejections}
        return errors, asyncio.get_running_loop().time()

    return run_virtually(scenario())


def refusing(*culprits: Any, error: DestinationError | None = None) -> Deliver:
    """A vendor that refuses any batch with one of these ids in it."""

    async def script(batch: Batch[Any]) -> Iterable[Rejection]:
        await asyncio.sleep(1)
        if any(record.id in culprits for record in batch.records):
            raise error or ht.RefusedError("the vendor answered 422")
        return ()

    return script


def failing(error: Exception, when: Callable[[Record], bool] = lambda _: True) -> Deliver:
    """A vendor with which batches that hold such a record fail in this way."""

    async def script(batch: Batch[Any]) -> Iterable[Rejection]:
        await asyncio.sleep(1)
        if any(when(record) for record in batch.records):
            raise error
        return ()

    return script


class TestBatches:
    """How a call is cut."""

    @pytest.mark.parametrize(
        ("count", "size", "cut"), [(5, 2, [2, 2, 1]), (4, 4, [4]), (3, 1, [1, 1, 1]), (2, 100, [2])]
    )
    def test_no_batch_is_larger_than_the_limit(self, count, size, cut):
        """Records are cut into batches of the limit's size, in their order."""
        plugin = Scripted()

        rejected, _ = deliver(plugin, records(count), batch_size=size, concurrency=1)

        assert rejected == {}
        assert [len(batch) for batch in plugin.batches] == cut
        assert list(itertools.chain(*plugin.batches)) == list(range(count))

    def test_nothing_to_deliver_calls_nobody(self):
        """Without records the destination is not called."""
        plugin = Scripted()

        assert deliver(plugin, []) == ({}, 0)
        assert plugin.batches == []

    def test_batches_share_the_sync_and_one_lane(self):
        """A batch carries the sync's words, and never records of two lanes."""
        seen: list[Batch[Any]] = []

        async def script(batch: Batch[Any]) -> Iterable[Rejection]:
            seen.append(batch)
            return ()

        sent = [record(n, lane="ab"[n % 2]) for n in range(6)]
        plugin = Scripted(script)
        deliver(plugin, sent, batch_size=10)

        assert sorted([each.id for each in batch.records] for batch in seen) == [
            [0, 2, 4],
            [1, 3, 5],
        ]
        assert {(each.mode, each.verb, each.operation) for each in seen} == {
            ("upsert", "add", ht.Operation.ADD)
        }
        assert plugin.lanes == {n: "ab"[n % 2] for n in range(6)}


class TestLimits:
    """How many run at once, and in which order."""

    @pytest.mark.parametrize(("concurrency", "permits", "most"), [(3, 100, 3), (10, 4, 4)])
    def test_no_more_run_at_once_than_allowed(self, concurrency, permits, most):
        """Neither the sync's limit nor the destination's permits are exceeded."""
        plugin = Scripted()

        rejected, seconds = deliver(plugin, records(24), concurrency=concurrency, permits=permits)

        assert rejected == {}
        assert plugin.most == most
        assert seconds == 24 / most

    def test_two_calls_share_the_permits(self):
        """The limit is the destination's: a second call waits for what the first one holds."""
        plugin = Scripted()

        async def scenario() -> float:
            permits = asyncio.Semaphore(2)
            runs = [a_call(plugin, ht.Limits(), permits, 1000) for _ in range(3)]
            await asyncio.gather(*(run.deliver(records(4)) for run in runs))
            return asyncio.get_running_loop().time()

        assert run_virtually(scenario()) == 6
        assert plugin.most == 2

    def test_rows_of_one_id_go_in_order(self):
        """A later version of a row starts only when the earlier one is done."""
        ends: list[tuple[Any, int]] = []

        async def script(batch: Batch[Any]) -> Iterable[Rejection]:
            # The earlier a version, the longer it takes.
            await asyncio.sleep(10 - batch.records[0].position)
            ends.extend((each.id, each.position) for each in batch.records)
            return ()

        sent = [record(n, id="ab"[n % 2]) for n in range(8)]

        rejected, _ = deliver(Scripted(script), sent, concurrency=10)

        assert rejected == {}
        for id in "ab":
            positions = [position for each, position in ends if each == id]
            assert positions == sorted(positions)
            assert len(positions) == 4

    def test_ids_of_different_types_are_different(self):
        """7, "7" and 7.0 are three rows and do not wait for each other."""
        sent = [record(0, 7), record(1, "7"), record(2, 7.0), record(3, 7)]

        assert [[each.position for each in wave] for wave in waves(sent)] == [[0, 1, 2], [3]]


class TestRefusals:
    """A refused batch is searched for its culprit."""

    @pytest.mark.parametrize("culprit", [0, 1, 7, 31, 63])
    def test_a_refused_batch_is_halved_to_the_culprit(self, culprit):
        """One culprit in 64 is found with 2·log2(64) further calls, and alone is rejected."""
        plugin = Scripted(refusing(culprit))

        rejected, _ = deliver(plugin, records(64), batch_size=64, concurrency=1)

        assert rejected.keys() == {culprit}
        assert rejected[culprit].reason == "VENDOR_REJECTED: the vendor answered 422"
        assert len(plugin.batches) == 1 + 2 * 6

    def test_several_culprits_cost_no_more_than_twice_the_records(self):
        """Whatever the vendor refuses, a batch of n takes at most 2n - 1 calls."""
        plugin = Scripted(refusing(*range(32)))

        rejected, _ = deliver(plugin, records(32), batch_size=32)

        assert rejected.keys() == set(range(32))
        assert len(plugin.batches) == 2 * 32 - 1

    def test_each_record_is_delivered_once(self):
        """What was taken with one half is not sent again with another."""
        taken: list[int] = []

        async def script(batch: Batch[Any]) -> Iterable[Rejection]:
            if {3, 9} & {each.id for each in batch.records}:
                raise ht.RefusedError("no")
            taken.extend(each.id for each in batch.records)
            return ()

        rejected, _ = deliver(Scripted(script), records(20), batch_size=10)

        assert rejected.keys() == {3, 9}
        assert sorted(taken) == [n for n in range(20) if n not in {3, 9}]

    def test_a_vendor_that_may_apply_parts_is_not_asked_twice(self):
        """With ``halve = False`` a refused batch is rejected whole, after one call."""
        plugin = Scripted(refusing(1))

        rejected, _ = deliver(plugin, records(4), batch_size=4, halve=False)

        assert rejected.keys() == {0, 1, 2, 3}
        assert len(plugin.batches) == 1


class TestFatal:
    """A person must act: the call stops."""

    @pytest.mark.parametrize(
        "error", [ht.AuthError("no"), ht.ConfigError("no"), ht.FatalError("no")]
    )
    def test_fatal_from_the_start_is_raised(self, error):
        """Where nothing was delivered the call fails with the destination's error."""
        plugin = Scripted(failing(error))

        with pytest.raises(type(error)) as raised:
            deliver(plugin, records(100), concurrency=4)

        assert raised.value is error
        assert len(plugin.batches) == 4

    def test_fatal_stops_what_has_not_started(self):
        """What is in flight ends; what has not started is rejected as not sent."""
        finished: list[int] = []

        async def script(batch: Batch[Any]) -> Iterable[Rejection]:
            if batch.records[0].id == 0:
                await asyncio.sleep(1)
                raise ht.AuthError("the token was revoked")
            await asyncio.sleep(5)
            finished.append(batch.records[0].id)
            return ()

        rejected, seconds = deliver(Scripted(script), records(20), concurrency=4)

        assert sorted(finished) == [1, 2, 3]
        assert seconds == 5
        assert rejected.keys() == {0, *range(4, 20)}
        assert rejected[0].reason == "AUTH_FAILED: the token was revoked"
        assert {rejected[n].reason for n in range(4, 20)} == {
            "AUTH_FAILED: not sent: the token was revoked"
        }

    def test_fatal_after_an_unknown_outcome_is_reported_by_row(self):
        """A record that may have been delivered must be told apart, so the call does not fail."""

        async def script(batch: Batch[Any]) -> Iterable[Rejection]:
            await asyncio.sleep(batch.records[0].id)
            if batch.records[0].id == 0:
                raise ht.NoAnswer("timed out; may have been delivered")
            raise ht.AuthError("the token was revoked")

        rejected, _ = deliver(Scripted(script), records(3), concurrency=2)

        assert [rejected[n].code for n in range(3)] == [
            Code.OUTCOME_UNKNOWN,
            Code.AUTH_FAILED,
            Code.AUTH_FAILED,
        ]

    def test_fatal_holds_for_later_versions_of_a_row(self):
        """Rows that would have gone in a later wave are not sent either."""
        plugin = Scripted(failing(ht.AuthError("no")))

        with pytest.raises(ht.AuthError):
            deliver(plugin, [record(n, id="same") for n in range(5)])

        assert len(plugin.batches) == 1


class TestLanes:
    """A wrong target stops its lane only."""

    def test_a_target_error_stops_its_lane(self):
        """The lane's other records are rejected without being sent; other lanes go on."""
        plugin = Scripted(
            failing(ht.TargetError("no such channel"), lambda each: each.fields["lane"] == "bad")
        )
        sent = [record(n, lane="bad" if n % 2 else "good") for n in range(20)]

        rejected, _ = deliver(plugin, sent, concurrency=1)

        assert rejected.keys() == {n for n in range(20) if n % 2}
        assert rejected[1].reason == "VENDOR_REJECTED: no such channel"
        assert {rejected[n].reason for n in range(3, 20, 2)} == {
            "VENDOR_REJECTED: not sent: no such channel"
        }
        assert len(plugin.batches) == 11

    def test_the_first_target_error_of_a_lane_is_the_reason(self):
        """Records that were in flight keep their own errors."""

        async def script(batch: Batch[Any]) -> Iterable[Rejection]:
            await asyncio.sleep(1 + batch.records[0].id)
            raise ht.TargetError(f"error {batch.records[0].id}")

        rejected, _ = deliver(Scripted(script), records(4), concurrency=2)

        assert [rejected[n].message for n in range(4)] == [
            "error 0",
            "error 1",
            "not sent: error 0",
            "not sent: error 0",
        ]


class TestOrder:
    """Lanes whose batches go in order."""

    @staticmethod
    async def slow_at_first(batch: Batch[Any]) -> Iterable[Rejection]:
        """Earlier batches take longer."""
        await asyncio.sleep(10 - batch.records[0].id)
        return ()

    def test_a_lane_goes_in_order_beside_the_others(self):
        """A batch waits for the one before it in its lane, and for no other lane's."""
        plugin = Scripted()
        sent = [record(n, lane="ab"[n % 2]) for n in range(8)]

        rejected, seconds = deliver(plugin, sent, in_order=True)

        assert (rejected, seconds, plugin.most) == ({}, 4, 2)
        for lane in (0, 1):
            ids = [id for [id] in plugin.batches if id % 2 == lane]
            assert ids == sorted(ids)

    def test_a_slow_batch_is_not_overtaken(self):
        """However long it takes, and though there are permits for more."""
        plugin = Scripted(self.slow_at_first)

        deliver(plugin, records(4), in_order=True)

        assert plugin.batches == [[0], [1], [2], [3]]
        assert plugin.most == 1

    def test_halves_stay_in_their_place(self):
        """The parts of a refused batch go before what comes after it."""
        plugin = Scripted(refusing(1))

        rejected, _ = deliver(plugin, records(6), batch_size=4, in_order=True)

        assert rejected.keys() == {1}
        assert plugin.batches == [[0, 1, 2, 3], [0, 1], [0], [1], [2, 3], [4, 5]]


class TestOtherErrors:
    """Errors that concern the batch alone."""

    @pytest.mark.parametrize(
        "error",
        [
            ht.UnavailableError("not sent: could not connect"),
            ht.RateLimited("not sent: slow down"),
            ht.NoAnswer("timed out; may have been delivered"),
            CircuitOpen("not sent: the vendor failed too often"),
            ht.RowError("too long"),
            DestinationError("no", code=Code.DUPLICATE),
        ],
    )
    def test_the_batch_is_rejected_and_the_others_go_on(self, error):
        """A raised error is the fate of its batch's records, and of no other's."""
        plugin = Scripted(failing(error, lambda each: each.id in (2, 3)))

        rejected, _ = deliver(plugin, records(10), batch_size=2)

        assert rejected == {2: error, 3: error}
        assert len(plugin.batches) == 5

    def test_returned_rejections_are_reported_by_position(self):
        """Records that a destination mentions were not delivered; the others were."""

        async def script(batch: Batch[Any]) -> Iterable[Rejection]:
            return (
                each.reject(ht.RowError(f"odd {each.id}")) for each in batch.records if each.id % 2
            )

        rejected, _ = deliver(Scripted(script), records(6), batch_size=3)

        assert {n: error.message for n, error in rejected.items()} == {
            1: "odd 1",
            3: "odd 3",
            5: "odd 5",
        }

    def test_a_record_that_is_mentioned_twice_has_its_first_reason(self):
        """Only one reason is kept for a record."""

        async def script(batch: Batch[Any]) -> Iterable[Rejection]:
            [one] = batch.records
            return [one.reject(ht.RowError("first")), one.reject(ht.RowError("second"))]

        rejected, _ = deliver(Scripted(script), records(1))

        assert rejected[0].message == "first"


class TestBugs:
    """Whatever a destination does wrong costs its batch only, and shows nothing."""

    @pytest.mark.parametrize(
        "error",
        [
            ValueError(SECRET),
            KeyError(SECRET),
            RecursionError(SECRET),
            TimeoutError(SECRET),
            AssertionError(SECRET),
            ExceptionGroup(SECRET, [ValueError(SECRET)]),
            StopAsyncIteration(SECRET),
        ],
    )
    def test_a_bug_is_a_reference(self, error):
        """The rows get a reference that stands in the log too; the text is in neither."""
        plugin = Scripted(failing(error, lambda each: each.id == 1))

        with capture_logs() as logged:
            rejected, _ = deliver(plugin, records(3))

        assert rejected.keys() == {1}
        assert rejected[1].code is Code.INTERNAL
        [line] = [each for each in logged if each["event"] == "bug.caught"]
        assert line["reference"] in rejected[1].reason
        assert "may have been delivered" in rejected[1].reason
        assert SECRET not in rejected[1].reason + str(logged)
        assert any("test_run.py" in place for place in line["at"])

    def test_a_destination_that_cancels_itself_is_a_bug(self):
        """A cancellation that nobody asked for is not passed on: the other batches go on."""
        plugin = Scripted(failing(asyncio.CancelledError(), lambda each: each.id == 1))

        rejected, _ = deliver(plugin, records(4), concurrency=2)

        assert rejected.keys() == {1}
        assert rejected[1].code is Code.INTERNAL

    def test_a_record_without_a_lane_is_rejected_alone(self):
        """What ``lane`` raises is the fate of that record, in a later wave, too."""

        class Laned(Scripted):
            def lane(self, record: Record, options: ht.NoOptions) -> str:
                if record.position == 1:
                    raise ht.RowError("no channel")
                return {"lane": "a"}["lane" if record.position != 4 else SECRET]

        plugin = Laned()
        sent = [record(n, id="same" if n > 2 else n) for n in range(6)]

        rejected, _ = deliver(plugin, sent)

        assert rejected.keys() == {1, 4}
        assert rejected[1].reason == "INVALID_ROW: no channel"
        assert rejected[4].code is Code.INTERNAL
        assert SECRET not in rejected[4].reason

    @pytest.mark.parametrize("position", [-1, 0, 2, 99])
    def test_a_position_of_another_batch_is_a_bug(self, position):
        """A rejection of a record that is not in the batch makes its whole batch unknown."""

        async def script(batch: Batch[Any]) -> Iterable[Rejection]:
            if batch.records[0].id == 1:
                return [Rejection(position, ht.RowError("whose?"))]
            return ()

        rejected, _ = deliver(Scripted(script), records(3))

        assert rejected.keys() == {1}
        assert rejected[1].code is Code.INTERNAL

    @pytest.mark.parametrize("returned", [None, 5, "text", [None], [1]])
    def test_an_answer_of_another_shape_is_a_bug(self, returned):
        """What is no list of rejections makes the batch's outcome unknown."""

        async def script(batch: Batch[Any]) -> Any:
            return returned

        rejected, _ = deliver(Scripted(script), records(1))

        assert rejected[0].code is Code.INTERNAL

    def test_a_bug_keeps_what_is_known_of_other_batches(self):
        """A bug after deliveries is no reason to fail the call."""
        plugin = Scripted(failing(ValueError(SECRET), lambda each: each.id == 9))

        rejected, _ = deliver(plugin, records(10), concurrency=1)

        assert rejected.keys() == {9}


class TestDeadline:
    """The answer goes out in time, and says what is known."""

    def test_what_was_not_reached_was_not_sent(self):
        """At the deadline the rest is rejected as not sent, and nothing more is started."""
        plugin = Scripted()

        rejected, seconds = deliver(plugin, records(100), deadline=25, concurrency=1)

        assert seconds <= 25 - ANSWER
        delivered = set(range(100)) - rejected.keys()
        assert delivered == set(range(24))
        assert {error.reason for error in rejected.values()} == {
            "DEADLINE_NOT_SENT: not sent: the call's time was used up"
        }
        assert max(plugin.started) <= 25 - ANSWER - LEAST
        assert len(plugin.batches) == 24

    def test_what_is_in_flight_may_have_been_delivered(self):
        """A delivery that does not end in time is cut off; its outcome is unknown."""

        async def script(batch: Batch[Any]) -> Iterable[Rejection]:
            await asyncio.sleep(1 if batch.records[0].id % 2 else 3600)
            return ()

        rejected, seconds = deliver(Scripted(script), records(9), deadline=25, concurrency=4)

        assert seconds == 25 - ANSWER
        reasons = {n: error.reason for n, error in rejected.items()}
        unknown = "OUTCOME_UNKNOWN: no answer before the deadline; may have been delivered"
        not_sent = "DEADLINE_NOT_SENT: not sent: the call's time was used up"
        assert reasons == {0: unknown, 2: unknown, 4: unknown, 6: unknown, 7: not_sent, 8: not_sent}

    def test_waiting_for_a_permit_ends_at_the_deadline(self):
        """A call that is never given a permit answers in time that nothing was sent."""

        async def scenario() -> tuple[list[Code], float]:
            permits = asyncio.Semaphore(0)
            run = a_call(Scripted(), ht.Limits(), permits, 10)
            rejections = await run.deliver(records(3))
            return [each.error.code for each in rejections], asyncio.get_running_loop().time()

        assert run_virtually(scenario()) == ([Code.DEADLINE_NOT_SENT] * 3, 10 - ANSWER)

    def test_permits_come_back(self):
        """Whatever becomes of a delivery, its permit is free again."""
        outcomes: list[Exception | None] = [ValueError("x"), ht.AuthError("x"), None]

        async def script(batch: Batch[Any]) -> Iterable[Rejection]:
            if batch.records[0].id < len(outcomes):
                if error := outcomes[batch.records[0].id]:
                    raise error
                await asyncio.sleep(3600)
            return ()

        async def scenario() -> int:
            permits = asyncio.Semaphore(3)
            run = a_call(Scripted(script), ht.Limits(), permits, 10)
            await run.deliver(records(3))
            for _ in range(3):
                await asyncio.wait_for(permits.acquire(), 1)
            return 3

        assert run_virtually(scenario()) == 3

    def test_a_later_version_is_not_sent_after_the_deadline(self):
        """Waves that are not reached are not sent."""

        async def script(batch: Batch[Any]) -> Iterable[Rejection]:
            await asyncio.sleep(20)
            return ()

        sent = [record(n, id="same") for n in range(3)]

        rejected, seconds = deliver(Scripted(script), sent, deadline=25)

        assert [rejected[n].code for n in (1, 2)] == [
            Code.OUTCOME_UNKNOWN,
            Code.DEADLINE_NOT_SENT,
        ]
        assert seconds == 25 - ANSWER

    def test_the_client_learns_the_deadline(self):
        """Requests made inside ``deliver`` know when the call ends."""
        seen = []

        async def script(batch: Batch[Any]) -> Iterable[Rejection]:
            seen.append(DELIVERY.get().deadline.at)
            return ()

        deliver(Scripted(script), records(1), deadline=25)

        assert seen == [25]

    def test_a_hundred_rows_at_one_a_second(self):
        """A slow vendor gets what fits; every other row is named, none twice."""
        plugin = Scripted()

        rejected, _ = deliver(plugin, records(100), deadline=25, concurrency=1)

        sent = list(itertools.chain(*plugin.batches))
        assert len(sent) == len(set(sent))
        assert set(sent) | rejected.keys() == set(range(100))
        assert not set(sent) & rejected.keys()


def test_a_caller_that_gives_up_ends_the_deliveries():
    """Cancelling a run cancels what it started and leaves nothing behind."""
    plugin = Scripted()

    async def scenario() -> int:
        permits = asyncio.Semaphore(2)
        run = a_call(plugin, ht.Limits(), permits, 1000)
        task = asyncio.create_task(run.deliver(records(10)))
        await asyncio.sleep(0.5)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.wait_for(permits.acquire(), 1)
        await asyncio.wait_for(permits.acquire(), 1)
        return plugin.running

    assert run_virtually(scenario()) == 0
    assert len(plugin.batches) == 2


def test_reasons_of_a_run_are_reasons():
    """Every rejection of a run can be shown as it stands."""
    plugin = Scripted(failing(ValueError("x\ny")))

    rejected, _ = deliver(plugin, records(2), deadline=25)

    for error in rejected.values():
        assert error.reason == reason(error.code, error.message)
        assert "\n" not in error.reason


def test_a_destination_that_will_not_be_cut_off_is_not_waited_for() -> None:
    """A delivery that swallows its cancellation is reported at the deadline all the same."""

    class Stubborn(ht.Destination[ht.NoOptions, ht.NoOptions]):
        kind = "stubborn"

        async def deliver(self, batch: ht.Batch[ht.NoOptions]) -> list[ht.Rejection]:
            for _ in range(3):
                try:
                    await asyncio.sleep(100)
                except asyncio.CancelledError:
                    continue
            return []

    async def scenario() -> tuple[float, tuple[ht.Rejection, ...]]:
        plugin = Stubborn(ht.NoOptions())
        run = a_call(plugin, ht.Limits(), asyncio.Semaphore(1), 25)
        rejections = await run.deliver([ht.Record(0, "a", {}, {})])
        return asyncio.get_running_loop().time(), rejections

    ended, rejections = run_virtually(scenario())

    assert ended < 25
    assert [each.error.code for each in rejections] == [ht.Code.OUTCOME_UNKNOWN]


def test_nothing_more_is_sent_by_a_destination_that_will_not_be_cut_off() -> None:
    """Once the caller has given up, a worker that comes back takes up nothing new."""

    async def script(batch: Batch[Any]) -> Iterable[Rejection]:
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(100)
        return ()

    plugin = Scripted(script)

    async def scenario() -> None:
        call = a_call(plugin, ht.Limits(concurrency=2), asyncio.Semaphore(2), 1000)
        task = asyncio.create_task(call.deliver(records(10)))
        await asyncio.sleep(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.sleep(500)

    run_virtually(scenario())

    assert plugin.batches == [[0], [1]]


def test_what_was_delivered_is_told_though_it_could_not_be_noted_in_time() -> None:
    """The deadline while outcomes are being written changes nothing about them."""

    class Slow(NoMemory):
        """Takes an hour to note what it was not told before."""

        def __init__(self) -> None:
            self.told: set[int] = set()

        async def settle(self, outcomes: Iterable[tuple[Record, Outcome]]) -> None:
            if new := {record.position for record, _ in outcomes} - self.told:
                self.told |= new
                await asyncio.sleep(3600)

    async def scenario() -> tuple[list[tuple[int, Code]], float]:
        limits, memory = ht.Limits(concurrency=2), Slow()
        memory.told = {2}
        call = a_call(Scripted(), limits, asyncio.Semaphore(2), 10, memory=memory)
        rejections = await call.deliver(records(3))
        told = [(each.position, each.error.code) for each in rejections]
        return told, asyncio.get_running_loop().time()

    assert run_virtually(scenario()) == ([(2, Code.DEADLINE_NOT_SENT)], 10 - ANSWER)


@pytest.mark.parametrize("name", ["batch_size", "concurrency", "attempts", "timeout", "latency"])
def test_limits_with_which_nothing_could_be_delivered_are_refused(name: str) -> None:
    """A limit of zero is a mistake, not a way to deliver nothing and report success."""
    with pytest.raises(ValueError, match="greater than zero"):
        ht.Limits(**{name: 0})


def test_rows_that_cannot_be_mapped_in_time_are_not_sent() -> None:
    """Once the deadline is near, rows that are still to be mapped are rejected as not sent."""
    rows = [Row(n, n, {"a": n}) for n in range(3)]
    plan = Plan(FieldMapping(), (), ht.Operation.ADD)

    async def scenario(deadline: float) -> Any:
        return await Mapper(plan, rows, Deadline(deadline)).chunk()

    assert len(run_virtually(scenario(25))[0]) == 3
    records, rejections = run_virtually(scenario(-1))
    assert records == []
    assert {each.error.code for each in rejections} == {Code.DEADLINE_NOT_SENT}


# Groups and what is not wanted ------------------------------------------------------------------


class Choosy(Scripted):
    """Delivers a household together, and nothing about those who did not ask for it."""

    def group(self, record: Record, options: ht.NoOptions) -> Any:
        return record.fields.get("household")

    def wanted(self, record: Record, batch: Batch[ht.NoOptions]) -> bool:
        asked = record.fields.get("asked", True)
        if asked is None:
            raise ht.RowError("asked: unknown")
        return bool(asked) or batch.operation == "remove"


def test_records_of_a_group_are_delivered_together():
    """However far apart they stand, records of one group are in one batch, in their order."""
    sent = [record(n, household="ab"[n % 2] if n < 6 else None) for n in range(8)]
    plugin = Choosy()

    errors, _ = deliver(plugin, sent)

    assert errors == {}
    assert plugin.batches == [[0, 2, 4], [1, 3, 5], [6], [7]]


def test_the_batch_size_counts_groups():
    """Where there are groups, a batch holds so many of them; a record without one is one itself."""
    sent = [record(n, household="abc"[n % 3] if n < 6 else None) for n in range(8)]
    plugin = Choosy()

    deliver(plugin, sent, batch_size=2)

    assert plugin.batches == [[0, 3, 1, 4], [2, 5, 6], [7]]


def test_a_refused_batch_is_halved_between_groups():
    """A group that is refused is rejected whole: what belongs together is not torn apart."""
    sent = [record(n, household="abc"[n % 3]) for n in range(9)]
    plugin = Choosy(refusing(4))

    errors, _ = deliver(plugin, sent, batch_size=3)

    assert sorted(errors) == [1, 4, 7]
    assert plugin.batches == [
        [0, 3, 6, 1, 4, 7, 2, 5, 8],
        [0, 3, 6],
        [1, 4, 7, 2, 5, 8],
        [1, 4, 7],
        [2, 5, 8],
    ]


def test_a_group_has_a_largest_size():
    """A group of more than a thousand records is cut."""
    plugin = Choosy()

    deliver(plugin, [record(n, household=1) for n in range(2_001)])

    assert [len(batch) for batch in plugin.batches] == [1_000, 1_000, 1]


def test_what_is_not_wanted_is_neither_sent_nor_an_error():
    """A record that a destination does not want is counted as skipped, and not as delivered."""
    sent = [record(0, asked=False), record(1), record(2, asked=None)]
    plugin = Choosy()

    async def scenario() -> Any:
        call = a_call(plugin, ht.Limits(), asyncio.Semaphore(1), 100.0)
        rejections = await call.deliver(sent)
        return rejections, call

    rejections, call = run_virtually(scenario())

    assert plugin.batches == [[1]]
    assert [(one.position, one.error.message) for one in rejections] == [(2, "asked: unknown")]
    assert call._run.questions.skipped == [0]
