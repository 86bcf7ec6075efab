"""Rows become events: their values, their size, and which rows are sent."""

import pytest
from connectif_stage import row, stage

from destinations.sandbox.connectif.events import ORDER, REMOVED

ORDERS = {"object": ORDER}
ALL = {"mode": "send_all", "removalAlias": REMOVED}


def order(id, **columns):
    """A row with what an order requires."""
    return row(id, number=1, **columns)


def static(field, value):
    """The same value for every row."""
    return {"type": "static", "value": value, "to": field}


class TestValues:
    """What an event carries."""

    async def test_an_event_has_the_types_of_its_fields(self):
        """Values go out as the event's fields take them, however the row has them."""
        rows = order(
            1,
            total="12.50",
            paid="yes",
            plan="gold",
            gifts='["bag", "pen"]',
            phone=34666777888,
            placed="2026-01-31 09:30:00+01:00",
        )
        async with stage() as store:
            assert await store.rejected("add", rows | {"number": "12"}, **ORDERS) == {}

            assert await store.fields() == [
                {
                    "email": "person.1@example.com",
                    "number": 12,
                    "total": 12.5,
                    "paid": True,
                    "plan": "gold",
                    "gifts": ["bag", "pen"],
                    "phone": "34666777888",
                    "placed": "2026-01-31T09:30:00+01:00",
                }
            ]

    async def test_nulls_are_left_out(self):
        """A field without a value is not sent; an empty text is a value of a text field only."""
        empty = order(1, total=None, paid="", gifts=" ", phone=" ", placed=None)
        async with stage() as store:
            assert await store.rejected("add", empty, **ORDERS) == {}
            assert await store.rejected("add", row(2, city="", born=None)) == {}

            assert await store.fields() == [
                {"email": "person.1@example.com", "number": 1},
                {"email": "person.2@example.com", "city": ""},
            ]

    @pytest.mark.parametrize("given", [12, "12", 12.0, "12.0", "1.2e1", " 12 "])
    async def test_a_whole_number_may_be_written_in_any_way(self, given):
        """What is a whole number goes out as one."""
        async with stage() as store:
            assert await store.rejected("add", row(1, number=given), **ORDERS) == {}
            [fields] = await store.fields()

        assert type(fields["number"]) is int

    @pytest.mark.parametrize("given", [12.5, "12.50000000000000000001", "twelve", True, [12]])
    async def test_what_is_no_whole_number_is_rejected(self, given):
        """The row alone is rejected, by the field's name, before anything is sent."""
        async with stage() as store:
            rows = row(1, number=given), row(2, number=2)
            rejected = await store.rejected("add", *rows, **ORDERS)

            assert list(rejected) == [1]
            assert rejected[1].startswith("INVALID_ROW: number: expected a ")
            assert len(await store.requests()) == 1

    @pytest.mark.parametrize(
        ("given", "sent"),
        [
            ("bag", ["bag"]),
            (["bag", "pen", "bag"], ["bag", "pen"]),
            ('["pen"]', ["pen"]),
            (7, ["7"]),
            ([7, "bag"], ["7", "bag"]),
            ([], []),
        ],
    )
    async def test_one_choice_is_a_list_too(self, given, sent):
        """A checkbox field takes a list, JSON, or a single value; none of them twice."""
        async with stage() as store:
            assert await store.rejected("add", order(1, gifts=given), **ORDERS) == {}
            [fields] = await store.fields()

        assert fields["gifts"] == sent

    @pytest.mark.parametrize(
        "given", ["car", "bag,pen", '["bag"', '[["bag"]]', '{"bag": 1}', "[" * 9_999, True, 7.5]
    )
    async def test_what_is_not_among_the_choices_is_rejected(self, given):
        """The reason names the choices, and nothing of the row."""
        async with stage() as store:
            rejected = await store.rejected("add", order(1, gifts=given), **ORDERS)

            assert rejected == {1: "INVALID_ROW: gifts: expected a list of bag, pen, 7"}
            assert await store.requests() == []

    @pytest.mark.parametrize(
        ("given", "sent"),
        [
            ("2026-01-31", "2026-01-31"),
            ({"value": "2026-01-31"}, "2026-01-31"),
            ("2026-01-31T00:00:00Z", "2026-01-31T00:00:00Z"),
            ("2026-01-31 09:30", "2026-01-31T09:30:00Z"),
            ("2026-01-31T09:30:00.250-05:00", "2026-01-31T09:30:00.25-05:00"),
        ],
    )
    async def test_a_day_stays_a_day(self, given, sent):
        """A day goes out as it is; a moment goes out with its zone, which is UTC by default."""
        async with stage() as store:
            assert await store.rejected("add", row(1, born=given)) == {}
            [fields] = await store.fields()

        assert fields["born"] == sent

    async def test_a_field_that_the_event_does_not_have_is_refused_here(self):
        """The API refuses unknown fields, so such rows are not sent at all."""
        async with stage() as store:
            rejected = await store.rejected("add", row(1, colour="red"), row(2, colour=None))

            assert set(rejected.values()) == {"INVALID_ROW: colour: the event has no such field"}
            assert await store.requests() == []

    async def test_a_row_without_an_address_is_not_sent(self):
        """The contact's address is required, whatever Connectif would say."""
        async with stage() as store:
            rows = row(1) | {"email": None}, row(2) | {"email": "nobody"}
            rejected = await store.rejected("add", *rows)

            assert list(rejected) == [1, 2]
            assert await store.requests() == []


