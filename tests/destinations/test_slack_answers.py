"""What becomes of rows when Slack says no, by either transport."""

import pytest
from slack_stage import GENERAL, TEAM, row, stage

from destinations.slack.answers import CODES

SAID = "VENDOR_REJECTED: Slack answered "


def no(code: str, status: int = 200, times: int = 1, **more: object) -> dict[str, object]:
    """A planned answer that says no."""
    return {"status": status, "times": times, "body": {"ok": False, "error": code, **more}}


async def posted(slack, *answers, rows=1):
    """The reasons for rows while Slack answers so, and how often it was asked."""
    await slack.tell(next=list(answers))
    reasons = await slack.rejected("add", *map(row, range(rows)))
    return reasons, len(await slack.asked())


@pytest.mark.parametrize("code", ["msg_too_long", "invalid_blocks", "a_code_of_next_year"])
async def test_a_message_that_is_refused_is_its_row_s(code):
    """Whatever code is not known refuses one row; the next is posted."""
    async with stage() as slack:
        assert await posted(slack, no(code), rows=2) == ({0: SAID + code}, 2)


@pytest.mark.parametrize("code", ["ratelimited", "rate_limited", "service_unavailable"])
async def test_what_was_not_taken_is_posted_again(code):
    """Nothing was posted, so nothing is posted twice."""
    async with stage() as slack:
        assert await posted(slack, no(code)) == ({}, 2)
        assert await slack.texts() == ["name 0"]


@pytest.mark.parametrize(
    "answer",
    [
        no("internal_error"),
        no("fatal_error"),
        {"status": 200, "body": "<html>Welcome</html>"},
        {"status": 200, "body": "null"},
        {"status": 200, "body": {"ok": "yes"}},
        {"status": 200, "body": {}},
        {"status": 500, "body": "oops"},
    ],
)
async def test_what_may_have_been_posted_is_not_posted_again(answer):
    """Anything but a yes or a known no leaves it open: the row is named as perhaps delivered."""
    async with stage() as slack:
        reasons, requests = await posted(slack, answer)

    assert reasons[0].startswith("OUTCOME_UNKNOWN: ")
    assert "may have been delivered" in reasons[0]
    assert requests == 1


@pytest.mark.parametrize("code", ["token_revoked", "account_inactive", "not_authed"])
async def test_credentials_stop_the_call(code):
    """A person must act; Slack is asked once."""
    async with stage() as slack:
        await slack.tell(next=[no(code, times=99)])
        error = await slack.error("add", *map(row, range(30)))

        assert error["message"] == f"AUTH_FAILED: not sent: Slack answered {code}"
        assert len(await slack.asked()) == 1


@pytest.mark.parametrize("code", ["is_archived", "restricted_action", "message_limit_exceeded"])
async def test_a_channel_s_fault_is_told_once_to_slack(code):
    """All rows of the channel have one reason."""
    async with stage() as slack:
        reasons, requests = await posted(slack, no(code, times=99), rows=20)

    assert set(reasons.values()) == {f"VENDOR_REJECTED: not sent: Slack answered {code}"}
    assert (len(reasons), requests) == (20, 1)


def test_every_code_has_one_meaning():
    """No code is listed twice under different errors."""
    assert all(code == code.lower() and " " not in code for code in CODES)
    assert len(CODES) > 50


class TestWebhook:
    """The second transport."""

    async def test_rows_are_posted(self):
        """Text, blocks and thread reach the webhook; what it decides itself is not sent."""
        async with stage(webhook=True) as slack:
            section = '[{"type": "section", "text": {"type": "mrkdwn", "text": "{{ name }}"}}]'
            rows = [row(1, at="1700000000.000001"), row(2, at=None)]
            options = {"blocks": section, "threadColumn": "at", "username": "x", "icon": ":x:"}
            assert await slack.rejected("add", *rows, channel=None, **options) == {}
            first, second = await slack.messages(GENERAL)

        assert first["text"] == first["blocks"][0]["text"]["text"] == "name 1"
        assert first["thread_ts"] == "1700000000.000001"
        assert not {"username", "icon_emoji", "unfurl_links", "thread_ts"} & second.keys()

    async def test_the_form_has_what_a_webhook_can_do(self):
        """No list is asked for, what it decides itself is hidden, and nothing is kept in step."""
        async with stage(webhook=True) as slack:
            options = (await slack.served.result("list_options", {}, path=TEAM))["options"]
            modes = (await slack.served.result("list_modes", {}, path=TEAM))["modes"]
            configuration = {"message": "{{ name }}"}
            validated = await slack.served.result(
                "validate", {"configuration": configuration}, path=TEAM
            )
            assert await slack.asked() == []

        hidden = {name for name, ui in options["uiSchema"].items() if "hidden" in str(ui)}
        assert hidden == {"channel", "channelColumn", "username", "icon", "series"}
        assert "keep_in_step" not in {each["id"] for each in modes}
        assert validated == {"errors": []}

    @pytest.mark.parametrize(
        ("status", "text", "reason", "requests"),
        [
            (400, "invalid_payload", "VENDOR_REJECTED: Slack answered invalid_payload", 2),
            (404, "no_team", "VENDOR_REJECTED: not sent: Slack answered no_team", 1),
            (
                410,
                "channel_is_archived",
                "VENDOR_REJECTED: not sent: Slack answered channel_is_archived",
                1,
            ),
            (404, "<html>Not here</html>", "VENDOR_REJECTED: the vendor answered 404", 2),
            (
                500,
                "rollup_error",
                "OUTCOME_UNKNOWN: the vendor answered 500; may have been delivered",
                2,
            ),
            (
                200,
                "not ok, is it?",
                "OUTCOME_UNKNOWN: Slack's answer cannot be read; may have been delivered",
                2,
            ),
        ],
    )
    async def test_a_code_in_plain_text_is_understood(self, status, text, reason, requests):
        """The code decides, where there is one; else the status. Only ``ok`` is a yes."""
        async with stage(webhook=True) as slack:
            plan = {"status": status, "body": text, "times": 9}
            assert await posted(slack, plan, rows=2) == ({0: reason, 1: reason}, requests)

    @pytest.mark.parametrize(
        ("status", "text"), [(403, "invalid_token"), (403, "action_prohibited")]
    )
    async def test_a_webhook_that_may_not_post_fails_the_call(self, status, text):
        """A person must act."""
        async with stage(webhook=True) as slack:
            await slack.tell(next=[{"status": status, "body": text, "times": 9}])
            error = await slack.error("add", row(1), row(2))

            assert error["message"] == f"AUTH_FAILED: not sent: Slack answered {text}"
            assert slack.token not in str(error)
            assert len(await slack.asked()) == 1
