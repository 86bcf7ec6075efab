"""
The trials: settings in which contestants are compared, and who takes part in each.

A trial is a block in which all of its contestants are ready to have their turns.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from bench import contestants, turns
from bench.processes import module, started
from bench.rows import rows
from bench.turns import LARGE, SMALL, Turn

Turns = Mapping[str, Turn]


@dataclass(frozen=True)
class Trial:
    """
    One setting.

    Args:
        title: What a reader of the page is told of it.
        ready: From a folder of its own to a block with the contestants' turns.
        warm_up: Rounds beforehand that do not count.
    """

    title: str
    ready: Callable[[Path], AbstractContextManager[Turns]]
    warm_up: int = 1


SLOW, SLOW_ROWS, SLOW_ROWS_OF_PEER = 50, 1000, 100
"""Milliseconds that the slow vendor takes; rows of a call, and of one to the sequential peer."""

FAST_ROWS = 2000


@contextmanager
def slow_vendor(folder: Path) -> Iterator[Turns]:
    """Rows posted one by one to a vendor that takes its time."""
    with contestants.vendor(folder, SLOW) as vendor:
        destinations = contestants.webhook("remembering", vendor.url)
        destinations += contestants.webhook("forgetting", vendor.url, "remember = 0")
        with (
            contestants.ours(folder, destinations) as server,
            contestants.peer(folder, "sequential", vendor.url) as peer,
        ):
            ours = partial(turns.posts, server, vendor, SLOW_ROWS)
            yield {
                "ours": partial(ours, "/hightouch/remembering"),
                "ours without memory": partial(ours, "/hightouch/forgetting"),
                "sequential peer": partial(turns.posts, peer, vendor, SLOW_ROWS_OF_PEER),
            }


@contextmanager
def fast_vendor(folder: Path) -> Iterator[Turns]:
    """Rows posted one by one to a vendor that answers at once."""
    with contestants.vendor(folder, 0) as vendor:
        target = f"{vendor.url}/rows"
        with (
            contestants.ours(folder, contestants.webhook("crm", vendor.url)) as server,
            contestants.peer(folder, "concurrent", vendor.url) as peer,
            started("httpx", module("loops", "httpx", target), folder) as httpx,
            started("aiohttp", module("loops", "aiohttp", target), folder) as aiohttp,
            started("sockets", module("loops", "sockets", target), folder) as sockets,
        ):
            yield {
                "ours": partial(turns.posts, server, vendor, FAST_ROWS),
                "concurrent peer": partial(turns.posts, peer, vendor, FAST_ROWS),
                "bare httpx": partial(turns.loop, httpx, FAST_ROWS),
                "bare aiohttp": partial(turns.loop, aiohttp, FAST_ROWS),
                "bare sockets": partial(turns.loop, sockets, FAST_ROWS),
            }


CALLS, WIDE_CALLS, CALL_ROWS, WIDE = 5, 2, 10_000, 50
"""How many calls are made one after another, the rows of each, and the columns of wide ones."""

ODD = 100
"""One row of so many is odd, where some are."""

ACCEPTING = '[destinations.{name}]\nkind = "accepting"\n{settings}\n'


@contextmanager
def narrow_calls(folder: Path) -> Iterator[Turns]:
    """Calls whose rows have ten columns, to destinations that accept everything."""
    destinations = ACCEPTING.format(name="forgetting", settings="")
    destinations += ACCEPTING.format(name="remembering", settings="remember = 24")
    with (
        contestants.ours(folder, destinations) as server,
        contestants.peer(folder, "accepting") as peer,
        contestants.bare(folder) as bare,
        started("parts", module("parts"), folder) as parts,
    ):
        remembering = partial(turns.calls, server, 1, CALL_ROWS, path="/hightouch/remembering")
        ours = partial(turns.calls, server, CALLS, CALL_ROWS, path="/hightouch/forgetting")
        yield {
            "ours": ours,
            "jayson": partial(turns.calls, peer, CALLS, CALL_ROWS),
            "bare server": partial(turns.calls, bare, CALLS, CALL_ROWS),
            "ours with odd rows": partial(ours, odd=ODD),
            "ours with memory": remembering,
            "within ours": partial(turns.parts, parts, CALL_ROWS),
        }


@contextmanager
def wide_calls(folder: Path) -> Iterator[Turns]:
    """Calls whose rows have fifty columns, to destinations that accept everything."""
    destinations = ACCEPTING.format(name="accepting", settings="")
    with (
        contestants.ours(folder, destinations) as server,
        contestants.peer(folder, "accepting") as peer,
        contestants.bare(folder) as bare,
        started("parts", module("parts"), folder) as parts,
    ):
        yield {
            "ours": partial(turns.calls, server, WIDE_CALLS, CALL_ROWS, WIDE),
            "bare server": partial(turns.calls, bare, WIDE_CALLS, CALL_ROWS, WIDE),
            "jayson": partial(turns.calls, peer, WIDE_CALLS, CALL_ROWS, WIDE),
            "within ours": partial(turns.parts, parts, CALL_ROWS, WIDE),
        }


TEMPLATES = {
    "a name": "New deal: {{ first_name }}",
    "a message": (
        "*{{ first_name }} {{ last_name }}* from {{ city }} is on the {{ plan | upcase }} plan: "
        "{{ visits }} visits, {{ lifetime_value | round: 1 }} spent <mailto:{{ email }}|write>"
    ),
    "choices": (
        "{% if active %}:tada:{% else %}:zzz:{% endif %} {{ first_name | default: 'Somebody' }}"
        "{% if visits > 100 %} has come {{ visits }} times{% elsif visits > 0 %} has come"
        "{% else %} has never come{% endif %}, since {{ signed_up | date: '%e %B %Y' }}"
    ),
}
TEMPLATE_ROWS, TEMPLATE_WORK = 1000, 1500
"""Rows of a template, and the characters of it rendered for each: a short one is rendered often."""


@contextmanager
def templates(folder: Path) -> Iterator[Turns]:
    """Slack's messages, rendered for each row."""
    node = ["node", str(contestants.PEERS / "renderer.js")]
    with (
        started("our renderer", module("renderer"), folder) as ours,
        started("liquidjs", node, folder) as liquidjs,
    ):
        people, ready = rows(TEMPLATE_ROWS), dict[str, Turn]()
        for template, source in TEMPLATES.items():
            times = TEMPLATE_WORK // len(source)
            question = {"template": source, "rows": people, "times": times}
            if ours.ask(question)["characters"] != liquidjs.ask(question)["characters"]:
                raise liquidjs.broken(f"renders {template} otherwise than our server")
            ready[f"ours, {template}"] = partial(turns.texts, ours, question)
            ready[f"liquidjs, {template}"] = partial(turns.texts, liquidjs, question)
        yield ready


