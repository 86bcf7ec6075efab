"""What the server says of itself: counters and one log line per call, and both add up."""

import re
from typing import Any

import pytest
from structlog.testing import capture_logs
from support import Served

from destination.metrics import Metrics

SYNC = {
    "object": "user",
    "mode": "mirror",
    "identifierMapping": [{"from": "email", "to": "email"}],
    "mappings": [{"from": "name", "to": "first_name"}],
}


def rows(*names: str) -> list[dict[str, Any]]:
    return [{"email": f"{name}@example.org", "name": name} for name in names]


async def add(served: Served, *names: str, method: str = "add", **changes: Any) -> Any:
    params = {"configuration": SYNC | changes, "rows": rows(*names), "idColumn": "email"}
    return await served.rpc(method, params)


async def counted(served: Served, name: str) -> dict[str, float]:
    """The samples of one metric, by their labels as they are written."""
    answer = await served.http.get(f"{served.url}/metrics", headers=HEADERS)
    lines = (await answer.text()).splitlines()
    found = (re.fullmatch(rf"{name}(?:{{(.*)}})? (\S+)", line) for line in lines)
    return {match[1] or "": float(match[2]) for match in found if match}


HEADERS = {"X-Api-Key": "s" * 40}


async def test_rows_are_counted_by_what_became_of_them(serve: Any) -> None:
    """Accepted, suppressed and rejected rows add up to those that came."""
    served = await serve({"people": {"kind": "people", "refuse": ["bad@example.org"]}})

    with capture_logs() as logs:
        await add(served, "ann", "bad", "")
        await add(served, "ann", "bob")

    assert await counted(served, "destination_rows_total") == {
        'destination="people",operation="add",outcome="accepted"': 2,
        'destination="people",operation="add",outcome="suppressed"': 1,
        'destination="people",operation="add",outcome="VENDOR_REJECTED"': 1,
        'destination="people",operation="add",outcome="INVALID_ROW"': 1,
    }
    lines = [line for line in logs if line["event"] == "rows.answered"]
    assert [(line["rows"], line["accepted"], line["suppressed"]) for line in lines] == [
        (3, 1, 0),
        (2, 1, 1),
    ]
    for line in lines:
        assert line["rows"] == line["accepted"] + line["suppressed"] + line["rejected"]
        assert line["rejected"] == sum(line["reasons"].values())


async def test_a_call_that_fails_as_a_whole_is_counted_too(served: Served) -> None:
    """The rows of a call that ends in an error are rejected rows, under the error's code."""
    with capture_logs() as logs:
        answer = await add(served, "ann", "bob", mode="nothing")

    assert answer["error"]["data"] == {"code": "CONFIG_INVALID"}
    assert await counted(served, "destination_rows_total") == {
        'destination="people",operation="add",outcome="CONFIG_INVALID"': 2
    }
    [line] = [line for line in logs if line["event"] == "rows.answered"]
    assert (line["rows"], line["rejected"], line["reasons"]) == (2, 2, {"CONFIG_INVALID": 2})


async def test_calls_are_timed(served: Served) -> None:
    """The histogram counts each call that brought rows."""
    await add(served, "ann")
    await add(served, "ann", method="remove")

    counts = await counted(served, "destination_call_seconds_count")
    assert counts == {'destination="people"': 2}


async def test_metrics_need_the_secret(served: Served) -> None:
    """How much is delivered is nobody else's business."""
    answer = await served.http.get(f"{served.url}/metrics")

    assert answer.status == 401


async def test_metrics_hold_no_row(served: Served) -> None:
    """Nothing that a row brought stands in a metric or in a log line."""
    with capture_logs() as logs:
        await add(served, "canary-7f3a", "")
        await add(served, "canary-7f3a", mode="canary-mode")

    text = await (await served.http.get(f"{served.url}/metrics", headers=HEADERS)).text()
    assert "canary" not in text
    assert "canary" not in str(logs)


def test_an_attempt_is_counted_by_its_outcome() -> None:
    """Requests to the vendor, retries and the circuit each have their sample."""
    metrics = Metrics()
    meter = metrics.of("crm")
    for outcome in ("accepted", "accepted", "RATE_LIMITED"):
        meter.attempt(outcome)
    meter.retry(allowed=True)
    meter.retry(allowed=False)
    meter.circuit(is_open=True)

    text = metrics.text().decode()

    for sample in (
        'destination_attempts_total{destination="crm",outcome="accepted"} 2.0',
        'destination_attempts_total{destination="crm",outcome="RATE_LIMITED"} 1.0',
        'destination_retries_total{destination="crm"} 1.0',
        'destination_retries_denied_total{destination="crm"} 1.0',
        'destination_circuit_open{destination="crm"} 1.0',
    ):
        assert sample in text


@pytest.mark.parametrize("path", ["/readyz", "/healthz"])
async def test_health_does_not_ask_the_vendor(served: Served, path: str) -> None:
    """A vendor that is down does not make the server unhealthy."""
    served.plugin().error = RuntimeError("down")

    answer = await served.http.get(served.url + path)

    assert answer.status == 200
