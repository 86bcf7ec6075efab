"""
Faults F14 and F17 to F40: what a vendor may answer.

Two kinds of vendors are shown: the webhook, whose verdict is the status, and ``verdict``, made
here, whose verdict is in the body.
"""

import asyncio
import socket
from asyncio.selector_events import BaseSelectorEventLoop
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import aiohttp
import httpx
import msgspec
import pytest
from pydantic import BaseModel
from scene import Scene, rows, server_process, webhook

import destination as ht
from destination import registry
from destination.testing import answers, faults
from destination.testing.answers import response
from destination.testing.link import Fault, Link
from destination.testing.oracle import persistent
from destination.testing.proxy import proxy
from destination.testing.script import Chance, Script, Step
from destination.vendor.breaker import CONSECUTIVE
from destination.wire import with_headers

GIB = 2**30
UNKNOWN = "may have been delivered"
NO_VERDICT = ht.NoAnswer(f"the vendor's answer says nothing of the rows; {UNKNOWN}")


class VerdictSettings(BaseModel):
    """Where the rows go."""

    url: str


class Verdict(ht.Destination[VerdictSettings, ht.NoOptions]):
    """A vendor that answers 200 whatever it thinks; the body says what it took, row by row."""

    kind = "verdict"
    objects = (
        ht.Object(modes=(ht.Mode("mirror", "", "upsert", "upsert", "delete"),), custom_fields=True),
    )
    limits = ht.Limits(batch_size=100)

    def classify(self, response: httpx.Response) -> ht.DestinationError | None:
        if response.status_code == 403 and not response.content:
            return ht.RateLimited("not sent: the vendor answered 403 and nothing else")
        if not response.is_success:
            return None
        told = _read(response)
        if told is None:
            return NO_VERDICT
        if told.get("ok") is False:
            meaning = MEANINGS.get(told.get("error"), ht.RefusedError)
            return meaning("the vendor answered that it is not ok")
        return None

    async def deliver(self, batch: ht.Batch[ht.NoOptions]) -> Iterable[ht.Rejection]:
        bodies = [
            {"operation": batch.operation, "id": record.id, "fields": record.fields}
            for record in batch.records
        ]
        answer = _read(await self.http.request("POST", self.settings.url, json=bodies)) or {}
        refused = {each["id"] for each in answer.get("errors", ())}
        if "results" in answer:
            results = [(each["id"], each["ok"]) for each in answer["results"]]
            refused |= {id for id, ok in results if not ok}
            taken = {id for id, ok in results if ok}
        else:
            held = {record.id for record in batch.records}
            all_told = answer.get("taken", 0) + len(refused & held) == len(held)
            taken = held - refused if all_told else set()
        verdicts = {False: ht.RefusedError("the vendor refused it"), True: NO_VERDICT}
        return [
            record.reject(verdicts[record.id not in refused or record.id in taken])
            for record in batch.records
            if record.id not in taken - refused
        ]


MEANINGS: dict[Any, type[ht.DestinationError]] = {
    "ratelimited": ht.RateLimited,
    "invalid_auth": ht.AuthError,
    "no_such_list": ht.TargetError,
    "invalid_data": ht.RefusedError,
    "internal_error": ht.NoAnswer,
}


def _read(response: httpx.Response) -> dict[str, Any] | None:
    try:
        return msgspec.json.decode(response.content, type=dict[str, Any])
    except msgspec.MsgspecError:
        return None


