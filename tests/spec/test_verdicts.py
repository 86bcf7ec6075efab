"""What a vendor's own codes and verdicts mean, and what is left out of a request."""

import asyncio
from typing import Any

import pytest
from pydantic import ValidationError

from destination.problems import explained
from destination.spec.answer import Answer
from destination.spec.declarations import Trial
from destination.spec.document import Document
from destination.spec.kinds import kind_of
from destination.spec.results import RowResults
from destination.spec.trials import differences

URL = "https://api.acme.example/people"
TWO = [{"email": "ann@example.com"}, {"email": "bea@example.com"}]


def document(**request: Any) -> dict[str, Any]:
    """A vendor with one request."""
    fields = [{"id": "email"}, {"id": "name"}, {"id": "address.city"}]
    return {
        "name": "acme",
        "base_url": "https://api.acme.example",
        "options": {"properties": {"list": {"type": "string"}, "tag": {"type": "string"}}},
        "objects": [{"modes": [{"id": "upsert", "add": "save"}], "fields": fields}],
        "requests": {"save": {"url": "/people", **request}},
    }


def found(trial: dict[str, Any], **request: Any) -> list[str]:
    """What is not as a test says."""
    kind = kind_of(Document.model_validate(document(**request)))
    return asyncio.run(differences(kind, Trial.model_validate({"name": "x", **trial})))


def outcome(status: int, body: Any, **request: Any) -> tuple[dict[str, str], str]:
    """The reasons for two rows by their number, or the reason for which the call failed."""
    trial = {"records": TWO, "replies": [{"status": status, "body": body}]}
    reasons, failure = dict[str, str](), ""
    for line in found(trial, **request):
        if line.startswith("row "):
            row, _, reason = line.removeprefix("row ").partition(" was rejected: ")
            reasons[row] = reason
        elif line.startswith("the call failed with "):
            failure = line.removeprefix("the call failed with ")
    return reasons, failure


CODES = {"code": "/code", "codes": {"17": "config", "busy": "retry", "gone": "target"}}


@pytest.mark.parametrize(
    ("status", "code", "reason"),
    [
        (400, "busy", "RATE_LIMITED: not sent: the vendor answered 400 (busy)"),
        (403, "busy", "RATE_LIMITED: not sent: the vendor answered 403 (busy)"),
        (404, "gone", "VENDOR_REJECTED: the vendor answered 404 (gone), which concerns all rows"),
        (400, "other", "VENDOR_REJECTED: the vendor answered 400"),
        (400, None, "VENDOR_REJECTED: the vendor answered 400"),
        (400, True, "VENDOR_REJECTED: the vendor answered 400"),
        (400, ["busy"], "VENDOR_REJECTED: the vendor answered 400"),
        (500, "other", "OUTCOME_UNKNOWN: the vendor answered 500"),
    ],
)
def test_a_code_counts_before_the_status(status: int, code: Any, reason: str) -> None:
    """What a code means holds whatever the status; one that is not listed leaves it to that."""
    reasons, failure = outcome(status, {"code": code}, answer=CODES)

    assert failure == ""
    assert reasons["1"].startswith(reason)


@pytest.mark.parametrize("code", [17, "17"])
def test_a_code_may_be_a_number(code: Any) -> None:
    """A number is the same code as its text, and a fatal one stops the call."""
    reasons, failure = outcome(400, {"code": code}, answer=CODES)

    assert reasons == {}
    assert failure == "CONFIG_INVALID: the vendor answered 400 (17), which calls for a person"


@pytest.mark.parametrize("body", ["<html>", None, [], {"codes": 17}])
def test_an_answer_without_a_code_is_left_to_its_status(body: Any) -> None:
    """What cannot be read has no code."""
    reasons, _ = outcome(400, body, answer=CODES)

    assert reasons["2"] == "VENDOR_REJECTED: the vendor answered 400"


def test_a_success_has_no_code() -> None:
    """What a good answer holds at the place of the code is something else."""
    assert outcome(201, {"code": 17}, answer=CODES) == ({}, "")


ARRAY = {"batching": "array", "template": {"email": "{{ email }}"}}
REFUSED = "VENDOR_REJECTED: the vendor refused the row"


@pytest.mark.parametrize(
    ("results", "reasons"),
    [
        ([{"ok": True}, {"ok": True}], {}),
        ([{"ok": True, "why": "a warning"}, {"ok": True}], {}),
        ([{"ok": False, "why": "no"}, {"ok": True}], {"1": f"{REFUSED}: no"}),
        ([{"ok": True}, {"ok": False}], {"2": REFUSED}),
        ([{"ok": True}, {"ok": "true"}], {"2": REFUSED}),
        ([{"ok": True}, {"ok": 1}], {"2": REFUSED}),
    ],
)
def test_ok_says_what_was_taken(results: Any, reasons: dict[str, str]) -> None:
    """With ``ok`` a row was taken where that is true, whatever stands at ``message``."""
    rows = {"at": "/results", "ok": "/ok", "message": "/why"}

    assert outcome(200, {"results": results}, **ARRAY, answer={"rows": rows}) == (reasons, "")


