"""The receiver of webhooks behaves like a strict vendor, and says truthfully what it holds."""

import asyncio
from typing import Any

import pytest
from aiohttp import ClientSession
from aiohttp.test_utils import TestClient

from destinations.sandbox.webhook import FIELDS, NAME_LENGTH, StandIn

TOKEN = "a token of the tests"


@pytest.fixture
async def receiver(aiohttp_client) -> TestClient:
    """A client that shows its receiver the right credentials."""
    return await aiohttp_client(
        StandIn(token=TOKEN).app(), headers={"Authorization": f"Bearer {TOKEN}"}
    )


@pytest.fixture
async def stranger(aiohttp_client) -> TestClient:
    """A client of its own receiver, to which it shows no credentials."""
    return await aiohttp_client(StandIn(token=TOKEN).app())


def entry(id: Any, operation: str = "add", **fields: Any) -> dict[str, Any]:
    """An entry as the receiver takes it."""
    return {"operation": operation, "id": id, "fields": fields}


@pytest.fixture
async def telling(aiohttp_client) -> TestClient:
    """A client of a receiver that tells of each entry."""
    receiver = StandIn(token=TOKEN, results=True)
    return await aiohttp_client(receiver.app(), headers={"Authorization": f"Bearer {TOKEN}"})


@pytest.fixture
async def wrapped(aiohttp_client) -> TestClient:
    """A client of a receiver that wants arrays as a member."""
    receiver = StandIn(token=TOKEN, wrapper="people")
    return await aiohttp_client(receiver.app(), headers={"Authorization": f"Bearer {TOKEN}"})


async def send(receiver: TestClient, body: Any, method: str = "POST") -> tuple[int, Any]:
    """The status and the JSON that a body on /rows is answered with."""
    async with receiver.request(method, "/rows", json=body) as response:
        return response.status, await response.json()


async def held(receiver: TestClient) -> list[dict[str, Any]]:
    """The rows the receiver holds."""
    async with receiver.get("/_sandbox/rows") as response:
        return (await response.json())["rows"]


async def behave(receiver: TestClient, **behavior: Any) -> None:
    """Tells the receiver to behave so from now on."""
    async with receiver.post("/_sandbox/behavior", json=behavior) as response:
        assert response.status == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
async def test_every_writing_method_is_taken(receiver, method):
    """The operation in the body decides what happens, not the HTTP method."""
    assert await send(receiver, entry("7", city="Ulm"), method) == (200, {"accepted": 1})
    assert await held(receiver) == [{"id": "7", "fields": {"city": "Ulm"}}]


async def test_an_array_is_counted(receiver):
    """The answer to an array says how many entries were accepted, be it none."""
    assert await send(receiver, [entry(1), entry(2), entry(3)]) == (200, {"accepted": 3})
    assert await send(receiver, []) == (200, {"accepted": 0})


async def test_rows_keep_the_order_of_their_arrival(receiver):
    """Adding or changing a row that is held replaces its fields where it stands."""
    await send(receiver, [entry("b", a=1, b=2), entry("a")])
    await send(receiver, [entry("b", "change", a=3), entry("c", "change")])
    assert await held(receiver) == [
        {"id": "b", "fields": {"a": 3}},
        {"id": "a", "fields": {}},
        {"id": "c", "fields": {}},
    ]


async def test_entries_of_an_array_apply_in_order(receiver):
    """The last word on an id within one array holds."""
    await send(receiver, [entry("a", n=1), entry("a", "remove"), entry("a", n=2)])
    assert await held(receiver) == [{"id": "a", "fields": {"n": 2}}]


async def test_the_number_seven_is_not_the_text_seven(receiver):
    """Ids are told apart by type, and come back as they were sent."""
    await send(receiver, [entry(7), entry("7"), entry("07"), entry(10**22)])
    await send(receiver, entry(7, "remove"))
    assert [row["id"] for row in await held(receiver)] == ["7", "07", 10**22]


async def test_removing_is_repeatable(receiver):
    """Removing a row that is not held succeeds."""
    await send(receiver, entry("a"))
    for _ in range(2):
        assert await send(receiver, entry("a", "remove")) == (200, {"accepted": 1})
    assert await held(receiver) == []


