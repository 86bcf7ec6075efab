"""The stand-in of Mailchimp keeps the API's documented rules, and says truthfully what it holds."""

import asyncio
import base64

import pytest

from destinations.sandbox.mailchimp import CLUB, NEWSLETTER, StandIn
from destinations.sandbox.mailchimp.audience import subscriber_hash

TOKEN = "a-token-of-the-tests"
ANN = "Ann.Lee@example.com"


def basic(key):
    """The header that shows a key."""
    return {"Authorization": f"Basic {base64.b64encode(f'any:{key}'.encode()).decode()}"}


@pytest.fixture
async def api(aiohttp_client):
    """A client that shows its stand-in the right key."""
    return await aiohttp_client(StandIn(token=TOKEN).app(), headers=basic(f"{TOKEN}-us0"))


async def ask(api, method, path, body=None, **query):
    """The status and the document of one request below the newsletter, or anywhere."""
    path = path if path.startswith("/_sandbox") else f"/3.0{path}"
    async with api.request(method, path, json=body, params=query) as answer:
        text = await answer.read()
        return answer.status, await answer.json(content_type=None) if text else None


def member(address=ANN):
    """The path of a contact."""
    return f"/lists/{NEWSLETTER}/members/{subscriber_hash(address)}"


async def bulk(api, *members, audience=NEWSLETTER, update=False, **query):
    """The answer to a bulk call."""
    body = {"members": list(members), "update_existing": update}
    return await ask(api, "POST", f"/lists/{audience}", body, **query)


def contact(address=ANN, status="subscribed", **merge_fields):
    """A member of a bulk call."""
    return {"email_address": address, "status": status, "merge_fields": merge_fields}


def test_the_hash_is_mailchimps():
    """A contact's path is the MD5 of its address in small letters."""
    address = "Urist.McVankab@freddiesjokes.com"
    assert subscriber_hash(address) == "62eeb292278cc15f5817cb78f7790b08"


@pytest.mark.parametrize(
    ("login", "status", "title"),
    [
        ({}, 401, "API Key Missing"),
        (basic("wrong-us0"), 401, "API Key Invalid"),
        (basic(f"{TOKEN}-us7"), 403, "Wrong Datacenter"),
        (basic(f"{TOKEN}-us0"), 200, None),
    ],
)
async def test_credentials_are_needed(aiohttp_client, login, status, title):
    """Without the key everything is refused, with a problem document."""
    client = await aiohttp_client(StandIn(token=TOKEN).app(), headers=login)
    answered, document = await ask(client, "GET", "/ping")

    assert answered == status
    assert document.get("title") == title


async def test_lists_come_in_pages(api):
    """Ten by default, a thousand at most, trimmed to the fields that are asked for."""
    path = f"/lists/{NEWSLETTER}/merge-fields"
    _, page = await ask(
        api, "GET", path, count="3", offset="8", fields="merge_fields.tag,total_items"
    )
    assert page == {"merge_fields": [{"tag": "SITE"}, {"tag": "ADDRESS"}], "total_items": 10}
    assert (await ask(api, "GET", path, count="1001"))[0] == 400
    assert len((await ask(api, "GET", "/lists"))[1]["lists"]) == 2


async def test_a_bulk_call_tells_of_contacts_by_address(api):
    """Each contact is new, updated or an error; the answer is 200 all the same."""
    await bulk(api, contact(LTV=1))
    status, answer = await bulk(api, contact(LTV=2), contact("b@example.com", LTV="x"))

    assert status == 200
    assert (answer["total_created"], answer["total_updated"], answer["error_count"]) == (0, 0, 2)
    exists, invalid = answer["errors"]
    assert (exists["email_address"], exists["error_code"]) == (ANN, "ERROR_CONTACT_EXISTS")
    assert (invalid["error_code"], invalid["field"]) == ("ERROR_GENERIC", "LTV")
    _, answer = await bulk(api, contact(ANN.upper(), LTV=2), update=True)
    assert answer["updated_members"][0]["merge_fields"] == {"LTV": 2}


