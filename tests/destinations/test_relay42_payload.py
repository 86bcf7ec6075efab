"""Profiles go to an endpoint as Relay42's own custom connectors send them."""

import asyncio
from typing import Any

import pytest
from segment_stage import endpoint, member, stage

from destination.testing.clock import run_virtually

DOCUMENTED = (
    b'{"siteNumber":1234,"partnerNumber":2001,"partnerAudienceId":"2582431",'
    b'"relay42AudienceNumber":101,"partnerIds":["037f9dcf-e108-481a-8ad2-e6988e1acfa7"],'
    b'"audienceVariables":{"TestVar":"testValue"},'
    b'"profileId":"29401b86-7c96-43d6-a40d-9f0ea670e19f",'
    b'"sourceId":"94844bd8-f129-480d-a1c9-e806d177d15a","data":{"Custom":"Test Custom"}}'
)
OPTIONS = {
    "siteNumber": 1234,
    "partnerNumber": 2001,
    "partnerAudienceId": "2582431",
    "relay42AudienceNumber": 101,
}


class TestShape:
    """What stands in a payload."""

    async def test_it_is_the_documented_one(self):
        """The example of the documentation, byte for byte."""
        row = {
            "id": 1,
            "partnerIds": "037f9dcf-e108-481a-8ad2-e6988e1acfa7",
            "sourceId": "94844bd8-f129-480d-a1c9-e806d177d15a",
            "data.Custom": "Test Custom",
            "profileId": "29401b86-7c96-43d6-a40d-9f0ea670e19f",
            "audienceVariables.TestVar": "testValue",
        }
        async with endpoint() as (segment, kept):
            assert await segment.call("add", row, **OPTIONS) == {}

        assert kept.bodies == [DOCUMENTED]
        assert kept.headers[0]["Content-Type"] == "application/json"

    async def test_what_is_not_known_is_left_out(self):
        """Neither empty options nor null or blank columns stand in it."""
        row = member(1, profileId=" ", sourceId=None, **{"data.a": None, "audienceVariables.b": ""})
        async with endpoint() as (segment, kept):
            assert await segment.call("add", row, partnerAudienceId=" ") == {}

        assert kept.payloads == [{"partnerIds": ["p1"], "audienceVariables": {"b": ""}}]

    async def test_the_external_id_goes_out_as_it_was_typed(self):
        """It must match exactly, so nothing is taken off it."""
        async with endpoint() as (segment, kept):
            await segment.call("add", member(1), partnerAudienceId=" Ünder 30 ")

        assert kept.payloads[0]["partnerAudienceId"] == " Ünder 30 "

    @pytest.mark.parametrize(
        ("column", "ids"),
        [
            ("a", ["a"]),
            (" a ", [" a "]),
            (["a", "b", "a"], ["a", "b"]),
            ('["a", "b"]', ["a", "b"]),
            ("[a]", ["[a]"]),
            (7, ["7"]),
            ([12345678901234567890, "x"], ["12345678901234567890", "x"]),
        ],
    )
    async def test_partner_ids_are_a_list(self, column, ids):
        """Whether the column has one id, a list, or a list as JSON."""
        async with endpoint() as (segment, kept):
            assert await segment.call("add", member(1, partnerIds=column)) == {}

        assert kept.payloads == [{"partnerIds": ids}]

    @pytest.mark.parametrize(
        ("column", "reason"),
        [
            (" ", "INVALID_ROW: partnerIds: expected a text or a list of texts, none of them bl"),
            ([], "INVALID_ROW: partnerIds: expected a text"),
            (["a", None], "INVALID_ROW: partnerIds: expected a text"),
            (["a", " "], "INVALID_ROW: partnerIds: expected a text"),
            ([["a"]], "INVALID_ROW: partnerIds: expected a text"),
            ({"a": 1}, "INVALID_ROW: partnerIds: expected a text"),
            (1.5, "INVALID_ROW: partnerIds: expected a text"),
            (True, "INVALID_ROW: partnerIds: expected a text"),
            (r'["\ud800"]', "INVALID_ROW: partnerIds: expected a text"),
            ("[" * 100_000, "TOO_LARGE: partnerIds: expected at most 100 ids of 500 characters"),
            ("x" * 501, "TOO_LARGE: partnerIds: expected at most 100"),
            (10**400, "INVALID_ROW: partnerIds: expected a text"),
            ([str(n) for n in range(101)], "TOO_LARGE: partnerIds: expected at most 100"),
            (None, 'INVALID_ROW: partnerIds: required, but column "partnerIds" is empty'),
        ],
    )
    @pytest.mark.parametrize("operation", ["add", "remove"])
    async def test_other_ids_reject_their_row(self, operation, column, reason):
        """And no neighbour."""
        rows = [member(1), member(2, partnerIds=column), member(3)]
        async with endpoint() as (segment, kept):
            reasons = await segment.call(operation, *rows)

        assert list(reasons) == [2]
        assert reasons[2].startswith(reason)
        assert len(kept.bodies) == 2

    async def test_whole_objects_may_be_mapped(self):
        """Variables and data are objects, as JSON too; their members may have any value."""
        row = member(1, audienceVariables='{"a": 1, "b": null}', data={"c": [True, {"d": 0.5}]})
        async with endpoint() as (segment, kept):
            assert await segment.call("add", row) == {}

        assert kept.bodies == [
            b'{"partnerIds":["p1"],"audienceVariables":{"a":1},"data":{"c":[true,{"d":0.5}]}}'
        ]

    async def test_variables_that_are_no_object_reject_the_row(self):
        """The reason names the field."""
        async with endpoint() as (segment, _):
            reasons = await segment.call("add", member(1, audienceVariables="x"))

        assert reasons[1].startswith("INVALID_ROW: audienceVariables: expected a JSON object")


