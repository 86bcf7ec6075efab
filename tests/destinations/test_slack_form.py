"""What marketers and operators are shown and told before anything is posted."""

import json

import pytest
from pydantic import ValidationError
from slack_stage import GENERAL, LEADS, PEOPLE, TEAM, stage

from destination import Checked
from destination.app import INSTANCES
from destination.errors import DestinationError
from destinations.slack import Settings

MESSAGE = {"channel": GENERAL, "message": "{{ name }}"}


async def channels(slack):
    """The choices of the form's channel."""
    options = (await slack.served.result("list_options", {}, path=TEAM))["options"]
    channel = options["schema"]["properties"]["channel"]
    return dict(zip(channel.get("enum", ()), channel.get("enumNames", ()), strict=True))


async def validated(slack, *, columns=None, **configuration):
    """What ``validate`` has to say."""
    params = {"configuration": MESSAGE | configuration, "columns": columns}
    return (await slack.served.result("validate", params, path=TEAM))["errors"]


class TestForm:
    """The form."""

    async def test_the_published_example_s_form_is_there(self):
        """A channel with its names and a message in a text area, both under their names."""
        async with stage() as slack:
            options = (await slack.served.result("list_options", {}, path=TEAM))["options"]
            fields = await slack.served.result("list_fields", {}, path=TEAM)
            objects = await slack.served.result("list_objects", path=TEAM)

        assert {"channel", "message"} <= options["schema"]["properties"].keys()
        assert options["schema"]["required"] == ["message"]
        assert options["uiSchema"]["message"] == {"ui:widget": "textarea"}
        assert options["uiSchema"]["blocks"] == {"ui:widget": "textarea"}
        assert (fields, objects) == ({"fields": None}, {"objects": None})

    async def test_open_channels_are_offered_by_name(self):
        """Public and private ones that the app is in; archived ones are left out."""
        async with stage() as slack:
            assert await channels(slack) == {
                GENERAL: "#general", LEADS: "#leads", PEOPLE: "#people"
            }  # fmt: skip

    async def test_every_page_is_read(self):
        """A workspace has more channels than an answer."""
        async with stage() as slack:
            for n in range(347):
                await slack.tell("channels", id=f"C0MANY{n:05}", name=f"many-{n:03}")
            assert len(await channels(slack)) == 350
            assert await slack.asked() == ["users.conversations"] * 4

    async def test_without_the_scope_for_private_ones_public_ones_are_offered(self):
        """A token that may read less is shown less."""
        async with stage() as slack:
            await slack.tell(scopes=["chat:write", "channels:read"])
            assert await channels(slack) == {GENERAL: "#general", PEOPLE: "#people"}

    async def test_a_token_that_may_only_post_posts(self):
        """Without the list the channel is typed, and rows do not wait for it."""
        async with stage() as slack:
            await slack.tell(scopes=["chat:write"])
            for _ in range(3):
                assert await channels(slack) == {}
            assert await validated(slack, channel="#people") == []
            assert await slack.rejected("add", {"id": 1, "name": "a"}, channel="#people") == {}
            assert await slack.texts(PEOPLE) == ["a"]

    async def test_modes_are_offered(self):
        """Four modes, the published example's first."""
        async with stage() as slack:
            modes = (await slack.served.result("list_modes", {}, path=TEAM))["modes"]
            behavior = await slack.served.result("behavior", {"configuration": MESSAGE}, path=TEAM)

        names = ["post_added", "post_added_changed", "keep_in_step", "digest"]
        assert [each["id"] for each in modes] == names
        assert behavior["operations"] == {"add": True, "change": False, "remove": False}
        assert behavior["skipInitialRun"] is True

    async def test_a_call_is_as_large_as_one_channel_can_take(self):
        """At a message a second and a deadline of 25 seconds, 22 rows."""
        async with stage(rate=1) as slack:
            behavior = await slack.served.result("behavior", {"configuration": MESSAGE}, path=TEAM)

        assert behavior["batchSize"] == 22