async def test_five_hundred_members_are_the_most(api):
    """One more, or one of another shape, and the whole call is refused."""
    members = [contact(f"p{n}@example.com") for n in range(501)]
    assert (await bulk(api, *members))[0] == 400
    assert (await bulk(api, *members[1:]))[0] == 200
    status, document = await bulk(api, contact("new@example.com"), contact(FNAME=["Ann"]))
    assert (status, document["title"]) == (400, "Invalid Resource")
    assert document["errors"][0]["field"] == "members.item:1.merge_fields.FNAME"
    assert (await ask(api, "GET", member("new@example.com")))[0] == 404


@pytest.mark.parametrize(
    ("tag", "good", "bad"),
    [
        ("FNAME", "x" * 255, "x" * 256),
        ("LTV", "-1.5e3", "12,5"),
        ("BORN", "2001-02-03", "2001-02-30"),
        ("BIRTHDAY", "02/03", "2001-02-03"),
        ("PLAN", "free", "Free"),
        ("ZIP", "01234", "1234"),
        ("SITE", "https://example.com", "example.com"),
        ("ADDRESS", {"addr1": "1", "city": "b", "state": "c", "zip": "d"}, {"addr1": "1"}),
    ],
)
async def test_merge_fields_are_checked(api, tag, good, bad):
    """Each type of merge field has its rule; an empty text clears any of them."""
    for value, errors in ((good, 0), (bad, 1), ("", 0)):
        _, answer = await bulk(api, contact(**{tag: value}), update=True)
        assert answer["error_count"] == errors


async def test_required_merge_fields_may_be_skipped(api):
    """Where the audience requires a field it must be there, unless the request skips that."""
    _, answer = await bulk(api, contact(), audience=CLUB)
    assert answer["errors"][0]["field"] == "FNAME"
    _, answer = await bulk(api, contact(), audience=CLUB, skip_merge_validation="true")
    assert answer["total_created"] == 1


async def test_who_left_comes_back_through_pending_only(api):
    """An unsubscribed contact cannot be subscribed by the API."""
    await bulk(api, contact(status="unsubscribed"))
    put = {"email_address": ANN, "status_if_new": "subscribed"}

    status, document = await ask(api, "PUT", member(), put | {"status": "subscribed"})
    assert (status, document["title"]) == (400, "Member In Compliance State")
    assert (await ask(api, "PUT", member(), put))[1]["status"] == "unsubscribed"
    assert (await ask(api, "PUT", member(), put | {"status": "pending"}))[1]["status"] == "pending"


async def test_archived_contacts_are_out(api):
    """An archived contact is not in the audience, cannot be archived again, and may come back."""
    await bulk(api, contact(), contact("p@example.com", "pending"))
    assert (await ask(api, "DELETE", member()))[0] == 204
    assert (await ask(api, "DELETE", member()))[0] == 405
    assert (await ask(api, "DELETE", member("p@example.com")))[0] == 405
    assert (await ask(api, "DELETE", member("nobody@example.com")))[0] == 404
    assert (await ask(api, "GET", member(), fields="status")) == (200, {"status": "archived"})
    assert [row["id"] for row in (await ask(api, "GET", "/_sandbox/rows"))[1]["rows"]] == [
        "p@example.com"
    ]
    assert (await bulk(api, contact()))[1]["total_created"] == 1


async def test_what_was_deleted_for_ever_stays_away(api):
    """A permanently deleted address cannot be added again."""
    await bulk(api, contact())
    path = f"{member()}/actions/delete-permanent"
    assert (await ask(api, "POST", path))[0] == 204
    assert (await ask(api, "POST", path))[0] == 404
    put = {"email_address": ANN, "status_if_new": "subscribed"}
    assert (await ask(api, "PUT", member(), put))[1]["title"] == "Forgotten Email Not Subscribed"


