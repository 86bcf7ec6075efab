"""``docs/try.md`` says what ``destination try`` does, and its session is what a person sees."""

import json
import re
import shlex
from pathlib import Path

import pytest
from commands import command
from terminal import Terminal

from destination.cli.tries import try_command
from destination.cli.tries.attempt import Outcome

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "try.md").read_text("utf-8")
PROMPT = "$ destination "

SESSION = [
    block.removeprefix(PROMPT).rstrip().split("\n", 1)
    for block in re.findall(r"```console\n(.*?)```", PAGE, re.DOTALL)
]
"""Each command that the page shows, with all that came of it."""


def masked(text: str) -> str:
    """The text without what differs from run to run: ports and times."""
    return re.sub(r"127\.0\.0\.1:\d+|in \d+ ms", "…", text)


@pytest.mark.parametrize(("line", "shown"), SESSION)
def test_the_session_is_reproduced(tmp_path: Path, line: str, shown: str) -> None:
    """Typed as the page shows it, each command shows on the terminal what the page says."""
    with Terminal(tmp_path, *shlex.split(line)) as terminal:
        terminal.ends()

    assert masked(terminal.text.strip()) == masked(shown)


def test_the_page_has_a_dry_run_and_one_that_sends() -> None:
    """The session shows both."""
    assert ["--send" in line for line, _ in SESSION] == [False, True]


def test_every_member_of_the_document_is_explained(tmp_path: Path) -> None:
    """``docs/try.md`` has each member of what ``--json`` prints, and each outcome."""
    done = command(tmp_path, "try", "webhook", "--sandbox", "--send", "--json")
    document = json.loads(done.stdout)
    [request, *_], [row, *_] = document["requests"], document["rows"]
    members = PAGE.split("| member | holds |")[1].split("\n\n")[0]

    for name in (*document, *request, *request["answer"], *row):
        assert f"`{name}`" in members
    for outcome in Outcome:
        assert f"| `{outcome}` |" in PAGE


@pytest.mark.parametrize("option", [name for each in try_command.params for name in each.opts])
def test_every_option_is_explained(option: str) -> None:
    """``docs/try.md`` has each option of the command."""
    if option.startswith("--"):
        assert f"`{option}" in PAGE
