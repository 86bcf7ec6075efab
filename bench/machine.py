"""On what, and with what, was measured."""

import os
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path

import msgspec

from bench.contestants import PEERS

LIBRARIES = ("destination", "aiohttp", "httpx", "msgspec", "pydantic", "python-liquid")
PACKAGES = ("jayson", "liquidjs")


def machine() -> dict[str, str]:
    """By name, as the page shows it; to be asked before the run, for the load of others."""
    system = f"{platform.system()} {'.'.join(platform.release().split('.')[:2])}"
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1024**3
    return {
        "processors": f"{os.cpu_count()} × {_processor()}",
        "memory": f"{memory:.0f} GiB",
        "system": system,
        "Python": platform.python_version(),
        "Node": _node(),
        **{name: version(name) for name in LIBRARIES},
        **{name: _package(name) for name in PACKAGES},
        "load when the run began": f"{os.getloadavg()[0]:.2f}",
    }


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _node() -> str:
    done = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True)
    return done.stdout.strip().removeprefix("v")


def _package(name: str) -> str:
    found: dict[str, str] = msgspec.json.decode(
        (PEERS / "node_modules" / name / "package.json").read_bytes()
    )
    return found["version"]
