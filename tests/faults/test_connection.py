"""Faults F01 to F17, but for names and certificates: what may befall a connection to a vendor."""

import asyncio
import socket
import threading
import time
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import certificates
import pytest
from scene import rows, webhook

from destination import registry
from destination.testing import answers, faults
from destination.testing.script import Script, Step
from destination.vendor import breaker, client, resolver
from destinations.webhook import Webhook

NOT_CONNECTED = "CONNECT_FAILED: not sent: could not connect to the vendor"
TIMED_OUT = "OUTCOME_UNKNOWN: no usable answer (timed out); may have been delivered"
LOST = "OUTCOME_UNKNOWN: no usable answer (connection lost); may have been delivered"
TIMEOUT, TOLERANCE = 1.0, 0.25
MIB = 1024 * 1024


class Judging(Webhook):
    """A vendor whose verdict stands in the answer's body."""

    kind = "judging"

    async def deliver(self, batch):
        [record] = batch.records
        body = {"operation": batch.operation, "id": record.id, "fields": record.fields}
        await self.http.request("POST", str(self.settings.url), json=body)
        return ()


@pytest.fixture
def judging(serve, monkeypatch):
    """The kind above, as if it were installed."""

    class Point:
        name = Judging.kind

        @staticmethod
        def load():
            return Judging

    monkeypatch.setattr(registry, "_entry_points", lambda: [Point])
    return Judging.kind


class TestConnecting:
    """F01 to F04: there is no connection."""

    async def test_f01_a_refused_connection_is_tried_three_times(self, stage):
        """Nobody listens: three attempts, and the row was certainly not sent."""
        scene = await stage()
        scene.proxy.refuse()

        answer = await scene.call("add", rows(1))

        assert answer.rejected == {1: NOT_CONNECTED}
        assert scene.attempts() == {"CONNECT_FAILED": 3}
        await scene.heals()

    async def test_f01_connections_that_are_refused_open_the_circuit(self, stage, short_rest):
        """After ten refusals the rest is not tried; after the rest all is well again."""
        scene = await stage(concurrency=1)
        scene.proxy.refuse()

        answer = await scene.call("add", rows(30))

        assert set(answer.codes) == set(range(1, 31))
        assert set(answer.outcomes) == {"CONNECT_FAILED", "CIRCUIT_OPEN"}
        assert all("not sent" in reason for reason in answer.rejected.values())
        assert scene.attempts() == {"CONNECT_FAILED": breaker.CONSECUTIVE}
        await scene.heals(within=10 * short_rest)

    def test_f01_the_first_rest_is_short_enough(self):
        """The first rest ends within 35 seconds, however chance lengthens it."""
        assert breaker.REST * 1.1 <= 35

    async def test_f02_a_black_hole_costs_a_bounded_wait(self, stage, monkeypatch):
        """What is never accepted is given up long before the attempt's time is over."""
        assert client.LONGEST_CONNECTING <= 3.0
        monkeypatch.setattr(client, "LONGEST_CONNECTING", 0.4)
        scene = await stage(attempts=1)
        scene.proxy.ignore()

        answer = await scene.call("add", rows(5))

        assert answer.rejected == dict.fromkeys(range(1, 6), NOT_CONNECTED)
        assert answer.lasted >= 0.4
        assert answer.seconds < 1.4
        await scene.heals()

    async def test_f02_an_attempt_s_own_time_bounds_connecting_too(self, stage):
        """With a short timeout a black hole costs no more than that, and leaves nothing open."""
        scene = await stage(attempts=1, timeout=0.3)
        scene.proxy.ignore()

        answer = await scene.call("add", rows(2))

        assert answer.outcomes == {"CONNECT_FAILED": 2}
        assert answer.seconds < 1.3
        await scene.heals()

    async def test_f03_a_name_that_does_not_exist_is_looked_up_once(
        self, stage, names, short_rest, monkeypatch
    ):
        """Twenty rows and their attempts ask for it once, and were not sent."""
        monkeypatch.setattr(resolver, "UNKNOWN_FOR", 2.0)
        names.found["vendor.example"] = socket.gaierror(socket.EAI_NONAME, "unknown")
        scene = await stage(host="vendor.example")

        answer = await scene.call("add", rows(20))

        assert set(answer.outcomes) <= {"CONNECT_FAILED", "CIRCUIT_OPEN"}
        assert len(answer.codes) == 20
        assert names.asked == {"vendor.example": 1}
        names.found["vendor.example"] = ["127.0.0.1"]
        await scene.heals(within=10)

    async def test_f04_a_resolver_that_fails_is_no_lasting_harm(self, stage, names):
        """After SERVFAIL rows were not sent, and the next lookup is believed."""
        names.found["vendor.example"] = socket.gaierror(socket.EAI_AGAIN, "try again")
        scene = await stage(host="vendor.example", attempts=1)

        answer = await scene.call("add", rows(5))

        assert answer.rejected == dict.fromkeys(range(1, 6), NOT_CONNECTED)
        names.found["vendor.example"] = ["127.0.0.1"]
        await scene.heals()

    async def test_f04_a_resolver_that_hangs_costs_its_own_destination_only(
        self, stage, names, short_rest, monkeypatch, vendor
    ):
        """Rows are back when patience ends, and another destination is as fast as before."""
        monkeypatch.setattr(resolver, "PATIENCE", 0.5)
        names.found["vendor.example"] = released = threading.Event()
        others = {"well": webhook(f"{vendor.url}/rows")}
        scene = await stage(host="vendor.example", attempts=1, destinations=others)
        well = replace(scene, path="/hightouch/well")
        await vendor.play(Script((Step(delay=0.5),)))

        async def slowest(start):
            calls = (well.call("add", rows(1, start + n)) for n in range(10))
            done = await asyncio.gather(*calls)
            assert all(each.rejected == {} for each in done)
            return max(each.seconds for each in done)

        before = await slowest(100)
        hanging = [asyncio.create_task(scene.call("add", rows(5, n))) for n in (1, 11, 21)]
        during = await slowest(200)
        rejected = await asyncio.gather(*hanging)

        assert during <= 1.2 * before
        for answer in rejected:
            assert set(answer.outcomes) <= {"CONNECT_FAILED", "CIRCUIT_OPEN"}
            assert len(answer.codes) == 5
            assert answer.seconds <= 2.0
        names.found["vendor.example"] = ["127.0.0.1"]
        released.set()
        await scene.heals(within=5)


