"""The stand-in of Connectif keeps its documented rules, and says truthfully what it holds."""

import asyncio
import time
from email.utils import parsedate_to_datetime

import pytest

from destination.testing.clock import run_virtually
from destinations.sandbox.connectif import LARGEST, STORE, StandIn
from destinations.sandbox.connectif.answers import Refusal, Window
from destinations.sandbox.connectif.events import CLUB, CUSTOMER, LEFT, ORDER, PERSON, REMOVED, SHOP

TOKEN = "key:of-the-tests"
KEY = {"Authorization": f"apiKey {TOKEN}"}
ANN = "Ann.Lee@example.com"
LISTS = "/api/custom-integrations/"


@pytest.fixture
async def api(aiohttp_client):
    """A client of the store."""
    return await aiohttp_client(StandIn(token=TOKEN).app())


async def ask(api, method, path, body=None, headers=KEY):
    """The status and the document of one request."""
    if path.startswith("/_sandbox"):
        headers = {"Authorization": f"Bearer {TOKEN}"}
    async with api.request(method, path, json=body, headers=headers) as answer:
        text = await answer.read()
        return answer.status, await answer.json(content_type=None) if text else None


async def send(api, event=PERSON, create="true", **fields):
    """Send an event to the API."""
    path = f"/api/custom-events/alias/{event}?createContact={create}"
    return await ask(api, "POST", path, {"email": ANN, **fields})


async def hook(api, body, event=CUSTOMER, store=STORE):
    """Send an event to a webhook, without a key."""
    return await ask(api, "POST", f"/webhook/{store}/custom-events/alias/{event}", body, {})


async def rows(api, event=PERSON):
    """The contacts whose last event was this one."""
    return (await ask(api, "GET", f"/_sandbox/rows?event={event}"))[1]["rows"]


class TestCredentials:
    """Who is let in."""

    @pytest.mark.parametrize(
        ("authorization", "status"),
        [
            (None, 401),
            ("apiKey", 401),
            ("apiKey wrong", 401),
            (f"Bearer {TOKEN}", 401),
            (f"apiKey {TOKEN}", 200),
            (f"ApiKey {TOKEN}", 200),
        ],
    )
    async def test_the_api_needs_its_key(self, api, authorization, status):
        """A 401 has no document; the scheme's letters do not matter."""
        headers = {"Authorization": authorization} if authorization else {}
        answered, document = await ask(api, "GET", LISTS, headers=headers)

        assert answered == status
        assert (document is None) is (status == 401)

    async def test_a_key_has_scopes(self, api):
        """One that may only write is refused the lists, and the other way round."""
        await ask(api, "POST", "/_sandbox/behavior", {"scopes": ["write"]})
        assert (await ask(api, "GET", LISTS))[0] == 403
        assert (await send(api))[0] == 201
        await ask(api, "POST", "/_sandbox/behavior", {"scopes": ["read"]})
        status, document = await send(api)
        assert (status, document["status"], document["title"]) == (403, 403, "Forbidden")

    async def test_the_sandbox_needs_it_too(self, api):
        """What is held is shown to who knows the key."""
        async with api.get("/_sandbox/rows") as answer:
            assert answer.status == 401


class TestLists:
    """Integrations and their events."""

    async def test_events_come_in_pages(self, api):
        """Two on each, with links to the pages beside."""
        path = f"{LISTS}{SHOP}/custom-event-types/"
        names, links = [], []
        for number in (1, 2, 3):
            _, page = await ask(api, "GET", f"{path}?page={number}")
            names.append([each["name"] for each in page["results"]])
            links.append(sorted(page["links"]))

        assert names == [["Person", "Person removed"], ["Order sent", "Order"], ["Visit"]]
        assert links == [["next"], ["next", "prev"], ["prev"]]
        assert (await ask(api, "GET", f"{path}?page=0"))[0] == 400

    async def test_an_event_that_is_received_has_an_address_for_its_key(self, api):
        """By API and by webhook alike, exactly one field is the primary key, an e-mail."""
        for integration in (SHOP, CLUB):
            for number in (1, 2, 3):
                path = f"{LISTS}{integration}/custom-event-types/?page={number}"
                for event in (await ask(api, "GET", path))[1]["results"]:
                    if event.get("receiveType") in ("api", "webhook"):
                        [key] = [each for each in event["fields"] if each["isPrimaryKey"]]
                        assert (key["type"], key["required"]) == ("email", True)

    async def test_an_integration_that_is_not_there_is_not_listed(self, api):
        """404 with a document."""
        status, document = await ask(api, "GET", f"{LISTS}nobody/custom-event-types/")
        assert (status, document["title"]) == (404, "Not Found")