class TestProfiles:
    """Rows that share a profile."""

    ROWS = (
        member(1, profileId="x", **{"audienceVariables.a": 1, "audienceVariables.b": 1}),
        member(2, profileId="y"),
        member(3, profileId="x", partnerIds=["p1", "q"], **{"audienceVariables.b": 2}),
        member(4, profileId=None),
        member(5, profileId=""),
    )

    async def test_they_are_one_payload(self):
        """With the ids of all; of what they say of one thing the last word counts."""
        async with endpoint() as (segment, kept):
            assert await segment.call("add", *self.ROWS) == {}

        assert sorted(kept.payloads, key=str) == [
            {"partnerIds": ["p1", "q"], "audienceVariables": {"a": 1, "b": 2}, "profileId": "x"},
            {"partnerIds": ["p2"], "profileId": "y"},
            {"partnerIds": ["p4"]},
            {"partnerIds": ["p5"]},
        ]

    async def test_they_share_its_fate(self):
        """A payload that is refused rejects every row of the profile, and no other."""
        async with stage() as segment:
            await segment.ask("behavior", next=[{"status": 422}])
            reasons = await segment.call("add", *self.ROWS[:3:2])
            assert len(await segment.asked()) == 1

        assert reasons == dict.fromkeys((1, 3), "VENDOR_REJECTED: partner error code 422")

    async def test_a_row_without_ids_does_not_take_its_profile_down(self):
        """It is rejected alone, and the payload has the others' ids."""
        rows = [member(1, profileId="x"), member(2, profileId="x", partnerIds=[" "])]
        async with endpoint() as (segment, kept):
            reasons = await segment.call("remove", *rows)

        assert list(reasons) == [2]
        assert kept.payloads == [{"partnerIds": ["p1"], "profileId": "x"}]

    async def test_without_a_profile_a_set_of_ids_stands_once_in_a_call(self):
        """The last row is taken, as the two would race; removals do not."""
        rows = [member(1, partnerIds=["a", "b"]), member(2, partnerIds=["b", "a"])]
        async with endpoint() as (segment, kept):
            reasons = await segment.call("add", *rows)
            assert await segment.call("remove", *rows) == {}

        assert list(reasons) == [1]
        assert reasons[1].startswith("DUPLICATE: ")
        assert len(kept.bodies) == 3


