"""A spec file's own tests fail for every difference, and say where it is."""

import asyncio
import copy
from typing import Any

import pytest

from destination.spec.declarations import Trial
from destination.spec.document import Document
from destination.spec.kinds import kind_of
from destination.spec.trials import differences

SAVE = {
    "url": "/people",
    "batching": "array",
    "idempotent": True,
    "template": {"address": "{{ email }}", "value": "{{ ltv }}"},
    "answer": {"rows": {"at": "/errors", "index": "/index", "message": "/why"}},
}
NOTE = {
    "url": "/notes",
    "encoding": "form",
    "template": {"to": "{{ email }}", "tags": "{{ tags }}", "who": "{{ row_id }}"},
}
ACME = {
    "name": "acme",
    "base_url": "https://api.acme.example",
    "settings": {"properties": {"token": {"type": "string", "writeOnly": True}}},
    "options": {"properties": {"list": {"type": "string"}}},
    "auth": {"scheme": "bearer", "token": "{{ settings.token }}"},
    "objects": [
        {
            "modes": [{"id": "upsert", "add": "save", "change": "note"}],
            "fields": [
                {"id": "email", "type": "EMAIL", "identifier": True},
                {"id": "ltv", "type": "NUMBER"},
                {"id": "tags", "type": "ARRAY"},
            ],
        }
    ],
    "requests": {"save": SAVE, "note": NOTE},
}
TRIAL = {
    "name": "people are saved together, and one that is refused is told",
    "settings": {"token": "t"},
    "records": [
        {"email": "ann@example.com", "ltv": 12.5},
        {"id": "b", "email": "bea@example.com"},
        {"email": "no"},
    ],
    "replies": [{"body": {"errors": [{"index": 1, "why": "bea@example.com is blocked"}]}}],
    "requests": [
        {
            "url": "https://api.acme.example/people",
            "headers": {"Authorization": "Bearer t"},
            "body": [{"address": "ann@example.com", "value": 12.5}, {"address": "bea@example.com"}],
        }
    ],
    "rejections": {
        "b": "VENDOR_REJECTED: the vendor refused the row: [email] is blocked",
        "3": "INVALID_ROW: email",
    },
}


def found(trial: dict[str, Any], **document: Any) -> list[str]:
    """What a test of the document above finds."""
    kind = kind_of(Document.model_validate({**ACME, **document}))
    return asyncio.run(differences(kind, Trial.model_validate(trial)))


def told(place: str, value: Any) -> list[str]:
    """What the test above finds, with another value at a dotted place."""
    trial: Any = copy.deepcopy(TRIAL)
    at = trial
    *path, last = place.split("|")
    for part in path:
        at = at[int(part) if isinstance(at, list) else part]
    at[int(last) if isinstance(at, list) else last] = value
    return found(trial)


def test_what_is_as_it_says_passes() -> None:
    """No difference is no sentence."""
    assert found(TRIAL) == []


REASON = TRIAL["rejections"]["b"]  # type: ignore[index]


@pytest.mark.parametrize(
    ("place", "value", "difference"),
    [
        ("requests", [], "1 requests were sent, 0 are expected"),
        ("requests|0|method", "PUT", 'request 1: its method is "POST", expected "PUT"'),
        (
            "requests|0|url",
            "https://api.acme.example/persons",
            'request 1: its url is "https://api.acme.example/people", '
            'expected "https://api.acme.example/persons"',
        ),
        (
            "requests|0|headers",
            {"Authorization": "Bearer u"},
            'request 1: its header Authorization is "Bearer t", expected "Bearer u"',
        ),
        (
            "requests|0|headers",
            {"X-List": "*"},
            'request 1: its header X-List is nothing, expected "*"',
        ),
        ("requests|0|body|0|value", 12, "request 1: its body at /0/value is 12.5, expected 12"),
        ("requests|0|body|1|value", 3, "request 1: its body at /1/value is nothing, expected 3"),
        (
            "requests|0|body|0",
            {"address": "ann@example.com"},
            "request 1: its body at /0/value is 12.5, expected nothing",
        ),
        (
            "requests|0|body",
            [{"address": "ann@example.com", "value": 12.5}],
            'request 1: its body at /1 is {"address": "bea@example.com"}, expected nothing',
        ),
        ("requests|0|body|1", "bea", 'request 1: its body at /1 is {"address": "bea@example.com"}, '
         'expected "bea"'),
        (
            "rejections|b",
            "VENDOR_REJECTED: the vendor answered 400",
            f"row b was rejected with {REASON}, "
            "expected: VENDOR_REJECTED: the vendor answered 400",
        ),
        ("rejections|1", "INVALID_ROW", "row 1 was not rejected, expected: INVALID_ROW"),
        ("rejections", {"b": REASON}, "row 3 was rejected: INVALID_ROW: email: expected an email "
         "address"),
        ("error", "AUTH_FAILED", "the call did not fail, expected: AUTH_FAILED"),
        ("settings", {"tokn": "t"}, 'settings: tokn: Setting "tokn" does not exist. '
         'Did you mean "token"?'),
    ],
)  # fmt: skip
def test_a_difference_is_told(place: str, value: Any, difference: str) -> None:
    """One difference is one sentence."""
    assert told(place, value) == [difference]