class TestEvents:
    """What the API takes."""

    async def test_an_event_is_created_and_held(self, api):
        """201 and an id; the contact shows its last event."""
        status, document = await send(api, city="Ulm")
        assert status == 201
        assert len(document["id"]) == 24
        await send(api, city="Köln")
        assert await rows(api) == [{"id": ANN, "fields": {"email": ANN, "city": "Köln"}}]
        await send(api, REMOVED)
        assert await rows(api) == []
        assert await rows(api, REMOVED) == [{"id": ANN, "fields": {"email": ANN}}]
        events = (await ask(api, "GET", "/_sandbox/events"))[1]["events"]
        assert [each["event"] for each in events] == [PERSON, PERSON, REMOVED]

    async def test_a_contact_must_exist_unless_it_is_to_be_made(self, api):
        """E0501 names the contact; letters do not matter to who it is."""
        status, document = await send(api, create="false")
        assert (status, document["code"]) == (400, "E0501")
        assert ANN in document["detail"]
        assert (await send(api))[0] == 201
        assert (await send(api, create="false", email=ANN.upper()))[0] == 201
        assert (await send(api, create="yes"))[0] == 400

    @pytest.mark.parametrize(
        ("field", "good", "bad"),
        [
            ("email", "b@example.com", "b@example"),
            ("number", 7, "7"),
            ("number", 0, True),
            ("number", -1, 1.5),
            ("total", 1.5, "1.5"),
            ("total", 2, False),
            ("paid", False, "false"),
            ("plan", "gold", "Gold"),
            ("gifts", ["bag", "pen"], "bag"),
            ("gifts", [], ["bag", "bag"]),
            ("gifts", ["7"], [7]),
            ("phone", "+34 666 777 888", 34666777888),
            ("placed", "2026-01-31", "2026-02-31"),
            ("placed", "2026-01-31T09:30:00Z", "2026-01-31T09:30:00"),
            ("placed", "2026-01-31T09:30:00.5+01:00", 1769851800),
            ("colour", None, "red"),
        ],
    )
    async def test_types_are_checked(self, api, field, good, bad):
        """Each type of field takes its own values, and no null; unknown fields are refused."""
        if good is not None:
            assert (await send(api, ORDER, **{"number": 1, field: good}))[0] == 201
        for value in (bad, None):
            status, document = await send(api, ORDER, **{"number": 1, field: value})
            assert (status, document["title"]) == (422, "Unprocessable Entity")
            assert [each["path"] for each in document["validationErrors"]] == [field]

    async def test_required_fields_are_required(self, api):
        """Every fault is told, and nothing is held."""
        path = f"/api/custom-events/alias/{ORDER}?createContact=true"
        status, document = await ask(api, "POST", path, {"number": "x", "colour": 1})
        assert status == 422
        assert {each["path"] for each in document["validationErrors"]} == {
            "email",
            "number",
            "colour",
        }
        assert await rows(api, ORDER) == []

    @pytest.mark.parametrize("event", ["nobody", CUSTOMER, "visit", "Person"])
    async def test_an_alias_is_exact_and_of_the_api(self, api, event):
        """What is received by webhook or on a page is not there."""
        assert (await send(api, event))[0] == 404

    async def test_an_event_has_512_kilobytes(self, api):
        """One byte more is too much."""
        frame = len(f'{{"email": "{ANN}", "city": ""}}')
        assert (await send(api, city="x" * (LARGEST - frame)))[0] == 201
        status, document = await send(api, city="x" * (LARGEST - frame + 1))
        assert (status, document["status"]) == (413, 413)

    @pytest.mark.parametrize("body", ["[]", "7", "{", "[" * 9_999, '{"email": "' + ANN + '"'])
    async def test_a_body_is_an_object(self, api, body):
        """Anything else is a bad request."""
        headers = KEY | {"Content-Type": "application/json"}
        path = f"/api/custom-events/alias/{PERSON}"
        async with api.post(path, data=body, headers=headers) as answer:
            assert answer.status == 400
            assert (await answer.json())["title"] == "Bad Request"