@pytest.mark.parametrize("results", [[{"ok": True}, {}], [{"ok": True}, {"ok": None}],
                                     [{"ok": True}, {"ok": {}}], [{"ok": True}, "ok"]])  # fmt: skip
def test_a_result_that_says_neither_leaves_it_open(results: Any) -> None:
    """Silence is no acknowledgement."""
    rows = {"at": "/results", "ok": "/ok"}

    reasons, _ = outcome(200, {"results": results}, **ARRAY, answer={"rows": rows})

    assert set(reasons) == {"1", "2"}
    assert all(reason.startswith("OUTCOME_UNKNOWN: ") for reason in reasons.values())


def test_ok_may_be_words() -> None:
    """Vendors that say ``created`` or ``skipped`` are understood too."""
    rows = {"at": "", "id": "/email", "field": "email", "ok": "/status"}
    answer = {"rows": {**rows, "ok_is": ["created", "updated"]}}
    results = [
        {"email": "BEA@example.com", "status": "skipped"},
        {"email": "ann@example.com", "status": "updated"},
    ]

    assert outcome(200, results, **ARRAY, answer=answer) == ({"2": REFUSED}, "")


def test_a_single_row_may_be_refused_with_a_200() -> None:
    """A vendor that always answers 200 says in the body what became of the row."""
    answer = {"rows": {"at": "", "ok": "/success", "message": "/error"}}

    reasons, _ = outcome(200, {"success": False, "error": "no such list"}, answer=answer)

    assert reasons == {"1": f"{REFUSED}: no such list", "2": f"{REFUSED}: no such list"}


@pytest.mark.parametrize(
    ("model", "values", "told"),
    [
        (Answer, {"code": "/code"}, "code says where an answer has what codes lists: both or none"),
        (Answer, {"code": "/code", "codes": {"1": "delivered"}}, "codes.1: must be "),
        (RowResults, {"at": ""}, "results in order need a message or ok, or all would be failures"),
        (RowResults, {"at": "", "ok_is": [1]}, "ok_is is what stands at ok, and there is no ok"),
        (RowResults, {"at": "", "ok": "/ok", "ok_is": []}, "ok_is: there must be one"),
    ],
)
def test_what_cannot_be_meant_is_told(model: Any, values: dict[str, Any], told: str) -> None:
    """Half of a pair, or a success that no status says."""
    with pytest.raises(ValidationError) as caught:
        model.model_validate(values)

    assert explained(caught.value, model)[0].startswith(told)


EMPTY = {"email": "ann@example.com", "name": "", "address.city": None}


def test_empty_members_are_sent_unless_they_are_omitted() -> None:
    """With ``omit_empty`` null, an empty text and an object of nothing else are left out."""
    template = {
        "email": "{{ email }}",
        "name": "{{ name }}",
        "place": {"city": "{{ address.city }}"},
    }
    every = {"email": "ann@example.com", "name": "", "place": {"city": None}}
    test = {"records": [EMPTY], "requests": [{"url": URL, "body": every}]}
    left = {"records": [EMPTY], "requests": [{"url": URL, "body": {"email": "ann@example.com"}}]}

    assert found(test, template=template) == []
    assert found(left, template=template, omit_empty=True) == []


def test_false_zero_and_an_empty_list_are_not_empty() -> None:
    """They are values."""
    values = {"a": False, "b": 0, "c": [], "d": {}, "e": [None, ""], "f": " "}
    test = {"records": [EMPTY], "requests": [{"url": URL, "body": values}]}

    assert found(test, template={**values, "g": None}, omit_empty=True) == []


def test_empty_parameters_are_omitted_too() -> None:
    """Of a form, and of a query, as of JSON."""
    request = {
        "encoding": "form",
        "template": {"email": "{{ email }}", "name": "{{ name }}", "city": "{{ address.city }}"},
        "query": {"n": "{{ name }}", "e": "{% if name != '' %}x{% endif %}", "k": "1"},
    }
    sent = {"records": [EMPTY], "requests": [
        {"url": f"{URL}?k=1", "body": {"email": "ann@example.com"}}
    ]}  # fmt: skip
    every = {"records": [EMPTY], "requests": [
        {"url": f"{URL}?n=&e=&k=1", "body": {"email": "ann@example.com", "name": "", "city": ""}}
    ]}  # fmt: skip

    assert found(sent, **request, omit_empty=True) == []
    assert found(every, **request) == []


def test_an_option_that_nobody_chose_is_not_there() -> None:
    """It is missing as a field is that nothing is mapped to, and not null."""
    template = {"list": "{{ options.list }}", "tag": "{{ options.tag }}"}
    test = {
        "records": [EMPTY],
        "options": {"tag": "a&b"},
        "requests": [{"url": URL, "body": {"tag": "a&b"}}],
    }

    assert found(test, template=template) == []