@pytest.fixture(autouse=True)
def verdict_kind(kinds_for_tests: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the kind loadable, beside those that all tests have."""
    points = [*registry._entry_points(), SimpleNamespace(name="verdict", load=lambda: Verdict)]
    monkeypatch.setattr(registry, "_entry_points", lambda: points)


BY_STATUS = {"kind": "webhook", "batching": "array"}
BY_BODY = {"kind": "verdict"}


def taken_and(data: bytes, then: Fault | None = None) -> Fault:
    """The vendor takes the request, and its answer is replaced."""
    return faults.altered(lambda _: data, then)


def poured(head: bytes, block: bytes, total: int) -> Fault:
    """The vendor takes the request, and the answer goes on and on."""

    async def fault(link: Link) -> None:
        await link.forward(await link.request())
        await link.send(head)
        for _ in range(total // len(block)):
            await link.send(block)
            await asyncio.sleep(0)

    return fault


def to_the_end(size: int) -> Fault:
    """The upstream's answer without a length, cut short by an orderly end (M7)."""

    def change(answer: Any) -> bytes:
        head = with_headers(answer.head, {"Content-Length": None, "Connection": "close"})
        return bytes(head + answer.content[:size])

    return faults.altered(change, faults.close)


BLOCK = b" " * 65_536
ENDLESS = poured(
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
    b"%x\r\n%b\r\n" % (len(BLOCK), BLOCK),
    64 * GIB,
)
LONG = poured(response(200, Content_Length=str(GIB)), BLOCK, GIB)
PACKED = answers._packed(GIB // 4)
BOMB = taken_and(response(200, PACKED, Content_Encoding="gzip"))
STRANGE = taken_and(response(200, PACKED, Content_Encoding="br"))
HUGE = taken_and(
    b"HTTP/1.1 200 OK\r\n" + b"X-P: " + b"x" * 200_000 + b"\r\nContent-Length: 2\r\n\r\n{}"
)
HTML = taken_and(response(200, b"<html>Log in</html>", Content_Type="text/html"))

UNREADABLE = [
    pytest.param(faults.truncated(5, faults.reset), id="f14-reset-amid-the-body"),
    pytest.param(ENDLESS, id="f18-endless"),
    pytest.param(LONG, id="f18-1-gib"),
    pytest.param(BOMB, id="f19-gzip-bomb"),
    pytest.param(STRANGE, id="f19-another-encoding"),
    pytest.param(faults.truncated(5), id="f20-short-of-its-length"),
    pytest.param(faults.cut_chunk(5), id="f20-amid-a-chunk"),
    pytest.param(to_the_end(5), id="f20-without-a-length"),
    pytest.param(HTML, id="f21-a-page-to-log-in-at"),
]


class TestVerdict:
    """Who says that rows were taken: the status, or the body."""

    @pytest.mark.parametrize("fault", UNREADABLE)
    async def test_f14_f18_to_f21_a_status_is_enough_for_a_webhook(self, stage, fault):
        """Rows are accepted on the 2xx, whatever becomes of the body, and no time is lost on it."""
        scene = await stage(**BY_STATUS)
        scene.proxy.next(fault)

        answer = await scene.call("add", rows(3))

        assert answer.rejected == {}
        assert answer.seconds < 2
        assert scene.proxy.sent < 2**24  # what the system holds on the way, not what was offered
        assert scene.effects() == {1: 1, 2: 1, 3: 1}
        await scene.heals()

    @pytest.mark.parametrize("fault", UNREADABLE)
    async def test_f14_f18_to_f21_no_body_is_no_verdict(self, stage, fault):
        """Where the body has the verdict, one that cannot be read leaves the outcome open."""
        scene = await stage(**BY_BODY)
        scene.proxy.next(fault)

        answer = await scene.call("add", rows(3))

        assert answer.codes == dict.fromkeys((1, 2, 3), "OUTCOME_UNKNOWN")
        assert all(UNKNOWN in reason for reason in answer.rejected.values())
        assert answer.seconds < 2
        assert scene.proxy.sent < 2**24
        assert scene.requests() == 1
        await scene.heals()

    @pytest.mark.parametrize("settings", [BY_STATUS, BY_BODY])
    async def test_f17_a_head_that_is_too_long_is_no_answer(self, stage, settings):
        """An answer under 200 kB of headers leaves the outcome open."""
        scene = await stage(**settings)
        scene.proxy.next(HUGE)

        answer = await scene.call("add", rows(3))

        assert answer.codes == dict.fromkeys((1, 2, 3), "OUTCOME_UNKNOWN")
        await scene.heals()

    @pytest.mark.parametrize(
        ("error", "code"),
        [
            ("invalid_data", "VENDOR_REJECTED"),
            ("no_such_list", "VENDOR_REJECTED"),
            ("internal_error", "OUTCOME_UNKNOWN"),
            ("ratelimited", "RATE_LIMITED"),
        ],
    )
    async def test_f22_a_no_in_the_body_is_what_it_means(self, stage, error, code):
        """``ok: false`` under a 200 rejects its rows with the code that the error stands for."""
        scene = await stage(**BY_BODY, batch_size=1)
        body = f'{{"ok": false, "error": "{error}"}}'
        await scene.vendor.play(Script(rows={"2": (Step(taken=False, body=body),)}))

        answer = await scene.call("add", rows(2))

        assert answer.codes == {2: code}
        await scene.heals()

    async def test_f22_refused_credentials_in_the_body_stop_the_call(self, stage, short_rest):
        """``invalid_auth`` under a 200 is an error of the whole call when nothing was taken."""
        scene = await stage(**BY_BODY, batch_size=1, concurrency=1)
        body = '{"ok": false, "error": "invalid_auth"}'
        await scene.vendor.play(Script(default=(Step(taken=False, body=body),)))

        answer = await scene.call("add", rows(20))

        assert answer.error["code"] == -32001
        assert scene.requests() == 1
        await scene.heals(within=5)

    async def test_f23_the_rows_that_are_named_are_rejected(self, stage):
        """Of rows that share a request exactly those under ``errors`` are rejected."""
        scene = await stage(**BY_BODY)
        await scene.vendor.play(Script(rows={str(n): (Step(do="reject"),) for n in (3, 7, 50)}))

        answer = await scene.call("add", rows(50))

        assert answer.codes == dict.fromkeys((3, 7, 50), "VENDOR_REJECTED")
        assert scene.requests() == 1
        await scene.heals()

    @pytest.mark.parametrize(
        ("results", "codes"),
        [
            ([(1, True), (3, True)], {2: "OUTCOME_UNKNOWN"}),
            ([], dict.fromkeys((1, 2, 3), "OUTCOME_UNKNOWN")),
            ([(1, True), (2, True), (3, True), (4, True), ("2", False), ("x", False)], {}),
            ([(1, True), (1, True), (2, True), (3, True)], {}),
            ([(1, True), (2, True), (2, False), (3, True)], {2: "OUTCOME_UNKNOWN"}),
            ([(3, True), (2, True), (1, True)], {}),
        ],
        ids=["fewer", "none", "foreign", "twice", "contradictory", "another-order"],
    )
    async def test_f24_only_a_result_of_its_own_confirms_a_row(self, stage, results, codes):
        """Results are matched by id: what has none is unconfirmed, and foreign ones do nothing."""
        scene = await stage(**BY_BODY)
        body = msgspec.json.encode({"results": [{"id": id, "ok": ok} for id, ok in results]})
        await scene.vendor.play(Script(default=(Step(body=body.decode()),)))

        answer = await scene.call("add", rows(3))

        assert answer.codes == codes
        await scene.heals()

    async def test_f29_a_bare_403_can_mean_slow_down(self, stage):
        """A kind may read a 403 without a body as throttling: it is tried again."""
        scene = await stage(**BY_BODY, batch_size=1, concurrency=1)
        await scene.vendor.play(
            Script(rows={"2": (Step(403, body=""), Step(403, body=""), Step())})
        )

        answer = await scene.call("add", rows(5))

        assert answer.rejected == {}
        assert scene.requests() == 7
        await scene.heals()

    async def test_f29_a_bare_403_that_stays_is_rate_limited(self, stage):
        """Rows of a vendor that goes on throttling are rejected as such; no circuit opens."""
        scene = await stage(**BY_BODY, batch_size=1, deadline=2)
        await scene.vendor.play(Script(default=(Step(403, body=""),)))

        answer = await scene.call("add", rows(30))

        assert set(answer.codes.values()) == {"RATE_LIMITED"}
        assert len(answer.codes) == 30
        assert persistent(scene.requests(), 30) == []
        await scene.heals(within=2)


@pytest.fixture
def dialled(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The addresses that anything in this process connects to."""
    seen: list[Any] = []
    connect = BaseSelectorEventLoop.sock_connect

    async def spy(self: BaseSelectorEventLoop, sock: socket.socket, address: Any) -> None:
        seen.append(address)
        await connect(self, sock, address)

    monkeypatch.setattr(BaseSelectorEventLoop, "sock_connect", spy)
    return seen


class TestRefusals:
    """What the vendor does not want."""

    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    @pytest.mark.parametrize("metadata", [False, True])
    async def test_f25_a_redirect_is_not_followed(self, stage, dialled, status, metadata):
        """Rows are rejected, and nobody connects to where the redirect points."""
        scene = await stage(concurrency=1)
        async with proxy(scene.vendor.url) as elsewhere:
            host = "http://169.254.169.254" if metadata else elsewhere.url
            step = Step(status, headers={"Location": f"{host}/latest/meta-data/"})
            await scene.vendor.play(Script(default=(step,)))

            answer = await scene.call("add", rows(3))

            assert answer.codes == dict.fromkeys((1, 2, 3), "REDIRECT_REFUSED")
            assert elsewhere.connections == 0
        ports = {
            scene.proxy.port,
            *(int(u.rpartition(":")[2]) for u in (scene.url, scene.vendor.url)),
        }
        assert {address[1] for address in dialled} <= ports
        assert {address[0] for address in dialled} == {"127.0.0.1"}
        assert scene.requests() == 1
        await scene.heals()

    @pytest.mark.parametrize("status", [400, 404, 409, 413, 422])
    async def test_f26_a_refused_row_is_refused_alone(self, stage, status):
        """A refusal of one row rejects that row, after one attempt."""
        scene = await stage()
        await scene.vendor.play(Script(rows={"2": (Step(status),)}))

        answer = await scene.call("add", rows(5))

        assert answer.rejected == {2: f"VENDOR_REJECTED: the vendor answered {status}"}
        assert scene.requests() == 5
        await scene.heals()

    async def test_f27_an_array_is_halved_until_the_culprit_is_alone(self, stage):
        """A 400 for an array rejects the one row that it is about, and the others are accepted."""
        scene = await stage(batching="array", concurrency=1)
        await scene.vendor.play(Script(rows={"37": (Step(400),)}))

        answer = await scene.call("add", rows(100))

        assert answer.codes == {37: "VENDOR_REJECTED"}
        assert set(scene.effects().values()) == {1}
        assert len(scene.effects()) == 99
        await scene.heals()

    @pytest.mark.parametrize("concurrency", [1, 3, 10])
    @pytest.mark.parametrize(("status", "alone"), [(401, 0), (403, 1)])
    async def test_f28_refused_credentials_stop_the_batch(
        self, stage, short_rest, status, alone, concurrency
    ):
        """After a 401, or a second 403, nothing goes out but what was under way."""
        scene = await stage(concurrency=concurrency)
        denied = {str(n): (Step(status),) for n in range(21, 101)}
        await scene.vendor.play(Script(rows=denied))

        answer = await scene.call("add", rows(100))

        assert answer.codes == dict.fromkeys(range(21, 101), "AUTH_FAILED")
        further = scene.requests() - 21
        assert further <= alone + concurrency - 1
        not_sent = [each for each in answer.rejected.values() if "not sent" in each]
        assert len(not_sent) == 79 - further
        await scene.heals(within=5)

    async def test_f30_a_404_is_about_its_row(self, stage):
        """A 404 for one row is not tried again and stops nothing."""
        scene = await stage()
        await scene.vendor.play(Script(rows={"2": (Step(404), Step())}))

        answer = await scene.call("add", rows(5))

        assert answer.codes == {2: "VENDOR_REJECTED"}
        assert scene.requests() == 5
        await scene.heals()

    async def test_f30_a_404_for_arrays_is_about_the_address(self, stage):
        """An array is not cut to pieces where nothing takes arrays: one request is all."""
        scene = await stage(batching="array", concurrency=1, batch_size=10)
        await scene.vendor.play(Script(default=(Step(404),)))

        answer = await scene.call("add", rows(100))

        assert answer.codes == dict.fromkeys(range(1, 101), "VENDOR_REJECTED")
        assert scene.requests() == 1
        await scene.heals()

    async def test_f30_a_410_cools_the_destination_down(self, stage, short_rest):
        """An address that is gone is asked once a call, and after two calls not at all."""
        scene = await stage(concurrency=1)
        await scene.vendor.play(Script(default=(Step(410),)))

        errors = [(await scene.call("add", rows(20))).error["code"] for _ in range(4)]

        assert errors == [-32002] * 4
        assert scene.requests() == 2
        await scene.heals(within=5)

    @pytest.mark.parametrize("status", [501, 505])
    @pytest.mark.parametrize("idempotent", [False, True])
    async def test_f36_what_is_not_implemented_is_not_tried_again(self, stage, status, idempotent):
        """501 and 505 are refusals, also where repeating is harmless."""
        scene = await stage(idempotent=idempotent)
        await scene.vendor.play(Script(rows={"2": (Step(status), Step())}))

        answer = await scene.call("add", rows(5))

        assert answer.codes == {2: "VENDOR_REJECTED"}
        assert scene.requests() == 5
        await scene.heals()


def waited(scene: Scene) -> float:
    """Seconds between the first two times that the first row came."""
    first, second = [each.at for each in scene.vendor.arrivals() if each.ids == (1,)][:2]
    return second - first


class TestThrottling:
    """What a vendor says that wants to be left alone for a while."""

    async def test_f31_the_vendors_wait_is_kept(self, stage):
        """After ``Retry-After: 1`` the row comes a second later, at most a tenth more."""
        scene = await stage()
        await scene.vendor.play(Script(default=(Step(429, retry_after="1"), Step())))

        answer = await scene.call("add", rows(1))

        assert answer.rejected == {}
        assert 1.0 <= waited(scene) <= 1.1 + 0.25
        await scene.heals()

    @pytest.mark.parametrize("skew", [-86_400, -7, 86_400 * 400])
    async def test_f32_a_date_is_read_on_the_vendors_clock(self, stage, skew):
        """A wait until a moment is as long as the vendor means it, however wrong its clock is."""
        scene = await stage()
        step = Step(429, retry_date=1, skew=skew)
        await scene.vendor.play(Script(default=(step, Step())))

        answer = await scene.call("add", rows(1))

        assert answer.rejected == {}
        assert 1.0 <= waited(scene) <= 1.1 + 0.25
        await scene.heals()

    @pytest.mark.parametrize("value", ["-1", "nan", "1e999", "86401", "soon", "1 2", "１"])
    async def test_f33_a_wait_that_is_none_is_ignored(self, stage, value):
        """What cannot be believed is not waited for: the row comes again after our own back-off."""
        scene = await stage()
        script = Script(rows={"1": (Step(429, retry_after=value), Step())})
        await scene.vendor.play(script)

        answer = await scene.call("add", rows(3))

        assert answer.rejected == {}
        assert waited(scene) < 1
        await scene.heals()

    @pytest.mark.parametrize("value", ["3600", "86400"])
    async def test_f33_a_wait_longer_than_the_call_ends_it(self, stage, value):
        """An hour is not waited for: the rows come back at once, and none goes out in that hour."""
        scene = await stage(concurrency=1)
        await scene.vendor.play(Script(default=(Step(429, retry_after=value),)))

        first = await scene.call("add", rows(100))
        second = await scene.call("add", rows(100))

        for answer in (first, second):
            assert answer.codes == dict.fromkeys(range(1, 101), "RATE_LIMITED")
            assert answer.seconds < 1
        assert scene.requests() == 1
        assert scene.verdict() == []

    async def test_f33_a_wait_longer_than_the_call_passes(self, stage):
        """When the vendor's wait is over, rows go out again."""
        scene = await stage(deadline=1)
        await scene.vendor.play(Script(default=(Step(429, retry_after="1"),)))

        answer = await scene.call("add", rows(20))

        assert answer.codes == dict.fromkeys(range(1, 21), "RATE_LIMITED")
        assert answer.seconds < 0.8
        await scene.heals(within=3)

    async def test_f34_a_storm_is_met_with_one_pause(self, stage):
        """When all is throttled, all of several calls pause together, and few attempts are made."""
        scene = await stage(deadline=2)
        await scene.vendor.play(Script(default=(Step(429, retry_after="1"),)))

        calls = [scene.call("add", rows(50, 1 + 50 * n)) for n in range(4)]
        told = await asyncio.gather(*calls)

        assert all(len(answer.codes) == 50 for answer in told)
        assert {code for answer in told for code in answer.codes.values()} == {"RATE_LIMITED"}
        assert persistent(scene.requests(), 200) == []
        moments = [each.at for each in scene.vendor.arrivals()]
        under_way = [at for at in moments if at < moments[0] + 1]
        assert len(under_way) <= 10  # the concurrency: afterwards nothing for a second
        await scene.heals(within=3)


LOST = {
    "reset": Step(do="reset", taken=True),
    "closed": Step(do="close", taken=True),
    "never": Step(do="hang", taken=True),
    "late": Step(delay=1.5),
}


class TestFailures:
    """A vendor in trouble."""

    @pytest.mark.parametrize("status", [500, 502, 504])
    @pytest.mark.parametrize("taken", [False, True])
    async def test_f35_what_may_have_been_taken_is_sent_once(self, stage, status, taken):
        """A burst of 5xx leaves its rows open after one attempt each."""
        scene = await stage()
        step = Step(status, taken=taken)
        await scene.vendor.play(Script(rows={str(n): (step, Step()) for n in (2, 3, 4)}))

        answer = await scene.call("add", rows(10))

        assert answer.codes == dict.fromkeys((2, 3, 4), "OUTCOME_UNKNOWN")
        assert scene.requests() == 10
        await scene.heals()

    @pytest.mark.parametrize("status", [500, 502, 504])
    async def test_f35_what_is_harmless_is_sent_again(self, stage, status):
        """Where repeating is harmless, a burst of 5xx is got over within the call."""
        scene = await stage(idempotent=True)
        step = Step(status, taken=True)
        await scene.vendor.play(Script(rows={str(n): (step, Step()) for n in (2, 3, 4)}))

        answer = await scene.call("add", rows(10))

        assert answer.rejected == {}
        assert scene.requests() == 13
        await scene.heals(extra=2)

    @pytest.mark.parametrize("status", [500, 503])
    async def test_f35_a_vendor_that_always_fails_is_left_alone(self, stage, short_rest, status):
        """After ten failures nothing more goes out; the rows that were not tried say so."""
        scene = await stage(idempotent=True)
        await scene.vendor.play(Script(default=(Step(status),)))

        answer = await scene.call("add", rows(200))

        assert len(answer.codes) == 200
        assert scene.requests() <= CONSECUTIVE + 10
        tried = "OUTCOME_UNKNOWN" if status == 500 else "RATE_LIMITED"
        assert set(answer.codes.values()) == {tried, "CIRCUIT_OPEN"}
        await scene.heals(within=5, extra=2)

    @pytest.mark.parametrize("seed", [1, 2, 3])
    async def test_f37_a_flapping_vendor_is_not_stormed(self, stage, short_rest, seed):
        """When every second request fails, retries keep to their budget and many rows arrive."""
        scene = await stage()
        chances = (Chance(1, Step()), Chance(1, Step(503)))
        await scene.vendor.play(Script(chances=chances, seed=seed))

        answer = await scene.call("add", rows(100))

        assert set(answer.codes.values()) == {"RATE_LIMITED"}
        assert len(answer.codes) <= 60
        assert scene.requests() <= 120
        await scene.heals(within=5)

    async def test_f38_a_vendor_that_slows_down_holds_nobody_else_up(
        self, stage, vendor, short_rest
    ):
        """While one vendor takes ten seconds, another's rows are taken as ever."""
        scene = await stage(deadline=2, destinations={"other": webhook(f"{vendor.url}/other")})
        other = replace(scene, path="/hightouch/other")
        fast = {str(n): (Step(),) for n in range(1000, 2000)}
        await vendor.play(Script(default=(Step(delay=10),), rows=fast))
        alone = [(await other.call("add", rows(5, n))).seconds for n in range(1000, 1100, 5)]

        slow = [asyncio.create_task(scene.call("add", rows(50, 1 + 50 * n))) for n in range(2)]
        await scene.proxy.accepted(10)
        beside = [await other.call("add", rows(5, n)) for n in range(1100, 1200, 5)]
        assert not any(task.done() for task in slow)
        told = await asyncio.gather(*slow)

        assert all(answer.rejected == {} for answer in beside)
        assert sorted(each.seconds for each in beside)[10] <= 1.2 * sorted(alone)[18] + 0.05
        for answer in told:
            assert set(answer.codes.values()) <= {"OUTCOME_UNKNOWN", "DEADLINE_NOT_SENT"}
            assert len(answer.codes) == 50
        assert scene.proxy.connections == 10  # as many as may be under way, over both calls
        await scene.heals(within=5)

    @pytest.mark.parametrize("how", LOST)
    @pytest.mark.parametrize(("on_unknown", "effects"), [("resend", 2), ("hold", 1)])
    async def test_f39_a_lost_answer_leaves_the_outcome_open(self, stage, how, on_unknown, effects):
        """The caller is told, and repetitions have one effect more, or none if rows are held."""
        scene = await stage(timeout=0.4, on_unknown=on_unknown)
        await scene.vendor.play(Script(rows={"2": (LOST[how], Step())}))

        first = await scene.call("add", rows(5))
        again = [await scene.call("add", rows(5)) for _ in range(3)]

        assert first.codes == {2: "OUTCOME_UNKNOWN"}
        assert UNKNOWN in first.rejected[2]
        held = {2: "OUTCOME_UNKNOWN"} if on_unknown == "hold" else {}
        assert [answer.codes for answer in again] == [held] * 3
        assert scene.effects() == {1: 1, 2: effects, 3: 1, 4: 1, 5: 1}
        await scene.heals()

    async def test_f40_one_probe_finds_out_that_the_vendor_is_back(self, stage, short_rest):
        """After a rest one row goes out; until it is taken all others of all calls are rejected."""
        scene = await stage()
        await scene.vendor.play(Script(default=(Step(503),)))
        await scene.call("add", rows(50))
        await scene.vendor.play(Script(default=(Step(delay=0.5),)))
        before = scene.requests()
        await asyncio.sleep(short_rest * 1.2)

        calls = [scene.call("add", rows(20, 1000 + 20 * n)) for n in range(5)]
        told = await asyncio.gather(*calls)

        assert scene.requests() - before == 1
        codes = [code for answer in told for code in answer.codes.values()]
        assert codes == ["CIRCUIT_OPEN"] * 99
        assert sorted(answer.seconds < 0.3 for answer in told) == [False] + [True] * 4
        ramp = await scene.call("add", rows(20, 2000))
        assert ramp.rejected == {}
        await scene.heals()


def peak(pid: int) -> float:
    """The most memory that a process has held since it was last asked, in MiB."""
    process = Path(f"/proc/{pid}")
    lines = process.joinpath("status").read_text().splitlines()
    line = next(line for line in lines if line.startswith("VmHWM"))
    process.joinpath("clear_refs").write_text("5")
    return int(line.split()[1]) / 1024


@pytest.fixture
async def apart(tmp_path: Any, vendor: Any) -> AsyncIterator[Callable[..., Any]]:
    """A server process of its own, so that its memory is nobody else's."""
    async with (
        proxy(vendor.url) as between,
        server_process(
            tmp_path,
            STATE_URL="sqlite:///:memory:",
            DESTINATIONS__HOOK__KIND="webhook",
            DESTINATIONS__HOOK__URL=f"{between.url}/rows",
            DESTINATIONS__HOOK__ALLOW_PRIVATE_NETWORKS="true",
        ) as server,
        aiohttp.ClientSession() as http,
    ):
        scene = Scene(http, server.url, "/hightouch/hook", vendor, between, 25.0)
        yield scene, server.pid


class TestMemory:
    """What an answer may cost."""

    @pytest.mark.parametrize(
        "fault",
        [
            pytest.param(HUGE, id="f17-huge-header"),
            pytest.param(ENDLESS, id="f18-endless"),
            pytest.param(LONG, id="f18-1-gib"),
            pytest.param(BOMB, id="f19-gzip-bomb"),
        ],
    )
    async def test_f17_to_f19_an_answer_costs_no_more_than_is_read_of_it(self, apart, fault):
        """The server grows by no more than 5 MiB, and its loop is not held up for 50 ms."""
        scene, pid = apart
        for n in range(10):
            await scene.call("add", rows(20, 1000 + 20 * n))
        peak(pid)
        before = peak(pid)
        seconds = []

        for n in range(5):
            scene.proxy.next(fault)
            answer = await scene.call("add", rows(1, 1 + n))
            seconds.append(answer.seconds)

        grown = peak(pid) - before
        assert grown <= 5
        assert min(seconds) <= 0.05  # all of the call: nothing in it can have held the loop longer
        await scene.heals()