@contextmanager
def large_body(folder: Path) -> Iterator[Turns]:
    """One body of 100,000 rows, delivered in arrays, by a server that was just started."""
    with contestants.vendor(folder, 0) as vendor:
        yield {"ours": partial(turns.large, folder, vendor)}


@contextmanager
def start(folder: Path) -> Iterator[Turns]:
    """``destination serve`` with one webhook, started anew each time."""
    yield {"ours": partial(turns.first_answer, folder)}


TRIALS = {
    "slow": Trial(
        f"One request a row to a vendor that answers in {SLOW} ms, a hundred at once; "
        f"calls of {SLOW_ROWS:,} rows, of {SLOW_ROWS_OF_PEER} to the sequential peer",
        slow_vendor,
    ),
    "fast": Trial(
        "One request a row to a vendor that answers at once, a hundred at once; "
        f"calls of {FAST_ROWS:,} rows",
        fast_vendor,
    ),
    "narrow": Trial(
        f"Calls of {CALL_ROWS:,} rows of ten columns, to a destination that accepts everything",
        narrow_calls,
    ),
    "wide": Trial(
        f"Calls of {CALL_ROWS:,} rows of {WIDE} columns, to a destination that accepts everything",
        wide_calls,
    ),
    "templates": Trial("Slack's messages", templates),
    "large": Trial(
        f"A body of {LARGE:,} rows, delivered in arrays of 500, and bodies of {SMALL:,}",
        large_body,
        warm_up=0,
    ),
    "start": Trial("`destination serve` with one webhook", start),
}
