"""What marketers and operators are shown and told before anything is sent."""

import pytest
from connectif_stage import KEY, row, stage
from pydantic import ValidationError

from destination.errors import DestinationError
from destinations.connectif.form import Settings
from destinations.connectif.listing import MANY_PAGES
from destinations.sandbox.connectif.events import CLUB, CUSTOMER, LEFT, ORDER, PERSON, REMOVED, SHOP

LISTS = "/api/custom-integrations/"


async def objects(store):
    """The ids of the objects there are; None where there is nothing to choose."""
    listed = (await store.ask("list_objects"))["objects"]
    return listed and [each["id"] for each in listed]


def page(*results, **links):
    """A planned page of a list."""
    return {"status": 200, "body": {"results": list(results), "links": links}}


class TestEvents:
    """Which events there are."""

    @pytest.mark.parametrize(
        ("settings", "events"),
        [
            ({}, [PERSON, REMOVED, ORDER]),
            ({"transport": "webhook"}, [CUSTOMER, LEFT]),
            ({"integrations": [SHOP]}, [PERSON, REMOVED, ORDER]),
            ({"transport": "webhook", "integrations": [CLUB]}, [CUSTOMER, LEFT]),
        ],
    )
    async def test_those_that_can_be_sent_are_offered(self, settings, events):
        """Events are those that the transport takes, of all integrations or of those named."""
        async with stage(**settings) as store:
            assert await objects(store) == events

    async def test_every_page_is_read(self):
        """An integration has more events than a page."""
        async with stage() as store:
            await objects(store)

            assert [(each["path"], each["query"]) for each in await store.requests("GET")] == [
                (LISTS, {}),
                (f"{LISTS}{SHOP}/custom-event-types/", {}),
                (f"{LISTS}{SHOP}/custom-event-types/", {"page": "2"}),
                (f"{LISTS}{SHOP}/custom-event-types/", {"page": "3"}),
                (f"{LISTS}{CLUB}/custom-event-types/", {}),
            ]

    async def test_a_next_page_may_be_relative(self):
        """A link is one from the page that it stands on."""
        async with stage() as store:
            await store.tell(next=[page({"id": "a"}, next="?page=2"), page(), page()])
            assert await objects(store) is None

            asked = await store.requests("GET")
        assert [each["path"] for each in asked] == [
            LISTS,
            LISTS,
            f"{LISTS}a/custom-event-types/",
        ]

    @pytest.mark.parametrize(
        "link",
        ["http://127.0.0.1:9/x", "https://127.0.0.1/x", "//evil.example/", "http://[::1", "ftp:x"],
    )
    async def test_no_other_origin_is_shown_the_key(self, link):
        """A list that goes on elsewhere is not followed, and not taken for whole."""
        async with stage(integrations=[SHOP]) as store:
            await store.tell(next=[page(next=link)])
            error = (await store.served.rpc("list_objects", {}, path="/hightouch/events"))["error"]

            assert "Connectif's list of events goes on at another address" in error["message"]
            assert len(await store.requests("GET")) == 1

    async def test_lists_have_an_end(self):
        """Pages that never end are not read for ever."""
        async with stage() as store:
            await store.tell(next=[page(next="?page=1") | {"times": MANY_PAGES + 9}])
            error = (await store.served.rpc("list_objects", {}, path="/hightouch/events"))["error"]

            assert f"more than {MANY_PAGES} pages" in error["message"]
            assert len(await store.requests("GET")) == MANY_PAGES

    @pytest.mark.parametrize(
        "body", ["<html>", "[]", "{}", '{"results": [{"id": 7}]}', "[" * 9_999]
    )
    async def test_a_list_that_cannot_be_read_is_no_empty_list(self, body):
        """Rows wait for another time; nothing of them is sent."""
        async with stage() as store:
            await store.tell(next=[{"status": 200, "body": body, "times": 9}])
            rejected = await store.rejected("add", row(1))

            assert rejected == {
                1: "CONNECT_FAILED: not sent: the vendor did not say what its fields are"
            }
            assert await store.requests() == []

    async def test_an_alias_that_leads_elsewhere_is_not_offered(self):
        """What would leave its place in the address is no event of ours."""
        told = {"category": "receive", "receiveType": "api", "fields": []}
        events = [told | {"alias": alias} for alias in ("..", "a/b", "a\n", "", None, "fine é")]
        async with stage(integrations=[SHOP]) as store:
            await store.tell(next=[page(*events)])

            assert await objects(store) == ["fine é"]

    @pytest.mark.parametrize("status", [403, 404, 405])
    async def test_where_events_cannot_be_listed_the_alias_is_typed(self, status):
        """A key that may only write writes; rows go out by the alias."""
        async with stage() as store:
            await store.tell(next=[{"status": status, "times": 99}])
            assert await objects(store) is None
            assert await store.validated(row(1), object=None) == [
                "Type the alias of the event: Connectif does not list this destination's events."
            ]
            typed = {"object": None, "eventAlias": PERSON}
            assert await store.validated(row(1, anything=1), **typed) == []

    async def test_a_key_that_may_only_write_writes(self):
        """Reading is a right of its own."""
        async with stage() as store:
            await store.tell(scopes=["write"])
            typed = {"object": None, "eventAlias": PERSON}
            assert await store.rejected("add", row(1), **typed) == {}

            assert len(await store.events()) == 1


