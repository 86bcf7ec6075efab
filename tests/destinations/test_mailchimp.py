"""Rows become contacts of an audience: in bulk, with the status that the form says."""

import pytest
from newsletter import fine, newsletter, person, problem

from destinations.sandbox.mailchimp import CLUB

EXISTS = "VENDOR_REJECTED: the contact is in the audience already"


class TestFigures:
    """What a sync costs."""

    async def test_ten_thousand_new_rows_take_twenty_calls(self, serve):
        """New contacts go out five hundred to a request, and nothing else is asked."""
        async with newsletter(serve) as news:
            assert await news.call("add", *(person(n, LTV=n) for n in range(10_000))) == {}

            assert news.requests() == ["POST"] * 20
            assert len(await news.held()) == 10_000

    @pytest.mark.parametrize("position", [0, 250, 499])
    async def test_one_malformed_member_costs_twenty_calls_at_most(self, serve, position):
        """A member for which Mailchimp refuses the whole call is found, and rejected alone."""
        rows = [person(n) for n in range(500)]
        rows[position]["ADDRESS"] = {"addr1": ["1 Main St"], "city": "Ulm", "state": "", "zip": ""}
        async with newsletter(serve) as news:
            rejected = await news.call("add", *rows)

            assert list(rejected) == [position]
            assert rejected[position].startswith("VENDOR_REJECTED: Mailchimp refused the contact: ")
            assert "merge_fields.ADDRESS" in rejected[position]
            assert len(news.requests()) <= 20
            assert len(await news.held()) == 499

    async def test_an_audience_equals_its_source_after_a_mirror(self, serve):
        """After rows were added, changed and removed the audience holds exactly the rows."""
        source = {n: person(n, LTV=n, PLAN="free") for n in range(1200)}
        async with newsletter(serve) as news:
            await news.call("add", *source.values(), mode="mirror")
            changed = [person(n, LTV=None, PLAN="paid", FNAME="Zoë") for n in range(0, 1200, 6)]
            removed = [source.pop(n) for n in range(1, 1200, 6)]
            source |= {row["id"]: row for row in changed}

            assert await news.call("change", *changed, mode="mirror") == {}
            assert await news.call("remove", *removed, mode="mirror") == {}

            held = await news.held()
            assert {
                address: (fields["FNAME"], fields["LTV"] or None, fields["PLAN"])
                for address, fields in held.items()
            } == {
                row["email"]: (row["FNAME"], row["LTV"] or None, row["PLAN"])
                for row in source.values()
            }
            assert {fields["status"] for fields in held.values()} == {"subscribed"}

            back = [row | {"LTV": 7} for row in removed]
            assert await news.call("add", *back, mode="mirror") == {}
            assert len(await news.held()) == 1200

    async def test_eight_connections_are_the_most(self, serve):
        """Deliveries and forms together keep two of Mailchimp's ten connections free."""
        rows = [person(n) for n in range(100)]
        async with newsletter(serve) as news:
            await news.call("add", *rows)
            await news.ask("behavior", latency=0.02)
            assert await news.call("change", *rows) == {}

            assert 6 <= (await news.ask("requests"))["peak"] <= 8


