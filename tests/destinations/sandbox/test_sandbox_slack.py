"""Slack's stand-in is as strict as Slack says it is, and says truthfully what it holds."""

from typing import Any

import pytest
from aiohttp.test_utils import TestClient

from destinations.sandbox.slack import RATE, StandIn
from destinations.sandbox.slack.workspace import BURST, GENERAL, PEOPLE

TOKEN = "xoxb-of-these-tests"
OLD, OTHERS, LEADS = "C0OLD000001", "C0OTHERS001", "C0LEADS0001"


@pytest.fixture
async def slack(aiohttp_client) -> TestClient:
    """A client with the right token."""
    stand_in = StandIn(token=TOKEN, rate=1000)
    return await aiohttp_client(stand_in.app(), headers={"Authorization": f"Bearer {TOKEN}"})


async def call(slack: TestClient, method: str, **asked: Any) -> dict[str, Any]:
    """One of the methods."""
    async with slack.post(f"/api/{method}", json=asked) as answer:
        told: dict[str, Any] = await answer.json()
        return told | {"status": answer.status}


async def post(slack: TestClient, text: str = "a", channel: str = GENERAL, **more: Any) -> Any:
    """A message."""
    return await call(slack, "chat.postMessage", channel=channel, text=text, **more)


async def held(slack: TestClient) -> list[dict[str, Any]]:
    """The messages."""
    async with slack.get("/_sandbox/messages") as answer:
        return (await answer.json())["messages"]


async def behave(slack: TestClient, **behavior: Any) -> int:
    """Tells it how to behave."""
    async with slack.post("/_sandbox/behavior", json=behavior) as answer:
        return answer.status


async def listed(slack: TestClient, **asked: str) -> Any:
    """A page of channels."""
    async with slack.get("/api/users.conversations", params=asked) as answer:
        return await answer.json()


async def test_a_message_is_posted_edited_and_deleted(slack):
    """It stands where its answer says, under the channel's id, until it is deleted."""
    first = await post(slack, "a", "#general", blocks=[{"type": "divider"}])
    assert (first["ok"], first["channel"]) == (True, GENERAL)
    place = {"channel": GENERAL, "ts": first["ts"]}
    assert (await call(slack, "chat.update", **place, text="b"))["text"] == "b"
    [message] = await held(slack)
    assert (message["text"], "blocks" in message) == ("b", False)

    assert (await call(slack, "chat.delete", **place))["ok"] is True
    assert await held(slack) == []
    for method in ("chat.delete", "chat.update"):
        assert (await call(slack, method, **place, text="c"))["error"] == "message_not_found"


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"channel": "nowhere"}, "channel_not_found"),
        ({"channel": OLD}, "is_archived"),
        ({"channel": OTHERS}, "not_in_channel"),
        ({"text": " "}, "no_text"),
        ({"text": 7}, "invalid_arguments"),
        ({"blocks": [{"type": "nonsense"}]}, "invalid_blocks"),
        ({"blocks": [{"type": "divider"}] * 51}, "invalid_blocks"),
        ({"blocks": [{"type": "section", "text": {"text": "x" * 3001}}]}, "invalid_blocks"),
        ({"thread_ts": "1.2"}, "cannot_reply_to_message"),
    ],
)
async def test_what_slack_refuses_is_refused(slack, asked, code):
    """With 200, a code, and nothing posted."""
    answer = await post(slack, **asked)
    assert (answer["status"], answer["ok"], answer["error"]) == (200, False, code)
    assert await held(slack) == []


async def test_an_objection_to_blocks_has_its_place(slack):
    """As Slack's has, as a JSON pointer."""
    answer = await post(slack, blocks=[{"type": "divider"}, {"type": "x"}])
    [said] = answer["response_metadata"]["messages"]
    assert said == "[ERROR] unsupported type [json-pointer:/blocks/1/type]"


