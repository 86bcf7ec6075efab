"""The server's own settings: who may call it, from where, and what the platform allows."""

from collections.abc import Iterator

from destination.cli.check.finding import Finding, failed, ok, warning
from destination.cli.check.platform import Platform
from destination.settings import Settings

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


def access(settings: Settings, where: Platform | None) -> Finding:
    """Who can reach the server; settings that let just anybody in are refused before this."""
    host, port = settings.address
    if where is not None and settings.host in LOOPBACK:
        return failed(
            "access",
            f"HOST = {host} is out of reach for {where.name}'s router: remove HOST, or set it to "
            "0.0.0.0",  # noqa: S104 - a word of advice
        )
    if settings.secrets:
        return ok("access", f"{host}:{port}, with a secret (DESTINATION_TOKEN)")
    return ok("access", f"{host}:{port}, from this machine alone, without a secret")


def deadlines(settings: Settings, where: Platform | None) -> Iterator[Finding]:
    """Whether the server answers, and ends, before the platform does so in its place."""
    if where is None:
        return
    server, found = settings.server, False
    if where.answer_within is not None and server.deadline >= where.answer_within:
        found = True
        yield failed(
            "deadline",
            f"server.deadline = {server.deadline:g} s, but {where.name} answers 503 itself after "
            f"{where.answer_within:g} s, and all rows of the call count as failed: lower it to 25",
        )
    if where.ended_after is not None and server.drain >= where.ended_after:
        found = True
        yield warning(
            "deadline",
            f"server.drain = {server.drain:g} s, but {where.name} ends the process "
            f"{where.ended_after:g} s after the signal to stop: lower it to 25",
        )
    if not found and where.answer_within is not None:
        yield ok(
            "deadline",
            f"{server.deadline:g} s, before {where.name} gives up after {where.answer_within:g} s",
        )
