"""The session in ``docs/sync.md`` is what a person at a terminal sees."""

import asyncio
import re
import shlex
import shutil
from pathlib import Path

import pytest
from support import Serve
from terminal import Terminal

from destination.cli.sandbox import stand_ins
from destination.cli.sync import sync_command
from destination.cli.sync.report import Report, document

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "sync.md").read_text("utf-8")
SERVER = "http://127.0.0.1:8000"
PROMPT = "$ destination "

TYPED = [
    ("Choose [1]:", "2"),
    ("Column for email [email]:", ""),
    ("  id [-]:", ""),
    ("  email [-]:", ""),
    ("  first_name [first_name]:", ""),
    ("  born [born]:", ""),
    ("  city [address.city]:", ""),
    ("Enter: do not save):", "sync.json"),
]
"""What is typed in the first of the commands; the others ask nothing."""


def session() -> list[tuple[str, str]]:
    """Each command that the page shows with all that came of it."""
    blocks = re.findall(r"```console\n(.*?)```", PAGE, re.DOTALL)
    shown = [block for block in blocks if block.startswith(f"{PROMPT}sync {SERVER}")]
    return [tuple(block.removeprefix(PROMPT).rstrip().split("\n", 1)) for block in shown]


def masked(text: str) -> str:
    """The text without what differs from run to run: times, rates, and how wide they are."""
    for pattern in (r"[\d,]+ rows/s", r"\d+:\d\d:\d\d", r"[\d.]+ s,"):
        text = re.sub(pattern, "…", text)
    return re.sub(r" +", " ", text)


async def test_the_session_is_reproduced(serve: Serve, tmp_path: Path) -> None:
    """Typed as the page shows it, each command shows on the terminal what the page says."""
    for name in ("monday.csv", "tuesday.csv"):
        shutil.copy(ROOT / "examples" / "sync" / name, tmp_path)
    seen = []

    def person() -> None:
        for number, (line, _) in enumerate(session()):
            arguments = shlex.split(line.replace(SERVER, served.url))
            with Terminal(tmp_path, *arguments, DESTINATION_TOKEN="s" * 40) as terminal:
                terminal.answers(TYPED if number == 0 else ())
                terminal.ends()
                seen.append(terminal.text)

    async with stand_ins() as reached:
        served = await serve({"webhook": reached["webhook"].settings})
        await asyncio.to_thread(person)

    assert len(seen) == 3
    for (_, expected), shown in zip(session(), seen, strict=True):
        assert masked(shown.strip()) == masked(expected)


def test_every_member_of_the_report_is_explained() -> None:
    """``docs/sync.md`` has each member of the document that ``--json`` prints, and no other."""
    table = PAGE.split("| member | holds |")[1].split("\n\n")[0]
    members = re.findall(r"`(\w+)`", "".join(line.split("|")[1] for line in table.splitlines()[2:]))

    assert members == list(document(Report("url")))


@pytest.mark.parametrize("option", [name for each in sync_command.params for name in each.opts])
def test_every_option_is_explained(option: str) -> None:
    """``docs/sync.md`` has each option of the command."""
    if option.startswith("--"):
        assert f"`{option}" in PAGE
