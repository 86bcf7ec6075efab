"""The table of all cases: those that can be judged from outside, and those that cannot."""

from destination.cli.conform import (
    access,
    again,
    batches,
    behavior,
    bodies,
    envelope,
    lists,
    options,
    rejections,
    rows,
    transport,
    validation,
)
from destination.cli.conform.case import GROUPS, Case, Outside

_MODULES = (
    transport,
    bodies,
    access,
    envelope,
    batches,
    lists,
    options,
    validation,
    behavior,
    rows,
    rejections,
    again,
)

_DOWNSTREAM = "What the vendor behind the server does is not in the runner's hands."
_LOG = "It is to be seen in the server's log only."
_TARGET = "It is to be seen at the vendor only."

OUTSIDE = (
    Outside(
        "T22",
        "A secret in the URL's query is refused unless that is switched on, and never logged.",
        "Trying it would write your secret into logs.",
    ),
    Outside(
        "T26",
        "On SIGTERM open calls are answered, and no new ones are taken.",
        "The runner cannot send the server a signal.",
    ),
    Outside(
        "T27",
        "Under too much load calls are refused with 503 and Retry-After, before any row is sent.",
        "It would take an overload, which the server's other callers would suffer from.",
    ),
    Outside(
        "C18",
        "list_fields called again shows what changed at the vendor.",
        _DOWNSTREAM,
    ),
    Outside(
        "C19",
        "When the vendor fails, the form gets an error that can be read, within five seconds.",
        _DOWNSTREAM,
    ),
    Outside("C26", "validate writes nothing.", _TARGET),
    Outside("S18", "Two rows with one id in a batch are written in their order.", _TARGET),
    Outside(
        "S30",
        "When the vendor is away every row is rejected, within the deadline.",
        _DOWNSTREAM,
    ),
    Outside(
        "S31",
        "When the vendor says 429 the server waits, within the deadline, and then rejects.",
        _DOWNSTREAM,
    ),
    Outside(
        "S32",
        "At the deadline what was written stands, and the rest is rejected as not sent.",
        _DOWNSTREAM,
    ),
    Outside(
        "S33",
        "Of a batch that the vendor refuses whole only the culprit is rejected.",
        _DOWNSTREAM,
    ),
    Outside(
        "S36",
        "While 10,000 rows are worked on, other calls are answered.",
        "It would write ten thousand rows.",
    ),
    Outside("S40", "In the log, accepted and rejected rows add up to those sent.", _LOG),
)


def _place(case: Case | Outside) -> tuple[int, int]:
    return list(GROUPS).index(case.id[0]), int(case.id[1:])


TABLE: tuple[Case | Outside, ...] = tuple(
    sorted((*OUTSIDE, *(case for module in _MODULES for case in module.CASES)), key=_place)
)
"""Every case, by group and number, which is the order in which they are run."""
