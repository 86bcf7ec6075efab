"""Whether a full call can be delivered before its deadline, at the pace that is declared."""

import math
from collections.abc import Iterable, Iterator

from destination.cli.check.finding import Finding, ok, warning
from destination.cli.text import counted
from destination.model import Limits
from destination.pace import rows_of_call, usable

SUBJECT = "speed"


def speed(every: Iterable[Limits], deadline: float, most: int) -> list[Finding]:
    """
    What there is to say of the limits of each mode.

    Args:
        most: Rows that no call has more of.
    """
    limits = list(every)
    told = dict.fromkeys(each for one in limits for each in problems(one, deadline, most))
    if told:
        return [warning(SUBJECT, each) for each in told]
    rows, seconds = min(_planned(one, deadline, most) for one in limits)
    within = f"about {max(seconds, 1):.0f} s of {deadline:g}"
    return [ok(SUBJECT, f"calls of {counted(rows, 'row')} are delivered in {within}")]


def problems(limits: Limits, deadline: float, most: int) -> Iterator[str]:
    """The sentences, with the numbers and the settings to change."""
    rows, seconds = _planned(limits, deadline, most)
    has = usable(deadline)
    if limits.rate is not None and 1 / limits.rate.per_second > has:
        yield (
            f"rate = {limits.rate.per_second:g} sends a request every "
            f"{1 / limits.rate.per_second:g} s, and a call has {has:g} s for all of its rows: "
            f"raise rate to {math.ceil(100 / has) / 100:g}, or server.deadline"
        )
    elif seconds > has:
        size = counted(rows, "row")
        yield f"a call of {size} needs about {seconds:.0f} s and has {has:g}: " + (
            f"rows of one place, such as a channel, go one after another, about "
            f"{limits.latency:g} s each; lower rate to {max(1, int(1 / limits.latency))}"
            if limits.in_order
            else f"raise server.deadline to {math.ceil(seconds + deadline - has)}"
        )
    yield from _attempts(limits, deadline)


def _attempts(limits: Limits, deadline: float) -> Iterator[str]:
    """The deadline cuts an attempt short; one that cannot even begin is none."""
    timeout, attempts = limits.timeout, limits.attempts
    lower = f"lower timeout to {max(1, int(deadline / attempts))}"
    if timeout > deadline:
        yield f"timeout = {timeout:g} s is longer than a call, which has {deadline:g} s: {lower}"
    elif (attempts - 1) * timeout > deadline:
        begin = math.ceil(deadline / timeout)
        yield (
            f"of attempts = {attempts} with timeout = {timeout:g} s only {begin} begin before the "
            f"deadline of {deadline:g} s: {lower}, or attempts to {begin}"
        )


def _planned(limits: Limits, deadline: float, most: int) -> tuple[int, float]:
    """The rows of a full call, and the seconds that they need where all goes to one place."""
    rows = rows_of_call(limits, deadline, most)
    batches = math.ceil(rows / limits.batch_size)
    at_once = 1 if limits.in_order else limits.concurrency
    seconds = math.ceil(batches / at_once) * limits.latency
    if limits.rate is not None:
        seconds = max(seconds, (batches - limits.rate.burst) / limits.rate.per_second)
    return rows, seconds
