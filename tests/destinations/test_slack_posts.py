"""Slack gets a message for each row: the right text, in the right channel, in the rows' order."""

import asyncio
from typing import Any

import pytest
from slack_stage import GENERAL, LEADS, OLD, OTHERS, PEOPLE, row, stage

from destination.testing.clock import run_virtually

CHANNELS = (GENERAL, PEOPLE, LEADS)
SLOW = {"deadline": 280}


class TestPosts:
    """One message for each row."""

    async def test_hightouch_s_own_example_works(self):
        """The published configuration, two options and no mode, posts new rows in their order."""
        async with stage() as slack:
            assert await slack.rejected("add", *map(row, range(10))) == {}
            assert await slack.texts(GENERAL) == [f"name {n}" for n in range(10)]

    async def test_added_rows_alone_are_posted_unless_changes_are_wanted(self):
        """The mode decides which operations are messages."""
        async with stage() as slack:
            reasons = await slack.rejected("change", row(1), mode="post_added")
            assert await slack.rejected("change", row(2), mode="post_added_changed") == {}

            assert reasons[1].startswith("NOT_SUPPORTED")
            assert await slack.texts() == ["name 2"]

    async def test_the_same_call_again_posts_nothing(self):
        """A call that is repeated is known by its rows."""
        async with stage() as slack:
            for _ in range(2):
                assert await slack.rejected("add", row(1), row(2)) == {}

            assert await slack.texts() == ["name 1", "name 2"]

    async def test_options_reach_slack(self):
        """Name, icon, previews and thread are what the form says."""
        async with stage() as slack:
            await slack.rejected("add", row(1), username="Deals", icon=":tada:", unfurl=True)
            [first] = await slack.messages()
            reply = row(2, reply=first["ts"])
            icon = "https://example.com/i.png"
            assert await slack.rejected("add", reply, threadColumn="reply", icon=icon) == {}

            shown = ("username", "icon_emoji", "icon_url", "unfurl_links", "thread_ts")
            assert [[each.get(name) for name in shown] for each in await slack.messages()] == [
                ["Deals", ":tada:", None, True, None],
                [None, None, icon, False, first["ts"]],
            ]

    @pytest.mark.parametrize("thread", [1503435956.000247, "yesterday", ["1.2"]])
    async def test_a_thread_is_a_timestamp_as_text(self, thread):
        """Anything else rejects its row, without quoting it."""
        async with stage() as slack:
            reasons = await slack.rejected("add", row(1, reply=thread), threadColumn="reply")

        expected = 'INVALID_ROW: column "reply" does not hold a timestamp such as 1503435956.000247'
        assert reasons == {1: expected}

    @pytest.mark.parametrize("message", ["{{ nothing }}", " \n", "{% if false %}x{% endif %}"])
    async def test_an_empty_message_rejects_its_row(self, message):
        """Slack is not asked to post nothing."""
        async with stage() as slack:
            assert await slack.rejected("add", row(1), message=message) == {
                1: "INVALID_ROW: the message is empty"
            }
            assert await slack.asked() == []

    async def test_a_message_that_slack_would_cut_off_is_rejected(self):
        """40,000 characters are posted, one more is too long."""
        async with stage() as slack:
            reasons = await slack.rejected(
                "add", row(1, name="x" * 40_000), row(2, name="x" * 40_001)
            )

            assert reasons == {2: "TOO_LARGE: the message is longer than 40,000 characters"}
            assert [len(text) for text in await slack.texts()] == [40_000]

    def test_the_channels_are_paced_apart(self):
        """Each channel gets a few messages at once, then one a second, whatever the others do."""

        async def scenario() -> float:
            async with stage(rate=1, burst=3, server=SLOW) as slack:
                rows = [row(n, to=CHANNELS[n % 3]) for n in range(60)]

                before = asyncio.get_running_loop().time()
                assert await slack.rejected("add", *rows, channelColumn="to") == {}
                assert set(await slack.asked()) == {"chat.postMessage"}
                assert {each["status"] for each in (await slack.ask("requests"))["log"]} == {200}
                return asyncio.get_running_loop().time() - before

        assert 17 <= run_virtually(scenario()) < 18