async def test_long_texts_are_cut_off_or_not_edited(slack):
    """A post shows 40,000 characters; an edit with more than 4,000 is refused."""
    answer = await post(slack, "x" * 40_001)
    assert len((await held(slack))[0]["text"]) == 40_000
    place = {"channel": GENERAL, "ts": answer["ts"]}
    assert (await call(slack, "chat.update", **place, text="x" * 4001))["error"] == "msg_too_long"


async def test_a_message_under_another_name_stays(slack):
    """Slack deletes an app's messages under its own name only."""
    answer = await post(slack, username="Deals")
    deleted = await call(slack, "chat.delete", channel=GENERAL, ts=answer["ts"])
    assert deleted["error"] == "cant_delete_message"


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"Authorization": "Bearer wrong"}, "invalid_auth"),
        ({"Authorization": "Bearer schlüssel"}, "invalid_auth"),
        ({"Authorization": f"Basic {TOKEN}"}, "invalid_auth"),
        ({}, "not_authed"),
    ],
)
async def test_the_token_is_needed(aiohttp_client, headers, code):
    """Every method wants it, and so does the sandbox."""
    slack = await aiohttp_client(StandIn(token=TOKEN).app(), headers=headers)
    for method in ("auth.test", "users.conversations", "chat.postMessage"):
        assert (await call(slack, method))["error"] == code
    assert (await slack.get("/_sandbox/rows")).status == 401


async def test_scopes_are_told_and_needed(slack):
    """Every answer tells the token's scopes; what needs another one is refused with its name."""
    await behave(slack, scopes=["channels:read"])
    async with slack.get("/api/auth.test") as answer:
        assert answer.headers["X-OAuth-Scopes"] == "channels:read"
        assert (await answer.json())["team"] == "Sandbox"
    assert (await listed(slack))["ok"] is True
    refused = await post(slack)
    assert (refused["error"], refused["needed"]) == ("missing_scope", "chat:write")
    assert (await listed(slack, types="private_channel"))["needed"] == "groups:read"
    await behave(slack, scopes=["chat:write"])
    assert (await post(slack, username="x"))["needed"] == "chat:write.customize"


async def test_channels_are_listed_in_pages(slack):
    """The app's own ones, of the types asked for, as many as asked for at a time."""
    types = "public_channel,private_channel"
    first = await listed(slack, types=types, exclude_archived="true", limit="2")
    cursor = first["response_metadata"]["next_cursor"]
    second = await listed(slack, types=types, exclude_archived="true", limit="2", cursor=cursor)

    names = [each["id"] for page in (first, second) for each in page["channels"]]
    assert names == [GENERAL, PEOPLE, LEADS]
    assert second["response_metadata"]["next_cursor"] == ""
    assert OLD in [each["id"] for each in (await listed(slack))["channels"]]
    for asked in ({"limit": "1000"}, {"cursor": "%%%"}, {"types": "im"}):
        assert (await listed(slack, **asked))["ok"] is False


async def test_a_channel_takes_a_few_at_once_and_then_its_rate(slack):
    """What is too much gets 429 with whole seconds to wait; another channel is not held back."""
    await behave(slack, rate=1)
    statuses = [(await post(slack))["status"] for _ in range(BURST + 1)]
    assert statuses == [200] * BURST + [429]
    async with slack.post("/api/chat.postMessage", json={"channel": GENERAL, "text": "a"}) as late:
        assert late.headers["Retry-After"] == "1"
        assert await late.json() == {"ok": False, "error": "ratelimited"}
    assert (await post(slack, channel=PEOPLE))["status"] == 200


@pytest.mark.parametrize(
    ("body", "content_type", "code"),
    [
        (b"{", "application/json", "invalid_json"),
        (b"[" * 100_000, "application/json", "invalid_json"),
        (b"[]", "application/json", "json_not_object"),
        (b"a=b", "text/plain", "invalid_post_type"),
    ],
)
async def test_what_cannot_be_read_is_refused(slack, body, content_type, code):
    """Only an object in JSON is taken."""
    headers = {"Content-Type": content_type}
    async with slack.post("/api/chat.postMessage", data=body, headers=headers) as answer:
        assert (await answer.json())["error"] == code


