"""Requests and answers are what Slack's own description says, here and in every test of Slack."""

import os

import pytest
from slack_specs import Exchange, SlackSpec
from slack_stage import GENERAL, OLD, TEAM, row, stage

FOLDER = os.environ.get("VENDOR_SPECS", "")

pytestmark = pytest.mark.skipif(not FOLDER, reason="VENDOR_SPECS names no folder")

STEP = {"mode": "keep_in_step"}


async def test_every_method_is_described():
    """All methods that the destination calls, and all refusals met on the way, are described."""
    section = '[{"type": "section", "text": {"type": "mrkdwn", "text": "{{ name }}"}}]'
    async with stage(slack_rate=0.001) as slack:
        await slack.served.result("list_options", {}, path=TEAM)
        await slack.served.plugin("team").check()
        options = {"blocks": section, "username": "Deals", "icon": ":tada:"}
        await slack.rejected("add", row(1), row(2), **options)
        await slack.rejected("add", row(1), blocks='[{"type": "x"}]')
        await slack.rejected("add", row(1, t="1700000000.000009"), threadColumn="t")
        await slack.rejected("add", row(1), channel=OLD)
        await slack.rejected("add", row(1), blocks=section, **STEP)
        await slack.rejected("change", row(1, name="x"), blocks=section, **STEP)
        await slack.rejected("remove", row(1), **STEP)
        await slack.tell(scopes=["channels:read"])
        await slack.served.result("list_options", {}, path=TEAM)
        await slack.error("add", row(10))
        await slack.tell(scopes=["chat:write"])
        await slack.rejected("add", *map(row, range(3, 9)))

    spec = SlackSpec(FOLDER)
    assert [problem for each in slack.exchanges for problem in spec.problems(each)] == []
    assert {each.path for each in slack.exchanges} == {
        "/api/users.conversations",
        "/api/auth.test",
        "/api/chat.postMessage",
        "/api/chat.update",
        "/api/chat.delete",
    }
    errors = {(each.answer or {}).get("error") for each in slack.exchanges}
    expected = {"is_archived", "invalid_blocks", "cannot_reply_to_message", "ratelimited"}
    assert errors == {None, "missing_scope", *expected}


GOOD = {
    "verb": "POST",
    "path": "/api/chat.postMessage",
    "headers": {"Authorization": "Bearer x", "Content-Type": "application/json"},
    "body": {"channel": GENERAL, "text": "a", "unfurl_links": True},
    "status": 200,
    "answer": {
        "ok": True,
        "channel": GENERAL,
        "ts": "1700000000.000001",
        "message": {"type": "message", "text": "a", "ts": "1700000000.000001"},
    },
}


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        ({}, None),
        ({"verb": "GET"}, "there is no GET /chat.postMessage"),
        ({"headers": {"Content-Type": "application/json"}}, "no bearer token"),
        ({"headers": GOOD["headers"] | {"Content-Type": "text/plain"}}, "does not take text/plain"),
        ({"body": {"text": "a"}}, "channel is missing"),
        ({"body": GOOD["body"] | {"colour": 1}}, "unknown argument colour"),
        ({"body": GOOD["body"] | {"unfurl_links": "yes"}}, "unfurl_links is not boolean"),
        ({"answer": {"ok": True}}, "'channel' is a required property"),
        ({"answer": GOOD["answer"] | {"ts": 1.5}}, "$.ts: 1.5"),
        ({"answer": GOOD["answer"] | {"extra": 1}}, "'extra' was unexpected"),
        ({"answer": {"ok": False, "error": "nope"}}, "'nope' is not one of"),
        ({"status": 429}, "is not one of [False]"),
    ],
)
def test_what_is_not_described_is_found(wrong, problem):
    """The judge is no yes-man: each deviation is named."""
    problems = SlackSpec(FOLDER).problems(Exchange(**(GOOD | wrong)))

    assert any(problem in each for each in problems) if problem else problems == []
