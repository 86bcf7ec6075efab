"""What the documentation has its reader type does what the page shows; its links lead somewhere."""

import re
from pathlib import Path

import click
import pytest
from pages import PAGES, ROOT, Command, File, agrees, ours, spoken, steps
from reader import Reader

from destination.cli import COMMANDS, main

ELSEWHERE = {
    "make demo": "tests/cli/test_demo.py runs it",
    "make test": "it runs this",
    "make bench": "tests/test_bench.py runs it",
    "npm ": "needs a registry",
    "examples/peers/jsonrpcserver": "tests/cli/test_conform_page.py runs it",
    "examples/peers/compare.py": "tests/cli/test_conform_page.py runs it",
    "your.host": "a host of the reader's",
    "heroku ": "needs an account",
    "fly ": "needs an account",
    "gcloud ": "needs an account",
    "docker ": "needs a daemon",
}
"""What stands in a command that is not run here; the options of our own commands are looked at."""

BY_THEMSELVES = {
    "check": "tests/test_check_page.py types its session",
    "reasons": "speaks of a destination of the reader's",
    "writing": "tests/test_docs.py follows its tutorial",
}
"""Pages whose commands are not typed here; their options are looked at too."""

TYPED = {
    "sync": [
        ("Choose [1]:", "2"),
        ("Column for email [email]:", ""),
        ("  id [-]:", ""),
        ("  email [-]:", ""),
        ("  first_name [first_name]:", ""),
        ("  born [born]:", ""),
        ("  city [address.city]:", ""),
        ("Enter: do not save):", "sync.json"),
    ],
}
"""By page, what is typed at the questions that its first command with any asks."""

ASKING = "Choose [1]:"


def pages_with_commands() -> list[Path]:
    return [
        path
        for path in PAGES
        if path.stem not in BY_THEMSELVES
        and any(isinstance(each, Command) for each in steps(text(path)))
    ]


def text(path: Path) -> str:
    return path.read_text("utf-8")


def elsewhere(line: str) -> bool:
    return any(part in line for part in ELSEWHERE)


@pytest.mark.parametrize("path", pages_with_commands(), ids=lambda path: path.stem)
def test_a_page_does_what_it_shows(path: Path, tmp_path: Path) -> None:
    """Typed in the page's order, its commands succeed, or print what the page shows under them."""
    with Reader(tmp_path) as reader:
        for step in steps(text(path)):
            match step:
                case File():
                    reader.writes(step)
                case Command(line, shown) if not elsewhere(line):
                    answers = TYPED[path.stem] if ASKING in shown else ()
                    code, printed = reader.types(step, answers)
                    if shown:
                        assert agrees(shown, printed), f"$ {line}\n{printed}"
                    else:
                        assert code == 0, f"$ {line}\n{printed}"


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_commands_have_the_options_that_pages_name(path: Path) -> None:
    """Each command of ours that a page names is one there is, and so is each of its options."""
    typed = [
        words
        for each in steps(text(path))
        if isinstance(each, Command)
        for words in ours(each.line)
    ]
    for name, *words in [*typed, *spoken(text(path))]:
        if name.startswith("-"):
            continue
        assert name in COMMANDS, name
        command = main.get_command(click.Context(main), name)
        assert command is not None
        command.make_parser(click.Context(command)).parse_args(words)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_make_has_the_targets_that_pages_name(path: Path) -> None:
    """Each make target that a page names is one there is."""
    targets = re.findall(r"^([a-z]+):", text(ROOT / "Makefile"), re.MULTILINE)
    for name in re.findall(r"(?:\$ |`)make ([a-z]+)", text(path)):
        assert name in targets


def anchors(path: Path) -> set[str]:
    """The places that a link may lead to, as GitHub names them."""
    found: list[str] = []
    bare = re.sub(r"^```.*?^```$", "", text(path), flags=re.MULTILINE | re.DOTALL)
    for heading in re.findall(r"^#+ (.+)$", bare, re.MULTILINE):
        words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
        slug = re.sub(r"[^\w\- ]", "", words).strip().replace(" ", "-")
        found.append(f"{slug}-{found.count(slug)}" if slug in found else slug)
    return set(found)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_links_lead_somewhere(path: Path) -> None:
    """Each relative link leads to a file that is there, and to a heading that it has."""
    for target in re.findall(r"\]\((?!https?:)([^)\s]+)\)", text(path)):
        name, _, anchor = target.partition("#")
        there = path.parent / name if name else path
        assert there.exists(), target
        assert not anchor or anchor in anchors(there), target


def test_what_runs_elsewhere_is_still_shown() -> None:
    """Each exception stands in some page's command."""
    lines = [each.line for path in PAGES for each in steps(text(path)) if isinstance(each, Command)]

    assert [part for part in ELSEWHERE if not any(part in line for line in lines)] == []


@pytest.mark.parametrize(
    ("shown", "printed"),
    [
        ("a … c", "a b c"),
        ("first\n…\nlast", "first\nsecond\nthird\nlast"),
        ("in 3.1 s, 10 rows/s", "in 4 s, 2,000 rows/s"),
        ("━━━ 1/1", "━━━━━━ 1/1"),
    ],
)
def test_what_varies_may_differ(shown: str, printed: str) -> None:
    """An ellipsis stands for anything, and rates, times and widths do not count."""
    assert agrees(shown, printed)


@pytest.mark.parametrize(
    ("shown", "printed"),
    [("a b", "a c"), ("a … c", "a b"), ("a", "a\nb"), ("a … c", "a\nc"), ("2 rows", "3 rows")],
)
def test_anything_else_may_not(shown: str, printed: str) -> None:
    """A word, a line or a number that is another is told."""
    assert not agrees(shown, printed)


def test_a_page_is_read_as_it_is_written() -> None:
    """Commands come with what is shown under them, files by the name that the text gives."""
    page = (
        "Write `a.toml`:\n\n```toml\nx = 1\n```\n\nSee:\n\n```toml\ny = 2\n```\n\n"
        "```console\n$ one\n1\n\n2\n$ two \\\n  three\n```\n"
    )

    assert list(steps(page)) == [
        File("a.toml", "x = 1\n"),
        Command("one", "1\n\n2"),
        Command("two three", ""),
    ]


def test_a_reader_notices_what_fails(tmp_path: Path) -> None:
    """A command's exit code is told; what is exported holds for the commands after it."""
    with Reader(tmp_path) as reader:
        assert reader.types(Command("false", "")) == (1, "")
        assert reader.types(Command("export WORD=$(echo b)", "")) == (0, "")
        assert reader.types(Command('echo "a $WORD"', ""))[1].strip() == "a b"
        assert reader.types(Command("destination serve", ""))[0] == 3