class TestActions:
    """How the endpoint tells additions from removals."""

    @pytest.mark.parametrize(
        ("settings", "lines", "actions"),
        [
            ({}, ["POST /segments", "POST /segments", "DELETE /segments"], [None] * 3),
            (
                {"remove_method": "PUT"},
                ["POST /segments", "POST /segments", "PUT /segments"],
                [None] * 3,
            ),
            (
                {"remove_endpoint": "{url}/gone?a=%7E"},
                ["POST /segments", "POST /segments", "POST /gone?a=%7E"],
                [None] * 3,
            ),
            (
                {"remove_endpoint": "{url}/gone", "remove_method": "DELETE"},
                ["POST /segments", "POST /segments", "DELETE /gone"],
                [None] * 3,
            ),
            (
                {"action_header": "X-Action"},
                ["POST /segments"] * 3,
                ["add", "add", "remove"],
            ),
            (
                {"action_header": "X-Action", "remove_method": "DELETE"},
                ["POST /segments", "POST /segments", "DELETE /segments"],
                ["add", "add", "remove"],
            ),
        ],
    )
    async def test_as_configured(self, settings, lines, actions):
        """By method unless it is said otherwise; the payload is the same."""
        async with endpoint(**settings) as (segment, kept):
            await segment.call("add", member(1, profileId="x"))
            await segment.call("change", member(1, profileId="x"), partnerNumber=1)
            await segment.call("remove", member(1, profileId="x"))

        assert kept.lines == lines
        assert [headers.get("X-Action") for headers in kept.headers] == actions
        assert kept.payloads[2] == kept.payloads[0]

    async def test_a_mode_may_add_only(self):
        """Then changed and removed rows are not sent."""
        async with endpoint() as (segment, kept):
            assert await segment.call("add", member(1), mode="add_only") == {}
            for operation in ("change", "remove"):
                [reason] = (await segment.call(operation, member(1), mode="add_only")).values()
                assert reason.startswith("NOT_SUPPORTED: ")

        assert kept.lines == ["POST /segments"]

    @pytest.mark.parametrize(
        "settings",
        [
            {},
            {"action_header": "X-Relay42-Action"},
            {"remove_endpoint": "{url}/segments/removals"},
        ],
    )
    async def test_a_segment_equals_its_source_after_a_mirror(self, settings):
        """After rows were added, changed and removed the endpoint holds exactly the rows."""
        source = {n: member(n, profileId=f"profile{n}", **{"data.n": n}) for n in range(60)}
        async with stage(settings=settings) as segment:
            assert await segment.call("add", *source.values()) == {}
            source |= {n: {**source[n], "data.n": -n - 1} for n in range(0, 60, 6)}
            gone = [source.pop(n) for n in range(1, 60, 6)]
            assert await segment.call("change", *source.values()) == {}
            assert await segment.call("remove", *gone) == {}

            held = await segment.held()

        assert {id: payload["data"]["n"] for id, payload in held.items()} == {
            row["profileId"]: row["data.n"] for row in source.values()
        }


