"""``docs/conform.md`` shows what the command says of three servers."""

import asyncio
import json
import re
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from javascript import NODE
from support import SECRET, Serve, Served

from destination.cli.conform.case import Case
from destination.cli.conform.table import TABLE
from destination.listen import listening
from destinations.sandbox.webhook import StandIn

ROOT = Path(__file__).parents[2]
PEERS = ROOT / "examples" / "peers"
PAGE = (ROOT / "docs" / "conform.md").read_text("utf-8")

WORDS = {"passed": "ok", "failed": "**FAIL**", "warned": "warn", "skipped": "–"}

JAYSON = PEERS / "jayson"
needs_jayson = pytest.mark.skipif(
    NODE is None or not (JAYSON / "node_modules" / "jayson").is_dir(),
    reason="node or jayson is not installed: npm install in examples/peers/jayson",
)


@asynccontextmanager
async def webhook(serve: Serve, **settings: Any) -> AsyncIterator[Served]:
    """What ``serve --sandbox`` has under ``/hightouch/webhook``."""
    stand_in = StandIn()
    async with listening(stand_in.app(), "127.0.0.1", 0, grace=1) as url:
        yield await serve({"webhook": stand_in.settings(url)}, **settings)


@asynccontextmanager
async def peer(*command: str) -> AsyncIterator[str]:
    """A peer in a process of its own, at its URL."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {"PATH": "/usr/bin:/bin", "PORT": str(port)}
    process = await asyncio.create_subprocess_exec(
        *command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        async with asyncio.timeout(20):
            while True:
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", port)
                except OSError:
                    await asyncio.sleep(0.05)
                else:
                    writer.close()
                    break
        yield f"http://127.0.0.1:{port}/"
    finally:
        process.terminate()
        await process.wait()


async def conform(url: str, *options: str, **environment: str) -> str:
    """What the command prints, with the sample that the page names."""
    sample = ("--sync-config", "examples/peers/sync.json", "--rows", "examples/peers/people.csv")
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "destination", "conform", url, *sample, *options],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT)} | environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    return done.stdout


async def outcomes(url: str) -> dict[str, str]:
    """The table's word for each case that can be judged."""
    report = json.loads(await conform(url, "--json", "--timeout", "3", DESTINATION_TOKEN=SECRET))
    cases = report["cases"]
    return {each["id"]: WORDS[each["outcome"]] for each in cases if each["outcome"] in WORDS}


def column(name: str) -> dict[str, str]:
    """What the page's table says of a server; cases that hold everywhere are not in it."""
    [table] = re.findall(r"\| case \|.*?(?:\n\n|\Z)", PAGE, re.DOTALL)
    header, _, *lines = table.strip().splitlines()
    place = header.split(" | ").index(name)
    return {line.split(" | ")[0].strip("| "): line.split(" | ")[place] for line in lines}


def agrees(found: Mapping[str, str], name: str) -> None:
    """The page's column is what was found, and its sums are too."""
    shown = column(name)
    assert {id: found[id] for id in shown} == shown
    assert {word for id, word in found.items() if id not in shown} <= {"ok", "–"}
    [sums] = re.findall(r"\n\| cases that \| destination.*?\n\n", PAGE, re.DOTALL)
    header, _, *lines = sums.strip().splitlines()
    place = [each.strip("| ") for each in header.split(" | ")].index(name)
    for line, word in zip(lines, WORDS.values(), strict=True):
        assert int(line.split(" | ")[place].strip("| ")) == list(found.values()).count(word)


async def test_our_column_is_what_is_found(serve: Serve) -> None:
    """Our server's column in the comparison is what the cases say of it."""
    async with webhook(serve) as served:
        agrees(await outcomes(f"{served.url}/hightouch/webhook"), "destination")


async def test_the_jsonrpcserver_peer_s_column_is_what_is_found() -> None:
    """The plain jsonrpcserver's column is what the cases say of it."""
    async with peer(sys.executable, str(PEERS / "jsonrpcserver" / "server.py")) as url:
        agrees(await outcomes(url), "jsonrpcserver")


@needs_jayson
async def test_the_jayson_peer_s_column_is_what_is_found() -> None:
    """The column of the server in the examples' shape is what the cases say of it."""
    assert NODE is not None
    async with peer(NODE, str(JAYSON / "server.js")) as url:
        agrees(await outcomes(url), "jayson")


async def test_the_comparison_prints_the_table() -> None:
    """``compare.py`` prints the page's kind of table for any servers."""
    async with peer(sys.executable, str(PEERS / "jsonrpcserver" / "server.py")) as url:
        done = await asyncio.to_thread(
            subprocess.run,
            [sys.executable, str(PEERS / "compare.py"), f"a={url}", f"b={url}", "--only", "T10"],
            env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=120,
        )

    assert done.returncode == 0, done.stderr
    [line] = [line for line in done.stdout.splitlines() if line.startswith("| T10 |")]
    case = next(case for case in TABLE if case.id == "T10")
    assert line == f"| T10 | {case.title} | must | **FAIL** | **FAIL** | {case.why} |"


def test_the_page_counts_the_cases() -> None:
    """The page's numbers of cases are the table's."""
    judged = sum(isinstance(case, Case) for case in TABLE)

    assert f"There are {len(TABLE)} cases. {judged} of them can be judged" in PAGE
    assert f"runs {judged} cases against any" in (ROOT / "README.md").read_text("utf-8")
