"""What a template makes of a row: what the row brings stays text, in messages and in blocks."""

import json
import random

import pytest
from slack_stage import GENERAL, row, stage

SECTION = '[{"type": "section", "text": {"type": "mrkdwn", "text": "{{ name }}"}}]'
EVIL = [
    '"}}, {"type": "divider"}, {"x": {"y": "',
    "\\",
    '\\"',
    "<!channel>",
    "<https://evil.example|Click>",
    "&lt;!here&gt;",
    "\u2028\n\t\x00",
    "{{ secret }}",
    "👩‍👩‍👧 名前 ليلى",
    "[],{}:null",
]


def shown(text: str) -> str:
    """What Slack shows of a text, when nothing in it is markup."""
    assert "<" not in text
    assert ">" not in text
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


@pytest.mark.parametrize("name", EVIL)
async def test_a_value_is_shown_as_it_is(name):
    """No value pings, links or breaks out, in the message or in its blocks."""
    async with stage() as slack:
        assert await slack.rejected("add", row(1, name=name), blocks=SECTION) == {}
        [message] = await slack.messages()

    assert shown(message["text"]) == name
    [block] = message["blocks"]
    assert block.keys() == {"type", "text"}
    assert shown(block["text"]["text"]) == name


async def test_any_value_stays_in_its_string():
    """A hundred values made of what JSON and markup are made of change no structure."""
    chance = random.Random(7)
    names = ["".join(chance.choices('"\\{}[],:<>&nul019 \n', k=12)) + "!" for _ in range(100)]
    async with stage() as slack:
        rows = [row(n, name=name) for n, name in enumerate(names)]
        assert await slack.rejected("add", *rows, blocks=SECTION) == {}
        messages = await slack.messages()

    assert [shown(each["blocks"][0]["text"]["text"]) for each in messages] == names


@pytest.mark.parametrize("name", ['1, "y": 2', "[]", "{}", "1, 2", "]", '"a"', "1 2", "x"])
async def test_outside_of_a_string_a_value_is_one_scalar_or_no_json(name):
    """A template that forgets the quotes cannot be made to mean something else."""
    async with stage() as slack:
        blocks = '[{"type": "divider", "block_id": {{ name }}}]'
        reasons = await slack.rejected("add", row(1, name=name), row(2, name=7), blocks=blocks)
        messages = await slack.messages()

    assert reasons == {
        1: "TEMPLATE_ERROR: blocks: what the template gives is not a JSON list of blocks"
    }
    assert [each["blocks"][0]["block_id"] for each in messages] == [7]


async def test_the_template_s_own_markup_works():
    """A template may ping and link; ``raw`` as the last filter inserts a value as it is."""
    message = "<!here> <https://x.example/?a=1&amp;b=2|{{ name }}> {{ markup | raw }}"
    async with stage() as slack:
        given = row(1, name="A & B", markup="<@U123>")
        assert await slack.rejected("add", given, message=message) == {}

        assert await slack.texts(GENERAL) == [
            "<!here> <https://x.example/?a=1&amp;b=2|A &amp; B> <@U123>"
        ]


async def test_captured_text_is_escaped_once():
    """What was put together in a capture keeps the template's markup and the values' escapes."""
    message = "{% capture who %}<{{ url }}|{{ name }}>{% endcapture %}{{ who }}"
    async with stage() as slack:
        assert (
            await slack.rejected("add", row(1, name="<A>", url="https://a"), message=message) == {}
        )

        assert await slack.texts() == ["<https://a|&lt;A&gt;>"]


@pytest.mark.parametrize("blocks", ["{}", "nothing", "[1]", "[[]]", '"[]"', "[" * 5000])
async def test_what_is_no_list_of_blocks_rejects_its_row(blocks):
    """The reason says so, before Slack is asked."""
    async with stage() as slack:
        reasons = await slack.rejected("add", row(1), blocks=blocks)

        assert reasons[1].startswith("TEMPLATE_ERROR: blocks: ")
        assert await slack.asked() == []


