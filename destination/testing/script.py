"""
What a scripted vendor does with each request, as values that JSON can carry.

A request carries rows. A row that the script names takes the next step of its own list, and the
others of the request share one step: the next of the first one's. A list's last step repeats. ::

    Script(
        default=(Step(503), Step(200)),                  # every row fails once
        rows={
            "7": (Step(400),),                           # and so does every batch that holds it
            "8": (Step(do="reset", taken=True), Step()), # applied, answer lost
            "9": (Step(do="reject"),),                   # 200, but this row stands under "errors"
        },
    )

Of a request's steps the first that is no plain success decides about all of it; a ``reject``
decides about its row only, and only when nothing else does.
"""

import hashlib
import time
from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Annotated, Literal

import msgspec

Positive = Annotated[float, msgspec.Meta(gt=0)]
Seconds = Annotated[float, msgspec.Meta(ge=0)]


class Step(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """
    What happens to one request.

    Args:
        status: Of the answer.
        do: ``hang`` never answers, ``reset`` and ``close`` end the connection instead of an
            answer; ``reject`` answers, with the row under ``errors``.
        taken: The request was applied. By default a 2xx answer was, and nothing else.
        delay: Seconds before all of this; what is taken is taken before them.
        headers: As written, in addition to those of every answer or instead of them; None
            leaves one of those out.
        body: As written; by default a little JSON.
        retry_after: The header, whatever its text.
        retry_date: The header as a date, so many seconds later than ``Date``.
        skew: Seconds by which the clock that dates the answer is ahead.
    """

    status: Annotated[int, msgspec.Meta(ge=200, le=599)] = 200
    do: Literal["answer", "hang", "reset", "close", "reject"] = "answer"
    taken: bool | None = None
    delay: Seconds = 0
    headers: dict[str, str | None] = {}
    body: str | None = None
    retry_after: str | None = None
    retry_date: float | None = None
    skew: float = 0

    @property
    def takes(self) -> bool:
        """Whether the request is applied."""
        good = self.do in ("answer", "reject") and self.status < 300
        return good if self.taken is None else self.taken

    @property
    def wait(self) -> float | None:
        """The seconds that the answer asks to be left alone, where they can be believed."""
        if self.retry_date is not None:
            return self.retry_date if self.retry_date >= 0 else None
        text = self.retry_after or ""
        return float(text) if text.isascii() and text.isdigit() else None

    @property
    def plain(self) -> bool:
        """Whether nothing is wrong with the request as a whole."""
        return self.do in ("answer", "reject") and self.status < 300 and self.takes

    @property
    def name(self) -> str:
        """What the log calls it."""
        return str(self.status) if self.do == "answer" else self.do


Steps = Annotated[tuple[Step, ...], msgspec.Meta(min_length=1)]


class Chance(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A step and how often it is drawn, in proportion to the weights of the others."""

    weight: Positive
    step: Step


class Rate(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """
    A limit: each second allows ``per_second`` more requests, of which ``burst`` can be saved up.

    What comes in excess is answered 429 and not taken, and uses up no step.
    """

    per_second: Annotated[int, msgspec.Meta(ge=1)]
    burst: Annotated[int, msgspec.Meta(ge=0)] = 0
    """How many may come within one second after a pause; no fewer than ``per_second``."""
    retry_after: str = "1"


class Script(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """
    All of a vendor's behaviour.

    Args:
        default: For every row that is not named, each from the first step on.
        rows: For a row by its id; a number's name is its JSON text.
        others: For requests that carry no row, each method and path from the first step on.
        chances: Instead of ``default``: each request's step is drawn, by ``seed``, the first
            unnamed row and how often that one came; so the same requests draw the same.
        rate: A limit before anything else.
    """

    default: Steps = (Step(),)
    rows: dict[str, Steps] = {}
    others: Steps = (Step(),)
    chances: tuple[Chance, ...] = ()
    seed: int = 0
    rate: Rate | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """A step, and the positions of the rows that it rejects by themselves."""

    step: Step
    rejected: frozenset[int] = frozenset()


class Play:
    """A script being played: it counts how often each row came."""

    def __init__(self, script: Script, clock: Callable[[], float] = time.monotonic) -> None:
        self._script = script
        self._seen: Counter[Hashable] = Counter()
        self._window = script.rate and _Window(script.rate, clock)

    def decide(self, rows: Sequence[str], other: str = "") -> Decision:
        """
        The next step for a request.

        Args:
            rows: The names of the rows that it carries.
            other: The name of a request without rows.
        """
        if self._window and not self._window.admits():
            limit = self._window.rate
            return Decision(Step(429, retry_after=limit.retry_after))
        if not rows:
            return Decision(self._next(self._script.others, other, "other"))
        return self._of_rows(rows)

    def _of_rows(self, rows: Sequence[str]) -> Decision:
        first = next((row for row in rows if row not in self._script.rows), "")
        shared = self._shared(first)
        named = {row: self._named(row) for row in dict.fromkeys(rows) if row in self._script.rows}
        for row in set(rows) - named.keys():
            self._seen[row] += 1
        steps = [named.get(row, shared) for row in rows]
        decisive = next((step for step in steps if not step.plain), None)
        if decisive is not None:
            return Decision(decisive)
        rejected = [at for at, step in enumerate(steps) if step.do == "reject"]
        return Decision(steps[rejected[0] if rejected else 0], frozenset(rejected))

    def _shared(self, row: str) -> Step:
        script, attempt = self._script, self._seen[row]
        if not script.chances:
            return script.default[min(attempt, len(script.default) - 1)]
        bounds = list(accumulate(chance.weight for chance in script.chances))
        digest = hashlib.sha256(f"{script.seed}:{attempt}:{row}".encode()).digest()
        drawn = int.from_bytes(digest[:6]) / 2**48 * bounds[-1]
        return next(
            chance.step for chance, end in zip(script.chances, bounds, strict=True) if drawn < end
        )

    def _named(self, row: str) -> Step:
        return self._next(self._script.rows[row], row)

    def _next(self, steps: Sequence[Step], *key: str) -> Step:
        self._seen[key] += 1
        return steps[min(self._seen[key], len(steps)) - 1]


class _Window:
    def __init__(self, rate: Rate, clock: Callable[[], float]) -> None:
        self.rate = rate
        self._clock = clock
        self._began = clock()
        self._seconds = 0
        self._left = self._most = max(rate.burst, rate.per_second)

    def admits(self) -> bool:
        seconds = int(self._clock() - self._began)
        gained = (seconds - self._seconds) * self.rate.per_second
        self._left = min(self._most, self._left + gained)
        self._seconds = seconds
        if not self._left:
            return False
        self._left -= 1
        return True
