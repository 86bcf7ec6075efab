"""What becomes of rows when Connectif says no, or says nothing that can be understood."""

import asyncio
from datetime import UTC, datetime

import httpx
import pytest
from connectif_stage import row, stage

from destination.testing.clock import run_virtually
from destinations.connectif.answers import LONGEST_WAIT, until_reset
from destinations.sandbox.connectif.events import CUSTOMER

SAID = "VENDOR_REJECTED: Connectif answered "
UNREAD = "OUTCOME_UNKNOWN: Connectif's answer cannot be read; may have been delivered"
NOW = datetime(2026, 1, 31, 9, 30, tzinfo=UTC)


def http_error(status, **document):
    """A planned answer in Connectif's shape."""
    return {"status": status, "body": {"status": status, "title": "No", **document}, "times": 9}


async def sent(store, answer, *rows, **options):
    """The reasons for rows while Connectif answers so, and how often it was asked."""
    await store.rejected("add", row("first"), **options)
    before = len(await store.requests())
    await store.tell(next=[answer])
    rejected = await store.rejected("add", *rows, **options)
    return rejected, len(await store.requests()) - before


class TestRefusals:
    """Answers that say no."""

    @pytest.mark.parametrize(
        ("answer", "reason"),
        [
            (http_error(400, code="E0502", detail="x"), SAID + "E0502: No; x"),
            (http_error(422, detail="wrong"), SAID + "422: No; wrong"),
            (
                http_error(
                    422,
                    validationErrors=[
                        {"path": "ltv", "reason": "is too small"},
                        {"path": "city", "reason": "has no Ulm"},
                    ],
                ),
                SAID + "422: ltv: is too small; city: has no [city]",
            ),
            (
                http_error(422, validationErrors=[7, {"path": 1, "reason": "odd"}, {}]),
                SAID + "422: odd",
            ),
            (http_error(422, validationErrors={}, title=None), SAID + "422"),
            ({"status": 400, "body": "<html>", "times": 9}, SAID + "400"),
            ({"status": 422, "body": "[" * 9_999, "times": 9}, SAID + "422"),
            (http_error(413), "TOO_LARGE: Connectif answered 413: the event is too long"),
        ],
    )
    async def test_a_refused_event_is_its_row_s(self, answer, reason):
        """The reason has Connectif's words, and the next row is sent."""
        async with stage(concurrency=1) as store:
            rejected, requests = await sent(
                store, answer | {"times": 1}, row(1, city="Ulm"), row(2)
            )

        assert list(rejected) == [1]
        assert rejected[1].startswith(reason)
        assert requests == 2

    async def test_a_thousand_faults_make_one_line(self):
        """However much Connectif says, a reason is short."""
        faults = [{"path": f"field{n}", "reason": "is\nwrong\u202e"} for n in range(1_000)]
        async with stage() as store:
            rejected, _ = await sent(store, http_error(422, validationErrors=faults), row(1))

        assert len(rejected[1]) == 300
        assert rejected[1].isprintable()

    async def test_an_unknown_alias_stops_the_call(self):
        """All its rows would fail alike, so the others are not sent."""
        async with stage(concurrency=1) as store:
            rejected, requests = await sent(store, http_error(404), row(1), row(2), row(3))

        reason = "Connectif answered 404: it knows no event of this alias"
        assert rejected == {
            1: f"VENDOR_REJECTED: {reason}",
            2: f"VENDOR_REJECTED: not sent: {reason}",
            3: f"VENDOR_REJECTED: not sent: {reason}",
        }
        assert requests == 1

    @pytest.mark.parametrize(
        ("status", "error"),
        [
            (401, "AUTH_FAILED: the vendor answered 401: it refused the credentials"),
            (403, "AUTH_FAILED: Connectif answered 403: the key may not write custom events"),
        ],
    )
    async def test_a_key_that_is_refused_fails_the_call(self, status, error):
        """A person must act."""
        async with stage(concurrency=1) as store:
            await store.rejected("add", row("first"))
            await store.tell(next=[{"status": status, "times": 9}])
            message = await store.error("add", row(1), row(2))

            assert message.startswith(error)
            assert len(await store.requests()) == 2


