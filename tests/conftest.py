"""What tests share: a real server on a real socket, and kinds made for tests."""

import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from typing import Any

import aiohttp
import pytest
import structlog
from support import SECRET, Bare, People, Serve, Served, Strict

from destination import registry
from destination.app import build
from destination.listen import listening
from destination.settings import Settings
from destination.state import IN_MEMORY


def pytest_configure() -> None:
    """What is started in the background ignores Ctrl-C, and so would programs that tests start."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Every test says in a docstring what is true."""
    mute = [item.nodeid for item in items if not getattr(getattr(item, "obj", None), "__doc__", "")]
    if mute:
        raise pytest.UsageError(f"tests without a docstring: {', '.join(mute[:5])}")


@pytest.fixture(autouse=True)
def logs_of_its_own() -> Iterator[None]:
    """A command that a test ran in this process has set a level, which is not the next test's."""
    yield
    structlog.reset_defaults()


@pytest.fixture
def kinds_for_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the kinds above loadable by name, as an installed package's entry points are."""

    class Point:
        def __init__(self, cls: type) -> None:
            self.name, self.load = cls.kind, lambda: cls

    monkeypatch.setattr(
        registry, "_entry_points", lambda: [Point(c) for c in (People, Bare, Strict)]
    )


@pytest.fixture
async def serve(kinds_for_tests: None) -> AsyncIterator[Serve]:
    """Start a server with the given destinations (by default ``people``) and settings."""
    async with AsyncExitStack() as stack:

        async def start(destinations: dict[str, Any] | None = None, **settings: Any) -> Served:
            settings.setdefault("destination_token", SECRET)
            settings.setdefault("state_url", IN_MEMORY)
            chosen = destinations or {"people": {"kind": "people"}}
            app = build(Settings(destinations=chosen, **settings))
            url = await stack.enter_async_context(listening(app, "127.0.0.1", 0, grace=2))
            # Bodies are compared byte for byte, and errors keep their text.
            http = await stack.enter_async_context(aiohttp.ClientSession())
            return Served(url, app, http)

        yield start


@pytest.fixture
async def served(serve: Serve) -> Served:
    """A server with the destination ``people``."""
    return await serve()
