"""Who is measured: our server, peers in Node, bare loops; and the vendor that they all call."""

import http.client
import json
import secrets
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from bench.processes import ROOT, Broken, Program, module, started
from bench.rows import FIELDS

PEERS = ROOT / "bench" / "peers"
PATIENCE = 120.0
"""Seconds that a call may take."""

STARTING = 30.0
"""Seconds that our server may take to answer for the first time."""

SHOWN = 300
"""Characters shown of an answer that is not what was expected."""

WEBHOOK = """
[destinations.{name}]
kind = "webhook"
url = "{vendor}/rows"
allow_private_networks = true  # the vendor is on this machine
concurrency = 100
{settings}
fields = [
{fields}
]
"""


def webhook(name: str, vendor: str, settings: str = "") -> str:
    """A table of ``destinations.toml``: a webhook whose receiver declares its fields."""
    fields = "\n".join(
        f'  {{ id = "{field}", type = "{type}", required = true,'
        f" identifier = {'true' if field == 'email' else 'false'} }},"
        for field, type in FIELDS.items()
    )
    return WEBHOOK.format(name=name, vendor=vendor, settings=settings, fields=fields)


@dataclass(frozen=True)
class Vendor:
    """The stand-in of a vendor, in a process of its own."""

    url: str

    def records(self) -> int:
        """How many records it took so far."""
        counts: dict[str, int] = json.loads(_exchange("GET", f"{self.url}/counts")[1])
        return counts["records"]


@contextmanager
def vendor(folder: Path, milliseconds: float) -> Iterator[Vendor]:
    """A vendor that answers after so long, for the block."""
    with started("vendor", module("vendor", str(milliseconds)), folder) as program:
        yield Vendor(program.line())


@dataclass(frozen=True)
class Callee:
    """What takes calls as Hightouch makes them."""

    program: Program
    url: str
    secret: str = ""

    def call(self, body: bytes, path: str = "/") -> float:
        """
        The seconds from the request's first byte to the answer's last.

        Raises:
            Broken: A row was rejected, or the call was.
        """
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {self.secret}"}
        began = time.perf_counter()
        status, answer = _exchange("POST", self.url + path, body, headers)
        seconds = time.perf_counter() - began
        result = json.loads(answer).get("result") if status == 200 else None
        if result != {"rejectedRows": []}:
            raise self.program.broken(f"answered {status}: {answer[:SHOWN].decode()}")
        return seconds


@contextmanager
def ours(
    folder: Path, destinations: str, server: str = "", name: str = "our server"
) -> Iterator[Callee]:
    """
    ``destination serve`` with this configuration, for the block, from its first healthy answer on.

    Memory, checks and secrets are on, as they are by default; what it remembers is in ``folder``.
    """
    (folder / "destinations.toml").write_text(f"[server]\n{server}\n{destinations}")
    secret, port = secrets.token_urlsafe(32), _free_port()
    command = [sys.executable, "-m", "destination", "serve"]
    environment = {
        "DESTINATION_TOKEN": secret,
        "HOST": "127.0.0.1",
        "PORT": str(port),
        "PYTHONPATH": f"{ROOT}:{_accepting(folder)}",
    }
    with started(name, command, folder, **environment) as program:
        url = f"http://127.0.0.1:{port}"
        _await_health(program, url)
        yield Callee(program, url, secret)


def _accepting(folder: Path) -> Path:
    """Where the kind ``accepting`` is installed, as a package of somebody's own would be."""
    site = folder / "site"
    installed = site / "bench-1.0.dist-info"
    installed.mkdir(parents=True, exist_ok=True)
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: bench\nVersion: 1.0\n")
    (installed / "entry_points.txt").write_text(
        "[destination.kinds]\naccepting = bench.accepting:Accepting\n"
    )
    return site


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


def _await_health(program: Program, url: str) -> None:
    until = time.monotonic() + STARTING
    while time.monotonic() < until and program.process.poll() is None:
        try:
            if _exchange("GET", f"{url}/healthz")[0] == 200:
                return
        except ConnectionRefusedError:
            time.sleep(0.002)
    raise program.broken("did not start")


@contextmanager
def peer(folder: Path, way: str, vendor_url: str = "") -> Iterator[Callee]:
    """A server with jayson that treats its rows in this way, for the block."""
    command = ["node", str(PEERS / "server.js"), way, vendor_url]
    with started(f"the {way} peer", command, folder) as program:
        yield Callee(program, f"http://127.0.0.1:{int(program.line())}")


@contextmanager
def bare(folder: Path) -> Iterator[Callee]:
    """A server in Python that does only what cannot be left out, for the block."""
    with started("the bare server", module("bare"), folder) as program:
        yield Callee(program, f"http://127.0.0.1:{int(program.line())}")


def install_peers() -> None:
    """Install what the peers need, once. Raises Broken when that cannot be done."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        raise Broken("Node is needed for the peers: install version 20 or newer, with npm")
    installed, locked = PEERS / "node_modules/.package-lock.json", PEERS / "package-lock.json"
    if installed.exists() and installed.stat().st_mtime >= locked.stat().st_mtime:
        return
    done = subprocess.run(["npm", "ci", "--silent"], cwd=PEERS, capture_output=True, text=True)
    if done.returncode:
        raise Broken(f"npm ci in bench/peers failed: {done.stderr[-SHOWN:].strip()}")


def _exchange(
    method: str, url: str, body: bytes | None = None, headers: Any = None
) -> tuple[int, bytes]:
    """The status and the body of an answer, over a connection of its own."""
    address = urlsplit(url)
    assert address.hostname is not None  # noqa: S101 - every URL here is made above
    connection = http.client.HTTPConnection(address.hostname, address.port, timeout=PATIENCE)
    try:
        connection.request(method, address.path, body, headers or {})
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()