class TestTime:
    """F07 to F11: something takes for ever."""

    async def test_f07_a_handshake_that_hangs_was_not_sent(self, stage, ours, monkeypatch):
        """Who accepts and says nothing is given up with the budget for connecting."""
        monkeypatch.setattr(client, "LONGEST_CONNECTING", 0.4)
        scene = await stage(attempts=1, tls=certificates.good(ours))
        scene.proxy.always = faults.hang

        answer = await scene.call("add", rows(5))

        assert answer.rejected == dict.fromkeys(range(1, 6), NOT_CONNECTED)
        assert answer.lasted >= 0.4
        assert answer.seconds < 1.4
        assert scene.inside.received == 0
        await scene.heals()

    @pytest.mark.parametrize(
        "fault",
        [faults.hang, faults.forwarded(faults.hang), faults.drip(1, 0.05)],
        ids=["f08-no-answer", "f08-taken", "f09-headers"],
    )
    @pytest.mark.parametrize("count", [1, 5])
    async def test_f08_f09_an_attempt_ends_by_the_clock(self, stage, fault, count):
        """No answer, or one that drips, costs the attempt's time and leaves the outcome open."""
        scene = await stage(timeout=TIMEOUT)
        scene.proxy.always = fault

        answer = await scene.call("add", rows(count))

        assert answer.rejected == dict.fromkeys(range(1, count + 1), TIMED_OUT)
        assert answer.lasted >= TIMEOUT - TOLERANCE
        assert answer.seconds <= TIMEOUT + TOLERANCE
        assert scene.proxy.connections == count
        await scene.heals()

    async def test_f08_the_vendor_s_own_silence_is_the_same(self, stage):
        """A vendor that took the row and never answers leaves its outcome open."""
        scene = await stage(timeout=TIMEOUT)
        await scene.vendor.play(Script(rows={"2": (Step(do="hang", taken=True),)}))

        answer = await scene.call("add", rows(3))

        assert answer.rejected == {2: TIMED_OUT}
        assert scene.effects() == {1: 1, 2: 1, 3: 1}
        await scene.heals()

    @pytest.mark.parametrize(("kind", "rejected"), [("webhook", {}), ("judging", {1: TIMED_OUT})])
    async def test_f10_a_body_that_drips_ends_by_the_clock(self, stage, judging, kind, rejected):
        """A status that acknowledges does so; where the body does, the outcome stays open."""
        scene = await stage(timeout=TIMEOUT, kind=kind)
        scene.proxy.always = faults.drip(1, 0.1, after_head=True)

        answer = await scene.call("add", rows(1))

        assert answer.rejected == rejected
        assert answer.lasted >= TIMEOUT - TOLERANCE
        assert answer.seconds <= TIMEOUT + TOLERANCE
        assert scene.effects() == {1: 1}
        await scene.heals()

    async def test_f11_a_vendor_that_stops_reading(self, stage):
        """A body that is not taken ends by the clock too, and may have been delivered."""
        scene = await stage(timeout=TIMEOUT, batching="array", window=4096)
        scene.proxy.always = faults.stop_reading(1000)
        sent = [each | {"name": "x" * 200_000} for each in rows(50)]

        answer = await scene.call("add", sent)

        assert answer.rejected == dict.fromkeys(range(1, 51), TIMED_OUT)
        assert answer.seconds <= TIMEOUT + 4  # ten megabytes are read and mapped as well
        assert scene.proxy.received < 9 * MIB
        assert scene.requests() == 0
        await scene.heals()


