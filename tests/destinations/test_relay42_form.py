"""What an operator and a marketer can say about Relay42, and what they are told of mistakes."""

import json
from typing import Any

import pytest
from click.testing import CliRunner
from segment_stage import member, stage

from destination.app import make_instance
from destination.cli.describe import describe_command
from destination.errors import ConfigError
from destination.settings import Server
from destination.tuning import Tuning
from destinations.relay42 import Relay42
from destinations.relay42.form import FactsSettings, PayloadSettings, Settings

SECRET = "hunter2hunter2"
ENDPOINT = {"endpoint": "https://example.com/segments"}
FACTS = {"delivery": "facts", "site_id": 1}
KEY = FACTS | {"api_key": "k"}
NOTHING_TELLS = "nothing tells removals from additions: set another remove_method, a remove_endp"
EITHER = "give either api_identifier and access_token, or api_key"


def refused(**settings: Any) -> list[str]:
    """What is said of settings that do not do, without the destination's name."""
    with pytest.raises(ConfigError) as raised:
        make_instance("x", {"kind": "relay42", **settings}, Server())
    lines = raised.value.message.splitlines()
    assert all(line.startswith("destinations.x") for line in lines)
    return [line.removeprefix("destinations.x") for line in lines]


class TestSettings:
    """Two deliveries, each with settings of its own."""

    def test_a_delivery_is_chosen(self):
        """Payloads, unless it is said otherwise."""
        assert isinstance(Settings.model_validate(ENDPOINT).root, PayloadSettings)
        assert isinstance(Settings.model_validate(KEY).root, FactsSettings)

    @pytest.mark.parametrize(
        ("settings", "lines"),
        [
            ({}, [".endpoint: is missing"]),
            ({"delivery": "mail"}, [": 'delivery' must be 'payload', 'facts'"]),
            ({"delivery": [SECRET]}, [": 'delivery' must be 'payload', 'facts'"]),
            (ENDPOINT | {"endpoynt": "x"}, [': Setting "endpoynt" does not exist. Did you mean "']),
            (ENDPOINT | {"site_id": 1}, ['.site_id: Setting "site_id" does not exist here.']),
            (KEY | ENDPOINT, ['.endpoint: Setting "endpoint" does not exist here.']),
            ({"endpoint": "http://u:p@example.com"}, [".endpoint: credentials belong into auth"]),
            (ENDPOINT | {"auth": {"scheme": "bearer"}}, [".auth.bearer.token: is missing"]),
            (ENDPOINT | {"action_header": "a b"}, [".action_header: is no header's name"]),
            (ENDPOINT | {"remove_method": "GET"}, [".remove_method: must be 'POST', 'PU"]),
            (ENDPOINT | {"remove_method": "POST"}, [f": {NOTHING_TELLS}"]),
            (ENDPOINT | {"remove_endpoint": ENDPOINT["endpoint"]}, [f": {NOTHING_TELLS}"]),
            (ENDPOINT | {"timeout": 0}, [".timeout: "]),
            (FACTS, [f": {EITHER}"]),
            (KEY | {"access_token": "t"}, [f": {EITHER}"]),
            (FACTS | {"api_identifier": "i"}, [f": {EITHER}"]),
            (FACTS | {"api_identifier": "i", "access_token": ""}, [".access_token: must not be"]),
            (FACTS | {"api_identifier": "a:b", "access_token": "t"}, [".api_identifier: must"]),
            (KEY | {"site_id": 0}, [".site_id: must be greater than or equal to 1"]),
        ],
    )
    def test_mistakes_are_named(self, settings, lines):
        """By the setting, as it is written, and never with its value."""
        said = refused(**settings)

        assert SECRET not in "".join(said)
        assert len(said) == len(lines)
        for line, start in zip(said, lines, strict=True):
            assert line.startswith(start)

    @pytest.mark.parametrize(
        "settings",
        [
            {"endpoint": f"https://example.com/{SECRET}"},
            ENDPOINT | {"remove_endpoint": f"https://example.com/{SECRET}"},
            ENDPOINT | {"auth": {"scheme": "bearer", "token": SECRET}},
            FACTS | {"api_key": SECRET},
            FACTS | {"api_identifier": "i", "access_token": SECRET},
        ],
    )
    def test_secrets_are_not_shown(self, settings):
        """Addresses may be secrets too."""
        made = Settings.model_validate(settings)

        assert SECRET not in f"{made!r} {made} {vars(Relay42(made))}"

    @pytest.mark.parametrize("settings", [ENDPOINT, KEY])
    def test_limits_are_the_platform_s(self, settings):
        """Three seconds and four attempts, unless the operator says otherwise."""
        plugin = Relay42(Settings.model_validate(settings))
        limits = Tuning().applied(plugin.limits_for(None, None))

        assert (limits.timeout, limits.attempts) == (3.0, 4)

    def test_both_are_described(self):
        """``destination describe`` lists each delivery's settings after what chooses it."""
        shown = CliRunner().invoke(describe_command, ["relay42", "--json"])
        settings = json.loads(shown.output)["settings"]
        names = [each["name"] for each in settings]
        types = [each["type"] for each in settings if each["name"] == "delivery"]

        assert types == ['"payload"', '"facts"']
        assert names[0] == "delivery"
        facts = names.index("delivery", 1)
        assert names.index("endpoint") < facts < names.index("site_id")


