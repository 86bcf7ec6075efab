"""Messages are kept in step with rows: posted, edited, deleted, across restarts too."""

from pathlib import Path

import pytest
from slack_stage import FAST, GENERAL, PEOPLE, row, stage

from destinations.sandbox.slack import StandIn

STEP = {"mode": "keep_in_step"}


async def test_the_channel_shows_the_rows():
    """Added rows are posted, changed ones edited in their place, removed ones deleted."""
    async with stage() as slack:
        assert await slack.rejected("add", row(1), row(2), row(3), **STEP) == {}
        assert await slack.rejected("change", row(2, name="two"), **STEP) == {}
        assert await slack.rejected("remove", row(1), **STEP) == {}

        assert await slack.texts(GENERAL) == ["two", "name 3"]
        posted = ["chat.postMessage"] * 3
        assert await slack.asked() == [*posted, "chat.update", "chat.delete"]


@pytest.mark.parametrize("restarted", [False, True])
async def test_fifty_added_twenty_changed_ten_removed(tmp_path: Path, restarted: bool):
    """50, 20 and 10 operations, one deleted by hand posted anew: the channel shows the rows."""
    slack_stays = StandIn(token="xoxb-of-the-tests", rate=FAST)
    told = {"stand_in": slack_stays, "state_url": f"sqlite:///{tmp_path}/state.db"}
    rows = {n: row(n) for n in range(50)}
    async with stage(**told) as slack:
        assert await slack.rejected("add", *rows.values(), **STEP) == {}
        assert await slack.asked() == ["chat.postMessage"] * 50
        await slack.delete_by_hand((await slack.messages())[7])
        if not restarted:
            await change_and_remove(slack, rows)
    if restarted:
        async with stage(**told) as slack:
            await change_and_remove(slack, rows)


async def change_and_remove(slack, rows):
    before = len(await slack.asked())
    changed = {n: row(n, name=f"changed {n}") for n in range(20)}
    assert await slack.rejected("change", *changed.values(), **STEP) == {}
    asked = (await slack.asked())[before:]
    assert sorted(asked) == ["chat.postMessage"] + ["chat.update"] * 20

    assert await slack.rejected("remove", *(rows[n] for n in range(15, 25)), **STEP) == {}
    assert (await slack.asked())[before + 21 :] == ["chat.delete"] * 10

    wanted = {each["name"] for n, each in (rows | changed).items() if not 15 <= n < 25}
    assert sorted(await slack.texts()) == sorted(wanted)


async def test_an_edit_takes_the_blocks_too():
    """An edited message has the new blocks, or none any more; mentions are not made of words."""
    section = '{"type": "section", "text": {"type": "mrkdwn", "text": "{{ b }}"}}'
    blocks = f"[{{% if b %}}{section}{{% endif %}}]"
    async with stage() as slack:
        await slack.rejected("add", row(1, b="x"), blocks=blocks, **STEP)
        await slack.rejected("change", row(1, b="y"), blocks=blocks, **STEP)
        [message] = await slack.messages()
        assert message["blocks"][0]["text"]["text"] == "y"
        assert slack.exchanges[-1].body["parse"] == "none"

        await slack.rejected("change", row(1), blocks=blocks, **STEP)
        [message] = await slack.messages()
        assert message["blocks"] == []


async def test_a_row_that_moves_takes_its_message_along():
    """When the row names another channel, the message leaves the one and is posted in the other."""
    options = STEP | {"channelColumn": "to"}
    async with stage() as slack:
        await slack.rejected("add", row(1, to="#general"), **options)
        assert await slack.rejected("change", row(1, to="#people"), **options) == {}

        assert await slack.texts(GENERAL) == []
        assert await slack.texts(PEOPLE) == ["name 1"]


async def test_a_move_that_fails_halfway_is_made_up_for():
    """A row whose old message is deleted and whose new one is not posted is posted next time."""
    options = STEP | {"channelColumn": "to"}
    async with stage() as slack:
        await slack.rejected("add", row(1, to="#general"), **options)
        reasons = await slack.rejected("change", row(1, to="#old"), **options)
        assert reasons == {1: "VENDOR_REJECTED: not sent: Slack answered is_archived"}
        assert await slack.rejected("change", row(1, to="#people"), **options) == {}

        assert await slack.texts() == ["name 1"]


async def test_what_was_never_posted_or_is_gone_needs_no_deletion():
    """Removing an unknown row does nothing; one whose message is gone is done."""
    async with stage() as slack:
        await slack.rejected("add", row(1), **STEP)
        await slack.delete_by_hand((await slack.messages())[0])
        assert await slack.rejected("remove", row(1), row(2), **STEP) == {}

        assert await slack.asked() == ["chat.postMessage", "chat.delete"]


async def test_a_row_that_returns_is_posted_again():
    """After its removal a row has no message: the next time it gets a new one."""
    async with stage() as slack:
        for operation in ("add", "remove", "add"):
            assert await slack.rejected(operation, row(1), **STEP) == {}

        assert await slack.texts() == ["name 1"]


async def test_series_do_not_touch_each_other():
    """Rows with the same ids in one channel are told apart by series, channel or id column."""
    async with stage() as slack:
        for series in ("deals", "people", ""):
            assert await slack.rejected("add", row(1), series=series, **STEP) == {}
        await slack.rejected("change", row(1, name="changed"), series="people", **STEP)

        assert await slack.texts() == ["name 1", "changed", "name 1"]


async def test_a_new_template_edits_the_old_messages():
    """Where a message stands does not depend on what it says."""
    async with stage() as slack:
        await slack.rejected("add", row(1), **STEP)
        await slack.rejected("change", row(1), message="now {{ name }}", **STEP)

        assert await slack.texts() == ["now name 1"]


async def test_what_could_not_be_edited_is_not_posted():
    """A message that is to be edited has at most 4,000 characters, and no other name."""
    async with stage() as slack:
        rows = [row(1, name="x" * 4_000), row(2, name="x" * 4_001)]
        reasons = await slack.rejected("add", *rows, username="Deals", **STEP)
        [message] = await slack.messages()

    assert reasons == {2: "TOO_LARGE: the message is longer than 4,000 characters"}
    assert "username" not in message


async def test_an_edit_that_got_no_answer_is_made_again():
    """The same edit twice is the same message; a post is not repeated."""
    fault = {"status": 500, "body": "<html>", "times": 1}
    async with stage() as slack:
        await slack.rejected("add", row(1), **STEP)
        await slack.tell(next=[fault])
        assert await slack.rejected("change", row(1, name="one"), **STEP) == {}
        await slack.tell(next=[fault])
        assert (await slack.rejected("add", row(2), **STEP))[2].startswith("OUTCOME_UNKNOWN")

        assert await slack.texts() == ["one"]


def on_disk(folder: Path) -> bytes:
    return b"".join(each.read_bytes() for each in folder.glob("state.db*"))


async def test_no_row_s_value_is_stored(tmp_path: Path):
    """What is kept is where messages stand; ids and texts are not."""
    async with stage(state_url=f"sqlite:///{tmp_path}/state.db") as slack:
        await slack.rejected("add", row("canary-id", name="canary-name"), **STEP)
        [message] = await slack.messages()
        held = on_disk(tmp_path)

    assert message["ts"].encode() in held
    assert b"canary" not in held
