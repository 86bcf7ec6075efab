"""Which rows a webhook sends: those with consent that satisfy the filter, and every removal."""

from typing import Any

import pytest
from structlog.testing import capture_logs
from support import BEARER
from webhooks import person, reasons, receiver, sync

CONSENT = {"consent": ["marketing"]}
CONSENTED = [{"from": "consent", "to": "context.consent"}]


def consenting(id: Any, consent: Any) -> dict[str, Any]:
    """A row with this in its consent column."""
    return person(id, consent=consent)


async def metrics(served: Any) -> str:
    """The text of the metrics."""
    async with served.http.get(f"{served.url}/metrics", headers=BEARER) as response:
        return await response.text()


@pytest.mark.parametrize("batching", ["none", "array"])
async def test_rows_without_consent_are_not_sent(serve, batching):
    """They are no errors, and take part in no array."""
    rows = [
        consenting("yes", {"marketing": True}),
        consenting("text", {"marketing": "TRUE"}),
        consenting("number", {"marketing": 1}),
        consenting("json", '{"marketing": true}'),
        consenting("below", {"categories": {"marketing": True}}),
        consenting("canonical", {"canonical": {"marketing": "yes"}}),
        consenting("no", {"marketing": False}),
        consenting("zero", {"marketing": "0"}),
        consenting("other", {"analytics": True}),
        consenting("null", None),
        person("missing"),
    ]
    async with receiver(serve, batching=batching, **CONSENT) as (served, received):
        assert await reasons(served, "add", sync(*rows, mappings=CONSENTED)) == {}

    sent = received.bodies[0] if batching == "array" else received.bodies
    assert {one["id"] for one in sent} == {row["id"] for row in rows[:6]}
    assert len(received.requests) == (1 if batching == "array" else 6)


async def test_consent_may_stand_anywhere(serve):
    """The operator says in which field; every category must be granted."""
    settings = {"consent": ["marketing", "analytics"], "consent_at": "agreed"}
    mappings = [{"from": "consent", "to": "agreed"}]
    async with receiver(serve, **settings) as (served, received):
        both = consenting(1, {"marketing": True, "analytics": True})
        one = consenting(2, {"marketing": True})
        assert await reasons(served, "add", sync(both, one, mappings=mappings)) == {}

    assert [body["id"] for body in received.bodies] == [1]


async def test_an_event_s_consent_stands_in_its_context(serve):
    """Where Datafly's schema has it."""
    async with receiver(serve, payload="event", **CONSENT) as (served, received):
        rows = consenting(1, {"marketing": True}), consenting(2, {"marketing": False})
        assert await reasons(served, "add", sync(*rows, mappings=CONSENTED)) == {}

    assert [body["context"] for body in received.bodies] == [{"consent": {"marketing": True}}]


@pytest.mark.parametrize(
    ("payload", "condition"),
    [
        ("record", 'first_name == "Ann" and born > 5'),
        ("record", "row.born > 5"),
        ("event", 'traits.first_name == "Ann" and traits.born > 5'),
        ("event", 'type == "identify" and row.born > 5'),
    ],
)
async def test_rows_that_do_not_satisfy_the_filter_are_not_sent(serve, payload, condition):
    """It sees what templates see."""
    async with receiver(serve, payload=payload, filter=condition) as (served, received):
        rows = person(1, born=6), person(2, born=5), person(3)
        assert await reasons(served, "add", sync(*rows)) == {}

    assert len(received.requests) == 1
    assert "1@example.com" in str(received.bodies[0])


async def test_a_filter_that_fails_rejects_its_row(serve):
    """A row that nobody can judge is not skipped in silence."""
    condition = " and ".join(["first_name contains first_name"] * 20)
    async with receiver(serve, filter=condition) as (served, received):
        rows = person(1), person(2, first_name="x" * 200_000)
        rejected = await reasons(served, "add", sync(*rows))

    assert rejected.keys() == {2}
    assert rejected[2].startswith("TEMPLATE_ERROR: condition: ")
    assert [body["id"] for body in received.bodies] == [1]


async def test_a_removal_is_always_sent(serve):
    """Whoever withdrew consent is to be forgotten there too."""
    settings = {**CONSENT, "filter": "born > 5"}
    async with receiver(serve, **settings) as (served, received):
        assert await reasons(served, "remove", sync(person(1, born=1))) == {}
        assert await reasons(served, "change", sync(person(1, born=1))) == {}

    assert [body["operation"] for body in received.bodies] == ["remove"]


async def test_skipped_rows_are_counted(serve):
    """In the log and in the metrics, as neither accepted nor rejected."""
    async with receiver(serve, filter="born") as (served, _):
        with capture_logs() as logs:
            await reasons(served, "add", sync(person(1, born=1), person(2), person(3)))
        counted = await metrics(served)

    [line] = [line for line in logs if line["event"] == "rows.answered"]
    assert (line["rows"], line["accepted"], line["skipped"], line["rejected"]) == (3, 1, 2, 0)
    rows = [each for each in counted.splitlines() if each.startswith("destination_rows_total{")]
    [skipped] = [each for each in rows if 'outcome="skipped"' in each]
    assert skipped.endswith(" 2.0")


async def test_where_all_rows_are_skipped_nothing_is_sent(serve):
    """And the call succeeds."""
    async with receiver(serve, filter="born", batching="array") as (served, received):
        assert await reasons(served, "add", sync(person(1), person(2))) == {}

    assert received.requests == []


async def test_a_skipped_row_is_sent_once_it_may_be(serve):
    """What was not sent is not remembered as delivered."""
    async with receiver(serve, **CONSENT) as (served, received):
        for consent in (False, True):
            row = consenting(1, {"marketing": consent})
            assert await reasons(served, "add", sync(row, mappings=CONSENTED)) == {}

    assert len(received.requests) == 1