async def test_text_is_kept_exactly(receiver):
    """Spaces, quotes, joiners and marks of every script come back unchanged."""
    name = ' "Zoe\u0308" \\ 👩\u200d🚀 \u202eليلى\n\u2028{{ x }} '
    await send(receiver, entry("a", first_name=name))
    assert await held(receiver) == [{"id": "a", "fields": {"first_name": name}}]


@pytest.mark.parametrize("name", ["first_name", "last_name"])
async def test_one_long_name_refuses_the_whole_array(receiver, name):
    """A name of 201 characters gets 422, and nothing of its array is applied."""
    long = entry("b", **{name: "x" * (NAME_LENGTH + 1)})
    status, answer = await send(receiver, [entry("a"), long])
    assert status == 422
    assert answer == {"error": f"{name} is longer than 200 characters"}
    assert await held(receiver) == []


async def test_characters_are_counted_not_bytes(receiver):
    """A name of 200 characters is taken, whatever they are."""
    assert (await send(receiver, entry("a", first_name="🎈" * NAME_LENGTH)))[0] == 200


async def test_a_removal_is_not_refused_for_a_long_name(receiver):
    """What does not have to be stored does not have to fit."""
    assert (await send(receiver, entry("a", "remove", first_name="x" * 999)))[0] == 200


async def test_one_that_tells_of_entries_applies_the_others(telling):
    """A bad entry of an array is refused alone, and the answer names it and says why."""
    long = entry("b", first_name="x" * (NAME_LENGTH + 1))
    body = [entry("a"), long, {"id": 7, "fields": {}}, "text", entry("c")]

    assert await send(telling, body) == (
        200,
        {
            "accepted": 2,
            "errors": [
                {"index": 1, "id": "b", "message": "first_name is longer than 200 characters"},
                {
                    "index": 2,
                    "id": 7,
                    "message": 'entry 2 is not {"operation", "id", "fields"}',
                },
                {"index": 3, "message": 'entry 3 is not {"operation", "id", "fields"}'},
            ],
        },
    )
    assert [row["id"] for row in await held(telling)] == ["a", "c"]


async def test_one_that_tells_of_entries_may_have_nothing_to_tell(telling):
    """Then the list of errors is there and empty."""
    assert await send(telling, [entry("a")]) == (200, {"accepted": 1, "errors": []})
    assert await send(telling, entry("b")) == (200, {"accepted": 1, "errors": []})


async def test_one_that_tells_of_entries_refuses_a_single_one_by_status(telling):
    """What is no array is taken or not; an array of one bad entry is an array."""
    long = entry("b", last_name="x" * (NAME_LENGTH + 1))

    assert (await send(telling, long))[0] == 422
    status, answer = await send(telling, [long])
    assert (status, answer["accepted"], len(answer["errors"])) == (200, 0, 1)
    assert (await send(telling, "text"))[0] == 400
    assert await held(telling) == []


async def test_one_that_tells_of_entries_is_as_strict_otherwise(telling):
    """Credentials, type and JSON are those of the request, not of an entry."""
    headers = {"Content-Type": "application/json"}
    async with telling.post("/rows", data=b"[{]", headers=headers) as response:
        assert response.status == 400
    async with telling.post(
        "/rows", data=b"[]", headers={"Content-Type": "text/plain"}
    ) as response:
        assert response.status == 415
    async with telling.post("/rows", json=[entry("a")], headers={"Authorization": ""}) as response:
        assert response.status == 401
    assert await held(telling) == []


async def test_an_array_is_wanted_where_it_belongs(wrapped):
    """The only member of an object, by the name that was agreed; a single entry stands alone."""
    assert await send(wrapped, {"people": [entry("a"), entry("b")]}) == (200, {"accepted": 2})
    assert await send(wrapped, entry("c")) == (200, {"accepted": 1})
    for body in ([entry("d")], {"rows": [entry("d")]}, {"people": [entry("d")], "more": 1}):
        assert (await send(wrapped, body))[0] == 400
    assert [row["id"] for row in await held(wrapped)] == ["a", "b", "c"]