async def test_update_needs_a_contact(api):
    """PATCH changes what is there and makes nothing."""
    assert (await ask(api, "PATCH", member(), {"vip": True}))[0] == 404
    await bulk(api, contact())
    assert (await ask(api, "PATCH", member(), {"vip": True}))[1]["vip"] is True
    assert (await ask(api, "PATCH", member(), {"status": "transactional"}))[0] == 400


async def test_tags_are_segments(api):
    """A tag is made by its first contact, found by prefix, and set in bulk by its id."""
    await bulk(api, contact(), contact("b@example.com"))
    tags = {"tags": [{"name": "Loyal", "status": "active"}]}
    assert (await ask(api, "POST", f"{member()}/tags", tags))[0] == 204
    _, found = await ask(api, "GET", f"/lists/{NEWSLETTER}/tag-search", name="loy")
    path = f"/lists/{NEWSLETTER}/segments/{found['tags'][0]['id']}"

    everyone = [ANN, "b@example.com", "nobody@example.com"]
    _, answer = await ask(api, "POST", path, {"members_to_add": everyone})
    assert [one["email_address"] for one in answer["members_added"]] == ["b@example.com"]
    _, answer = await ask(api, "POST", path, {"members_to_remove": everyone})
    assert answer["total_removed"] == 2
    assert (await ask(api, "POST", path, {"members_to_add": ["x"] * 501}))[0] == 400
    assert (await ask(api, "POST", f"/lists/{NEWSLETTER}/segments/9", {}))[0] == 404


async def test_an_eleventh_connection_is_refused(api):
    """What comes beyond the connections of a key gets 429; the most at once is told."""
    await ask(api, "POST", "/_sandbox/behavior", {"latency": 0.05})
    answers = await asyncio.gather(*(ask(api, "GET", "/ping") for _ in range(14)))

    assert sorted(status for status, _ in answers) == [200] * 10 + [429] * 4
    shown = (await ask(api, "GET", "/_sandbox/requests"))[1]
    assert shown["requests"] == 14
    assert shown["peak"] > 10


async def test_planned_answers_come_first(api):
    """Planned answers go out in order, without applying anything unless that is said."""
    lost = {"status": 502, "body": "", "applied": True}
    await ask(api, "POST", "/_sandbox/behavior", {"next": [{"status": 403, "body": "no"}, lost]})
    async with api.post(f"/3.0/lists/{NEWSLETTER}", json={"members": [contact()]}) as answer:
        assert (answer.status, await answer.text()) == (403, "no")
    assert (await ask(api, "GET", "/_sandbox/rows"))[1] == {"rows": []}
    async with api.post(f"/3.0/lists/{NEWSLETTER}", json={"members": [contact()]}) as answer:
        assert answer.status == 502
    assert len((await ask(api, "GET", "/_sandbox/rows"))[1]["rows"]) == 1


@pytest.mark.parametrize("body", [{"latency": "soon"}, {"next": [{}]}, {"connections": []}, []])
async def test_a_behavior_of_another_shape_is_refused(api, body):
    """A mistaken behavior gets 400, and none of it takes effect."""
    assert (await ask(api, "POST", "/_sandbox/behavior", body))[0] == 400
    assert (await ask(api, "GET", "/ping"))[0] == 200


async def test_everything_can_be_forgotten(api):
    """After DELETE the stand-in is as new, with the same key."""
    await bulk(api, contact())
    assert (await ask(api, "DELETE", "/_sandbox"))[0] == 200
    assert (await ask(api, "GET", "/_sandbox/rows"))[1] == {"rows": []}


async def test_the_settings_reach_the_stand_in(aiohttp_server):
    """Settings made for the server's address deliver to it, with the random key in them."""
    stand_in = StandIn()
    settings = stand_in.settings("http://127.0.0.1:1")

    assert settings == {
        "kind": "mailchimp",
        "api_key": f"{stand_in.token}-us0",
        "base_url": "http://127.0.0.1:1/3.0",
        "allow_private_networks": True,
    }
    assert StandIn().token != stand_in.token
