"""The vendor: whether it is reached, whether it lets us in, and what its clock says."""

from collections.abc import Iterator, Mapping

from destination.cli.check.finding import Finding, failed, ok, warning
from destination.cli.check.watch import Seen
from destination.cli.text import shown
from destination.errors import NOT_SENT, Code, DestinationError, reason
from destination.instance import Instance
from destination.vendor.auth import within
from destination.vendor.grants import ServiceAccount
from destination.vendor.oauth import TokenAuth
from destination.vendor.signing import StandardWebhooks

NOTICED, TOLERATED = 30.0, 300.0
"""Seconds by which a clock may be wrong: before it is told, and before signatures are refused."""

ADVICE: Mapping[Code, str] = {
    Code.AUTH_FAILED: "mend the credentials in the settings, or what they may do at the vendor",
    Code.CONNECT_FAILED: "check the address, and whether a firewall stands between",
    Code.TLS_ERROR: "the vendor must mend it, or its authority belongs into this system's store",
    Code.REDIRECT_REFUSED: "configure the address that it leads to",
    Code.RATE_LIMITED: "wait, and check again",
    Code.OUTCOME_UNKNOWN: "check again, and look at the vendor's own status page",
}
"""What to do, where the reason does not say it."""


async def vendor(instance: Instance, seen: Seen) -> list[Finding]:
    """Ask the vendor what the kind asks it; reads only."""
    try:
        checked = await instance.check()
    except DestinationError as error:
        if not seen.answered:
            return [failed("reachability", _told(error, seen.words))]
        return [*_reached(seen), failed("credentials", _told(error))]
    says = checked.says or "the vendor accepts them"
    warnings = [*checked.warnings, *_withheld(instance)]
    return [
        *_reached(seen),
        ok("credentials", shown(says)),
        *(warning("credentials", shown(each)) for each in warnings),
    ]


def clock(instance: Instance, seen: Seen) -> Iterator[Finding]:
    """This machine's clock beside the vendor's, which may refuse what seems old."""
    known = [(each.ahead, each.host) for each in seen.answers if each.ahead is not None]
    if not known:
        return
    ahead, host = min(known, key=lambda each: abs(each[0]))
    if abs(ahead) <= NOTICED:
        yield ok("clock", f"agrees with that of {host}")
        return
    wrong = f"{abs(ahead):.0f} s {'ahead of' if ahead > 0 else 'behind'} that of {host}"
    mend = "set it, such as by NTP"
    timed = (StandardWebhooks, ServiceAccount)
    if abs(ahead) > TOLERATED and any(isinstance(each, timed) for each in within(instance.auth)):
        counts = f"what is signed here counts for {TOLERATED:.0f} s"
        yield failed("clock", f"is {wrong}, and {counts}: {mend}")
    else:
        yield warning("clock", f"is {wrong}: {mend}")


def _reached(seen: Seen) -> Iterator[Finding]:
    hosts = {each.host: each.seconds for each in reversed(seen.answers)}
    if hosts:
        told = (f"{host} in {seconds * 1000:.0f} ms" for host, seconds in hosts.items())
        yield ok("reachability", f"answers from {', '.join(told)}")


def _withheld(instance: Instance) -> Iterator[str]:
    """What a token endpoint did not grant of the scope that was asked for."""
    for part in within(instance.auth):
        if isinstance(part, TokenAuth) and (words := part.withheld):
            yield (
                f"the token endpoint did not grant {', '.join(words)}: correct scope, or let the "
                "vendor allow it to this client"
            )


def _told(error: DestinationError, words: str = "") -> str:
    """The reason without what is only true of rows, and what to do."""
    message = error.message.removeprefix(NOT_SENT).removesuffix("; may have been delivered")
    if words:
        first = words[0].lower() if words[1:2].islower() else words[0]
        message += f" ({first}{words[1:].rstrip('.')})"
    advice = ADVICE.get(error.code, "")
    return reason(error.code, message) + (f"; {advice}" if advice else "")
