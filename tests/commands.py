"""The commands, run as a person runs them."""

import asyncio
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def command(
    folder: Path, *arguments: str, given: str = "", **environment: str
) -> subprocess.CompletedProcess[str]:
    """What a command did, in a process of its own and with nothing in its environment."""
    return subprocess.run(
        [sys.executable, "-m", "destination", *arguments],
        cwd=folder,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT)} | environment,
        input=given,
        capture_output=True,
        text=True,
        timeout=60,
    )


async def command_beside(
    folder: Path, *arguments: str, **environment: str
) -> subprocess.CompletedProcess[str]:
    """The same while a server of this test's loop keeps answering."""
    return await asyncio.to_thread(command, folder, *arguments, **environment)
