"""
Runs the conformance cases against several servers and prints a table in Markdown.

    python examples/peers/compare.py destination=http://127.0.0.1:8000/hightouch/webhook \
        jayson=http://127.0.0.1:8101/ jsonrpcserver=http://127.0.0.1:8102/

DESTINATION_TOKEN is sent as the secret when it is set. What begins with a hyphen goes on to
`destination conform`, such as --only T,E5.
"""

import json
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from itertools import dropwhile
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
WORDS = {"passed": "ok", "failed": "**FAIL**", "warned": "warn", "skipped": "–"}
SUMS = {
    "passed": "hold",
    "failed": "must hold, and do not",
    "warned": "should hold, and do not",
    "skipped": "have nothing to judge",
}


def report(url: str, options: Iterable[str]) -> dict[str, Any]:
    """What `destination conform --json` says of a server."""
    command = [sys.executable, "-m", "destination", "conform", url, "--json", *options]
    sample = ["--sync-config", HERE / "sync.json", "--rows", HERE / "people.csv"]
    done = subprocess.run([*command, *sample], stdout=subprocess.PIPE)  # noqa: S603
    if done.returncode not in (0, 1):
        sys.exit(done.returncode)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def lines(reports: Mapping[str, dict[str, Any]]) -> Iterator[str]:
    """The tables: how many cases hold, and each that does not hold somewhere."""
    names = " | ".join(reports)
    rule = "|---" * len(reports) + "|"
    yield f"| cases that | {names} |"
    yield f"|---{rule}"
    for outcome, words in SUMS.items():
        counts = " | ".join(str(each["summary"][outcome]) for each in reports.values())
        yield f"| {words} | {counts} |"
    yield ""
    yield f"| case | of a server that conforms | level | {names} | why it matters |"
    yield f"|---|---|---{rule}---|"
    for cases in zip(*(each["cases"] for each in reports.values()), strict=True):
        outcomes = [case["outcome"] for case in cases]
        if {"failed", "warned"} & set(outcomes):
            why = next(case["why"] for case in cases if "why" in case)
            cells = " | ".join(WORDS[outcome] for outcome in outcomes)
            first = cases[0]
            yield f"| {first['id']} | {first['title']} | {first['level']} | {cells} | {why} |"


if __name__ == "__main__":
    options = list(dropwhile(lambda argument: argument[:1] != "-", sys.argv[1:]))
    named = sys.argv[1 : len(sys.argv) - len(options)]
    servers = dict(argument.split("=", 1) for argument in named)
    print("\n".join(lines({name: report(url, options) for name, url in servers.items()})))
