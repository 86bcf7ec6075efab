"""The template of Datafly Signal's page gives the JSON that it means, as it stands there."""

import json
from typing import Any

import pytest
from declared import body, record, refused
from hypothesis import given, settings
from hypothesis import strategies as st

from destination.errors import Code

TEMPLATE = (
    '{ "event_type": "{{event}}", "user": "{{user_id}}", "data": '
    '{ "page": "{{context.page.url}}", "revenue": {{properties.total}} } }'
)
ROW: dict[str, Any] = {
    "event": "Order Completed",
    "user_id": "u-1",
    "context": {"page": {"url": "https://shop.example/thanks?a=1&b=2"}},
    "properties": {"total": 129.5},
}
RENDERED = {
    "event_type": "Order Completed",
    "user": "u-1",
    "data": {"page": "https://shop.example/thanks?a=1&b=2", "revenue": 129.5},
}

both = pytest.mark.parametrize("payload", ["event", "record"])


@both
def test_the_page_s_template(payload: str):
    """Over the canonical event and over fields mapped by these names."""
    assert body({"payload": payload, "template": TEMPLATE}, record(**ROW)) == RENDERED


def test_other_fields_are_properties():
    """With the canonical event a total that is mapped by its own name is a property."""
    row = {"event": "x", "userId": "u", "total": 5, "context": {"page": {"url": "y"}}}

    made = body({"payload": "event", "template": TEMPLATE}, record(**row))

    assert made["data"] == {"page": "y", "revenue": 5}
    assert made["user"] == "u"


@both
def test_a_number_is_a_number(payload: str):
    """Without quotes a value is JSON of its own type, with all its digits."""
    for total in (0, -5, 12.5, 10**30, True, None, [1, "a"], {"a": None}):
        row = ROW | {"properties": {"total": total}}
        assert body({"payload": payload, "template": TEMPLATE}, record(**row))["data"][
            "revenue"
        ] == (total)


@both
def test_what_the_row_does_not_have_is_null_or_empty(payload: str):
    """Empty within quotes, null without."""
    made = body({"payload": payload, "template": TEMPLATE}, record(event="x"))

    assert made == {"event_type": "x", "user": "", "data": {"page": "", "revenue": None}}


@both
@settings(deadline=None)
@given(
    user=st.text(),
    total=st.text() | st.integers() | st.floats(allow_nan=False, allow_infinity=False),
)
def test_no_value_leaves_its_place(payload: str, user: str, total: Any):
    """Whatever a row holds, the payload has these members and no others."""
    row = ROW | {"user_id": user, "properties": {"total": total}}

    made = body({"payload": payload, "template": TEMPLATE}, record(**row))

    revenue = made["data"].pop("revenue")
    assert made == RENDERED | {"user": user, "data": {"page": RENDERED["data"]["page"]}}
    assert (float(revenue) if isinstance(total, float) else revenue) == total


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("event", "Order Completed"),
        ("type", "track"),
        ("user_id", "u-1"),
        ("anonymous_id", "a-1"),
        ("timestamp", "2026-01-31T09:30:00.000Z"),
        ("context.page.url", "https://shop.example"),
        ("context.page.title", "Thank you"),
        ("context.ip", "192.0.2.1"),
        ("context.user_agent", "Mozilla/5.0"),
        ("properties.total", 12.5),
        ("traits.plan", "pro"),
        ("userId", "u-1"),
        ("anonymousId", "a-1"),
        ("context.userAgent", "Mozilla/5.0"),
    ],
)
def test_every_variable_of_the_page(variable: str, value: Any):
    """In the vendor's spelling of templates, and in that of its events."""
    row = {
        "event": "Order Completed",
        "userId": "u-1",
        "anonymousId": "a-1",
        "timestamp": "2026-01-31T09:30:00Z",
        "context": {
            "page": {"url": "https://shop.example", "title": "Thank you"},
            "ip": "192.0.2.1",
            "userAgent": "Mozilla/5.0",
        },
        "properties": {"total": 12.5},
        "traits": {"plan": "pro"},
    }
    request = {"payload": "event", "template": '{"value": {{%s}}}' % variable}  # noqa: UP031

    assert body(request, record(**row)) == {"value": value}


def test_the_event_itself_is_the_canonical_payload():
    """Without a template it goes out as it is, with one id under both names."""
    made = body({"payload": "event"}, record(**ROW))

    assert made["messageId"] == made["event_id"]
    assert made["properties"] == {"total": 129.5}
    assert made["context"] == ROW["context"]


def test_templates_see_the_id_that_the_event_has():
    """A mapped message id too."""
    request = {"payload": "event", "template": {"id": "{{ event_id }}", "same": "{{ messageId }}"}}

    assert body(request, record(messageId="m-1")) == {"id": "m-1", "same": "m-1"}
    made = body(request, record())
    assert (
        made["id"] == made["same"] == json.loads(json.dumps(body({"payload": "event"})))["event_id"]
    )


def test_what_gives_no_json_rejects_the_row():
    """The reason says where, in the template, and holds nothing of the row."""
    template = '{"a": 1,\n "b": {% if event == "x" %}{{ event }}{% endif %}}'

    error = refused({"template": template}, record(event="hunter2"))

    assert error.code is Code.TEMPLATE_ERROR
    assert error.message == "line 2, column 50: this is no JSON: expecting value"
    assert body({"template": template}, record(event="x")) == {"a": 1, "b": "x"}