class TestForm:
    """What the marketer sees, by delivery."""

    @pytest.mark.parametrize(
        ("delivery", "fields", "hidden"),
        [
            (
                "payload",
                ["partnerIds", "profileId", "sourceId", "audienceVariables", "data"],
                {"factName", "factTtl", "forceInsert"},
            ),
            (
                "facts",
                ["partnerIds", "audienceVariables", "data"],
                {"siteNumber", "relay42AudienceNumber", "partnerAudienceId"},
            ),
        ],
    )
    async def test_a_delivery_has_its_own_fields_and_options(self, delivery, fields, hidden):
        """What it does not carry is not offered, and what it does not use is hidden."""
        async with stage(delivery) as segment:
            chosen = {"object": "audience_segment", "mode": "mirror"}
            shown = (await segment.subject.ask("list_fields", **chosen))["result"]["fields"]
            options = (await segment.subject.ask("list_options", **chosen))["result"]["options"]

        assert [field["id"] for field in shown] == fields
        assert [field["id"] for field in shown if field.get("identifier")] == ["partnerIds"]
        properties = options["schema"]["properties"]
        assert all(option["title"] for option in properties.values())
        assert properties["partnerAudienceId"]["title"] == "External ID"
        assert set(options["uiSchema"]) == hidden
        assert {tuple(hints.items()) for hints in options["uiSchema"].values()} == {
            (("ui:widget", "hidden"),)
        }

    @pytest.mark.parametrize(
        ("delivery", "columns", "options", "errors"),
        [
            ("payload", {}, {}, []),
            ("payload", {"audienceVariables.a.b": 1, "data": {}, "profileId": "x"}, {}, []),
            ("payload", {}, {"mode": "mirorr"}, ['Mode "mirorr" does not exist. Did you mean']),
            ("payload", {}, {"siteNumber": "x"}, ['Option "Site number" must be a whole number.']),
            ("payload", {}, {"siteNumber": 0}, ['Option "Site number" does not satisfy minimum']),
            ("payload", {}, {"partnerAudienceId": " "}, ["External ID is required: the connected"]),
            ("payload", {"city": "Ulm"}, {}, ['Field "city" goes nowhere. What is known of a pro']),
            ("payload", {"data.": "Ulm"}, {}, ['Field "data." goes nowhere.']),
            ("facts", {"audienceVariables.a": 1}, {"factTtl": 60}, []),
            ("facts", {"profileId": "x"}, {}, ['Field "profileId" goes nowhere.']),
            ("facts", {}, {"factName": ""}, ["Fact is required: choose a name, and make an aud"]),
            ("facts", {}, {"partnerNumber": None}, ["Partner number is required: it says which"]),
            ("facts", {}, {"factTtl": 0}, ['Option "Lifetime of the fact, in seconds" does not']),
        ],
    )
    async def test_mistakes_are_told_before_rows_are_sent(self, delivery, columns, options, errors):
        """What would go wrong, or nowhere, is a sentence in the form."""
        async with stage(delivery) as segment:
            told = await segment.validate(member(1, **columns), **options)

        assert len(told) == len(errors), told
        for sentence, start in zip(told, errors, strict=True):
            assert sentence.startswith(start)

    @pytest.mark.parametrize(
        ("mode", "operations"),
        [
            ("mirror", {"add": True, "change": True, "remove": True}),
            ("add_only", {"add": True, "change": False, "remove": False}),
        ],
    )
    async def test_a_mode_says_which_rows_it_wants(self, mode, operations):
        """The platform does not send what would be rejected."""
        async with stage() as segment:
            configuration = {"object": "audience_segment", "mode": mode}
            answer = await segment.subject.ask("behavior", configuration=configuration)

        assert answer["result"]["operations"] == operations
