"""What the fault tests share: a vendor's process for each module, and the stage."""

import socket
import ssl
import threading
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from typing import Any

import aiohttp
import certificates
import pytest
import trustme
from scene import Scene, webhook
from support import Serve

from destination.testing.proxy import proxy
from destination.testing.script import Script
from destination.testing.vendor import Vendor
from destination.vendor import breaker, resolver, transport

Stage = Callable[..., Awaitable[Scene]]


@pytest.fixture(scope="module")
def vendor_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Vendor]:
    """One process for all tests of a module: starting it takes most of a second."""
    vendor = Vendor(tmp_path_factory.mktemp("vendor") / "log")
    vendor.start()
    yield vendor
    vendor.stop()


@pytest.fixture
def vendor(vendor_process: Vendor) -> Vendor:
    """The vendor, well and with an empty log."""
    vendor_process.script(Script())
    vendor_process.log.write_bytes(b"")
    return vendor_process


@pytest.fixture
def short_rest(monkeypatch: pytest.MonkeyPatch) -> float:
    """The circuit's rest, short enough to be waited for: its length has tests of its own."""
    monkeypatch.setattr(breaker, "REST", 0.3)
    return 0.3


@pytest.fixture
async def stage(serve: Serve, vendor: Vendor) -> AsyncIterator[Stage]:
    """
    Set a scene: our server with a webhook that sends through a fault proxy to the vendor.

    ``host`` stands in the webhook's URL, ``tls`` is what the vendor shows, and ``window`` is the
    proxy's.
    """
    async with AsyncExitStack() as stack:

        async def set_up(
            *,
            deadline: float = 5.0,
            host: str = "127.0.0.1",
            tls: ssl.SSLContext | None = None,
            window: int | None = None,
            **settings: Any,
        ) -> Scene:
            server = settings.pop("server", {}) | {"deadline": deadline}
            more = settings.pop("destinations", {})
            inside = await stack.enter_async_context(proxy(vendor.url, tls=tls)) if tls else None
            upstream = inside.url if inside else vendor.url
            between = await stack.enter_async_context(proxy(upstream, window=window))
            scheme = "https" if tls else "http"
            url = f"{scheme}://{host}:{between.port}/rows"
            hooks = {"hook": webhook(url, **settings)} | more
            served = await serve(hooks, server=server)
            http = await stack.enter_async_context(aiohttp.ClientSession())
            remembers = settings.get("remember", 0 if settings.get("idempotent") else 24) > 0
            judged: dict[str, Any] = {"memory": remembers}
            return Scene(
                http, served.url, "/hightouch/hook", vendor, between, deadline, judged,
                served=served, inside=inside,
            )  # fmt: skip

        yield set_up


class Names:
    """
    The system's lookup, replaced.

    Attributes:
        found: For a name its addresses, an error, or an event until which the lookup hangs.
        asked: How often each name was looked up.
    """

    def __init__(self) -> None:
        self.found: dict[str, list[str] | Exception | threading.Event] = {}
        self.asked: Counter[str] = Counter()

    def __call__(self, host: str, port: int, family: int) -> list[Any]:
        self.asked[host] += 1
        answer = self.found[host]
        if isinstance(answer, threading.Event):
            answer.wait(30)
            raise socket.gaierror(socket.EAI_AGAIN, "no answer")
        if isinstance(answer, Exception):
            raise answer
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, port)) for each in answer]


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Names:
    """What names stand for, as the test says."""
    made = Names()
    monkeypatch.setattr(resolver, "lookup", made)
    return made


@pytest.fixture
def ours(monkeypatch: pytest.MonkeyPatch) -> trustme.CA:
    """An authority for certificates that is believed in the place of the system's."""
    authority = trustme.CA()
    monkeypatch.setattr(transport, "trusted", certificates.believing(authority))
    return authority
