"""What the server counts, as Prometheus text. Labels are names and codes of ours, never data."""

from collections.abc import Mapping
from typing import Any

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)

CONTENT_TYPE = CONTENT_TYPE_LATEST
"""The media type of ``Metrics.text``."""

ACCEPTED, SUPPRESSED, SKIPPED = "accepted", "suppressed", "skipped"
"""Outcomes of rows beside reasons' codes: taken now, known to be taken before, and not wanted."""

SECONDS = (0.01, 0.05, 0.1, 0.5, 1, 2.5, 5, 10, 20, 25, 30, 60, 280)
"""Upper bounds of the histogram of call times; 280 is the longest deadline."""


class Metrics:
    """All counters of one server."""

    def __init__(self) -> None:
        self._registry = registry = CollectorRegistry()
        name = ["destination"]
        self.rows = Counter(
            "destination_rows",
            "Rows by outcome: accepted, suppressed (delivered before), skipped, or a code.",
            [*name, "operation", "outcome"],
            registry=registry,
        )
        self.attempts = Counter(
            "destination_attempts",
            "Requests to the vendor by outcome: accepted, or a reason's code.",
            [*name, "outcome"],
            registry=registry,
        )
        self.retries = Counter(
            "destination_retries", "Requests that were sent again.", name, registry=registry
        )
        self.denied = Counter(
            "destination_retries_denied",
            "Retries for which the budget had no room.",
            name,
            registry=registry,
        )
        self.circuit = Gauge(
            "destination_circuit_open",
            "1 while the vendor is given a rest after failures.",
            name,
            registry=registry,
        )
        self.seconds = Histogram(
            "destination_call_seconds",
            "Seconds to answer a call that brings rows.",
            name,
            buckets=SECONDS,
            registry=registry,
        )
        self.refused = Counter(
            "destination_calls_refused",
            "Calls refused with status 503, by why: overload or shutdown.",
            ["why"],
            registry=registry,
        )
        self.degraded = Counter(
            "destination_state_errors",
            "Times the state store failed, and a substitute in memory served.",
            registry=registry,
        )

    def text(self) -> bytes:
        """Everything, in the format that Prometheus reads."""
        return generate_latest(self._registry)

    def of(self, destination: str) -> "Meter":
        """The counters of one destination."""
        return Meter(self, destination)


class Meter:
    """One destination's counters."""

    def __init__(self, metrics: Metrics, destination: str) -> None:
        self._rows = metrics.rows
        self._attempts = metrics.attempts
        self._destination = destination
        self._retries = metrics.retries.labels(destination)
        self._denied = metrics.denied.labels(destination)
        self._circuit = metrics.circuit.labels(destination)
        self._seconds = metrics.seconds.labels(destination)
        self._outcomes: dict[str, Any] = {}

    def attempt(self, outcome: str) -> None:
        """A request to the vendor ended so."""
        counter = self._outcomes.get(outcome)
        if counter is None:
            counter = self._attempts.labels(self._destination, outcome)
            self._outcomes[outcome] = counter
        counter.inc()

    def retry(self, *, allowed: bool) -> None:
        """A request should be sent again, and is, or is not for want of budget."""
        (self._retries if allowed else self._denied).inc()

    def circuit(self, *, is_open: bool) -> None:
        """The circuit is open or closed."""
        self._circuit.set(is_open)

    def call(self, operation: str, outcomes: Mapping[str, int], seconds: float) -> None:
        """A call's rows by outcome, and how long it took."""
        for outcome, count in outcomes.items():
            if count:
                self._rows.labels(self._destination, operation, outcome).inc(count)
        self._seconds.observe(seconds)
