"""What operators and marketers can say about Mailchimp, and are told before rows are sent."""

import jsonschema
import pytest
from newsletter import PATH, newsletter, person
from pydantic import ValidationError

from destinations.mailchimp import Mailchimp, Settings
from destinations.sandbox.mailchimp import CLUB, NEWSLETTER

KEY = "0123456789abcdef-us19"
EMAIL = {"identifierMapping": [{"from": "email", "to": "email_address"}]}


class TestSettings:
    """What the operator may say."""

    @pytest.mark.parametrize(
        "settings",
        [
            {},
            {"api_key": "0123456789abcdef"},
            {"api_key": "key-evil.example/"},
            {"api_key": KEY, "oauth_token": "t", "data_center": "us1"},
            {"oauth_token": "t"},
            {"oauth_token": "t", "data_center": "us1.evil.example/"},
            {"api_key": KEY, "colour": 1},
        ],
    )
    def test_what_cannot_work_is_refused(self, settings):
        """A mistake is told when the server starts, without the key."""
        with pytest.raises(ValidationError) as raised:
            Settings.model_validate(settings)
        assert "0123456789" not in str(raised.value)

    @pytest.mark.parametrize(
        ("settings", "host"),
        [
            ({"api_key": KEY}, "us19"),
            ({"oauth_token": "t", "data_center": "us7"}, "us7"),
        ],
    )
    def test_the_data_centre_is_the_accounts(self, settings, host):
        """It is the key's suffix, or stands beside the token."""
        connection = Mailchimp(Settings.model_validate(settings)).connection()

        assert connection.base_url == f"https://{host}.api.mailchimp.com/3.0"

    async def test_a_token_is_a_bearer(self, serve):
        """An OAuth token lets in as a key does."""
        settings = {"api_key": None, "oauth_token": "m" * 20, "data_center": "us0"}
        async with newsletter(serve, **settings) as news:
            assert await news.call("add", person(1)) == {}

    @pytest.mark.parametrize(
        ("key", "code"), [("m" * 20 + "-us0", None), ("wrong-us0", 401), ("m" * 20 + "-us1", 403)]
    )
    async def test_check_asks_whether_the_key_is_known(self, serve, key, code):
        """A key that is not, or not at this data centre, is told before any sync runs."""
        async with newsletter(serve, api_key=key) as news:
            plugin = news.served.plugin("news")
            if code is None:
                await plugin.check()
            else:
                with pytest.raises(Exception, match=f"answered {code}"):
                    await plugin.check()