def test_a_request_that_was_not_sent_is_told() -> None:
    """Fewer requests than expected are as wrong as more."""
    requests: Any = TRIAL["requests"]

    assert told("requests", [*requests, *requests]) == ["1 requests were sent, 2 are expected"]


def test_a_field_that_does_not_exist_is_told() -> None:
    """A test would not see that its record says nothing, where no other field can be mapped."""
    trial = copy.deepcopy(TRIAL)
    trial["records"][0]["lvt"] = 3  # type: ignore[index]

    assert found(trial) == ['records: Field "lvt" does not exist. Did you mean "ltv"?']


def test_a_star_is_any_value_but_none() -> None:
    """It stands for what is there, and not for what is missing."""
    assert told("requests|0|body|0|value", "*") == []
    assert told("requests|0|body", "*") == []
    assert told("requests|0|url", "*") == []
    assert told("requests|0|body|1|value", "*") == [
        'request 1: its body at /1/value is nothing, expected "*"'
    ]


def test_a_number_is_no_boolean() -> None:
    """1 and true are different values, as in JSON."""
    trial = {
        "name": "x",
        "settings": {"token": "t"},
        "records": [{"email": "a@b.example", "ltv": 1}],
    }
    url = "https://api.acme.example/people"
    body = [{"address": "a@b.example", "value": True}]

    assert found({**trial, "requests": [{"url": url, "body": body}]}) == [
        "request 1: its body at /0/value is 1, expected true"
    ]


def test_a_call_that_fails_is_told() -> None:
    """Unless the test says so, with its reason."""
    trial = {**TRIAL, "rejections": {}, "replies": [{"status": 401}]}
    reason = "AUTH_FAILED: the vendor answered 401: it refused the credentials"

    assert found(trial) == [f"the call failed with {reason}"]
    assert found({**trial, "error": "AUTH_FAILED"}) == []
    assert found({**trial, "error": "CONFIG"}) == [
        f"the call failed with {reason}, expected: CONFIG"
    ]


def test_wrong_options_and_modes_fail_the_call() -> None:
    """What a marketer chose wrongly is an error as it is in production."""
    trial = {"name": "x", "settings": {"token": "t"}, "records": [{"email": "a@example.com"}]}

    assert found({**trial, "options": {"list": 5}, "error": 'CONFIG_INVALID: Option "List" '}) == []
    assert found({**trial, "mode": "upsrt"}) == [
        'the call failed with CONFIG_INVALID: Mode "upsrt" does not exist. Did you mean "upsert"?'
    ]


def test_settings_that_make_no_destination_are_told() -> None:
    """A base URL that comes out wrong, or credentials that cannot be sent."""
    base = {"base_url": "{{ settings.token }}"}

    assert found(TRIAL, **base) == ["base_url: must be a valid URL, relative URL without a base"]
    assert found({**TRIAL, "settings": {}}) == ["auth.bearer.token: is missing"]


def test_the_parameters_of_a_form_are_a_body() -> None:
    """A parameter that stands several times is a list; ``id`` is the row's unless it is a field."""
    trial = {
        "name": "x",
        "settings": {"token": "t"},
        "operation": "change",
        "records": [{"id": 7, "email": "a&b=c@example.com", "tags": ["x", "y&z"]}],
        "requests": [
            {
                "url": "https://api.acme.example/notes",
                "body": {"to": "a&b=c@example.com", "tags": ["x", "y&z"], "who": "7"},
            }
        ],
    }

    assert found(trial) == []


def test_replies_come_in_turn_and_the_last_goes_on() -> None:
    """Three requests of a test with two replies get the second twice."""
    trial = {
        "name": "x",
        "settings": {"token": "t"},
        "operation": "change",
        "records": [{"email": f"{name}@example.com"} for name in "abc"],
        "replies": [{"status": 201}, {"status": 400, "body": "no"}],
        "requests": [{"url": "*", "body": "*"}] * 3,
        "rejections": {"2": "VENDOR_REJECTED", "3": "VENDOR_REJECTED"},
    }

    assert found(trial) == []


def test_a_test_takes_no_time() -> None:
    """A rate of one request a minute, and a wait that the vendor asks for, are not waited for."""
    trial = {
        "name": "x",
        "settings": {"token": "t"},
        "operation": "change",
        "records": [{"email": f"{name}@example.com"} for name in "abc"],
        "requests": [{"url": "*", "body": "*"}] * 3,
    }

    async def timed() -> float:
        kind = kind_of(Document.model_validate({**ACME, "limits": {"rate": 1 / 60}}))
        began = asyncio.get_running_loop().time()
        assert await differences(kind, Trial.model_validate(trial)) == []
        return asyncio.get_running_loop().time() - began

    assert asyncio.run(timed()) < 5
