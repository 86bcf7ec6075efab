"""Whoever does what ``docs/writing.md`` says has a destination that works."""

import runpy
from pathlib import Path

import pytest
from commands import command, command_beside, python
from scene import server_process
from support import SECRET
from tutorial import applied, blocks

from destination.listen import listening

PEOPLE = "id,mail,first\n1,ann@example.org,Ann\n2,bea@example.org,Bea\n"
SYNC = """{
  "mode": "upsert",
  "list": "7",
  "identifierMapping": [{"from": "mail", "to": "email"}],
  "mappings": [{"from": "first", "to": "name"}]
}"""


@pytest.fixture
def written(tmp_path: Path) -> Path:
    """A folder in which the tutorial was followed to its end."""
    assert command(tmp_path, "new", "acme").returncode == 0
    _, *parts = blocks()
    for part, name in zip(parts, ("acme", "acme", "test_acme", "test_acme"), strict=True):
        file = tmp_path / f"{name}.py"
        file.write_text(applied(file.read_text("utf-8"), part), "utf-8")
    return tmp_path


def test_the_page_shows_what_the_command_writes(tmp_path: Path) -> None:
    """Its first block is the whole file."""
    assert command(tmp_path, "new", "acme").returncode == 0

    assert (tmp_path / "acme.py").read_text("utf-8") == blocks()[0]


def test_the_tutorial_has_forty_lines() -> None:
    """About that many are typed; blank ones and docstrings are not counted."""
    lines = [
        line
        for block in blocks()[1:]
        for line in block.splitlines()
        if line.strip() and not line.strip().startswith('"""')
    ]

    assert 35 <= len(lines) <= 50


def test_its_tests_pass_and_it_is_typed(written: Path) -> None:
    """The contract holds with the reader's lines, and so does the test that they add."""
    tested = python(written, "pytest", "-p", "no:cacheprovider")
    typed = python(written, "mypy", "--strict", "--cache-dir=/dev/null", "acme.py", "test_acme.py")

    assert "13 passed" in tested.stdout, tested.stdout
    assert typed.returncode == 0, typed.stdout


async def test_rows_arrive_by_sockets(written: Path) -> None:
    """A sync through ``serve`` brings rows to the list that was chosen; another list is refused."""
    (written / "people.csv").write_text(PEOPLE)
    (written / "sync.json").write_text(SYNC)
    (written / "gone.json").write_text(SYNC.replace('"7"', '"8"'))
    stand_in = runpy.run_path(str(written / "test_acme.py"))["StandIn"]()

    async with (
        listening(stand_in.app(), "127.0.0.1", 0, grace=1) as url,
        server_process(written, DESTINATIONS__ACME__BASE_URL=url) as process,
    ):
        to = ("sync", f"{process.url}/hightouch/acme", "--rows", "people.csv", "--id", "id")
        gone, done = [
            await command_beside(written, *to, "--sync-config", chosen, DESTINATION_TOKEN=SECRET)
            for chosen in ("gone.json", "sync.json")
        ]

    assert gone.returncode == 1
    assert 'Option "List" has a value that is not in its list.' in gone.stdout + gone.stderr
    assert done.returncode == 0, done.stdout
    assert [each["name"] for each in stand_in.people.values()] == ["Ann", "Bea"]