async def test_too_many_blocks_reject_their_row():
    """Slack takes fifty."""
    loop = (
        '[{% for n in (1..count) %}{"type": "divider"}'
        "{% unless forloop.last %},{% endunless %}{% endfor %}]"
    )
    async with stage() as slack:
        reasons = await slack.rejected("add", row(1, count=50), row(2, count=51), blocks=loop)

        assert reasons == {2: "TOO_LARGE: blocks: more than 50"}
        assert [len(each["blocks"]) for each in await slack.messages()] == [50]


async def test_slack_s_objection_names_the_place_and_no_value():
    """What is wrong with a block is told by its place; what stands there is not."""
    async with stage() as slack:
        long = row(1, name="hunter2" * 500)
        reasons = await slack.rejected("add", long, message="short", blocks=SECTION)

    assert reasons == {1: "VENDOR_REJECTED: Slack answered invalid_blocks at /blocks/0/text/text"}


async def test_an_objection_that_quotes_a_value_is_not_repeated():
    """Slack's own words are its codes and the names of Block Kit; the rest stays out."""
    messages = ["[ERROR] hunter2 [json-pointer:/blocks/0/hunter2]"]
    body = {
        "ok": False,
        "error": "invalid_blocks",
        "needed": "Hunter2 <b>",
        "response_metadata": {"messages": messages},
    }
    async with stage() as slack:
        await slack.tell(next=[{"status": 200, "body": body}])
        reasons = await slack.rejected("add", row(1))

    assert reasons == {1: "VENDOR_REJECTED: Slack answered invalid_blocks at /blocks/0"}


class TestDigests:
    """One message from many rows."""

    MESSAGE = "{{ count }} new:{% for each in rows %} {{ each.name }}{% endfor %}"

    async def test_a_call_is_a_message(self):
        """The template has all rows; what they bring is escaped; ``behavior`` asks for no more."""
        async with stage() as slack:
            configuration = {"mode": "digest", "message": self.MESSAGE}
            rows = [row(1), row(2, name="<!channel>"), row(3)]
            assert await slack.rejected("add", *rows, **configuration) == {}
            behavior = await slack.served.result(
                "behavior", {"configuration": configuration}, path="/hightouch/team"
            )

            assert await slack.texts() == ["3 new: name 1 &lt;!channel&gt; name 3"]
        assert behavior["batchSize"] == 100
        assert behavior["operations"] == {"add": True, "change": False, "remove": False}

    async def test_rows_of_a_repeated_call_are_not_told_again(self):
        """A digest is made from what was not delivered yet."""
        async with stage() as slack:
            for rows in ([row(1), row(2)], [row(1), row(2), row(3)], [row(3)]):
                await slack.rejected("add", *rows, mode="digest", message=self.MESSAGE)

            assert await slack.texts() == ["2 new: name 1 name 2", "1 new: name 3"]

    async def test_a_digest_for_each_channel(self):
        """Rows that name channels are told of where they belong."""
        async with stage() as slack:
            rows = [row(n, to="#people" if n % 2 else "#leads") for n in range(5)]
            options = {"mode": "digest", "message": self.MESSAGE, "channelColumn": "to"}
            assert await slack.rejected("add", *rows, **options) == {}

            texts = sorted(await slack.texts())
            assert texts == ["2 new: name 1 name 3", "3 new: name 0 name 2 name 4"]

    async def test_a_digest_that_is_refused_rejects_its_rows(self):
        """It is one message: no half of it is posted."""
        async with stage() as slack:
            blocks = json.dumps([{"type": "nonsense"}])
            reasons = await slack.rejected("add", row(1), row(2), mode="digest", blocks=blocks)

            place = "VENDOR_REJECTED: Slack answered invalid_blocks at /blocks/0"
            assert reasons == {1: place, 2: place}
            assert await slack.asked() == ["chat.postMessage"]

    async def test_a_hundred_ordinary_rows_fit(self):
        """A digest over wide rows stays within what a template may do."""
        rows = [row(n, **{f"column{c}": "some value" * 3 for c in range(20)}) for n in range(100)]
        async with stage() as slack:
            assert await slack.rejected("add", *rows, mode="digest", message=self.MESSAGE) == {}
            [text] = await slack.texts()

        assert text.startswith("100 new: name 0 name 1")
