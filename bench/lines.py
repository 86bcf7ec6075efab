"""The lines of the table: what is asked of the server, and how a round's figures answer."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from bench.trials import ODD, SLOW, SLOW_ROWS, TEMPLATES

Sample = Mapping[str, float]
"""All figures of one round of a trial, by the contestant's name and their own."""

CONCURRENCY = 100


@dataclass(frozen=True)
class Line:
    """
    One line.

    Args:
        value: Of one round.
        wanted: What the median must be, at least, or at most; None where it is only told.
        aim: What would be better still.
    """

    id: str
    what: str
    trial: str
    value: Callable[[Sample], float]
    wanted: float | None = None
    aim: float | None = None
    at_most: bool = False
    unit: str = "×"

    def met(self, value: float) -> bool | None:
        """Whether this is what is wanted; None where nothing is."""
        if self.wanted is None:
            return None
        return value <= self.wanted if self.at_most else value >= self.wanted


def over(figure: str, other: str) -> Callable[[Sample], float]:
    """How many times the other figure a figure is."""
    return lambda sample: sample[figure] / sample[other]


def figure(name: str) -> Callable[[Sample], float]:
    """A figure as it is."""
    return lambda sample: sample[name]


def _of_ideal(sample: Sample) -> float:
    return sample["ours, rows/s"] * SLOW / 1000 / CONCURRENCY


LINES = (
    Line(
        "P1",
        f"{SLOW_ROWS:,} rows, one request each, a vendor that answers in {SLOW} ms: rows/s over "
        "those of a sequential jayson server",
        "slow",
        over("ours, rows/s", "sequential peer, rows/s"),
        60,
    ),
    Line(
        "P2",
        f"the same over the ideal, {CONCURRENCY} rows every {SLOW} ms",
        "slow",
        _of_ideal,
        0.7,
    ),
    Line(
        "P3",
        "processor time for each delivered row over that of a bare loop of httpx posts on the "
        "same transport",
        "fast",
        over("ours, CPU µs/row", "bare httpx, CPU µs/row"),
        1.3,
        1.0,
        at_most=True,
    ),
    Line(
        "P3",
        "the same over a bare loop of aiohttp posts",
        "fast",
        over("ours, CPU µs/row", "bare aiohttp, CPU µs/row"),
        aim=2.0,
        at_most=True,
    ),
    Line(
        "P4",
        "one request each, a vendor that answers at once: rows/s over those of a concurrent jayson "
        "server",
        "fast",
        over("ours, rows/s", "concurrent peer, rows/s"),
        1.0,
        2.0,
    ),
    Line(
        "P4",
        "of the bare loop of httpx posts: rows/s over those of the concurrent jayson server",
        "fast",
        over("bare httpx, rows/s", "concurrent peer, rows/s"),
    ),
    Line(
        "P5",
        "calls of 10,000 rows to a destination that accepts everything, 5 of 10 columns mapped: "
        "calls/s over those of jayson",
        "narrow",
        over("ours, calls/s", "jayson, calls/s"),
        1.0,
        1.3,
    ),
    Line(
        "P5",
        "of a bare server in Python, which does nothing else: calls/s over those of jayson",
        "narrow",
        over("bare server, calls/s", "jayson, calls/s"),
    ),
    Line(
        "P5",
        f"the same where one row in {ODD} has a number as text, which is converted",
        "narrow",
        over("ours with odd rows, calls/s", "jayson, calls/s"),
    ),
    Line(
        "P5",
        "the same with delivery memory, which such a destination does not need",
        "narrow",
        over("ours with memory, calls/s", "jayson, calls/s"),
    ),
    Line(
        "P6",
        "the same with 5 of 50 columns mapped",
        "wide",
        over("ours, calls/s", "jayson, calls/s"),
        2.0,
    ),
    Line(
        "P6",
        "of the bare server",
        "wide",
        over("bare server, calls/s", "jayson, calls/s"),
    ),
    *(
        Line(
            "P7",
            f"Slack messages rendered a second over liquidjs, parsing each time: {name}",
            "templates",
            over(f"ours, {name}, texts/s", f"liquidjs, {name}, texts/s"),
            2.0,
        )
        for name in TEMPLATES
    ),
    Line(
        "P8",
        "peak memory above idle for a body of 100,000 rows in arrays of 500, over the body",
        "large",
        over("ours, MiB above idle at the peak", "ours, MiB of the body"),
        4.0,
        at_most=True,
    ),
    Line(
        "P9",
        "processor time for a row of that body over that of a row among 1,000",
        "large",
        over("ours, CPU µs/row of 100,000", "ours, CPU µs/row of 1,000"),
        1.2,
        at_most=True,
    ),
    Line(
        "P10",
        "`destination serve` to its first healthy answer",
        "start",
        figure("ours, seconds"),
        1.0,
        at_most=True,
        unit=" s",
    ),
    Line(
        "P10",
        "its memory then",
        "start",
        figure("ours, MiB"),
        90,
        at_most=True,
        unit=" MiB",
    ),
    Line(
        "P11",
        "P1 with delivery memory, which is on by default, over without",
        "slow",
        over("ours, rows/s", "ours without memory, rows/s"),
        0.9,
    ),
)