class TestLoss:
    """F12 to F15: the connection ends."""

    async def test_f12_a_reset_in_the_handshake_is_repeated(self, stage, ours):
        """Nothing of the request was sent: the row goes out again, and once."""
        scene = await stage(tls=certificates.good(ours))
        scene.proxy.next(faults.reset)

        answer = await scene.call("add", rows(1))

        assert answer.rejected == {}
        assert scene.attempts() == {"CONNECT_FAILED": 1, "accepted": 1}
        assert scene.effects() == {1: 1}
        await scene.heals()

    @pytest.mark.parametrize("settings", [{"idempotent": True}, {"method": "PUT"}])
    @pytest.mark.parametrize("fault", [faults.reset, faults.close])
    async def test_f12_a_reset_before_any_byte_was_read(self, stage, settings, fault):
        """What is harmless to repeat is repeated, and taken once."""
        scene = await stage(**settings)
        scene.proxy.next(fault)

        answer = await scene.call("add", rows(1))

        assert answer.rejected == {}
        assert scene.effects() == {1: 1}
        await scene.heals()

    async def test_f12_what_was_written_is_not_repeated(self, stage):
        """Where a reset comes after the request was handed over, nobody knows who read it."""
        scene = await stage()
        scene.proxy.next(faults.received(faults.reset))

        answer = await scene.call("add", rows(1))

        assert answer.rejected == {1: LOST}
        assert scene.attempts() == {"OUTCOME_UNKNOWN": 1}
        assert scene.effects() == {}
        await scene.heals()

    @pytest.mark.parametrize("end", [faults.reset, faults.close])
    async def test_f13_a_reset_after_the_request_leaves_the_outcome_unknown(self, stage, end):
        """The vendor took it and its answer is lost: no second attempt in this call."""
        scene = await stage()
        scene.proxy.next(faults.forwarded(end))

        answer = await scene.call("add", rows(1))

        assert answer.rejected == {1: LOST}
        assert scene.attempts() == {"OUTCOME_UNKNOWN": 1}
        assert scene.effects() == {1: 1}
        again = await scene.call("add", rows(1))
        assert (again.rejected, scene.effects()) == ({}, {1: 2})
        await scene.heals()

    @pytest.mark.parametrize("settings", [{"idempotent": True}, {"method": "PUT"}])
    async def test_f13_what_may_be_repeated_is_accepted(self, stage, settings):
        """Where sending twice is harmless the row is sent again and acknowledged."""
        scene = await stage(**settings)
        scene.proxy.next(faults.forwarded(faults.reset))

        answer = await scene.call("add", rows(1))

        assert answer.rejected == {}
        assert scene.effects() == {1: 2}
        await scene.heals(extra=2)

    @pytest.mark.parametrize(("kind", "rejected"), [("webhook", {}), ("judging", {1: LOST})])
    @pytest.mark.parametrize(
        "fault",
        [
            faults.truncated(3, faults.reset),
            faults.truncated(3),
            faults.cut_chunk(3, faults.reset),
            faults.cut_chunk(3),
        ],
        ids=["reset", "short", "chunk-reset", "chunk"],
    )
    async def test_f14_an_end_amid_the_answer(self, stage, judging, kind, rejected, fault):
        """A 2xx acknowledges where the status is the verdict; where the body is, nothing does."""
        scene = await stage(kind=kind)
        scene.proxy.next(fault)

        answer = await scene.call("add", rows(1))

        assert answer.rejected == rejected
        assert scene.effects() == {1: 1}
        await scene.heals()

    async def test_f14_an_end_before_the_status_is_whole(self, stage):
        """Half a head acknowledges nothing."""
        scene = await stage()
        scene.proxy.next(faults.altered(lambda answer: answer.head[:-2], faults.reset))

        answer = await scene.call("add", rows(1))

        assert answer.rejected == {1: LOST}
        await scene.heals()

    @pytest.mark.parametrize("end", [faults.reset, faults.close])
    async def test_f15_a_kept_connection_that_ends_amid_the_next_request(self, stage, end):
        """That one row's outcome is open; its neighbours are delivered, each once."""
        scene = await stage(concurrency=1)
        scene.proxy.next(faults.stale(end))

        answer = await scene.call("add", rows(3))

        assert answer.rejected == {2: LOST}
        assert scene.effects() == {1: 1, 3: 1}
        await scene.heals()

    @pytest.mark.parametrize("end", [faults.reset, faults.close])
    async def test_f15_what_may_be_repeated_goes_out_again(self, stage, end):
        """Where sending twice is harmless a stale connection costs nothing."""
        scene = await stage(concurrency=1, idempotent=True)
        scene.proxy.next(faults.stale(end))

        answer = await scene.call("add", rows(3))

        assert answer.rejected == {}
        assert scene.effects() == {1: 1, 2: 1, 3: 1}
        await scene.heals(extra=2)

    @pytest.mark.parametrize("end", [faults.reset, faults.close])
    async def test_f15_a_connection_that_ended_while_idle_is_not_used(self, stage, end):
        """A row that comes later goes out on another connection, without a second attempt."""
        scene = await stage(concurrency=1)
        scene.proxy.next(faults.idle(0.01, end))
        assert (await scene.call("add", rows(1))).rejected == {}
        await asyncio.wait_for(scene.proxy.over(), 5)

        answer = await scene.call("add", rows(3, 11))

        assert answer.rejected == {}
        assert scene.attempts() == {"accepted": 4}
        assert scene.proxy.connections == 2
        await scene.heals()

    async def test_f15_an_answer_to_nothing_is_not_the_next_row_s(self, stage):
        """What a vendor sends on an idle connection acknowledges no row that comes later."""
        idle, said = asyncio.Event(), asyncio.Event()

        async def talkative(link):
            await faults.exchange(link)
            await idle.wait()
            await link.send(answers.response(200, b"{}"))
            said.set()
            await faults.hang(link)

        scene = await stage(concurrency=1)
        scene.proxy.next(talkative)
        await scene.vendor.play(Script(rows={"2": (Step(422),)}))
        assert (await scene.call("add", rows(1))).rejected == {}
        idle.set()
        await said.wait()

        answer = await scene.call("add", rows(1, 2))

        assert answer.rejected == {2: "VENDOR_REJECTED: the vendor answered 422"}
        await scene.heals()