class TestSize:
    """An event has 512 KB at most."""

    @pytest.mark.parametrize("filling", ["x", "é", '"', "🎂"])
    async def test_bytes_are_counted_as_they_are_sent(self, filling):
        """The longest event goes out; one byte more, and it is rejected unsent."""
        size = len(filling.encode()) + (filling == '"')
        frame = len('{"email":"person.1@example.com","city":"","last_name":""}')
        count, rest = divmod(512_000 - frame, size)
        text = filling * count + "x" * rest
        async with stage() as store:
            mappings = [
                {"from": "city", "to": "city"},
                static("last_name", text[100_000 // size :]),
            ]
            fits = row(1, city=text[: 100_000 // size])
            assert await store.rejected("add", fits, mappings=mappings) == {}
            longer = fits | {"city": fits["city"] + "x"}
            rejected = await store.rejected("change", longer, mappings=mappings)

            assert rejected == {1: "TOO_LARGE: the event is longer than 512,000 bytes"}
            assert len(await store.requests()) == 1

    async def test_a_list_as_text_is_not_read_beyond_it(self):
        """A text that is too long for an event is not taken for JSON."""
        mappings = [static("number", 1), static("gifts", "[" + " " * 512_000)]
        async with stage() as store:
            rejected = await store.rejected("add", row(1), mappings=mappings, **ORDERS)

        assert rejected == {1: "TOO_LARGE: a list is longer than 512,000 characters"}


class TestContacts:
    """Whether contacts are made."""

    async def test_a_contact_that_does_not_exist_is_made_when_the_form_says_so(self):
        """Without that the row is rejected, and the reason says what would help."""
        async with stage() as store:
            rejected = await store.rejected("add", row(1), createContact=None)
            assert rejected == {
                1: "VENDOR_REJECTED: the contact does not exist in Connectif; "
                "the option createContact creates it"
            }
            assert await store.rejected("add", row(1), createContact=True) == {}
            assert await store.rejected("add", row(1, city="Ulm"), createContact=False) == {}

            queries = [each["query"] for each in await store.requests()]
            assert [each["createContact"] for each in queries] == ["false", "true", "false"]

    async def test_two_rows_about_one_contact_are_two_events(self):
        """Events are not records: neither stands for the other."""
        async with stage() as store:
            rows = [row(n, city="Ulm") | {"email": "ann@example.com"} for n in range(2)]
            assert await store.rejected("add", *rows) == {}

            assert len(await store.events()) == 2

    async def test_the_key_is_sent_untouched(self):
        """Whatever text the operator gave stands after the scheme."""
        async with stage(key="a b:c/=") as store:
            assert await store.rejected("add", row(1)) == {}


class TestModes:
    """Which rows are sent."""

    @pytest.mark.parametrize(
        ("mode", "operations", "skip"),
        [
            (None, ["add", "change"], False),
            ("send", ["add", "change"], False),
            ("send_added", ["add"], True),
            ("send_all", ["add", "change", "remove"], False),
        ],
    )
    async def test_a_mode_says_which_operations_are_sent(self, mode, operations, skip):
        """Where only new rows are sent, those of the first run are not new."""
        async with stage() as store:
            sync = {"object": "person", "mode": mode, "removalAlias": REMOVED}
            behavior = await store.ask("behavior", configuration=sync)

        assert [name for name, sent in behavior["operations"].items() if sent] == operations
        assert behavior["skipInitialRun"] is skip
        assert behavior["batchSize"] == 100

    async def test_removed_rows_send_a_second_event(self):
        """It has the fields that it shares with the first."""
        async with stage() as store:
            columns = {"city": "Ulm", "first_name": "Ann", "born": "2001-02-03"}
            assert await store.rejected("add", row(1, **columns), **ALL) == {}
            assert await store.rejected("remove", row(1, **columns), **ALL) == {}

            _, removal = await store.events()
            assert removal == {
                "event": REMOVED,
                "fields": {"email": "person.1@example.com", "city": "Ulm"},
            }

    async def test_a_removed_row_needs_no_more_than_its_address(self):
        """What cannot be read of it is left out."""
        async with stage() as store:
            assert await store.rejected("remove", row(1, city=["Ulm"], born="soon"), **ALL) == {}

            assert await store.fields() == [{"email": "person.1@example.com"}]

    async def test_without_a_second_event_removed_rows_are_not_sent(self):
        """They are no errors either."""
        async with stage() as store:
            assert await store.rejected("remove", row(1), mode="send_all") == {}

            assert await store.requests() == []

    async def test_what_was_sent_is_not_sent_again(self):
        """A call that is repeated starts no workflow a second time; a change does."""
        async with stage() as store:
            for columns in ({"city": "Ulm"}, {"city": "Ulm"}, {"city": "Köln"}):
                assert await store.rejected("change", row(1, **columns)) == {}

            assert [each["city"] for each in await store.fields()] == ["Ulm", "Köln"]


class TestTypedAlias:
    """Events that are not listed."""

    async def test_what_is_mapped_is_sent_as_it_is(self):
        """Nothing is known of the fields but what the mapping says; nulls are left out."""
        rows = row(1, number=7, plan="free", paid=None)
        async with stage(integrations=[]) as store:
            typed = {"object": None, "eventAlias": ORDER}
            assert await store.rejected("add", rows, **typed) == {}
            assert await store.fields() == [
                {"email": "person.1@example.com", "number": 7, "plan": "free"}
            ]
            rejected = await store.rejected("add", row(2, number="7"), **typed)

        assert rejected == {
            2: "VENDOR_REJECTED: Connectif answered 422: number: '[number]' is not a valid integer"
        }

    async def test_without_an_alias_the_call_fails(self):
        """There is nothing to send to."""
        async with stage(integrations=[]) as store:
            error = await store.error("add", row(1), object=None)

            assert error == "CONFIG_INVALID: type the event's alias: events cannot be listed"
            assert await store.requests() == []

    async def test_an_alias_is_one_step_of_the_path(self):
        """Whatever it is made of it leads nowhere else."""
        async with stage(integrations=[]) as store:
            for alias in ("año nuevo?a=b#c", "per%2Fson", "~..;"):
                await store.rejected("add", row(1), object=None, eventAlias=alias)
            for alias in ("..", ".", "../x", "a/b", " a", "a\n", ""):
                assert await store.error("add", row(1), object=None, eventAlias=alias)

            paths = [each["path"] for each in await store.requests()]
        assert paths == [
            f"/api/custom-events/alias/{alias}"
            for alias in ("año nuevo?a=b#c", "per%2Fson", "~..;")
        ]