class TestOutcomes:
    """Whether an event may have arrived."""

    @pytest.mark.parametrize(
        ("status", "body", "reason"),
        [
            (201, "", None),
            (201, "<html>", None),
            (200, '{"id": "7"}', None),
            (200, "<html>", UNREAD),
            (200, "", UNREAD),
            (202, "[]", UNREAD),
            (500, "{}", "OUTCOME_UNKNOWN: the vendor answered 500; may have been delivered"),
            (504, "{}", "OUTCOME_UNKNOWN: the vendor answered 504; may have been delivered"),
        ],
    )
    async def test_an_event_is_delivered_when_connectif_says_so(self, status, body, reason):
        """201 is a yes; anything else must be Connectif's. What is in doubt is not repeated."""
        async with stage() as store:
            answer = {"status": status, "body": body, "times": 9}
            rejected, requests = await sent(store, answer, row(1))

        assert rejected == ({1: reason} if reason else {})
        assert requests == 1

    @pytest.mark.parametrize(
        ("status", "body", "reason"),
        [(200, "", None), (200, "OK", None), (204, None, None), (200, " <html>", UNREAD)],
    )
    async def test_a_webhook_s_yes_may_look_like_anything_but_a_page(self, status, body, reason):
        """What a webhook answers is not documented; a web page is somebody else's."""
        async with stage(transport="webhook") as store:
            answer = {"status": status, "body": body, "times": 9}
            rejected, requests = await sent(store, answer, row(1), object=CUSTOMER)

        assert rejected == ({1: reason} if reason else {})
        assert requests == 1

    async def test_what_was_not_taken_is_sent_again(self):
        """503 says that nothing happened."""
        async with stage() as store:
            rejected, requests = await sent(store, {"status": 503, "body": "", "times": 1}, row(1))

        assert (rejected, requests) == ({}, 2)


class TestWindow:
    """How many requests Connectif takes."""

    def test_a_window_is_used_up_and_waited_for(self):
        """All rows are delivered, in as many windows as they need, and few get a 429."""

        async def scenario():
            async with stage() as store:
                await store.rejected("add", row("first"))
                await store.tell(limit=40, window=5)
                began = asyncio.get_running_loop().time()
                rejected = await store.rejected("add", *(row(n) for n in range(100)))
                took = asyncio.get_running_loop().time() - began
                return rejected, took, await store.requests(), await store.fields()

        rejected, took, requests, fields = run_virtually(scenario())
        assert rejected == {}
        assert 10 <= took <= 13
        assert len(fields) == 101
        assert sum(each["status"] == 429 for each in requests) <= 14

    def test_an_answer_that_leaves_nothing_holds_back_the_next_row(self):
        """One row at a time meets no 429 at all."""

        async def scenario():
            async with stage(concurrency=1) as store:
                await store.rejected("add", row("first"))
                await store.tell(limit=3, window=4)
                rejected = await store.rejected("add", *(row(n) for n in range(7)))
                return rejected, [each["status"] for each in await store.requests()]

        assert run_virtually(scenario()) == ({}, [201] * 8)

    def test_refusals_count_too(self):
        """An answer that says no and that nothing is left is obeyed as any other."""

        async def scenario():
            async with stage(concurrency=1, integrations=[]) as store:
                typed = {"object": None, "eventAlias": "order"}
                await store.tell(limit=1, window=4)
                began = asyncio.get_running_loop().time()
                await store.rejected("add", row(1), row(2), **typed)
                return asyncio.get_running_loop().time() - began, await store.requests()

        took, requests = run_virtually(scenario())
        assert took >= 4
        assert [each["status"] for each in requests] == [422, 422]

    def test_a_wait_that_outlasts_the_call_rejects_its_rows(self):
        """They are not sent, and not held for ever."""

        async def scenario():
            async with stage() as store:
                await store.rejected("add", row("first"))
                await store.tell(limit=1, window=600)
                await store.rejected("add", row("second"))
                return await store.rejected("add", row(1)), await store.requests()

        rejected, requests = run_virtually(scenario())
        assert rejected[1].startswith("RATE_LIMITED: not sent: ")
        assert len(requests) == 2

    @pytest.mark.parametrize(
        ("reset", "date", "wait"),
        [
            (NOW.timestamp() + 30, None, 30),
            (int(NOW.timestamp()) + 30, "Sat, 31 Jan 2026 09:30:00 GMT", 30),
            (int(NOW.timestamp()) + 30, "Sat, 31 Jan 2026 09:30:10 GMT", 20),
            (int(NOW.timestamp()) + 30, "Sat, 31 Jan 2026 09:30:10 -0000", 20),
            (int(NOW.timestamp()) + 30, "yesterday", 30),
            (int(NOW.timestamp()) + 30, "Sat, 99 Jan 99999 09:30:00 GMT", 30),
            (int(NOW.timestamp()) - 1, None, None),
            (int(NOW.timestamp() + LONGEST_WAIT) + 1, None, None),
            (30, None, None),
            ("9" * 400, None, None),
            ("١٢٣", None, None),
            ("soon", None, None),
            ("", None, None),
            (None, None, None),
        ],
    )
    def test_the_window_ends_by_the_vendor_s_clock(self, reset, date, wait):
        """What cannot be believed is no wait."""
        told = {"X-RateLimit-Reset": reset, "Date": date}
        pairs = [(name, str(value).encode()) for name, value in told.items() if value is not None]

        assert until_reset(httpx.Headers([(n.encode(), v) for n, v in pairs]), NOW) == wait