class TestForm:
    """The fields and options of an event."""

    async def test_fields_have_their_types(self):
        """The address is required, and what rows are matched by."""
        async with stage() as store:
            fields = (await store.ask("list_fields", object=ORDER, mode="send"))["fields"]

        shown = {each["id"]: each["type"] for each in fields}
        assert shown == {
            "email": "EMAIL",
            "number": "NUMBER",
            "total": "NUMBER",
            "paid": "BOOLEAN",
            "plan": "ENUM",
            "gifts": "ARRAY",
            "phone": "STRING",
            "placed": "DATETIME",
        }
        assert [each["id"] for each in fields if each.get("required")] == ["email", "number"]

    async def test_a_type_of_tomorrow_takes_anything(self):
        """What a field of an unknown type brings is sent as it is."""
        told = {"alias": PERSON, "category": "receive", "receiveType": "api"}
        fields = [{"id": "email", "type": "hologram", "isPrimaryKey": True}]
        async with stage(integrations=[SHOP]) as store:
            await store.tell(next=[page(told | {"fields": fields})])

            assert await store.rejected("add", row(1)) == {}

    @pytest.mark.parametrize(
        ("settings", "chosen", "shown"),
        [
            ({}, {"object": PERSON}, {"createContact", "removalAlias"}),
            ({}, {"object": PERSON, "mode": "send"}, {"createContact"}),
            ({}, {"object": PERSON, "mode": "send_all"}, {"createContact", "removalAlias"}),
            ({"transport": "webhook"}, {"object": LEFT, "mode": "send"}, set()),
            ({"integrations": []}, {"mode": "send"}, {"eventAlias", "createContact"}),
        ],
    )
    async def test_options_of_no_use_are_hidden(self, settings, chosen, shown):
        """An alias is typed only where events are not listed, and webhooks always make contacts."""
        async with stage(**settings) as store:
            options = (await store.ask("list_options", **chosen))["options"]

        hidden = {
            name for name, ui in options["uiSchema"].items() if ui.get("ui:widget") == "hidden"
        }
        assert options["schema"]["properties"].keys() - hidden == shown

    async def test_the_second_event_is_chosen_by_name(self):
        """It is one of those that are listed."""
        async with stage() as store:
            options = (await store.ask("list_options", object=PERSON, mode="send_all"))["options"]

        removal = options["schema"]["properties"]["removalAlias"]
        assert dict(zip(removal["enum"], removal["enumNames"], strict=True)) == {
            PERSON: "Person",
            REMOVED: "Person removed",
            ORDER: "Order",
        }


