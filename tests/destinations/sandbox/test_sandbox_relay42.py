"""The stand-in of Relay42 takes what is documented and nothing else, and says what it holds."""

import asyncio
import json
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer

from destination.testing.clock import run_virtually
from destinations.sandbox.relay42 import SEGMENT, SITE, StandIn

TOKEN = "the-token-of-the-tests"
BEARER = {"Authorization": f"Bearer {TOKEN}"}
BASIC = {"Authorization": "Basic c2FuZGJveDp0aGUtdG9rZW4tb2YtdGhlLXRlc3Rz"}
FACTS = f"/v1/site-{SITE}/profiles/2001/facts"
TO = {"partnerId": "p 1", "forceInsert": "true"}
FACT = {"factName": "f", "factTtl": 60, "properties": {"k": "v"}}
PAYLOAD = {
    "siteNumber": 1234,
    "partnerNumber": 2001,
    "partnerAudienceId": SEGMENT,
    "relay42AudienceNumber": 101,
    "partnerIds": ["a"],
    "audienceVariables": {"TestVar": "testValue"},
    "profileId": "p",
    "sourceId": "s",
    "data": {"Custom": "Test Custom"},
}


@pytest.fixture
async def api(aiohttp_client):
    """A client of a stand-in, which shows nothing of itself."""
    return await aiohttp_client(StandIn(token=TOKEN).app())


async def ask(api, method, path, body: Any = None, headers=BEARER, **query):
    """The status and the document of one request."""
    async with api.request(method, path, json=body, headers=headers, params=query) as answer:
        text = await answer.read()
        return answer.status, json.loads(text) if text else None


async def held(api):
    """What it holds, by id."""
    rows = (await ask(api, "GET", "/_sandbox/rows"))[1]["rows"]
    return {row["id"]: row["fields"] for row in rows}


class TestEndpoint:
    """Payloads of custom connectors."""

    async def test_a_payload_is_held_as_it_came(self, api):
        """The last one of a profile, or of its ids where it has none."""
        nameless = {"partnerAudienceId": SEGMENT, "partnerIds": ["x", "y"]}
        for payload in (PAYLOAD, {**PAYLOAD, "sourceId": "t"}, nameless):
            assert (await ask(api, "POST", "/segments", payload))[0] == 200

        assert await held(api) == {"p": {**PAYLOAD, "sourceId": "t"}, "x y": nameless}

    @pytest.mark.parametrize(
        ("method", "path", "headers"),
        [
            ("DELETE", "/segments", {}),
            ("POST", "/segments/removals", {}),
            ("POST", "/segments", {"X-Relay42-Action": "remove"}),
        ],
    )
    async def test_there_are_three_ways_to_remove(self, api, method, path, headers):
        """Each takes the same payload; who is not there need not be."""
        await ask(api, "POST", "/segments", PAYLOAD, {**BEARER, "X-Relay42-Action": "add"})
        assert list(await held(api)) == ["p"]
        for _ in range(2):
            assert (await ask(api, method, path, PAYLOAD, {**BEARER, **headers}))[0] == 200
        assert await held(api) == {}

    @pytest.mark.parametrize(
        "changes",
        [
            {"siteNumber": "1234"},
            {"siteNumber": True},
            {"partnerNumber": 0},
            {"partnerAudienceId": "another"},
            {"partnerAudienceId": ""},
            {"partnerAudienceId": None},
            {"relay42AudienceNumber": 1.5},
            {"partnerIds": []},
            {"partnerIds": "a"},
            {"partnerIds": ["a", "a"]},
            {"partnerIds": ["a", ""]},
            {"partnerIds": [7]},
            {"audienceVariables": {}},
            {"audienceVariables": {"a": None}},
            {"audienceVariables": []},
            {"profileId": ""},
            {"profileId": None},
            {"data": None},
            {"action": "add"},
        ],
    )
    async def test_another_shape_is_refused(self, api, changes):
        """Nothing of it is held."""
        assert (await ask(api, "POST", "/segments", PAYLOAD | changes))[0] == 422
        assert await held(api) == {}

    @pytest.mark.parametrize("lacking", ["partnerIds", "partnerAudienceId"])
    async def test_what_is_needed_is_not_left_out(self, api, lacking):
        """Ids, and the segment that this endpoint keeps."""
        payload = {name: value for name, value in PAYLOAD.items() if name != lacking}
        assert (await ask(api, "POST", "/segments", payload))[0] == 422

    async def test_members_keep_their_order(self, api):
        """That of the documentation."""
        assert (await ask(api, "POST", "/segments", dict(reversed(PAYLOAD.items()))))[0] == 422

    async def test_other_bodies_are_refused(self, api):
        """What is no JSON, no object, or does not say what it is."""
        assert (await ask(api, "POST", "/segments", [PAYLOAD]))[0] == 422
        for body, kind in ((b"{", "application/json"), (b"{}", "text/plain")):
            headers = {**BEARER, "Content-Type": kind}
            async with api.post("/segments", data=body, headers=headers) as answer:
                assert answer.status == 400

    async def test_an_action_is_one_of_two(self, api):
        """A third is a mistake."""
        headers = {**BEARER, "X-Relay42-Action": "change"}
        assert (await ask(api, "POST", "/segments", PAYLOAD, headers))[0] == 400