class TestWebhooks:
    """What a webhook takes."""

    async def test_fields_are_found_by_their_pointers(self, api):
        """All else in the body does not matter, and the contact is made."""
        body = {
            "customer": {"email": ANN, "name": {"first": "Ann"}},
            "stats": [{"a/b": 3}],
            "city": "Ulm",
            "more": [1],
        }
        assert (await hook(api, body))[0] == 201
        fields = {"email": ANN, "first_name": "Ann", "visits": 3, "city": "Ulm"}
        assert await rows(api, CUSTOMER) == [{"id": ANN, "fields": fields}]
        assert (await hook(api, body | {"stats": {"0": {"a/b": 4}}}))[0] == 201
        assert (await rows(api, CUSTOMER))[0]["fields"]["visits"] == 4

    async def test_what_is_there_is_checked(self, api):
        """A missing address and a value of another type are refused."""
        assert (await hook(api, {"email": ANN}))[0] == 422
        status, document = await hook(api, {"customer": {"email": ANN}, "gifts": "bag"})
        assert status == 422
        assert [each["path"] for each in document["validationErrors"]] == ["gifts"]

    async def test_store_and_alias_must_be_there(self, api):
        """An event of the API is none of a webhook's."""
        assert (await hook(api, {"who": ANN}, LEFT))[0] == 201
        assert (await hook(api, {"who": ANN}, LEFT, store="other"))[0] == 404
        assert (await hook(api, {"email": ANN}, PERSON))[0] == 404


class TestWindow:
    """How many requests are taken."""

    async def test_answers_tell_what_is_left(self, api):
        """The API's do, refusals included; webhooks are not counted."""
        await ask(api, "POST", "/_sandbox/behavior", {"limit": 2, "window": 60})
        left, statuses = [], []
        for headers in (KEY, KEY, KEY, {}):
            async with api.get(LISTS, headers=headers) as answer:
                assert answer.headers["X-RateLimit-Limit"] == "2"
                left.append(answer.headers["X-RateLimit-Remaining"])
                statuses.append(answer.status)
                reset = int(answer.headers["X-RateLimit-Reset"])
                date = parsedate_to_datetime(answer.headers["Date"]).timestamp()

        assert (left, statuses) == (["1", "0", "0", "0"], [200, 200, 429, 401])
        assert 58 <= reset - date <= 61
        assert abs(date - time.time()) < 60
        assert (await hook(api, {"who": ANN}, LEFT))[0] == 201

    def test_a_window_ends(self):
        """After its seconds as many requests are taken again."""

        async def scenario():
            window, taken = Window(2, 5), []
            for _ in range(8):
                try:
                    window.take()
                except Refusal:
                    await asyncio.sleep(1)
                else:
                    taken.append(asyncio.get_running_loop().time())
            return taken

        assert run_virtually(scenario()) == [0, 0, 5]


class TestSandbox:
    """What tests and the demo ask."""

    async def test_planned_answers_come_first(self, api):
        """They go out in order, without applying anything unless that is said."""
        plans = [{"status": 500, "body": "no"}, {"status": 502, "body": "", "applied": True}]
        await ask(api, "POST", "/_sandbox/behavior", {"next": plans})
        path = f"/api/custom-events/alias/{PERSON}?createContact=true"
        async with api.post(path, json={"email": ANN}, headers=KEY) as answer:
            assert (answer.status, await answer.text()) == (500, "no")
        assert await rows(api) == []
        async with api.post(path, json={"email": ANN}, headers=KEY) as answer:
            assert answer.status == 502
        assert len(await rows(api)) == 1

    @pytest.mark.parametrize("body", [{"latency": "soon"}, {"next": [{}]}, {"limit": []}, []])
    async def test_a_behavior_of_another_shape_is_refused(self, api, body):
        """A mistaken behavior gets 400, and none of it takes effect."""
        assert (await ask(api, "POST", "/_sandbox/behavior", body))[0] == 400
        assert (await send(api))[0] == 201

    async def test_everything_can_be_forgotten(self, api):
        """After DELETE the stand-in is as new, with the same key."""
        await send(api)
        assert (await ask(api, "DELETE", "/_sandbox"))[0] == 200
        assert await rows(api) == []
        assert (await ask(api, "GET", "/_sandbox/requests"))[1] == {"requests": 0, "log": []}

    def test_the_settings_reach_the_stand_in(self):
        """Settings made for the server's address deliver to it, with the random key in them."""
        stand_in = StandIn()
        settings = stand_in.settings("http://127.0.0.1:1")

        assert settings == {
            "kind": "connectif",
            "api_key": stand_in.token,
            "store_id": STORE,
            "base_url": "http://127.0.0.1:1/api",
            "webhook_base_url": "http://127.0.0.1:1/webhook",
            "allow_private_networks": True,
        }
        assert StandIn().token != stand_in.token
