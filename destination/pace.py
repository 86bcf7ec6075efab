"""How many rows a call may bring, and how long a vendor needs for them."""

from destination.model import Limits

RESERVE = 3.0
"""Seconds of the deadline that ``behavior`` does not plan to use."""


def usable(deadline: float) -> float:
    """Seconds of a call in which rows are delivered, as far as can be planned."""
    return max(deadline - RESERVE, 1.0)


def rows_of_call(limits: Limits, deadline: float, most: int) -> int:
    """
    No more rows than can be delivered well within the deadline; whole batches of them.

    Args:
        most: What no call has more of, however fast they could be delivered.
    """
    seconds = usable(deadline)
    rounds = max(1, int(seconds / limits.latency))
    batches = limits.concurrency * rounds
    if limits.rate is not None:
        batches = min(batches, int(limits.rate.per_second * seconds))
    rows = max(1, min(most, limits.call_size or most, batches * limits.batch_size))
    return max(rows - rows % limits.batch_size, min(rows, limits.batch_size))