class TestStatus:
    """Who may write to whom is the person's own affair, unless the form says otherwise."""

    async def test_contacts_that_exist_keep_their_status(self, serve):
        """A contact who left is updated and stays away; new contacts are subscribed."""
        async with newsletter(serve) as news:
            await news.call("add", person(1, status="unsubscribed"))
            await news.call("add", person(1, LTV=5), person(2, LTV=6))

            held = await news.held()
            assert held["person.1@example.com"]["status"] == "unsubscribed"
            assert held["person.1@example.com"]["LTV"] == 5
            assert held["person.2@example.com"]["status"] == "subscribed"
            assert [one.split("/")[0] for one in news.requests()] == ["POST", "POST", "PUT "]

    async def test_overwriting_is_one_call(self, serve):
        """Where the form says overwrite, known and new contacts go in bulk."""
        async with newsletter(serve) as news:
            await news.call("add", person(1, status="pending"))
            options = {"existingStatus": "overwrite"}
            assert await news.call("add", person(1), person(2), **options) == {}

            assert {each["status"] for each in (await news.held()).values()} == {"subscribed"}
            assert news.requests() == ["POST", "POST"]

    async def test_who_left_cannot_be_subscribed(self, serve):
        """A row that would subscribe a contact who left is rejected, and the reason says why."""
        async with newsletter(serve) as news:
            await news.call("add", person(1, status="unsubscribed"))
            rejected = await news.call("add", person(1), person(2), existingStatus="overwrite")

            assert rejected == {
                1: "VENDOR_REJECTED: Mailchimp refused the contact: [email] is in a compliance "
                "state due to unsubscribe, bounce, or compliance review."
            }

    async def test_who_left_may_be_asked_to_come_back(self, serve):
        """With that option the contact is pending: Mailchimp asks them."""
        async with newsletter(serve) as news:
            await news.call("add", person(1, status="unsubscribed"), person(2, status="cleaned"))
            options = {"existingStatus": "overwrite", "compliancePending": True}
            assert await news.call("add", person(1), person(2, LTV=4), **options) == {}

            held = await news.held()
            assert {each["status"] for each in held.values()} == {"pending"}
            assert held["person.2@example.com"]["LTV"] == 4

    async def test_new_contacts_get_what_the_audience_asks_for(self, serve):
        """Where an audience has double opt-in, new contacts are pending by default."""
        async with newsletter(serve) as news:
            await news.call("add", person(1), object=CLUB)
            await news.call("add", person(2), object=CLUB, statusIfNew="transactional")
            await news.call("add", person(3, status="subscribed"), object=CLUB)

            rows = (await news.ask(f"rows?audience={CLUB}"))["rows"]
            assert [row["fields"]["status"] for row in rows] == [
                "pending",
                "transactional",
                "subscribed",
            ]

    @pytest.mark.parametrize(
        ("pending", "statuses", "rejected"),
        [(False, ["archived"], []), (False, ["archived", 400], [1]), (True, ["archived", 400], [])],
    )
    async def test_an_archived_contact_comes_back(self, serve, pending, statuses, rejected):
        """A known contact that turns out to be archived gets the status of a new one."""
        told = {"email_address": "person.1@example.com", "error_code": "ERROR_CONTACT_EXISTS"}
        bodies = {
            "archived": fine(status="archived"),
            400: problem(400, "Member In Compliance State"),
        }
        bulk = fine(errors=[told])
        async with newsletter(serve) as news:
            await news.call("add", person(0))
            await news.ask("behavior", next=[bulk, *(bodies[status] for status in statuses)])

            assert list(await news.call("add", person(1), compliancePending=pending)) == rejected
            held = (await news.held()).get("person.1@example.com")
            assert (held is None) is bool(rejected)
            if held:
                assert held["status"] == ("pending" if pending else "subscribed")


class TestModes:
    """What each mode does with contacts that exist, or do not."""

    async def test_insert_adds_only(self, serve):
        """A contact that exists is rejected, and nothing of it is changed."""
        async with newsletter(serve) as news:
            await news.call("add", person(1, LTV=1))
            rows = person(1, LTV=9), person(2)
            assert await news.call("add", *rows, mode="insert") == {1: EXISTS}

            held = await news.held()
            assert held["person.1@example.com"]["LTV"] == 1
            assert len(held) == 2

    async def test_the_same_insert_again_is_no_error(self, serve):
        """A call that is repeated is answered as it was the first time."""
        async with newsletter(serve) as news:
            for _ in range(2):
                assert await news.call("add", person(1), person(2), mode="insert") == {}

            assert news.requests() == ["POST"]

    async def test_update_changes_only(self, serve):
        """A contact that does not exist is rejected, and none is made."""
        async with newsletter(serve) as news:
            await news.call("add", person(1))
            rows = person(1, LTV=3, status="unsubscribed"), person(2)
            rejected = await news.call("change", *rows, mode="update")

            assert list(rejected) == [2]
            assert rejected[2].startswith("VENDOR_REJECTED: Mailchimp refused the contact: ")
            held = await news.held()
            assert list(held) == ["person.1@example.com"]
            assert held["person.1@example.com"]["LTV"] == 3
            assert held["person.1@example.com"]["status"] == "subscribed"

    async def test_update_may_set_the_status(self, serve):
        """With overwrite a mapped status is set, where Mailchimp allows it."""
        async with newsletter(serve) as news:
            await news.call("add", person(1), person(2))
            rows = person(1, status="unsubscribed"), person(2, status="transactional")
            options = {"mode": "update", "existingStatus": "overwrite"}

            assert await news.call("change", *rows, **options) == {
                2: "INVALID_ROW: status: a contact that exists cannot become transactional"
            }
            held = await news.held()
            assert held["person.1@example.com"]["status"] == "unsubscribed"


