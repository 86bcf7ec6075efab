"""
Names to addresses, on threads of the destination's own.

The system's lookup cannot be given up and may hang for half a minute. On the event loop's shared
threads a few of those would hold up every other destination. Here a lookup that takes too long
is left behind, on a thread that does not keep the process alive.
"""

import asyncio
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from aiohttp.abc import AbstractResolver, ResolveResult

PATIENCE = 2.0
"""Seconds for a lookup."""

AT_ONCE = 2
"""Lookups of one destination at once, those left behind included."""

UNKNOWN_FOR = 5.0
"""Seconds for which a name that does not exist is not looked up again."""


class Resolver(AbstractResolver):
    """
    Looks names up for one destination. Raises OSError when that fails or takes too long.

    Args:
        check: Raises OSError for an address that may not be dialled. Then no other address of
            that name is dialled either: its owner means no good.
    """

    def __init__(self, check: Callable[[str], None] | None = None) -> None:
        self._check = check
        self._under_way = 0
        self._unknown: dict[str, float] = {}

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """The addresses of a name."""
        now = asyncio.get_running_loop().time()
        self._unknown = {name: until for name, until in self._unknown.items() if until > now}
        if host in self._unknown:
            raise OSError(None, "the name does not exist")
        if self._under_way >= AT_ONCE:
            raise OSError(None, "earlier lookups hang")
        try:
            found = await asyncio.wait_for(self._thread(host, port, family), PATIENCE)
        except socket.gaierror as error:
            if error.errno == socket.EAI_NONAME:
                self._unknown[host] = now + UNKNOWN_FOR
            raise
        except TimeoutError:
            raise OSError(None, "the lookup took too long") from None
        results = [_result(host, each) for each in found]
        if self._check is not None:
            for each in results:
                self._check(each["host"])
        return results

    async def close(self) -> None:
        """Lookups under way end when they end."""

    def _thread(self, host: str, port: int, family: int) -> "asyncio.Future[list[Any]]":
        loop = asyncio.get_running_loop()
        future: asyncio.Future[list[Any]] = loop.create_future()

        def done(found: list[Any] | None, error: OSError | None) -> None:
            self._under_way -= 1
            if not future.done():
                future.set_result(found or []) if error is None else future.set_exception(error)

        def work() -> None:
            found: list[Any] | None = None
            failed: OSError | None = None
            try:
                found = lookup(host, port, family)
            except (OSError, UnicodeError) as error:
                failed = error if isinstance(error, OSError) else OSError(None, "not a host name")
            with suppress(RuntimeError):  # the loop has ended meanwhile; nobody waits
                loop.call_soon_threadsafe(done, found, failed)

        self._under_way += 1
        threading.Thread(target=work, name="resolver", daemon=True).start()
        return future


def lookup(host: str, port: int, family: int) -> list[Any]:
    """The system's own lookup; it blocks."""
    return socket.getaddrinfo(
        host, port, family=family, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG
    )


def _result(host: str, found: Any) -> ResolveResult:
    family, _, protocol, _, address = found
    return ResolveResult(
        hostname=host,
        host=address[0],
        port=address[1],
        family=family,
        proto=protocol,
        flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
    )