class TestFacts:
    """The REST API."""

    async def test_facts_are_set_shown_and_deleted(self, api):
        """Several of a profile at once; deleting what is not there is no error."""
        facts = [FACT, {**FACT, "factName": "g", "factTtl": "90"}]
        assert await ask(api, "POST", FACTS, facts, BASIC, **TO) == (200, None)
        _, shown = await ask(api, "GET", FACTS, headers=BASIC, partnerId="p 1")
        assert [(one["name"], one["original_ttl"], one["parameters"]) for one in shown] == [
            ("f", 60, {"k": "v"}),
            ("g", 90, {"k": "v"}),
        ]
        for _ in range(2):
            gone = await ask(api, "DELETE", FACTS, headers=BASIC, partnerId="p 1", fact="f")
            assert gone == (200, None)
        assert await held(api) == {"p 1": {"fact": "g", "k": "v"}}

    async def test_a_fact_is_replaced(self, api):
        """By one of the same name, by PUT too."""
        await ask(api, "POST", FACTS, [FACT], BASIC, **TO)
        fact = {**FACT, "properties": {"l": "w"}}
        assert (await ask(api, "PUT", FACTS, [fact], BASIC, partnerId="p 1"))[0] == 200
        assert await held(api) == {"p 1": {"fact": "f", "l": "w"}}

    @pytest.mark.parametrize(
        ("method", "query"),
        [("POST", {"partnerId": "p", "forceInsert": "false"}), ("PUT", {"partnerId": "p"})],
    )
    async def test_a_profile_is_made_on_request_only(self, api, method, query):
        """Otherwise the record is ignored, and that is said."""
        status, body = await ask(api, method, FACTS, [FACT], BASIC, **query)

        assert (status, body["errorCode"]) == (400, 400)
        assert await held(api) == {}

    @pytest.mark.parametrize(
        ("method", "query"),
        [
            ("POST", {}),
            ("POST", {"partnerId": "p"}),
            ("POST", {"partnerId": " ", "forceInsert": "true"}),
            ("POST", {"partnerId": "p", "forceInsert": "yes"}),
            ("POST", {"partnerId": "p", "forceInsert": "true", "fact": "f"}),
            ("PUT", {"partnerId": "p", "more": "x"}),
            ("DELETE", {"partnerId": "p"}),
            ("DELETE", {"partnerId": "p", "fact": ""}),
            ("GET", {"fact": "f"}),
        ],
    )
    async def test_other_parameters_are_refused(self, api, method, query):
        """Missing, blank or unknown ones."""
        assert (await ask(api, method, FACTS, [FACT], BASIC, **query))[0] == 400

    @pytest.mark.parametrize(
        "body",
        [
            None,
            FACT,
            [],
            [5],
            [{"factName": "f", "factTtl": 60}],
            [FACT | {"factName": ""}],
            [FACT | {"factTtl": 0}],
            [FACT | {"factTtl": True}],
            [FACT | {"factTtl": "soon"}],
            [FACT | {"properties": []}],
            [FACT | {"properties": {"k": 7}}],
            [FACT | {"more": 1}],
            [FACT, 5],
        ],
    )
    async def test_other_bodies_are_refused(self, api, body):
        """All of them, or none."""
        assert (await ask(api, "POST", FACTS, body, BASIC, **TO))[0] == 400
        assert await held(api) == {}

    async def test_special_characters_need_a_charset(self, api):
        """As the documentation advises."""
        body = json.dumps([FACT | {"factName": "ü"}], ensure_ascii=False).encode()
        for kind, status in (("", 400), ("; charset=utf-8", 200)):
            headers = {**BASIC, "Content-Type": f"application/json{kind}"}
            async with api.post(FACTS, data=body, headers=headers, params=TO) as answer:
                assert answer.status == status

    def test_a_fact_lapses(self):
        """After the seconds that were said of it."""

        async def tell() -> list[int]:
            app = StandIn(token=TOKEN).app()
            async with TestClient(TestServer(app)) as api:
                await ask(api, "POST", FACTS, [FACT], BASIC, **TO)
                counts = [len(await held(api))]
                await asyncio.sleep(60)
                return [*counts, len(await held(api))]

        assert run_virtually(tell()) == [1, 0]