@pytest.mark.parametrize(
    "body",
    [
        "text",
        [None],
        {},
        {"operation": "add", "fields": {}},
        {"operation": "add", "id": "a"},
        {"operation": "upsert", "id": "a", "fields": {}},
        entry(None),
        entry(True),
        entry(["a"]),
        {**entry("a"), "fields": []},
        [entry("a"), [entry("b")]],
    ],
)
async def test_another_shape_is_refused(receiver, body):
    """Anything but entries gets 400 with an error, and nothing is applied."""
    status, answer = await send(receiver, body)
    assert status == 400
    assert set(answer) == {"error"}
    assert await held(receiver) == []


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[NaN]", b"[1e400]", b"[" * 100_000])
async def test_what_is_not_json_is_refused(receiver, body):
    """A body that does not parse as strict JSON gets 400."""
    headers = {"Content-Type": "application/json"}
    async with receiver.post("/rows", data=body, headers=headers) as response:
        assert response.status == 400
        assert await response.json() == {"error": "the body is not valid JSON"}


async def test_only_json_is_taken(receiver):
    """Another Content-Type gets 415; a charset beside JSON's is fine."""
    body = b'{"operation": "add", "id": "a", "fields": {}}'
    for content_type, status in [("text/plain", 415), ("application/json; charset=utf-8", 200)]:
        headers = {"Content-Type": content_type}
        async with receiver.post("/rows", data=body, headers=headers) as response:
            assert response.status == status


@pytest.mark.parametrize(
    "authorization", ["", "Bearer", "Bearer wrong", f"Basic {TOKEN}", TOKEN, "Bearer schlüssel"]
)
async def test_credentials_are_needed(stranger, authorization):
    """Without the token everything is answered 401 with a challenge, and noted."""
    headers = {"Authorization": authorization}
    places = [("POST", "/rows"), ("GET", "/_sandbox/rows"), ("DELETE", "/_sandbox"), ("GET", "/")]
    for method, path in places:
        async with stranger.request(method, path, json=entry("a"), headers=headers) as response:
            assert response.status == 401
            assert response.headers["WWW-Authenticate"] == "Bearer"
    headers = {"Authorization": f"bearer {TOKEN}"}
    async with stranger.get("/_sandbox/requests", headers=headers) as response:
        assert (await response.json())["log"] == [
            {"method": "POST", "status": 401, "records": 0, "ids": []}
        ]


async def test_requests_are_logged(receiver):
    """The log tells each request on /rows with its status and the ids it carried."""
    await send(receiver, [entry(7), entry("7")])
    await send(receiver, entry("long", first_name="x" * 201), "PUT")
    await send(receiver, "nonsense", "PATCH")
    async with receiver.get("/_sandbox/requests") as response:
        assert await response.json() == {
            "requests": 3,
            "accepted": 1,
            "refused": 2,
            "log": [
                {"method": "POST", "status": 200, "records": 2, "ids": [7, "7"]},
                {"method": "PUT", "status": 422, "records": 1, "ids": ["long"]},
                {"method": "PATCH", "status": 400, "records": 0, "ids": []},
            ],
        }


async def test_planned_answers_come_first(receiver):
    """Planned answers go out in order, as often as said, without applying anything."""
    busy = {"status": 503, "headers": {"retry-after": 2}, "body": {"title": "busy"}, "times": 2}
    await behave(receiver, next=[busy, {"status": 302, "headers": {"Location": "/"}}])
    for _ in range(2):
        async with receiver.post("/rows", json=entry("a")) as response:
            assert (response.status, await response.json()) == (503, {"title": "busy"})
            assert response.headers["Retry-After"] == "2"
    async with receiver.post("/rows", json="nonsense", allow_redirects=False) as response:
        assert (response.status, await response.read()) == (302, b"")
    assert await held(receiver) == []
    assert await send(receiver, entry("a")) == (200, {"accepted": 1})
    async with receiver.get("/_sandbox/requests") as response:
        log = (await response.json())["log"]
    assert [(line["status"], line["ids"]) for line in log] == [
        (503, ["a"]),
        (503, ["a"]),
        (302, []),
        (200, ["a"]),
    ]


async def test_a_planned_text_goes_out_as_it_is(receiver):
    """A body of text is not wrapped in JSON, so that a vendor's HTML page can be played."""
    page = {"status": 502, "headers": {"content-type": "text/html"}, "body": "<h1>Bad gateway</h1>"}
    await behave(receiver, next=[page])
    async with receiver.post("/rows", json=entry("a")) as response:
        assert (response.status, response.content_type) == (502, "text/html")
        assert await response.text() == "<h1>Bad gateway</h1>"


async def test_a_plan_can_be_withdrawn(receiver):
    """A later behavior replaces the answers that were not given yet."""
    await behave(receiver, next=[{"status": 500, "times": 9}])
    await behave(receiver, next=[])
    assert (await send(receiver, entry("a")))[0] == 200


async def test_latency_holds_until_it_is_changed(receiver):
    """Every request waits for the latency; other behavior leaves it as it is."""
    loop = asyncio.get_running_loop()
    await behave(receiver, latency=0.05)
    await behave(receiver, next=[])
    for _ in range(2):
        before = loop.time()
        await send(receiver, entry("a"))
        assert loop.time() - before >= 0.05


@pytest.mark.parametrize(
    "behavior",
    [
        [],
        {"latency": "soon"},
        {"latency": None},
        {"next": 503},
        {"next": [503]},
        {"next": [{}]},
        {"next": [{"status": 503, "headers": []}]},
        {"latency": 9, "next": [{"status": 503, "times": "x"}]},
    ],
)
async def test_a_behavior_of_another_shape_is_refused(receiver, behavior):
    """A mistaken behavior gets 400, and none of it takes effect."""
    async with receiver.post("/_sandbox/behavior", json=behavior) as response:
        assert response.status == 400
    assert (await send(receiver, entry("a")))[0] == 200


async def test_everything_can_be_forgotten(receiver):
    """After DELETE the receiver is as new, with the same token."""
    await send(receiver, entry("a"))
    await behave(receiver, next=[{"status": 500}])
    async with receiver.delete("/_sandbox") as response:
        assert response.status == 200
    assert await held(receiver) == []
    async with receiver.get("/_sandbox/requests") as response:
        assert await response.json() == {"requests": 0, "accepted": 0, "refused": 0, "log": []}
    assert (await send(receiver, entry("a")))[0] == 200


async def test_the_settings_reach_the_receiver(aiohttp_server):
    """Settings made for the server's address deliver to it, with the random token in them."""
    receiver = StandIn()
    server = await aiohttp_server(receiver.app())
    settings = receiver.settings(str(server.make_url("")).rstrip("/"))
    assert settings["kind"] == "webhook"
    assert settings["allow_private_networks"] is True
    assert settings["auth"]["scheme"] == "bearer"
    headers = {"Authorization": f"Bearer {settings['auth']['token']}"}
    async with (
        ClientSession(headers=headers) as session,
        session.post(settings["url"], json=entry("a")) as response,
    ):
        assert await response.json() == {"accepted": 1}


def test_the_settings_say_how_it_answers():
    """A destination made for one that tells of entries reads what it tells."""
    assert "answer" not in StandIn().settings("http://x")
    told = StandIn(results=True, wrapper="people").settings("http://x")
    assert (told["batching"], told["wrapper"]) == ("array", "people")
    assert told["answer"]["rows"]["at"] == "/errors"


def test_the_settings_declare_people():
    """The declared fields are those of the people, the e-mail address identifying them."""
    fields = {field["id"]: field["type"] for field in StandIn().settings("http://x")["fields"]}
    assert fields == {
        "email": "EMAIL",
        "first_name": "STRING",
        "last_name": "STRING",
        "born": "DATE",
        "ltv": "NUMBER",
        "subscribed": "BOOLEAN",
        "tags": "ARRAY",
        "address.city": "STRING",
    }
    assert [field["id"] for field in FIELDS if field.get("identifier")] == ["email"]


def test_tokens_are_random():
    """Each stand-in has a token of its own unless it is given one."""
    assert StandIn().token != StandIn().token
