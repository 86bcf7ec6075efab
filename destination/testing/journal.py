"""
What a vendor saw and what a caller was told, as values: the evidence that the oracle judges.

All times are ``time.monotonic()``, which on one machine is one clock for every process.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

RowId = str | int | float


@dataclass(frozen=True, slots=True)
class Arrival:
    """
    One request as the vendor received it: one line of its log.

    Args:
        at: When it had been read whole.
        connection: Counts connections from 1, in the order in which they were accepted.
        ids: The ids of the rows that it carried.
        contents: For each row, a digest of all that was sent about it.
        taken: The vendor applied it. A later failure to answer does not undo that.
        answer: What the script made of it, such as ``200``, ``429`` or ``reset``.
        key: The request's ``Idempotency-Key``, if it had one.
        wait: Seconds for which the answer asked the sender to pause, if it did.
    """

    at: float
    connection: int
    method: str
    path: str
    ids: tuple[RowId, ...]
    contents: tuple[str, ...]
    taken: bool
    answer: str
    key: str | None = None
    wait: float | None = None


@dataclass(frozen=True, slots=True)
class Exchange:
    """
    One call of the caller's, and what came back.

    Args:
        method: ``add``, ``change`` or ``remove``.
        rows: As they were sent.
        sent: When the request began to be sent.
        answered: When the first byte of the answer came; None when none did.
        status: The HTTP status, 0 when there was no answer.
        answer: The response object; None for none, or for one that is not JSON.
        deadline: Seconds within which the server promised to answer.
    """

    method: str
    rows: Sequence[Mapping[str, Any]]
    id_column: str
    sent: float
    answered: float | None
    status: int
    answer: Mapping[str, Any] | None
    deadline: float
    text: str = field(default="", repr=False)


_line = msgspec.json.Decoder(Arrival)


def arrivals(log: Path) -> Iterator[Arrival]:
    """The lines of a vendor's log, in order; the last may be missing its end after a kill."""
    if not log.exists():
        return
    with log.open("rb") as lines:
        for line in lines:
            if line.endswith(b"\n"):
                yield _line.decode(line)
