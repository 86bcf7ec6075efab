"""What an answer's status means, and what it says of a row that was refused."""

from typing import Any

import httpx
import pytest
from pydantic import ValidationError

from destination.errors import (
    AuthError,
    ConfigError,
    DestinationError,
    NoAnswer,
    RateLimited,
    RefusedError,
    TargetError,
)
from destination.model import Record
from destination.spec.answer import Answer, ToldError

RECORD = Record(0, 1, {"email": "ann@example.com"}, {"E-Mail": "ann@example.com", "plan": "pro"})


def error(
    answer: Answer, status: int, body: Any = b"", *, one_address: bool = False, **headers: str
) -> DestinationError | None:
    """The error in such an answer."""
    content = {"content": body} if isinstance(body, bytes) else {"json": body}
    response = httpx.Response(status, headers=headers, **content)
    return answer.error(response, one_address=one_address)


@pytest.mark.parametrize("status", [200, 204, 299, 302, 401, 403, 408, 410, 425, 429, 500, 503])
def test_http_says_it_where_nothing_is_declared(status: int):
    """The usual meaning is not written a second time."""
    assert error(Answer(), status) is None


@pytest.mark.parametrize("status", [400, 404, 405, 409, 413, 422, 499])
def test_what_is_about_the_rows_refuses_them(status: int):
    """Any other 4xx is about what was sent."""
    found = error(Answer(), status)

    assert type(found) is RefusedError
    assert found.message == f"the vendor answered {status}"


@pytest.mark.parametrize("status", [404, 405])
def test_where_all_rows_have_one_address_it_may_not_be_there(status: int):
    """Then no row will find it; unless the operator knows better."""
    assert type(error(Answer(), status, one_address=True)) is TargetError
    told = Answer(statuses={str(status): "refused"})
    assert type(error(told, status, one_address=True)) is RefusedError


@pytest.mark.parametrize(
    ("meaning", "kind", "message"),
    [
        ("refused", RefusedError, "the vendor answered 207"),
        ("retry", RateLimited, "not sent: the vendor answered 207"),
        ("unknown", NoAnswer, "the vendor answered 207; may have been delivered"),
        ("target", TargetError, "the vendor answered 207, which concerns all rows that go there"),
        ("auth", AuthError, "the vendor answered 207: it refused the credentials"),
        ("config", ConfigError, "the vendor answered 207, which calls for a person"),
    ],
)
@pytest.mark.parametrize("pattern", ["207", "2xx"])
def test_any_status_may_mean_anything(meaning: Any, kind: type, message: str, pattern: str):
    """A success may be a refusal, and each meaning has its own error."""
    found = error(Answer(statuses={pattern: meaning}), 207)

    assert type(found) is kind
    assert found is not None
    assert found.message == message


def test_an_exact_status_counts_before_its_class():
    """In whatever order they are written."""
    answer = Answer(statuses={"4xx": "retry", "409": "delivered", "404": "config"})

    assert error(answer, 409) is None
    assert 409 in answer.accepted
    assert 404 not in answer.accepted
    assert type(error(answer, 404)) is ConfigError
    assert type(error(answer, 400)) is RateLimited


def test_what_counts_as_delivered_is_known():
    """2xx is in any case; the client need only be told of others."""
    assert Answer().accepted == frozenset()
    assert Answer(statuses={"5xx": "delivered"}).accepted == set(range(500, 600))


@pytest.mark.parametrize(
    ("header", "wait"), [("7", 7.0), ("", None), ("soon", None), ("-5", None), ("1e9", None)]
)
def test_a_retry_waits_as_long_as_the_vendor_says(header: str, wait: float | None):
    """In its Retry-After, where that can be believed."""
    answer = Answer(statuses={"200": "retry"})
    found = error(answer, 200, **({"Retry-After": header} if header else {}))

    assert isinstance(found, RateLimited)
    assert found.retry_after == wait


def test_the_vendor_s_words_are_shown_without_the_row():
    """They stand where the pointer leads."""
    answer = Answer(message="/error/detail")
    body = {"error": {"detail": ["ann@example.com is on plan PRO", "call 5551234"]}}

    found = error(answer, 400, body)

    assert isinstance(found, ToldError)
    assert found.message == "the vendor answered 400"
    assert found.about(RECORD).message == (
        "the vendor answered 400: [E-Mail] is on plan [plan]; call …"
    )


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no",
        b"\xff",
        b'{"error": "\xff"}',
        b"[" * 100_000,
        b"1" * 5_000,
        {},
        {"error": None},
        {"error": ""},
        {"error": {}},
        [],
        "error",
        None,
        5,
    ],
)
def test_an_answer_without_words_is_a_refusal_all_the_same(body: Any):
    """Whatever the body is, the status has said it."""
    found = error(Answer(message="/error"), 422, body)

    assert type(found) is RefusedError
    assert found.message == "the vendor answered 422"


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"statuses": {"600": "refused"}}, "must be a status such as 409"),
        ({"statuses": {"4XX": "refused"}}, "must be a status such as 409"),
        ({"statuses": {"40": "refused"}}, "must be a status such as 409"),
        ({"statuses": {"409": "ok"}}, "'delivered', 'refused'"),
        ({"message": "error"}, "is no JSON Pointer such as /errors/0"),
        ({"errors": "/x"}, "Extra inputs are not permitted"),
    ],
)
def test_a_mistake_is_told_when_it_is_written(settings: dict[str, Any], problem: str):
    """Not when the first answer comes."""
    with pytest.raises(ValidationError, match=problem):
        Answer.model_validate(settings)