async def test_an_unknown_method_is_named_so(slack):
    """Of Slack's methods there are five."""
    assert (await call(slack, "conversations.create"))["error"] == "unknown_method"


async def test_a_webhook_posts_into_general(slack):
    """Plain text: ``ok``, or a code with a status of its own."""
    hook = StandIn(token=TOKEN).webhook("")["webhook_url"]

    async def send(url: str, body: Any) -> tuple[int, str]:
        async with slack.post(url, json=body) as answer:
            return answer.status, await answer.text()

    assert await send(hook, {"text": "a"}) == (200, "ok")
    assert await send(hook, {}) == (400, "no_text")
    assert await send(hook, []) == (400, "invalid_payload")
    assert await send(f"{hook}x", {"text": "a"}) == (404, "no_service")
    async with slack.post(
        "/_sandbox/channels", json={"id": GENERAL, "name": "general", "is_archived": True}
    ):
        assert await send(hook, {"text": "a"}) == (410, "channel_is_archived")
    assert [each["channel"] for each in await held(slack)] == [GENERAL]


async def test_a_message_can_be_deleted_by_hand(slack):
    """As a person does, of whom the app is not told; one that is not there cannot."""
    ts = (await post(slack))["ts"]
    assert (await slack.delete(f"/_sandbox/messages/{GENERAL}/{ts}")).status == 200
    assert (await slack.delete(f"/_sandbox/messages/{GENERAL}/{ts}")).status == 404
    assert await held(slack) == []


async def test_planned_answers_come_first(slack):
    """In order, for the method they name or for any, without posting; the log says so."""
    busy = {"status": 503, "headers": {"retry-after": 2}, "body": {"a": 1}, "method": "chat.update"}
    await behave(slack, next=[busy, {"status": 502, "body": "<h1>", "times": 2}], latency=0)
    async with slack.post("/api/chat.postMessage", json={}) as answer:
        assert (answer.status, await answer.text()) == (502, "<h1>")
    async with slack.post("/api/chat.update", json={}) as answer:
        assert (answer.status, await answer.json()) == (503, {"a": 1})
        assert answer.headers["Retry-After"] == "2"
    await behave(slack, next=[])
    assert (await post(slack))["ok"] is True
    async with slack.get("/_sandbox/requests") as answer:
        log = (await answer.json())["log"]
    assert [(each["method"], each["status"], each["planned"]) for each in log] == [
        ("chat.postMessage", 502, True),
        ("chat.update", 503, True),
        ("chat.postMessage", 200, False),
    ]


@pytest.mark.parametrize(
    "behavior", [{"rate": "fast"}, {"next": 503}, {"next": [{}]}, {"latency": None}, {"scopes": 7}]
)
async def test_a_behavior_of_another_shape_is_refused(slack, behavior):
    """And none of it takes effect."""
    assert await behave(slack, **behavior) == 400
    assert (await post(slack))["ok"] is True


async def test_everything_can_be_forgotten(slack):
    """After DELETE the workspace is as new."""
    await post(slack)
    await behave(slack, scopes=[], next=[{"status": 500}])
    assert (await slack.delete("/_sandbox")).status == 200
    assert await held(slack) == []
    assert (await post(slack))["ok"] is True


async def test_the_rows_of_a_demo_are_what_is_expected(slack):
    """A message about a person shows as the stand-in expects it."""
    person = {"id": "1", "first_name": "<A&B>", "last_name": None, "city": "Ulm", "email": "a@b.c"}
    await post(slack, "1 &lt;A&amp;B&gt; , Ulm: a@b.c", PEOPLE)
    async with slack.get("/_sandbox/rows") as answer:
        assert (await answer.json())["rows"] == [StandIn().expected(person)]


def test_tokens_are_random_and_the_demo_is_quick():
    """Each stand-in has a token of its own; the settings have its rate."""
    assert StandIn().token != StandIn().token
    assert StandIn().settings("http://x")["rate"] == RATE
