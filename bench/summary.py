"""Rounds to figures: every trial's samples, and what the lines make of them."""

import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from bench.lines import LINES, Line, Sample


@dataclass(frozen=True)
class Spread:
    """The middle of what was seen in the rounds, and how far it went."""

    median: float
    lowest: float
    highest: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        """Of at least one value."""
        return cls(statistics.median(values), min(values), max(values))


@dataclass(frozen=True)
class Results:
    """
    What the trials gave.

    Args:
        samples: A trial's rounds, by its name; only whole rounds.
    """

    samples: Mapping[str, Sequence[Sample]] = field(default_factory=dict)

    def lines(self, lines: Sequence[Line] = LINES) -> Iterator[tuple[Line, Spread]]:
        """Each line that was measured, with the spread of its value over the rounds."""
        for line in lines:
            if samples := self.samples.get(line.trial):
                yield line, Spread.of([line.value(sample) for sample in samples])

    def figures(self, trial: str) -> dict[str, Spread]:
        """A trial's own figures."""
        samples = self.samples[trial]
        return {name: Spread.of([each[name] for each in samples]) for name in samples[0]}

    def missed(self, lines: Sequence[Line] = LINES) -> list[str]:
        """The lines that are not what is wanted."""
        return [line.id for line, spread in self.lines(lines) if line.met(spread.median) is False]
