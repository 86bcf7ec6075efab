"""Removed rows leave the audience in the way that the form says; tags are set in bulk."""

import pytest
from newsletter import fine, newsletter, person, problem

MIRROR = {"mode": "mirror"}


class TestRemovals:
    """What becomes of a contact whose row is gone."""

    async def test_contacts_are_archived(self, serve):
        """By default a contact is archived; one that is archived or unknown already is fine."""
        async with newsletter(serve) as news:
            await news.call("add", person(1), person(2))
            for _ in range(2):
                assert await news.call("remove", person(1), person(9), **MIRROR) == {}

            assert list(await news.held()) == ["person.2@example.com"]

    @pytest.mark.parametrize("status", ["pending", "cleaned"])
    async def test_what_cannot_be_archived_is_told(self, serve, status):
        """Mailchimp archives neither pending nor bounced contacts: the row stays rejected."""
        async with newsletter(serve) as news:
            await news.call("add", person(1, status=status), person(2))
            rejected = await news.call("remove", person(1), person(2), **MIRROR)

            assert list(rejected) == [1]
            assert "Method Not Allowed" in rejected[1]
            assert list(await news.held()) == ["person.1@example.com"]

    async def test_contacts_are_unsubscribed_in_bulk(self, serve):
        """Unsubscribing takes one request, whatever the contacts lack."""
        rows = [person(n) for n in range(30)]
        async with newsletter(serve) as news:
            await news.call("add", *rows)
            gone = [*rows[5:], person("again", email="PERSON.7@example.com")]
            assert await news.call("remove", *gone, **MIRROR, onRemove="unsubscribe") == {}

            assert len(news.requests()) == 2
            statuses = [each["status"] for each in (await news.held()).values()]
            assert statuses == ["subscribed"] * 5 + ["unsubscribed"] * 25

    async def test_contacts_are_deleted_for_ever(self, serve):
        """A permanent deletion is confirmed in the form, and the address never comes back."""
        options = {**MIRROR, "onRemove": "deletePermanently", "confirmDelete": True}
        async with newsletter(serve) as news:
            await news.call("add", person(1), person(2))
            for _ in range(2):
                assert await news.call("remove", person(1), **options) == {}

            assert list(await news.held()) == ["person.2@example.com"]
            rejected = await news.call("add", person(1))
            assert rejected[1].startswith(
                "VENDOR_REJECTED: Mailchimp refused the contact: [email] was permanently deleted"
            )

    async def test_a_deletion_that_is_not_confirmed_deletes_nothing(self, serve):
        """Rows of such a sync are refused before Mailchimp hears of them."""
        async with newsletter(serve) as news:
            await news.call("add", person(1))
            params = {"idColumn": "id", "rows": [person(1)]}
            params["configuration"] = {
                "object": "a1b2c3d4e5",
                "mode": "mirror",
                "identifierMapping": [{"from": "email", "to": "email_address"}],
                "onRemove": "deletePermanently",
            }
            error = (await news.served.rpc("remove", params, path="/hightouch/news"))["error"]

            assert error["code"] == -32002
            assert '"Yes, delete contacts permanently"' in error["message"]
            assert len(await news.held()) == 1

    async def test_contacts_may_be_left_alone(self, serve):
        """A mirror may do nothing at a removal: no request is made."""
        async with newsletter(serve) as news:
            await news.call("add", person(1))
            assert await news.call("remove", person(1), **MIRROR, onRemove="nothing") == {}

            assert news.requests() == ["POST"]


class TestTags:
    """Tags of the form and of the row."""

    async def test_tags_are_set_in_bulk(self, serve):
        """All contacts of a tag get it in one request, new tags included."""
        rows = [person(n, tags=["odd"] if n % 2 else None) for n in range(60)]
        async with newsletter(serve) as news:
            assert await news.call("add", *rows, tags=["customers"]) == {}
            first = news.requests()
            assert (
                await news.call("add", *rows, tags=["Customers"], existingStatus="overwrite") == {}
            )

            # Each tag is made with its first contact, and then given to all.
            assert len(first) == 1 + 2 * 2
            assert len(news.requests()) == len(first) + 1 + 2
            held = await news.held()
            assert held["person.1@example.com"]["tags"] == ["customers", "odd"]
            assert held["person.2@example.com"]["tags"] == ["customers"]

    async def test_only_contacts_that_were_taken_get_tags(self, serve):
        """A row that was rejected is not tagged, and not rejected twice."""
        async with newsletter(serve) as news:
            rows = person(1), person(2, email="a@nobody.example")
            assert list(await news.call("add", *rows, tags=["new"])) == [2]

            assert (await news.held())["person.1@example.com"]["tags"] == ["new"]

    async def test_tags_are_removed(self, serve):
        """Removed rows may lose the sync's tags, and no others; unknown tags are none."""
        rows = [person(n, tags=["odd"]) for n in range(3)]
        options = {**MIRROR, "tags": ["customers", "unheard of"], "onRemove": "removeTags"}
        async with newsletter(serve) as news:
            await news.call("add", *rows, tags=["customers", "loyal"])
            assert await news.call("remove", *rows[1:], person(9), **options) == {}

            held = await news.held()
            assert held["person.0@example.com"]["tags"] == ["customers", "loyal", "odd"]
            assert held["person.1@example.com"]["tags"] == ["loyal"]

    async def test_tags_that_are_no_texts_reject_their_row(self, serve):
        """A list of something else is told by the field's name."""
        async with newsletter(serve) as news:
            rejected = await news.call("add", person(1, tags=[{"a": 1}]), person(2, tags=["x"]))

            assert list(rejected) == [1]
            assert rejected[1].startswith("INVALID_ROW: tags: expected a list of texts")

    async def test_a_doubtful_tag_is_set_singly(self, serve):
        """A contact that the bulk request names as an error gets its tag by itself."""
        doubt = {"error": "?", "email_addresses": ["person.1@example.com"]}
        saved = fine(new_members=[{"email_address": "person.1@example.com"}])
        found = fine(tags=[{"id": 1000, "name": "new"}])
        async with newsletter(serve) as news:
            await news.call("add", person(0), tags=["new"])
            await news.ask("behavior", next=[saved, found, fine(errors=[doubt])])
            rejected = await news.call("add", person(1), tags=["new"])

            assert list(rejected) == [1]  # the stand-in never saw the contact
            assert news.requests()[-1].endswith("/tags")

    async def test_a_contact_without_its_tags_is_told(self, serve):
        """When tags fail the row says that its contact was taken."""
        saved = fine(new_members=[{"email_address": "person.1@example.com"}])
        async with newsletter(serve) as news:
            await news.call("add", person(0))
            await news.ask("behavior", next=[saved, problem(404, "Resource Not Found")])
            [reason] = (await news.call("add", person(1), tags=["new"])).values()

            assert reason.startswith(
                "OUTCOME_UNKNOWN: the contact was taken, but not its tags: Mailchimp answered 404"
            )