class TestValidation:
    """What is told before a sync is saved."""

    @pytest.mark.parametrize(
        ("columns", "options", "problem"),
        [
            ({}, {}, None),
            ({}, {"mode": "send_all", "removalAlias": REMOVED}, None),
            ({}, {"mode": "send_all"}, "Name the event for removed rows, or choose a mode that"),
            (
                {},
                {"mode": "send_all", "removalAlias": ORDER},
                'The event for removed rows requires "Number", which this sync does not map.',
            ),
            ({}, {"removalAlias": "nobody"}, 'Option "Event for removed rows" has a value that'),
            ({"colour": 1}, {}, 'Field "colour" does not exist.'),
            ({}, {"object": "persn"}, 'Object "persn" does not exist. Did you mean "person"?'),
            ({}, {"object": ORDER}, 'Field "Number" is required: map a column to it.'),
        ],
    )
    async def test_what_does_not_fit_is_told(self, columns, options, problem):
        """Each problem is a sentence; a valid sync has none."""
        async with stage() as store:
            problems = await store.validated(row(1, **columns), **options)

        assert [each[: len(problem or "")] for each in problems] == ([problem] if problem else [])


class TestCheck:
    """``destination check``."""

    @pytest.mark.parametrize(
        ("settings", "behavior", "says"),
        [
            ({}, {}, "3 events for transport api: person, person-removed, order"),
            ({"transport": "webhook"}, {}, "2 events for transport webhook: customer, customer-l"),
            ({}, {"scopes": ["write"]}, "Connectif answered 403 and does not list events; aliases"),
            ({"integrations": ["nobody"]}, {}, "Connectif answered 404 and does not list events;"),
            ({"integrations": []}, {}, "the settings say that no events are listed; aliases are t"),
            (
                {"transport": "webhook", "api_key": None},
                {},
                "the webhook address answers; without an api_key nothing more can be asked",
            ),
        ],
    )
    async def test_it_says_what_it_saw(self, settings, behavior, says):
        """It reads, and sends no event."""
        async with stage(**settings) as store:
            await store.tell(**behavior)
            assert (await store.check()).startswith(says)

            assert await store.requests() == []

    @pytest.mark.parametrize("settings", [{}, {"integrations": []}, {"transport": "webhook"}])
    async def test_an_unknown_key_fails(self, settings):
        """The credentials are refused, whatever is listed."""
        async with stage(**settings | {"api_key": "wrong"}) as store:
            with pytest.raises(DestinationError) as raised:
                await store.check()

        assert raised.value.reason.startswith("AUTH_FAILED: ")

    async def test_a_webhook_that_cannot_be_reached_fails(self):
        """Where nothing answers no event would arrive."""
        nowhere = {"webhook_base_url": "http://127.0.0.1:9"}
        async with stage(transport="webhook", api_key=None, **nowhere) as store:
            with pytest.raises(DestinationError) as raised:
                await store.check()

        assert raised.value.reason.startswith("CONNECT_FAILED: ")


class TestSettings:
    """What the operator may say."""

    @pytest.mark.parametrize(
        "settings",
        [
            {"api_key": KEY},
            {"api_key": KEY, "integrations": ["64f0c0ffee"]},
            {"transport": "webhook", "store_id": "store-1"},
            {"transport": "webhook", "store_id": "a", "webhook_base_url": "https://hooks.example"},
        ],
    )
    def test_what_a_transport_needs_suffices(self, settings):
        """The API needs a key, webhooks need a store."""
        assert Settings.model_validate(settings)

    @pytest.mark.parametrize(
        "settings",
        [
            {},
            {"store_id": "store-1"},
            {"transport": "webhook", "api_key": KEY},
            {"transport": "web", "api_key": KEY},
            {"api_key": ""},
            {"api_key": "two\nlines"},
            {"api_key": KEY, "integrations": ["../x"]},
            {"transport": "webhook", "store_id": "../x"},
            {"transport": "webhook", "store_id": "a", "webhook_base_url": "hooks.example"},
            {"transport": "webhook", "store_id": "a", "webhook_base_url": "https://u:p@hooks.ex"},
            {"api_key": KEY, "colour": 1},
        ],
    )
    def test_what_cannot_work_is_refused(self, settings):
        """A mistake is told when the server starts."""
        with pytest.raises(ValidationError):
            Settings.model_validate(settings)
