"""The platforms that a server may run on, as far as their own documentation says it."""

import os
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Platform:
    """
    Where the server runs.

    Args:
        answer_within: Seconds after which the router answers in the server's place, where that
            cannot be changed.
        ended_after: Seconds between the signal to stop and the end, where that cannot be changed.
        disks: Whether a disk that outlives the machine can be mounted.
    """

    name: str
    answer_within: float | None = None
    ended_after: float | None = None
    disks: bool = True


_BY_VARIABLE: Mapping[str, Platform] = {
    "DYNO": Platform("Heroku", answer_within=30, ended_after=30, disks=False),
    "RENDER": Platform("Render"),
    "K_SERVICE": Platform("Cloud Run"),
    "FLY_APP_NAME": Platform("Fly.io"),
}
"""The environment variable that only this platform sets → the platform."""


def platform(environment: Mapping[str, str] = os.environ) -> Platform | None:
    """The platform that this process runs on, None where none shows itself."""
    found = (one for variable, one in _BY_VARIABLE.items() if environment.get(variable))
    return next(found, None)
