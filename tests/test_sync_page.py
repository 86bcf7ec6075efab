"""``docs/sync.md`` explains all that the command takes, and all that it reports."""

import re
from pathlib import Path

import pytest

from destination.cli.sync import sync_command
from destination.cli.sync.report import Report, document

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "sync.md").read_text("utf-8")


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