class TestAccess:
    """Who is let in where."""

    @pytest.mark.parametrize(
        "headers",
        [
            {},
            {"Authorization": "Bearer wrong"},
            {"Authorization": "Basic c2FuZGJveDp3cm9uZw=="},
            {"Authorization": "Basic %"},
            {"Authorization": "Digest x"},
        ],
    )
    @pytest.mark.parametrize("path", ["/segments", FACTS, "/_sandbox/rows"])
    async def test_others_are_not(self, api, path, headers):
        """Anywhere."""
        assert (await ask(api, "GET", path, headers=headers))[0] == 401

    async def test_each_door_has_its_key(self, api):
        """The endpoint's token opens no profile, and the API's does not open the endpoint."""
        assert (await ask(api, "GET", FACTS, headers=BEARER, partnerId="p"))[0] == 401
        assert (await ask(api, "POST", "/segments", PAYLOAD, BASIC))[0] == 401

    async def test_another_site_is_not_known(self, api):
        """401, as documented."""
        path = FACTS.replace(str(SITE), "7")
        assert (await ask(api, "GET", path, headers=BASIC, partnerId="p"))[0] == 401

    async def test_a_key_becomes_a_token(self, api):
        """By way of a refresh token; both can be withdrawn."""
        key, refresh = {"apiKey": TOKEN}, "/users/token"
        _, first = await ask(api, "POST", "/users/authenticate", key, {})
        shown = {"refreshToken": first.pop("refreshToken")}
        _, second = await ask(api, "POST", refresh, shown, {})
        headers = {"Authorization": f"Bearer {second.pop('token')}"}

        assert first == {"expiresInSeconds": 172800}
        assert second == {"tokenType": "Bearer", "expiresInSeconds": 86400}
        assert (await ask(api, "GET", FACTS, headers=headers, partnerId="p"))[0] == 200
        await ask(api, "DELETE", "/_sandbox/token")
        assert (await ask(api, "GET", FACTS, headers=headers, partnerId="p"))[0] == 401
        await ask(api, "DELETE", "/_sandbox/refreshToken")
        assert (await ask(api, "POST", refresh, shown, {}))[0] == 401
        assert (await ask(api, "GET", "/_sandbox/requests"))[1]["given"] == {
            "refreshToken": 1,
            "token": 1,
        }

    async def test_tokens_lapse(self, aiohttp_client):
        """After the seconds that are said of them."""
        made = StandIn(token=TOKEN, token_life=0, refresh_life=0)
        api = await aiohttp_client(made.app())
        _, first = await ask(api, "POST", "/users/authenticate", {"apiKey": TOKEN}, {})

        assert first["expiresInSeconds"] == 0
        shown = {"refreshToken": first["refreshToken"]}
        assert (await ask(api, "POST", "/users/token", shown, {}))[0] == 401

    @pytest.mark.parametrize(
        ("body", "status"),
        [({"apiKey": "wrong"}, 401), ({"apiKey": 7}, 400), ({}, 400), ([], 400), ("x", 400)],
    )
    async def test_other_keys_bring_nothing(self, api, body, status):
        """Nor do other bodies."""
        assert (await ask(api, "POST", "/users/authenticate", body, {}))[0] == status


class TestSandbox:
    """What tests tell it and ask of it."""

    async def test_planned_answers_come_first(self, api):
        """In their order, without applying anything unless that is said."""
        plans = [{"status": 503, "headers": {"Retry-After": 1}}, {"status": 502, "applied": True}]
        await ask(api, "POST", "/_sandbox/behavior", {"next": plans})
        async with api.post("/segments", json=PAYLOAD, headers=BEARER) as answer:
            assert (answer.status, answer.headers["Retry-After"]) == (503, "1")
        assert await held(api) == {}
        assert (await ask(api, "POST", "/segments", PAYLOAD))[0] == 502
        assert list(await held(api)) == ["p"]

    @pytest.mark.parametrize("body", [{"latency": "soon"}, {"next": [{}]}, []])
    async def test_a_behavior_of_another_shape_is_refused(self, api, body):
        """None of it takes effect."""
        assert (await ask(api, "POST", "/_sandbox/behavior", body))[0] == 400
        assert (await ask(api, "POST", "/segments", PAYLOAD))[0] == 200

    @pytest.mark.parametrize(
        ("made", "settings"),
        [
            (
                {},
                {
                    "delivery": "payload",
                    "endpoint": "http://h:1/segments",
                    "auth": {"scheme": "bearer", "token": TOKEN},
                    "external_id_required": True,
                },
            ),
            (
                {"delivery": "facts"},
                {
                    "delivery": "facts",
                    "site_id": SITE,
                    "base_url": "http://h:1/v1",
                    "auth_url": "http://h:1",
                    "api_identifier": "sandbox",
                    "access_token": TOKEN,
                },
            ),
            (
                {"delivery": "facts", "by_key": True},
                {
                    "delivery": "facts",
                    "site_id": SITE,
                    "base_url": "http://h:1/v1",
                    "auth_url": "http://h:1",
                    "api_key": TOKEN,
                },
            ),
        ],
    )
    def test_the_settings_reach_it(self, made, settings):
        """For either delivery, with identifier or key; a token is random unless it is given."""
        common = {"kind": "relay42", "allow_private_networks": True}
        assert StandIn(token=TOKEN, **made).settings("http://h:1") == {**common, **settings}
        assert StandIn().token != StandIn().token