class TestFailures:
    """What becomes of a payload that was not taken."""

    @pytest.mark.parametrize(
        ("status", "reason"),
        [
            (400, "VENDOR_REJECTED: partner error code 400"),
            (404, "VENDOR_REJECTED: partner error code 404"),
            (422, "VENDOR_REJECTED: partner error code 422"),
            (500, "OUTCOME_UNKNOWN: the vendor answered 500; may have been delivered"),
            (503, "RATE_LIMITED: not sent: the vendor answered 503; it did not take the request"),
            (302, "REDIRECT_REFUSED: "),
        ],
    )
    async def test_each_has_its_category(self, status, reason):
        """A partner's error code is told by its number."""
        async with endpoint(status, attempts=1) as (segment, _):
            [told] = (await segment.call("add", member(1))).values()

        assert told.startswith(reason)

    async def test_invalid_credentials_stop_the_call(self):
        """A person must act, and hardly more is sent."""
        async with endpoint(401) as (segment, kept):
            answer = await segment.send("add", *(member(n) for n in range(99)))

        assert answer["error"]["code"] == -32001
        assert answer["error"]["message"] == (
            "AUTH_FAILED: invalid credentials: the endpoint answered 401"
        )
        assert len(kept.bodies) <= 10

    @pytest.mark.parametrize(
        ("settings", "operation", "requests"),
        [
            ({}, "add", 1),
            ({}, "remove", 4),
            ({"idempotent": True}, "add", 4),
            ({"action_header": "X-Action"}, "remove", 1),
            ({"action_header": "X-Action", "idempotent": True}, "remove", 4),
            ({"idempotent": True, "attempts": 2}, "add", 2),
        ],
    )
    async def test_what_may_have_arrived_is_repeated_where_that_is_harmless(
        self, settings, operation, requests
    ):
        """Three times more, as the platform does; the operator says where, and DELETE always is."""
        async with endpoint(502, **settings) as (segment, kept):
            [reason] = (await segment.call(operation, member(1))).values()

        assert reason.startswith("OUTCOME_UNKNOWN: ")
        assert len(kept.bodies) == requests

    @pytest.mark.parametrize(("settings", "seconds"), [({}, 3), ({"timeout": 5}, 5)])
    def test_an_endpoint_has_three_seconds(self, settings, seconds):
        """Then the attempt has timed out, unless the operator grants more."""

        async def tell() -> tuple[float, dict[Any, str]]:
            async with stage(settings=settings) as segment:
                await segment.ask("behavior", latency=60)
                began = asyncio.get_running_loop().time()
                reasons = await segment.call("add", member(1))
                return asyncio.get_running_loop().time() - began, reasons

        took, reasons = run_virtually(tell())
        assert took == pytest.approx(seconds, abs=0.1)
        assert reasons == {
            1: "OUTCOME_UNKNOWN: no usable answer (timed out); may have been delivered"
        }

    async def test_what_arrived_is_remembered_unless_repeating_is_harmless(self):
        """The same call again sends nothing; with ``idempotent`` it sends all."""
        for idempotent, sent in ((False, 1), (True, 2)):
            async with endpoint(idempotent=idempotent) as (segment, kept):
                await segment.call("add", member(1))
                await segment.call("add", member(1))
            assert len(kept.bodies) == sent

    async def test_the_external_id_may_be_required(self):
        """An endpoint that cannot do without is not asked to."""
        async with endpoint(external_id_required=True) as (segment, kept):
            answer = await segment.send("add", member(1), partnerAudienceId=" ")
            assert await segment.call("add", member(1), partnerAudienceId="x") == {}

        assert answer["error"]["message"] == (
            "CONFIG_INVALID: External ID is required: the connected system finds its segment by it."
        )
        assert [body["partnerAudienceId"] for body in kept.payloads] == ["x"]


class TestAccess:
    """Being let in, and signing."""

    async def test_credentials_and_signature_go_along(self):
        """As with every kind that takes them."""
        settings = {
            "auth": {"scheme": "header", "name": "X-Api-Key", "value": "k3y"},
            "signing": {"scheme": "hmac", "secret": "s"},
        }
        async with endpoint(**settings) as (segment, kept):
            assert await segment.call("add", member(1)) == {}

        assert kept.headers[0]["X-Api-Key"] == "k3y"
        assert kept.headers[0]["X-Signature-256"].startswith("sha256=")

    @pytest.mark.parametrize("status", [200, 204, 404, 405])
    async def test_a_check_writes_nothing(self, status):
        """It asks both addresses for their options; any answer but "who are you?" will do."""
        async with endpoint(status, remove_endpoint="{url}/gone") as (segment, kept):
            assert not (await segment.subject.instance.check()).says

        assert kept.lines == ["OPTIONS /segments", "OPTIONS /gone"]

    async def test_a_check_finds_wrong_credentials(self):
        """The stand-in wants its token."""
        settings = {"auth": {"scheme": "bearer", "token": "wrong"}}
        async with stage(settings=settings) as segment:
            with pytest.raises(Exception, match="invalid credentials"):
                await segment.subject.instance.check()