class TestChannels:
    """Where messages go."""

    async def test_a_column_names_the_channel(self):
        """Each row goes where it says, by id or name; where it says nothing, to the fixed one."""
        async with stage() as slack:
            rows = [row(1, to=PEOPLE), row(2, to="#leads"), row(3, to=""), row(4, to=None)]
            assert await slack.rejected("add", *rows, channelColumn="to") == {}

            assert [await slack.texts(each) for each in CHANNELS] == [
                ["name 3", "name 4"], ["name 1"], ["name 2"]
            ]  # fmt: skip

    @pytest.mark.parametrize(
        ("columns", "reason"),
        [
            ({"to": None}, "neither the row nor the sync names a channel"),
            ({}, 'column "to" is not in the row'),
            ({"to": 7}, 'column "to" does not hold a channel'),
            ({"to": "general, people"}, 'column "to" does not hold a channel'),
        ],
    )
    async def test_a_row_without_a_channel_is_rejected(self, columns, reason):
        """No row goes to a channel that was not meant for it."""
        async with stage() as slack:
            configuration: dict[str, Any] = {"channel": None, "channelColumn": "to"}
            reasons = await slack.rejected("add", row(1, **columns), **configuration)
            assert reasons == {1: f"INVALID_ROW: {reason}"}
            assert await slack.asked() == []

    @pytest.mark.parametrize(
        ("channel", "answer"),
        [
            (OLD, "is_archived"),
            (OTHERS, "not_in_channel: invite the app to the channel"),
            (
                "C0NOTHERE01",
                "channel_not_found: there is no such channel, or the app is not in it",
            ),
        ],
    )
    async def test_a_channel_that_takes_nothing_is_asked_once(self, channel, answer):
        """Its other rows are rejected with the same reason, and Slack is not called for them."""
        async with stage() as slack:
            rows = [row(n, to=channel if n % 2 else PEOPLE) for n in range(40)]
            reasons = await slack.rejected("add", *rows, channelColumn="to")

            reason = f"VENDOR_REJECTED: not sent: Slack answered {answer}"
            assert reasons == dict.fromkeys(range(1, 40, 2), reason)
            assert len(await slack.texts(PEOPLE)) == 20
            assert len(await slack.asked()) == 21

    async def test_credentials_that_are_refused_fail_the_call(self):
        """A token that was revoked is a matter for a person; the rest of the rows is not tried."""
        async with stage(token="xoxb-another") as slack:
            error = await slack.error("add", *map(row, range(50)))

            assert error["code"] == -32001
            assert error["message"] == "AUTH_FAILED: not sent: Slack answered invalid_auth"
            assert len(await slack.asked()) == 1

    async def test_a_scope_that_is_missing_is_named(self):
        """What the token needs stands in the error."""
        async with stage() as slack:
            await slack.tell(scopes=["channels:read"])
            error = await slack.error("add", row(1))

        assert error["message"].endswith("answered missing_scope: the token lacks chat:write")


def test_three_hundred_rows_over_three_channels():
    """
    With 429s, an archived channel, an empty row and a ping in a name: exactly the right messages
    in row order per channel, exactly the right rejections.
    """
    channels = (GENERAL, OLD, PEOPLE)
    rows = [row(n, to=channels[n % 3]) for n in range(300)]
    rows[30]["name"], rows[60]["name"] = "", "<!channel> & <@U1|you>"
    wanted = {
        channel: [
            "&lt;!channel&gt; &amp; &lt;@U1|you&gt;" if n == 60 else f"name {n}"
            for n in range(offset, 300, 3)
            if n != 30
        ]
        for offset, channel in ((0, GENERAL), (2, PEOPLE))
    }

    async def scenario() -> None:
        async with stage(rate=1.1, burst=3, slack_rate=1, server=SLOW) as slack:
            reasons = await slack.rejected("add", *rows, channelColumn="to")

            archived = "VENDOR_REJECTED: not sent: Slack answered is_archived"
            empty = {30: "INVALID_ROW: the message is empty"}
            assert reasons == dict.fromkeys(range(1, 300, 3), archived) | empty
            assert {channel: await slack.texts(channel) for channel in wanted} == wanted
            log = (await slack.ask("requests"))["log"]
            assert sum(each["error"] == "is_archived" for each in log) == 1
            assert sum(each["status"] == 429 for each in log) >= 5
            assert sum(each["status"] == 200 for each in log) == 200

    run_virtually(scenario())
