"""The canonical event that a record's fields make."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from destination.errors import RowError
from destination.spec.event import canonical_event, in_both_spellings
from destination.vendor.encoding import encode

NOW = datetime(2026, 2, 25, 14, 30, tzinfo=UTC)


def event(**fields: Any) -> dict[str, Any]:
    """The event of these fields, whose dots have made objects already."""
    return canonical_event(fields, event_id="e-1", anonymous_id="a-1", now=NOW)


def test_a_track_event_says_what_was_done():
    """What is not a member of an event is one of its properties."""
    assert event(event="Order Completed", user_id="u1", total=12.5) == {
        "type": "track",
        "event": "Order Completed",
        "properties": {"total": 12.5},
        "traits": {},
        "userId": "u1",
        "anonymousId": "a-1",
        "groupId": None,
        "context": {},
        "timestamp": "2026-02-25T14:30:00.000Z",
        "messageId": "e-1",
        "event_id": "e-1",
    }


def test_a_user_has_traits():
    """Without an event it is about the user, whose name is a trait."""
    made = event(userId="u1", name="Ann", plan="pro")

    assert made["type"] == "identify"
    assert made["traits"] == {"name": "Ann", "plan": "pro"}
    assert made["properties"] == {}
    assert "name" not in made
    assert "event" not in made


def test_a_page_has_a_name():
    """The name of a page is no property of it."""
    made = event(type="page", name="Pricing", tab="b")

    assert (made["name"], made["properties"]) == ("Pricing", {"tab": "b"})


def test_a_group_has_traits():
    """Its id stands beside those of the user."""
    made = event(type="group", group_id=7, seats=3)

    assert (made["groupId"], made["traits"], made["userId"]) == ("7", {"seats": 3}, None)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"type": "track"}, "event: required for events of type track"),
        ({"type": "track", "event": ""}, "event: required for events of type track"),
        ({"type": "track", "name": "x"}, "event: required for events of type track"),
        ({"type": "page", "event": "x"}, "name: required for events of type page"),
        ({"type": "page", "name": None}, "name: required for events of type page"),
        ({"type": "screen"}, "type: expected one of track, page, identify, group"),
        ({"type": ["track"]}, "type: expected text"),
        ({"userId": {"id": 1}}, "userId: expected text"),
        ({"event": ["x"]}, "event: expected text"),
        ({"properties": "{"}, "properties: expected a JSON object at most 64 levels deep"),
        ({"context": [1]}, "context: expected a JSON object at most 64 levels deep"),
        (
            {"timestamp": 1772029800},
            "timestamp: expected a date and time such as 2026-01-31T09:30:00Z",
        ),
        (
            {"timestamp": "soon"},
            "timestamp: expected a date and time such as 2026-01-31T09:30:00Z",
        ),
        (
            {"timestamp": "0001-01-01T00:00:00+05:00"},
            "timestamp: the first or last day there is, in another zone",
        ),
    ],
)
def test_what_makes_no_event_is_a_row_s_fault(fields: dict[str, Any], reason: str):
    """The reason names the field and what was expected."""
    with pytest.raises(RowError) as raised:
        event(**fields)

    assert raised.value.message == reason


@pytest.mark.parametrize(
    ("snake", "camel"),
    [
        ("user_id", "userId"),
        ("anonymous_id", "anonymousId"),
        ("group_id", "groupId"),
        ("message_id", "messageId"),
        ("event_id", "messageId"),
    ],
)
def test_members_are_known_by_both_spellings(snake: str, camel: str):
    """Either may be mapped, and templates may name either."""
    assert event(**{snake: 5}) == event(**{camel: "5"})
    both = in_both_spellings(event(**{snake: "x"}))
    assert both[snake] == both[camel] == "x"


def test_a_spelling_that_is_null_does_not_hide_the_other():
    """Where both are mapped, the one with a value counts."""
    assert event(user_id="u1", userId=None)["userId"] == "u1"
    assert event(userId=None, user_id="u1")["userId"] == "u1"


def test_an_id_that_is_blank_is_none():
    """A blank id is no id, and an anonymous or message id has its default then."""
    made = event(userId="", anonymousId="", messageId=None)

    assert (made["userId"], made["anonymousId"], made["messageId"]) == (None, "a-1", "e-1")


def test_a_mapped_message_id_is_the_event_id_too():
    """Receivers know it by both names."""
    made = event(messageId="m-1")

    assert (made["messageId"], made["event_id"]) == ("m-1", "m-1")


def test_the_context_is_kept_with_the_vendor_s_spelling():
    """A user agent may be mapped by either name; templates see it by both."""
    made = event(context={"user_agent": "Mozilla", "page": {"url": "https://x.example"}})

    assert made["context"] == {"userAgent": "Mozilla", "page": {"url": "https://x.example"}}
    both = in_both_spellings(made)["context"]
    assert both["user_agent"] == both["userAgent"] == "Mozilla"
    assert "user_agent" not in made["context"]


def test_objects_may_be_the_text_of_one():
    """Warehouses hold JSON as text; what is mapped below an object joins it."""
    made = event(event="x", properties='{"total": 5}', colour="red", context='{"ip": "::1"}')

    assert made["properties"] == {"colour": "red", "total": 5}
    assert made["context"] == {"ip": "::1"}


def test_what_is_mapped_into_an_object_beats_what_stands_beside_it():
    """``properties.total`` says more than ``total`` does."""
    assert event(event="x", total=1, properties={"total": 2})["properties"] == {"total": 2}


def test_an_event_may_have_properties_and_traits():
    """Traits of a track event and properties of a user stay where they were mapped."""
    made = event(event="x", traits={"plan": "pro"}, total=1)

    assert (made["properties"], made["traits"]) == ({"total": 1}, {"plan": "pro"})


def test_what_is_done_is_told_of_other_types_too():
    """A mapped event is not lost where the type does not ask for one."""
    assert event(type="identify", event="Signed Up")["event"] == "Signed Up"


@pytest.mark.parametrize(
    ("given", "written"),
    [
        ("2026-01-31T09:30:00+02:00", "2026-01-31T07:30:00.000Z"),
        ("2026-01-31 09:30:00.123456", "2026-01-31T09:30:00.123Z"),
        ("2026-01-31", "2026-01-31T00:00:00.000Z"),
        (None, "2026-02-25T14:30:00.000Z"),
        ("", "2026-02-25T14:30:00.000Z"),
    ],
)
def test_a_time_is_in_utc_with_milliseconds(given: str | None, written: str):
    """A time without an offset is taken to be UTC; without one it is now."""
    assert event(timestamp=given)["timestamp"] == written


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)
NAMES = st.sampled_from(
    ["type", "event", "name", "userId", "event_id", "timestamp", "context", "properties", "traits"]
)


@settings(deadline=None)
@given(st.dictionaries(NAMES | st.text(), JSON))
def test_whatever_is_mapped_it_is_an_event_or_a_row_s_fault(fields: dict[str, Any]):
    """No value makes another failure, and every event has what the schema requires."""
    try:
        made = canonical_event(fields, event_id="e-1", anonymous_id="a-1", now=NOW)
    except RowError:
        return
    assert {"type", "anonymousId", "messageId", "timestamp", "context"} <= made.keys()
    assert {"track": "event", "page": "name"}.get(made["type"], "type") in made
    assert encode(made)
    assert in_both_spellings(made)["message_id"] == made["messageId"]
