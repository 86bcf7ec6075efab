"""Events by webhook: nested as the event's JSON Pointers say, and without the key."""

import pytest
from connectif_stage import row, stage

from destination import RowError
from destinations.connectif.events import EventType
from destinations.connectif.payload import event_body
from destinations.sandbox.connectif import STORE
from destinations.sandbox.connectif.events import CUSTOMER, LEFT

HOOKS = {"object": CUSTOMER, "createContact": None}


def event(**pointers):
    """An event with a text field for each pointer."""
    fields = [
        {"id": id, "type": "text", "jsonPointerPath": pointer} for id, pointer in pointers.items()
    ]
    return EventType.model_validate({"category": "receive", "fields": fields})


async def test_each_field_is_found_where_the_event_says():
    """Values are of the fields' types, and contacts are made in any case."""
    async with stage(transport="webhook") as store:
        sent = row(1, first_name="Ann", visits="3", gifts="bag", city="Ulm")
        assert await store.rejected("add", sent, **HOOKS) == {}

        assert await store.fields() == [
            {
                "email": "person.1@example.com",
                "first_name": "Ann",
                "visits": 3,
                "gifts": ["bag"],
                "city": "Ulm",
            }
        ]


async def test_the_key_goes_to_the_api_alone():
    """It lists the events; their address is all that a webhook asks for."""
    async with stage(transport="webhook") as store:
        await store.rejected("add", row(1), **HOOKS)

        [hook] = await store.requests()
        assert hook["path"] == f"/webhook/{STORE}/custom-events/alias/{CUSTOMER}"
        assert hook["query"] == {}
        assert hook["key"] is False
        assert {each["key"] for each in await store.requests("GET")} == {True}


async def test_without_a_key_the_alias_is_typed():
    """Dots in a field make nested objects, so that a webhook's fields can be reached."""
    mappings = [
        {"from": "email", "to": "customer.email"},
        {"from": "first", "to": "customer.name.first"},
        {"from": "none", "to": "customer.name.last"},
    ]
    options = {"object": None, "eventAlias": CUSTOMER, "identifierMapping": []}
    async with stage(transport="webhook", api_key=None) as store:
        rows = row(1, first="Ann", none=None)
        assert await store.rejected("add", rows, mappings=mappings, **options) == {}

        assert await store.fields() == [{"email": "person.1@example.com", "first_name": "Ann"}]
        assert await store.requests("GET") == []


async def test_a_field_that_the_event_does_not_have_harms_nothing():
    """Connectif passes over it, so it is sent."""
    async with stage(transport="webhook") as store:
        assert await store.validated(row(1, colour="red"), **HOOKS) == []
        assert await store.rejected("add", row(1, colour="red"), **HOOKS) == {}

        assert await store.fields() == [{"email": "person.1@example.com"}]


async def test_a_removal_goes_to_the_address_whatever_its_field_is_called():
    """The second event knows contacts by a field of its own."""
    options = HOOKS | {"mode": "send_all", "removalAlias": LEFT}
    async with stage(transport="webhook") as store:
        assert await store.rejected("remove", row(1, city="Ulm"), **options) == {}

        assert await store.events() == [{"event": LEFT, "fields": {"mail": "person.1@example.com"}}]


async def test_a_store_that_is_not_there_stops_the_call():
    """404 is about all rows alike."""
    async with stage(transport="webhook", store_id="other", concurrency=1) as store:
        rejected = await store.rejected("add", row(1), row(2), **HOOKS)

        reason = "Connectif answered 404: it knows no event of this alias"
        assert rejected == {
            1: f"VENDOR_REJECTED: {reason}",
            2: f"VENDOR_REJECTED: not sent: {reason}",
        }
        assert len(await store.requests()) == 1


@pytest.mark.parametrize(
    ("pointers", "body"),
    [
        ({"a": "/a", "b": "/x/b"}, {"a": 1, "x": {"b": 2}}),
        ({"a": "/x/a", "b": "/x/b"}, {"x": {"a": 1, "b": 2}}),
        ({"a": None, "b": ""}, {"a": 1, "b": 2}),
        ({"a": "#/x/y", "b": "b"}, {"x": {"y": 1}, "b": 2}),
        ({"a": "/~01/~1/m~0n", "b": "/"}, {"~1": {"/": {"m~n": 1}}, "": 2}),
        ({"a": "/list/0/x", "b": "/list/1/x"}, {"list": {"0": {"x": 1}, "1": {"x": 2}}}),
        ({"a": f"/{'x/' * 30}y"}, None),
    ],
)
def test_a_pointer_says_where_a_field_stands(pointers, body):
    """Each step makes an object; without a pointer a field stands at the top under its id."""
    made = event_body(event(**pointers), {"a": 1, "b": 2}, nested=True)

    assert body is None or made == body


@pytest.mark.parametrize(
    ("pointers", "problem"),
    [
        ({"a": "/x", "b": "/x"}, "b: its JSON Pointer leads into another field"),
        ({"a": "/x", "b": "/x/y"}, "b: its JSON Pointer leads into another field"),
        ({"a": "/x/y", "b": "/x"}, "b: its JSON Pointer leads into another field"),
        ({"a": f"/{'x/' * 32}y"}, "a: its JSON Pointer is too long"),
        ({"a": f"/{'x' * 1_000}"}, "a: its JSON Pointer is too long"),
    ],
)
def test_pointers_that_cannot_be_followed_reject_the_row(pointers, problem):
    """No value takes another's place, and none is put without bounds."""
    with pytest.raises(RowError) as raised:
        event_body(event(**pointers), {"a": 1, "b": 2}, nested=True)

    assert raised.value.reason == f"CONFIG_INVALID: {problem}"


def test_a_field_s_id_may_have_dots():
    """What the mapping made objects of is the one field again."""
    dotted = event(**{"order.id": None})

    assert event_body(dotted, {"order": {"id": "7"}}, nested=False) == {"order.id": "7"}


def test_a_removal_takes_what_fits():
    """Of what was mapped for one event another has what it can read and place."""
    fields = [
        {"id": "who.mail", "type": "email", "isPrimaryKey": True},
        {"id": "order.id", "type": "integer"},
        {"id": "gifts", "type": "checkbox", "options": [{"id": "bag"}]},
        {"id": "city", "type": "text"},
    ]
    keyed = [{"id": "email", "type": "email", "isPrimaryKey": True}]
    removal = EventType.model_validate({"category": "receive", "fields": fields})
    source = EventType.model_validate({"category": "receive", "fields": keyed})
    mapped = {"email": "a@b.example", "order": {"id": 7.0}, "gifts": "pen", "more": 1}

    body = event_body(removal, mapped, nested=False, source=source)

    assert body == {"who.mail": "a@b.example", "order.id": 7}