class TestForm:
    """What the marketer sees."""

    async def test_objects_are_the_audiences(self, serve):
        """Each audience of the account may be chosen, in four modes."""
        async with newsletter(serve) as news:
            objects = (await news.served.result("list_objects", path=PATH))["objects"]
            modes = await news.served.result("list_modes", {"object": CLUB}, path=PATH)

        assert objects == [
            {"id": NEWSLETTER, "label": "Newsletter"},
            {"id": CLUB, "label": "Club"},
        ]
        assert [mode["id"] for mode in modes["modes"]] == ["upsert", "mirror", "insert", "update"]

    @pytest.mark.parametrize(("mode", "required"), [("upsert", True), ("update", False)])
    async def test_fields_are_the_merge_fields_too(self, serve, mode, required):
        """Merge fields stand by their tag with type and whether the audience requires them."""
        async with newsletter(serve) as news:
            params = {"object": CLUB, "mode": mode}
            fields = (await news.served.result("list_fields", params, path=PATH))["fields"]

        types = {field["id"]: field["type"] for field in fields}
        assert types["email_address"] == "EMAIL"
        assert types["SEAT"] == "ENUM"
        [identifier] = [field["id"] for field in fields if field.get("identifier")]
        assert identifier == "email_address"
        assert ("FNAME" in [one["id"] for one in fields if one.get("required")]) is required

    async def test_lists_have_pages(self, serve, monkeypatch):
        """However many merge fields there are, all are offered."""
        many = tuple({"tag": f"F{n}", "name": f"F {n}", "type": "text"} for n in range(2100))
        async with newsletter(serve) as news:
            monkeypatch.setattr(news.stand_in.audiences[CLUB], "merge_fields", many)
            params = {"object": CLUB, "mode": "upsert"}
            fields = (await news.served.result("list_fields", params, path=PATH))["fields"]

        assert len(fields) == 2106

    @pytest.mark.parametrize(
        ("mode", "hidden"),
        [
            ("upsert", {"onRemove", "confirmDelete"}),
            ("mirror", set()),
            ("insert", {"onRemove", "confirmDelete", "existingStatus", "compliancePending"}),
            ("update", {"onRemove", "confirmDelete", "statusIfNew", "compliancePending"}),
        ],
    )
    async def test_options_that_a_mode_does_not_use_are_hidden(self, serve, mode, hidden):
        """Every option has a title; choices have a sentence each."""
        async with newsletter(serve) as news:
            params = {"object": NEWSLETTER, "mode": mode}
            options = (await news.served.result("list_options", params, path=PATH))["options"]

        properties = options["schema"]["properties"]
        jsonschema.Draft7Validator.check_schema(options["schema"])
        assert all(option["title"] for option in properties.values())
        assert len(properties["onRemove"]["enumNames"]) == 5
        widgets = options["uiSchema"].items()
        assert {name for name, hints in widgets if hints.get("ui:widget") == "hidden"} == hidden

    @pytest.mark.parametrize(
        ("configuration", "errors"),
        [
            ({"mode": "mirror"}, []),
            ({"object": "nope"}, ['Object "nope" does not exist. There is: ']),
            ({"object": CLUB}, ['Field "First name" is required: map a column to it.']),
            ({"object": CLUB, "skipMergeValidation": True}, []),
            ({"object": CLUB, "mode": "update"}, []),
            ({"onRemove": "deletePermanently"}, ['Option "Yes, delete contacts permanently": ']),
            ({"onRemove": "deletePermanently", "confirmDelete": True}, []),
            ({"mode": "mirror", "onRemove": "removeTags"}, ["Removed rows are to lose their tags"]),
            ({"mode": "mirror", "onRemove": "removeTags", "tags": ["a"]}, []),
            ({"tags": [" "]}, ['Option "Tags.0": string should have at least 1 character']),
            ({"onRemove": "explode"}, ['Option "When a row is removed" has a value that is not']),
            ({"mappings": [{"from": "a", "to": "LTW"}]}, ['Field "LTW" does not exist. Did you']),
        ],
    )
    async def test_mistakes_are_told_before_rows_are_sent(self, serve, configuration, errors):
        """What would reject rows is a sentence in the form."""
        async with newsletter(serve) as news:
            given = {"object": NEWSLETTER, **EMAIL, **configuration}
            params = {"configuration": given}
            told = (await news.served.result("validate", params, path=PATH))["errors"]

        assert len(told) == len(errors)
        for sentence, start in zip(told, errors, strict=True):
            assert sentence.startswith(start)

    @pytest.mark.parametrize(
        ("configuration", "size"),
        [
            ({"mode": "insert"}, 1000),
            ({"mode": "upsert"}, 500),
            ({"mode": "update", "existingStatus": "overwrite"}, 500),
            ({"mode": "upsert", "existingStatus": "overwrite"}, 1000),
            ({"mode": "mirror", "existingStatus": "overwrite"}, 500),
            ({"mode": "mirror", "existingStatus": "overwrite", "onRemove": "unsubscribe"}, 1000),
            ({"mode": "upsert", "existingStatus": "who knows"}, 500),
        ],
    )
    async def test_a_call_has_no_more_rows_than_can_be_delivered(self, serve, configuration, size):
        """A call has whole bulk calls of rows: one where contacts may have to be updated singly."""
        async with newsletter(serve) as news:
            params = {"configuration": {"object": NEWSLETTER, **configuration}}
            behavior = await news.served.result("behavior", params, path=PATH)

        assert behavior["batchSize"] == size
