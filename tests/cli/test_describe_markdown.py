"""What a kind declares, written into its page."""

from pathlib import Path

import pytest
from commands import ROOT, command

MARKED = "# Acme\n\n<!-- described: begin -->\nold\n<!-- described: end -->\n\nMore.\n"


def test_markdown_has_all_that_is_declared(tmp_path: Path) -> None:
    """It has a table each for settings, form, modes, fields and limits, of a spec file too."""
    printed = command(tmp_path, "describe", str(ROOT / "examples/specs/braze.toml"), "--markdown")

    assert printed.returncode == 0, printed.stderr
    headings = [line.split()[1] for line in printed.stdout.splitlines() if line[:4] == "### "]
    assert [
        name for name in ("Settings", "Modes", "Fields", "Limits") if name not in headings
    ] == []


def test_only_what_stands_between_the_marks_is_written(tmp_path: Path) -> None:
    """The rest of the page stays as it is, and a second time changes nothing."""
    page = tmp_path / "page.md"
    page.write_text(MARKED)

    assert command(tmp_path, "describe", "slack", "--into", "page.md").returncode == 0
    once = page.read_text()
    assert command(tmp_path, "describe", "slack", "--into", "page.md").returncode == 0

    assert page.read_text() == once
    assert once.startswith("# Acme\n\n<!-- described: begin -->\n### Settings\n")
    assert once.endswith("\n<!-- described: end -->\n\nMore.\n")
    assert "\nold\n" not in once


def test_line_ends_stay_as_they_are(tmp_path: Path) -> None:
    """A page of Windows keeps its own, and what is written has them too."""
    page = tmp_path / "page.md"
    page.write_bytes(b"\xef\xbb\xbf" + MARKED.replace("\n", "\r\n").encode())

    assert command(tmp_path, "describe", "slack", "--into", "page.md").returncode == 0

    written = page.read_bytes()
    assert written.startswith(b"\xef\xbb\xbf# Acme\r\n\r\n")
    assert written.count(b"\n") == written.count(b"\r\n")
    assert b"### Settings" in written


def test_a_page_in_another_encoding_is_left_alone(tmp_path: Path) -> None:
    """It is told, and nothing is written."""
    page = tmp_path / "page.md"
    page.write_bytes(MARKED.encode("utf-16"))

    done = command(tmp_path, "describe", "slack", "--into", "page.md")

    assert (done.returncode, "not text in UTF-8" in done.stderr) == (2, True)
    assert page.read_bytes() == MARKED.encode("utf-16")


@pytest.mark.parametrize("content", ["# Acme\n", MARKED.partition("<!-- described: end")[0], None])
def test_a_page_without_marks_is_left_alone(tmp_path: Path, content: str | None) -> None:
    """It is told which marks are missing, or that there is no page; nothing is written."""
    page = tmp_path / "page.md"
    if content is not None:
        page.write_text(content)

    done = command(tmp_path, "describe", "slack", "--into", "page.md")

    assert done.returncode == 2
    assert "page.md" in done.stderr
    assert page.exists() == (content is not None)
    assert content is None or page.read_text() == content


def test_a_bar_in_a_cell_does_not_end_it(tmp_path: Path) -> None:
    """Every line of a table has as many cells as its head, whatever the declarations hold."""
    printed = command(tmp_path, "describe", "webhook", "--markdown").stdout
    for table in printed.split("\n\n"):
        widths = {line.replace("\\|", "").count("|") for line in table.splitlines() if "|" in line}
        assert len(widths) <= 1, table
