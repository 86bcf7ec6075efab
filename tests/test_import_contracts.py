"""The import contracts hold, and each would notice."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, env={"PYTHONPATH": "."}
    )


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of both packages that may be spoilt."""
    for package in ("destination", "destinations"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / package, tmp_path / package, ignore=ignored)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def test_the_contracts_hold() -> None:
    """Every import contract is kept as the code stands."""
    done = lint(ROOT)

    assert "0 broken" in done.stdout, done.stdout
    assert done.returncode == 0


@pytest.mark.parametrize(
    ("contract", "module", "line"),
    [
        ("Imports point down", "destination/errors.py", "import destination.run"),
        ("Imports point down", "destination/vendor/client.py", "import destination.plugin"),
        ("Imports point down", "destination/instance.py", "import destination.protocols.rpc"),
        (
            "The server never imports a destination",
            "destination/app.py",
            "import destinations.webhook",
        ),
        (
            "A destination imports only the root",
            "destinations/webhook.py",
            "import destination.run",
        ),
        ("A destination imports only the root", "destinations/webhook.py", "import aiohttp"),
        (
            "Destinations do not know each other",
            "destinations/other.py",
            "import destinations.webhook",
        ),
        (
            "Stand-ins do not know each other",
            "destinations/sandbox/other.py",
            "import destinations.sandbox.webhook",
        ),
        (
            "A stand-in imports nothing of ours",
            "destinations/sandbox/webhook/__init__.py",
            "import destination",
        ),
        ("jsonrpcserver is imported in one module", "destination/web.py", "import jsonrpcserver"),
        ("aiohttp is imported where sockets are", "destination/run.py", "import aiohttp"),
        ("The domain does no input or output", "destination/mapping.py", "import asyncio"),
        (
            "Nothing of the server imports its testing tools",
            "destination/app.py",
            "import destination.testing",
        ),
    ],
)
def test_a_broken_contract_is_noticed(copy: Path, contract: str, module: str, line: str) -> None:
    """An import that a contract forbids makes the check fail and name that contract."""
    path = copy / module
    path.write_text((path.read_text("utf-8") if path.exists() else "") + f"\n{line}\n", "utf-8")

    done = lint(copy)

    broken = [each for each in done.stdout.splitlines() if " BROKEN" in each]
    assert any(contract in each for each in broken), done.stdout + done.stderr
    assert done.returncode == 1
