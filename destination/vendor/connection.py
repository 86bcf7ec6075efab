"""Where a vendor is and how to be let in."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import httpx

from destination.vendor.answers import MAX_ANSWER


@dataclass(frozen=True, slots=True)
class Connection:
    """
    Where a vendor is and how to be let in.

    Args:
        base_url: Requests name paths below it; an absolute URL in a request stands alone.
        max_answer: The most bytes of an answer that are read, after inflating.
    """

    base_url: str = ""
    auth: httpx.Auth | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    max_answer: int = MAX_ANSWER