class Resident:
    """The most memory that this process had while it was watched, beyond what it had before."""

    def __init__(self):
        self.before = self.most = self.now()

    @staticmethod
    def now():
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return pages * 4096

    @property
    def grown(self):
        return self.most - self.before

    @classmethod
    @contextmanager
    def watched(cls):
        watch, over = cls(), threading.Event()

        def look():
            while not over.wait(0.002):
                watch.most = max(watch.most, watch.now())

        thread = threading.Thread(target=look)
        thread.start()
        try:
            yield watch
        finally:
            over.set()
            thread.join()


class TestNonsense:
    """F16 and F17: what comes is no answer, or too much of one."""

    @pytest.mark.parametrize(
        "fault",
        [
            answers.GARBAGE,
            answers.answer(b"SSH-2.0-OpenSSH_9.9\r\n", faults.close),
            answers.answer(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab"),
            answers.answer(b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n"),
            answers.answer(b"HTTP/9.9 200 OK\r\n\r\n", faults.close),
            answers.answer(b"HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n"),
            answers.answer(b"HTTP/1.1 099 No\r\nContent-Length: 0\r\n\r\n"),
            answers.ENDLESS_HEADERS,
            answers.huge_headers(),
            answers.huge_header(),
        ],
        ids=[
            "garbage", "ssh", "two-lengths", "negative", "version", "status", "low-status",
            "endless-headers", "f17-headers", "f17-header",
        ],
    )  # fmt: skip
    async def test_f16_f17_what_is_no_answer_leaves_the_outcome_open(self, stage, fault):
        """The row may have been delivered; it costs one attempt, little memory and little time."""
        scene = await stage(concurrency=1, timeout=TIMEOUT)
        assert (await scene.call("add", rows(5, 100))).rejected == {}
        before = scene.attempts()
        scene.proxy.next(fault)

        with Resident.watched() as memory:
            answer = await scene.call("add", rows(3))

        assert answer.outcomes == {"OUTCOME_UNKNOWN": 1}
        assert "may have been delivered" in answer.rejected[1]
        assert scene.attempts() - before == {"OUTCOME_UNKNOWN": 1, "accepted": 2}
        assert answer.seconds <= TIMEOUT + TOLERANCE
        assert memory.grown <= 5 * MIB
        await scene.heals()

    async def test_f16_interim_answers_without_end(self, stage):
        """They cost the attempt's time and no more, and no more than a little memory."""
        scene = await stage(concurrency=1, timeout=TIMEOUT)
        assert (await scene.call("add", rows(5, 100))).rejected == {}
        scene.proxy.next(answers.ENDLESS_INTERIM)

        with Resident.watched() as memory:
            answer = await scene.call("add", rows(1))

        assert answer.rejected == {1: TIMED_OUT}
        assert answer.seconds <= TIMEOUT + TOLERANCE
        assert memory.grown <= 5 * MIB
        await scene.heals()

    async def test_f16_a_switch_of_protocols_is_no_answer(self, stage):
        """Nobody asked for another protocol: the outcome is open, the connection is not kept."""
        scene = await stage(concurrency=1, timeout=TIMEOUT)
        scene.proxy.next(
            answers.answer(b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n")
        )
        started = time.monotonic()

        answer = await scene.call("add", rows(3))

        assert answer.outcomes == {"OUTCOME_UNKNOWN": 1}
        assert time.monotonic() - started <= TIMEOUT + TOLERANCE
        assert scene.proxy.connections == 2
        await scene.heals()
