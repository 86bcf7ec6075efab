"""A command, run as a person runs it: a process, its output and its exit code."""

import asyncio
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def command(
    folder: Path, *arguments: str, given: str = "", **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run it in the folder, its standard streams being pipes."""
    return python(folder, "destination", *arguments, given=given, **environment)


def python(
    folder: Path, *arguments: str, given: str = "", **environment: str
) -> subprocess.CompletedProcess[str]:
    """The same for any module that is a program, such as pytest."""
    return subprocess.run(
        [sys.executable, "-m", *arguments],
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
