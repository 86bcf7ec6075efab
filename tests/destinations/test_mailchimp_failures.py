"""What Mailchimp does not take, and what is said of it."""

import asyncio
from contextlib import AsyncExitStack

import pytest
from newsletter import configuration, fine, newsletter, person, problem
from structlog.testing import capture_logs

from destination.app import make_instance
from destination.deadline import Deadline
from destination.listen import listening
from destination.metrics import Metrics
from destination.model import Operation, Row
from destination.protocols.hightouch.configuration import read_sync
from destination.settings import Server
from destination.state.sqlite import SqliteStore
from destination.testing.clock import run_virtually
from destinations.sandbox.mailchimp import StandIn

BARE = {"status": 403, "body": "Forbidden"}


class TestAnswers:
    """Answers other than yes."""

    async def test_a_bare_403_is_throttling(self, serve):
        """Without a document 403 means too many requests: it is waited out, and counts no rows."""
        async with newsletter(serve) as news:
            await news.call("add", person(0))
            await news.ask("behavior", next=[BARE])
            assert await news.call("add", person(1)) == {}

            await news.ask("behavior", next=[BARE | {"times": 3}])
            assert await news.call("add", person(2)) == {
                2: "RATE_LIMITED: not sent: Mailchimp answered 403 without a reason: "
                "too many requests"
            }

    @pytest.mark.parametrize(("status", "title"), [(403, "Forbidden"), (401, "API Key Invalid")])
    async def test_a_refused_key_fails_the_call(self, serve, status, title):
        """A key that lacks the right is for a person to mend, and nothing more is sent."""
        async with newsletter(serve) as news:
            await news.call("add", person(0))
            await news.ask("behavior", next=[problem(status, title) | {"times": 9}])
            rows = [person(n) for n in range(1, 5000)]
            params = {"idColumn": "id", "rows": rows, "configuration": configuration(*rows)}
            error = (await news.served.rpc("add", params, path="/hightouch/news"))["error"]

            assert error["code"] == -32001
            assert len(news.requests()) <= 9

    async def test_too_many_connections_are_told_by_429(self, serve):
        """When other applications use up the connections rows wait, and then go."""
        async with newsletter(serve) as news:
            await news.call("add", person(1))
            await news.ask("behavior", next=[problem(429, "Too Many Requests")])
            assert await news.call("add", person(1, LTV=1)) == {}

    async def test_a_poisonous_address_is_isolated(self, serve):
        """Where a bulk call fails with 500 its halves are sent, and one row is rejected."""
        async with newsletter(serve) as news:
            await news.call("add", person(0))
            failure = problem(500, "Internal Server Error", "person.1@example.com")
            await news.ask("behavior", next=[failure, failure, failure])
            rejected = await news.call("add", *(person(n) for n in range(1, 5)))

            assert rejected == {
                1: "VENDOR_REJECTED: Mailchimp refused the contact: Internal Server Error. [email]"
            }
            assert len(await news.held()) == 4

    async def test_a_lost_answer_is_asked_for_again(self, serve):
        """A bulk call that was applied and not answered is repeated: nothing is doubled."""
        async with newsletter(serve) as news:
            await news.call("add", person(0))
            await news.ask("behavior", next=[{"status": 502, "body": "", "applied": True}])
            assert await news.call("add", person(1, LTV=1)) == {}

            assert [one.split("/")[0] for one in news.requests()] == ["POST", "POST", "PUT "]

    async def test_a_lost_answer_to_an_insert_is_told(self, serve):
        """An insert is not repeated: the contacts would be rejected as known ones."""
        async with newsletter(serve) as news:
            await news.call("add", person(0), mode="insert")
            await news.ask("behavior", next=[{"status": 502, "body": "", "applied": True}])
            [reason] = (await news.call("add", person(1), mode="insert")).values()

            assert reason.startswith("OUTCOME_UNKNOWN: ")

    @pytest.mark.parametrize("body", [{}, {"new_members": [{"email_address": "b@example.com"}]}])
    async def test_a_contact_that_is_not_mentioned_was_not_acknowledged(self, serve, body):
        """Each address must be in the answer; silence is no yes."""
        async with newsletter(serve) as news:
            await news.call("add", person(0))
            await news.ask("behavior", next=[fine(**body)])
            assert await news.call("add", person(1)) == {
                1: "OUTCOME_UNKNOWN: Mailchimp did not mention this contact; "
                "may have been delivered"
            }

    async def test_an_answer_of_another_shape_is_no_yes(self, serve):
        """What cannot be read says nothing about the rows."""
        async with newsletter(serve) as news:
            await news.call("add", person(0))
            news.exchanges.clear()
            await news.ask("behavior", next=[{"status": 200, "body": "<html>"}])
            [reason] = (await news.call("add", person(1))).values()

            assert reason.startswith("OUTCOME_UNKNOWN: Mailchimp's answer cannot be read")
            news.exchanges.clear()  # no description knows such an answer

    async def test_addresses_are_matched_as_mailchimp_writes_them(self, serve):
        """Letters, spaces and quotes of an address in an answer do not matter."""
        async with newsletter(serve) as news:
            await news.call("add", person(0))
            members = [{"email_address": ' "PERSON.1"@example.com'}]
            await news.ask("behavior", next=[fine(new_members=members)])
            assert await news.call("add", person(1)) == {}

    async def test_an_audience_that_is_gone_rejects_its_rows(self, serve):
        """When the audience was deleted a moment ago its rows are rejected, and nothing halved."""
        async with newsletter(serve) as news:
            await news.call("add", person(0))
            await news.ask("behavior", next=[problem(404, "Resource Not Found") | {"times": 99}])
            rejected = await news.call("add", *(person(n) for n in range(1, 40)))

            assert len(rejected) == 39
            assert len(news.requests()) == 2

    async def test_no_word_of_mailchimp_quotes_a_row(self, serve):
        """Values stand in no reason and in no log, however Mailchimp writes them."""
        row = person(1, FNAME="Hunter2", BORN="1999-12-24", email="canary7@example.com")
        told = {"email_address": "canary7@example.com", "error_code": "ERROR_GENERIC"}
        told["error"] = "CANARY7@EXAMPLE.COM (hunter2, 12/24/1999) is not welcome"
        async with newsletter(serve) as news:
            await news.call("add", person(0))
            quoting = problem(400, "Invalid Resource hunter2", told["error"])
            await news.ask("behavior", next=[fine(errors=[told]), quoting])
            with capture_logs() as logs:
                reasons = [await news.call("add", row), await news.call("add", row)]

            said = f"{reasons} {logs}".lower()
            assert "is not welcome" in said
            for value in ("canary7", "hunter2", "1999", "12/24"):
                assert value not in said


def test_what_is_done_in_time_counts():
    """At the deadline what was updated is accepted; what had no turn was not sent."""

    async def scenario():
        stand_in = StandIn()
        async with AsyncExitStack() as stack:
            server = listening(stand_in.app(), "127.0.0.1", 0, grace=0.1)
            url = await stack.enter_async_context(server)
            instance = make_instance("news", stand_in.settings(url), Server())
            store = await stack.enter_async_context(SqliteStore(None))
            await stack.enter_async_context(instance.opened(store, Metrics().of("news")))
            rows = [person(n) for n in range(60)]
            sync = read_sync(configuration(*rows))
            sent = [Row(position, row["id"], row) for position, row in enumerate(rows)]
            await instance.deliver(sync, Operation.ADD, sent, Deadline(25))
            stand_in._latency = 0.9
            report = await instance.deliver(sync, Operation.CHANGE, sent, Deadline(5))
            return report, asyncio.get_running_loop().time()

    report, seconds = run_virtually(scenario())

    assert {str(one.error.code) for one in report.rejections} == {"DEADLINE_NOT_SENT"}
    assert report.delivered in range(14, 29)
    assert seconds < 5
