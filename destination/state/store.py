"""What is kept of a delivery, and what a store of it must do."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Protocol, Self


class Standing(Enum):
    """What is known of a row that is about to be sent."""

    SEND = auto()
    """Nothing stands against it; it is claimed."""
    DELIVERED = auto()
    """The same was delivered already."""
    UNKNOWN = auto()
    """The same may have been delivered already."""
    BUSY = auto()
    """Another process that is alive is sending this row."""


class Outcome(Enum):
    """What became of a claimed row, or is about to."""

    UNDER_WAY = auto()
    """It goes out now: from here on, a claim that is never settled leaves the outcome unknown."""
    DELIVERED = auto()
    UNKNOWN = auto()
    NOT_SENT = auto()
    """It certainly did not arrive: what was known of the row before still holds."""


@dataclass(frozen=True, slots=True)
class Claim:
    """
    A row that is about to be sent.

    Args:
        key: A keyed hash of the destination, the sync and the row's id.
        content: A keyed hash of the operation and the row.
    """

    key: bytes
    content: bytes


class StoreError(Exception):
    """The store cannot be used right now. The text holds nothing of what was stored."""


class Store(Protocol):
    """
    Remembers of each row the latest outcome, and who is sending it now.

    A claim whose owner died without settling it leaves the outcome unknown; one that was made
    with ``hold`` does so only once its row is under way. Every method raises StoreError when
    the store cannot be used.
    """

    async def __aenter__(self) -> Self:
        """Make it ready; raises StoreError."""
        ...

    async def __aexit__(self, *_: object) -> None:
        """Let go of it."""
        ...

    async def secret(self) -> bytes:
        """The random key of all hashes: made at first use, the same ever after."""
        ...

    async def claim(
        self, claims: Sequence[Claim], *, remember: float, hold: bool
    ) -> list[Standing]:
        """
        How each row stands, in one step; those to send are claimed.

        Args:
            remember: Seconds for which an outcome counts that is never settled.
            hold: Of a row whose same content may have been delivered, say so instead of
                claiming it.
        """
        ...

    async def read(self, keys: Sequence[bytes]) -> list[str | None]:
        """The notes under these keys; None where there is none."""
        ...

    async def write(self, notes: Sequence[tuple[bytes, str | None]]) -> None:
        """Keep these notes in place of earlier ones, in one step, for good; None forgets."""
        ...

    async def settle(self, outcomes: Sequence[tuple[Claim, Outcome]], *, remember: float) -> None:
        """Note what became of claimed rows, in one step; it counts for so many seconds."""
        ...
