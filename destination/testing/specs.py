"""
The tests of a spec file, for pytest.

A test module names the files, and pytest shows each of their tests by its sentence::

    from destination.testing.specs import spec_tests

    test_acme = spec_tests("acme.toml")
"""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from destination.spec.declarations import Trial
from destination.spec.kinds import SpecDestination, load
from destination.spec.trials import differences


def spec_tests(*paths: str | Path) -> Callable[..., None]:
    """A test function for all tests of these files; a file without tests fails as one."""
    cases = [
        pytest.param(kind, test, id=f"{kind.kind}: {test.name if test else 'has tests'}")
        for kind in (load(Path(path)) for path in paths)
        for test in (kind.document.tests or (None,))
    ]

    @pytest.mark.parametrize(("kind", "test"), cases)
    def run(kind: type[SpecDestination], test: Trial | None) -> None:
        """What goes out for these records, and which are rejected, is what the file says."""
        assert test is not None, "the file has no tests"  # noqa: S101
        assert _run(differences(kind, test)) == []  # noqa: S101

    return run


def _run(coroutine: Any) -> Any:
    """In a loop of its own, beside whatever loop pytest has."""
    with asyncio.Runner() as runner:
        return runner.run(coroutine)