class TestFields:
    """What of a row arrives."""

    async def test_every_field_arrives(self, serve):
        """Merge fields keep their types; language, VIP and e-mail type are the contact's own."""
        address = {"addr1": "1 Main St", "city": "Ulm", "state": "BW", "zip": "89073"}
        row = person(1, LTV="12.50", BORN="2001-02-03T10:00:00Z", PLAN="paid", vip="yes")
        row |= {"ADDRESS": address, "language": "de", "tags": '["new", "vip"]'}
        async with newsletter(serve) as news:
            assert await news.call("add", row) == {}

            assert await news.held() == {
                "person.1@example.com": {
                    "email_address": "person.1@example.com",
                    "status": "subscribed",
                    "FNAME": "Ann 1",
                    "LTV": 12.5,
                    "BORN": "2001-02-03",
                    "PLAN": "paid",
                    "ADDRESS": address,
                    "vip": True,
                    "language": "de",
                    "tags": ["new", "vip"],
                }
            }

    async def test_an_empty_value_clears_a_merge_field(self, serve):
        """What became null in the source is not left at Mailchimp."""
        async with newsletter(serve) as news:
            await news.call("add", person(1, LTV=5, BORN="2001-02-03", language="de"))
            await news.call("change", person(1, LTV=None, BORN="", language=None))

            held = (await news.held())["person.1@example.com"]
            assert (held["LTV"], held["BORN"], held["language"]) == ("", "", "de")

    async def test_a_value_that_does_not_fit_costs_its_row(self, serve):
        """Mailchimp's own rules reject a row by the merge field's tag, and no neighbour."""
        async with newsletter(serve) as news:
            rows = person(1, FNAME="x" * 256), person(2), person(3, email="a@nobody.example")
            assert await news.call("add", *rows) == {
                1: "VENDOR_REJECTED: Mailchimp refused the contact: "
                "FNAME: Value is longer than 255 characters",
                3: "VENDOR_REJECTED: Mailchimp refused the contact: [email] looks fake or invalid.",
            }
            assert list(await news.held()) == ["person.2@example.com"]

    async def test_of_one_address_the_last_row_is_taken(self, serve):
        """Rows with one address in other letters are settled before anything is sent."""
        async with newsletter(serve) as news:
            rows = [person(n) for n in range(700)]
            rows[3]["email"], rows[699]["email"] = "Twin@example.com", " twin@EXAMPLE.com "

            reason = "DUPLICATE: not sent: a later row of this call stands for the same record"
            assert await news.call("add", *rows) == {3: reason}
            held = await news.held()
            assert held["twin@EXAMPLE.com"]["FNAME"] == "Ann 699"
            assert len(held) == 699

    async def test_versions_of_one_row_go_in_order(self, serve):
        """The same row twice in a call is no duplicate: the later version holds."""
        async with newsletter(serve) as news:
            assert await news.call("add", person(1, LTV=1), person(1, LTV=2)) == {}

            assert (await news.held())["person.1@example.com"]["LTV"] == 2

    async def test_required_merge_fields_may_be_waived(self, serve):
        """A row without a required merge field is rejected, unless the form accepts it."""
        async with newsletter(serve) as news:
            row = person(1, FNAME="")
            rejected = await news.call("add", row, object=CLUB)
            assert rejected == {1: 'INVALID_ROW: FNAME: required, but column "FNAME" is empty'}

            options = {"object": CLUB, "skipMergeValidation": True}
            assert await news.call("add", row, **options) == {}
