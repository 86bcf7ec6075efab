"""What a destination of declared requests says of its limits."""

from typing import Any

import pytest

from destination.plugin import NoOptions
from destinations.webhook import Settings, Webhook

URL = "https://example.com/rows"


def limits(mode: str | None = "mirror", **settings: Any) -> Any:
    """The limits of a mode of a webhook with these settings."""
    webhook = Webhook(Settings.model_validate({"url": URL, **settings}))
    return webhook.limits_for(mode, NoOptions())


ARRAY = {"batching": "array"}
SINGLY = {"operations": {"remove": {"batching": "none"}}}


@pytest.mark.parametrize(
    ("settings", "size", "largest"),
    [
        ({}, 1, None),
        ({"batch_size": 50}, 1, None),
        (ARRAY, 100, 10_000),
        ({**ARRAY, "batch_size": 500}, 500, 500),
        ({**ARRAY, **SINGLY}, 100, 10_000),
        ({**ARRAY, "operations": {"remove": {"batch_size": 10}}}, 10, 10),
        ({"operations": {"add": ARRAY}}, 100, 10_000),
    ],
)
def test_a_batch_is_what_every_array_takes(settings: dict[str, Any], size: int, largest: int):
    """No array of any operation of the mode is larger than its own size; others go singly."""
    found = limits(**settings)

    assert (found.batch_size, found.largest_batch) == (size, largest)


def test_a_mode_minds_its_own_operations():
    """What it does not send does not make its batches smaller."""
    settings = {**ARRAY, "operations": {"remove": {"batch_size": 10}}}

    assert limits("upsert", **settings).batch_size == 100
    assert limits(None, **settings).batch_size == 10


@pytest.mark.parametrize(
    ("settings", "mode", "remember"),
    [
        ({}, "mirror", 24.0),
        ({"idempotent": True}, "mirror", 0.0),
        ({"operations": {"remove": {"idempotent": True}}}, "mirror", 24.0),
        ({"idempotent": True, "operations": {"remove": {"idempotent": False}}}, "mirror", 24.0),
        ({"idempotent": True, "operations": {"remove": {"idempotent": False}}}, "upsert", 0.0),
    ],
)
def test_what_is_harmless_need_not_be_remembered(
    settings: dict[str, Any], mode: str, remember: float
):
    """Where every request of the mode may be repeated."""
    assert limits(mode, **settings).remember == remember


def test_long_answers_are_read_where_they_tell_of_rows():
    """Otherwise the status says it all."""
    telling = {"answer": {"rows": {"at": "/errors", "index": "/i"}}}
    short = Webhook(Settings.model_validate({"url": URL})).longest_answer
    assert Webhook(Settings.model_validate({"url": URL, **telling})).longest_answer > short
    by_operation = {"operations": {"remove": telling}}
    assert Webhook(Settings.model_validate({"url": URL, **by_operation})).longest_answer > short
