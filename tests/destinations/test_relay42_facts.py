"""By the REST API a profile has a fact for as long as its row is in the model."""

from typing import Any

import pytest
from segment_stage import TO_API, endpoint, member, stage

from destination.cli.people import differences, expected, people
from destination.cli.sync.changes import Changes
from destination.model import Operation
from destinations.sandbox.relay42 import FACT, StandIn

OPTIONS = {"partnerNumber": 2001, "factName": "in spring & sale"}
BAD = {"errorCode": 400, "message": "no profile p1 of Zoë here"}
FACTS = "/v1/site-1234/profiles/2001/facts"


class TestRequests:
    """What the API is asked."""

    async def test_a_fact_is_set(self):
        """As documented: a list of one fact, in UTF-8, with identifier and token."""
        row = member(1, **{"audienceVariables.k": "ü", "data.Custom": "Test", "data.k": "v"})
        async with endpoint(usual=TO_API) as (segment, kept):
            assert await segment.call("add", row, factTtl=604800, **OPTIONS) == {}

        assert kept.lines == [f"POST {FACTS}?partnerId=p1&forceInsert=true"]
        assert kept.bodies[0].decode() == (
            '[{"factName":"in spring & sale","factTtl":604800,'
            '"properties":{"Custom":"Test","k":"ü"}}]'
        )
        assert kept.headers[0]["Content-Type"] == "application/json; charset=utf-8"
        assert kept.headers[0]["Authorization"] == "Basic bWU6czNjcmV0"

    async def test_a_removed_row_s_fact_is_deleted(self):
        """By its name, which is percent-encoded."""
        async with endpoint(usual=TO_API) as (segment, kept):
            assert await segment.call("remove", member(1), **OPTIONS) == {}

        assert kept.lines == [f"DELETE {FACTS}?partnerId=p1&fact=in%20spring%20%26%20sale"]

    async def test_nobody_has_to_be_made(self):
        """``forceInsert`` is the marketer's."""
        async with endpoint(usual=TO_API) as (segment, kept):
            await segment.call("add", member(1), forceInsert=False, **OPTIONS)

        assert kept.lines == [f"POST {FACTS}?partnerId=p1&forceInsert=false"]

    @pytest.mark.parametrize(
        ("id", "encoded"),
        [
            ("a b+c", "a%20b%2Bc"),
            ("100%/..?#&=", "100%25%2F..%3F%23%26%3D"),
            ("%2F", "%252F"),
            ("Zoë~", "Zo%C3%AB~"),
            ("a\r\nX: 1", "a%0D%0AX%3A%201"),
        ],
    )
    async def test_an_id_is_percent_encoded(self, id, encoded):
        """No id leaves its place in the address."""
        async with endpoint(usual=TO_API) as (segment, kept):
            assert await segment.call("add", member(1, partnerIds=id), **OPTIONS) == {}

        assert kept.lines == [f"POST {FACTS}?partnerId={encoded}&forceInsert=true"]

    async def test_the_longest_id_fits(self):
        """Five hundred characters of four bytes each."""
        id = "\U0001f600" * 500
        async with stage("facts") as segment:
            assert await segment.call("add", member(1, partnerIds=id)) == {}
            assert list(await segment.held()) == [id]

    async def test_properties_are_text(self):
        """As in every documented request; null is not known and left out."""
        values = {"n": 7, "f": 0.5, "t": True, "x": None, "l": [1, {"ü": None}], "s": ""}
        row = member(1, **{f"audienceVariables.{name}": value for name, value in values.items()})
        async with stage("facts") as segment:
            assert await segment.call("add", row) == {}
            held = await segment.held()

        assert held["p1"] == {
            "fact": FACT,
            "n": "7",
            "f": "0.5",
            "t": "true",
            "l": '[1, {"ü": null}]',
            "s": "",
        }

    async def test_each_id_of_a_row_gets_the_fact(self):
        """One request for each, for removals too."""
        async with stage("facts") as segment:
            assert await segment.call("add", member(1, partnerIds=["a", "b"])) == {}
            assert sorted(await segment.held()) == ["a", "b"]
            assert await segment.call("remove", member(1, partnerIds='["a", "b"]')) == {}
            assert await segment.held() == {}
            assert len(await segment.asked()) == 4


async def test_what_relay42_holds_equals_the_rows():
    """After a first run and a second, with people added, changed and removed."""
    stand_in = StandIn(delivery="facts")
    stand_in.people = 200  # type: ignore[attr-defined] - suffice
    scenario = people(stand_in)
    sync = dict(scenario.configuration)
    rejected, before = [], list[Any]()
    async with stage("facts") as segment:
        for rows in scenario.runs:
            changes, ids = Changes.between(before, rows, "id"), set[Any]()
            for operation in Operation:
                ids |= set(await segment.call(operation, *changes.of(operation), **sync))
            rejected.append(ids)
            before = rows
        held = (await segment.ask("rows"))["rows"]

    assert rejected == list(scenario.bad)
    assert differences(expected(scenario), held) == []


