"""``docs/try.md`` says what ``destination try`` does."""

import json
import re
from pathlib import Path

import pytest
from commands import command

from destination.cli.tries import try_command
from destination.cli.tries.attempt import Outcome

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "try.md").read_text("utf-8")


def test_the_page_has_a_dry_run_and_one_that_sends() -> None:
    """The session shows both."""
    typed = re.findall(r"^\$ destination (.*)$", PAGE, re.MULTILINE)

    assert ["--send" in line for line in typed] == [False, True]


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