class TestValidation:
    """What is told before a sync is saved."""

    @pytest.mark.parametrize(
        ("configuration", "problem"),
        [
            ({}, None),
            ({"channel": "C0NOTHERE01"}, 'Option "Channel" has a value that is not in its list.'),
            ({"channel": None}, "Choose a channel, or a column that names each row's channel."),
            ({"channel": None, "channelColumn": "to"}, None),
            ({"message": None}, 'Option "Message" is required.'),
            ({"message": "{{ name"}, 'Option "Message": line 1, column 1: '),
            ({"blocks": "{% if %}"}, 'Option "Blocks": line 1, column '),
            ({"mode": "keep_in_step", "icon": ":x:"}, "Slack does not delete messages under "),
            ({"mode": "digest", "message": "{{ name }}"}, "A digest's template has the rows as "),
            (
                {"mode": "digest", "message": "{{ count }}", "threadColumn": "to"},
                "A digest is about many rows ",
            ),
        ],
    )
    async def test_what_does_not_fit_is_told(self, configuration, problem):
        """Each problem is a sentence; a valid form has none."""
        async with stage() as slack:
            problems = await validated(slack, **configuration)

        assert [each[: len(problem or "")] for each in problems] == ([problem] if problem else [])

    async def test_unknown_columns_are_named(self):
        """Where the model's columns are known, what reads others is told."""
        options = {
            "message": "{{ name }} {{ nmae }}",
            "blocks": "{{ block }}",
            "channelColumn": "t",
        }
        async with stage() as slack:
            problems = await validated(slack, columns=["id", "name"], **options)
            digest = await validated(slack, columns=["id"], mode="digest", message="{{ count }}")

        assert problems == [
            f'Column "{name}" does not exist in the model.' for name in ("block", "nmae", "t")
        ]
        assert digest == []


class TestCheck:
    """``destination check``."""

    async def check(self, slack):
        return await slack.served.app[INSTANCES]["team"].check()

    async def test_it_says_whose_token_it_is(self):
        """The workspace is named."""
        async with stage() as slack:
            assert await self.check(slack) == Checked('workspace "Sandbox"')

    async def test_it_says_which_scopes_are_missing(self):
        """What does not keep rows from being posted is told; what does fails the check."""
        async with stage() as slack:
            await slack.tell(scopes=["chat:write", "channels:read", "chat:write.customize"])
            assert await self.check(slack) == Checked(
                'workspace "Sandbox"',
                (
                    "the scope groups:read is missing: private channels are not listed; add it "
                    "under OAuth & Permissions and install the app again",
                ),
            )
            await slack.tell(scopes=["channels:read", "groups:read", "chat:write.customize"])
            with pytest.raises(DestinationError) as raised:
                await self.check(slack)

        assert raised.value.reason == (
            'AUTH_FAILED: workspace "Sandbox"; '
            "the scope chat:write is missing: nothing can be posted; add it under OAuth & "
            "Permissions and install the app again"
        )

    async def test_a_wrong_token_fails(self):
        """Slack's code says why."""
        async with stage(token="xoxb-wrong") as slack:
            with pytest.raises(DestinationError, match="invalid_auth"):
                await self.check(slack)

    async def test_a_webhook_is_asked_without_posting(self):
        """An incoming webhook refuses an empty message, and that it does shows that it is there."""
        async with stage(webhook=True) as slack:
            assert await self.check(slack) == Checked("the incoming webhook is there")
            assert await slack.messages() == []

    async def test_a_webhook_that_was_removed_fails(self):
        """The reason does not show its address."""
        async with stage(webhook=True) as slack:
            await slack.tell(next=[{"status": 404, "body": "no_service"}])
            with pytest.raises(DestinationError) as raised:
                await self.check(slack)

        assert raised.value.reason == (
            "VENDOR_REJECTED: not sent: Slack answered no_service: the incoming webhook was removed"
        )

    async def test_an_address_that_is_no_webhook_fails(self):
        """Only what refuses an empty message as Slack does is a webhook."""
        async with stage(webhook=True) as slack:
            await slack.tell(next=[{"status": 404, "body": "<html>"}])
            with pytest.raises(DestinationError):
                await self.check(slack)


class TestSettings:
    """What the operator may say."""

    @pytest.mark.parametrize(
        "settings",
        [
            {},
            {"token": "xoxb-1", "webhook_url": "https://hooks.slack.com/services/x"},
            {"token": "xoxb-1\n"},
            {"token": ""},
            {"token": "xoxb 1"},
            {"token": "xoxb-1", "colour": 1},
        ],
    )
    def test_what_cannot_work_is_refused(self, settings):
        """A mistake is told when the server starts."""
        with pytest.raises(ValidationError):
            Settings.model_validate(settings)

    def test_secrets_are_not_shown(self):
        """Neither repr nor an error holds them."""
        for name in ("token", "webhook_url"):
            assert "hunter2" not in repr(Settings.model_validate({name: "hunter2"}))
            with pytest.raises(ValidationError) as raised:
                Settings.model_validate({name: "hunter2 two"})
            assert "hunter2" not in str(raised.value)


async def test_the_schema_has_no_null():
    """The form shows text, not alternatives to it."""
    async with stage() as slack:
        options = (await slack.served.result("list_options", {}, path=TEAM))["options"]

    assert "null" not in json.dumps(options["schema"])