class TestRefusals:
    """What becomes of a record that Relay42 does not take."""

    async def test_a_bad_request_rejects_its_record(self):
        """The words are Relay42's, without the row's values; the others are taken."""
        async with stage("facts") as segment:
            await segment.call("add", member(0))
            await segment.ask("behavior", next=[{"status": 400, "body": BAD}])
            row = member(1, **{"data.name": "Zoë"})
            reasons = await segment.call("add", row)
            assert await segment.call("add", member(2)) == {}

        assert reasons == {
            1: "VENDOR_REJECTED: partner error code 400: "
            "no profile [partnerIds] of [data.name] here"
        }

    @pytest.mark.parametrize(
        "body", ["", "<html>", "[" * 100_000, [1], {"message": 5}, {"errorCode": 400}]
    )
    async def test_a_bad_request_without_words(self, body):
        """Whatever the answer holds, its status is enough."""
        async with stage("facts") as segment:
            await segment.ask("behavior", next=[{"status": 400, "body": body}])
            reasons = await segment.call("add", member(1))

        assert reasons == {1: "VENDOR_REJECTED: partner error code 400"}

    async def test_profiles_that_are_not_there_are_refused_where_none_are_made(self):
        """The stand-in knows nobody at first."""
        async with stage("facts") as segment:
            [reason] = (await segment.call("add", member(1), forceInsert=False)).values()

        assert reason == (
            "VENDOR_REJECTED: partner error code 400: "
            "there is no profile [partnerIds]; the record is ignored"
        )

    @pytest.mark.parametrize("status", [401, 403])
    async def test_refused_credentials_stop_the_call(self, status):
        """Both halt, as the API's documentation asks."""
        rows = [member(n) for n in range(99)]
        async with endpoint(status, usual=TO_API) as (segment, kept):
            answer = await segment.send("add", *rows, **OPTIONS)

        assert answer["error"]["code"] == -32001
        assert answer["error"]["message"].startswith(
            f"AUTH_FAILED: invalid credentials: Relay42 answered {status}: "
        )
        assert len(kept.lines) <= 10

    @pytest.mark.parametrize("operation", ["add", "remove"])
    async def test_a_lost_answer_is_asked_for_again(self, operation):
        """Setting or deleting a fact twice does no harm."""
        async with stage("facts") as segment:
            await segment.ask("behavior", next=[{"status": 502, "applied": True}] * 3)
            assert await segment.call(operation, member(1)) == {}
            assert len(await segment.asked()) == 4

    async def test_nothing_is_remembered(self):
        """The same call again repairs what is held."""
        async with stage("facts") as segment:
            for _ in range(2):
                assert await segment.call("add", member(1)) == {}
            assert len(await segment.asked()) == 2

    async def test_an_id_that_was_taken_is_not_denied(self):
        """Where a later id of the row fails, the reason says that a part was taken."""
        async with stage("facts") as segment:
            await segment.call("add", member(1, partnerIds="ann"))
            row = member(2, partnerIds=["ann", "bob", "cat"])
            [reason] = (await segment.call("add", row, forceInsert=False)).values()
            assert len(await segment.asked()) == 3

        assert reason == (
            "OUTCOME_UNKNOWN: 1 of 3 partner ids were taken: partner error code 400: "
            "there is no profile [partnerIds]; the record is ignored"
        )

    async def test_rows_with_the_same_ids_are_settled_before_anything_is_sent(self):
        """The last is taken, the other is rejected."""
        async with stage("facts") as segment:
            rows = [member(1, partnerIds="a"), member(2, partnerIds=["a"])]
            reasons = await segment.call("add", *rows)
            assert len(await segment.asked()) == 1

        assert list(reasons) == [1]
        assert reasons[1].startswith("DUPLICATE: ")

    @pytest.mark.parametrize("options", [{"factName": " "}, {"partnerNumber": None}])
    async def test_a_fact_needs_a_name_and_a_kind_of_id(self, options):
        """Without them nothing is sent."""
        async with stage("facts") as segment:
            answer = await segment.send("add", member(1), **options)
            assert await segment.asked() == []

        assert answer["error"]["message"].startswith("CONFIG_INVALID: ")


class TestCheck:
    """Whether the credentials are good for the site."""

    @pytest.mark.parametrize("by_key", [False, True])
    async def test_good_ones(self, by_key):
        """Nothing is written; it says for which site."""
        async with stage("facts", by_key=by_key) as segment:
            said = await segment.subject.instance.check()
            assert await segment.held() == {}

        assert said.says == "Relay42 knows the credentials for site 1234"

    @pytest.mark.parametrize("status", [400, 404])
    async def test_a_profile_that_is_not_there_is_no_matter(self, status):
        """How that is answered is not documented."""
        async with endpoint(status, usual=TO_API) as (segment, kept):
            assert (await segment.subject.instance.check()).says

        assert kept.lines == ["GET /v1/site-1234/profiles/42/facts?partnerId=destination-check"]

    @pytest.mark.parametrize(
        "settings", [{"access_token": "wrong"}, {"api_identifier": "x"}, {"site_id": 7}]
    )
    async def test_wrong_ones(self, settings):
        """A wrong site too."""
        async with stage("facts", settings) as segment:
            with pytest.raises(Exception, match="invalid credentials: Relay42 answered 401"):
                await segment.subject.instance.check()
