"""Commands at odd terminals, with few characters, and with texts that a terminal would obey."""

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from aiohttp import web
from click.testing import CliRunner
from commands import ROOT, command
from echo import echoing
from terminal import Terminal

from destination.cli import main

ROW = ("try", "crm", "--row", "id=1")
HOOK = {"DESTINATIONS": '{"crm": {"kind": "webhook", "url": "https://crm.example.com/rows"}}'}
ESCAPE = "\x1b]0;title\x07\u202e"


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "utf-8"])
@pytest.mark.parametrize("arguments", [ROW, ("describe", "webhook"), ("--help",), ("try", "né")])
def test_an_output_may_know_few_characters(
    tmp_path: Path, encoding: str, arguments: tuple[str, ...]
) -> None:
    """What it does not know is written as an escape, and nothing fails for it."""
    done = subprocess.run(
        [sys.executable, "-m", "destination", *arguments],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "PYTHONIOENCODING": encoding, **HOOK},
        capture_output=True,
        timeout=60,
    )

    assert done.returncode in (0, 3), done.stderr
    assert b"Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("environment", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)]
)
def test_colours_can_be_refused(environment: dict[str, str], coloured: bool) -> None:
    """By NO_COLOR, or by a terminal that knows none."""
    given = {"NO_COLOR": None, "TERM": "xterm", **HOOK, **environment}

    done = CliRunner().invoke(main, ROW, env=given, color=True)

    assert done.exit_code == 0, done.output
    assert ("\x1b[" in done.stdout) is coloured


def test_files_of_windows_are_read(tmp_path: Path) -> None:
    """Configuration, rows and a sync's configuration, with byte order marks and line ends."""
    files = {
        "destinations.toml": '[destinations.crm]\nkind = "webhook"\nurl = "https://crm.example/"\n',
        "rows.csv": "id,email\n7,ann@example.com\n",
        "sync.json": '{"mode": "mirror",\n"mappings": [{"from": "email", "to": "mail"}]}\n',
    }
    for name, text in files.items():
        (tmp_path / name).write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())

    done = command(tmp_path, *("try", "crm", "--rows", "rows.csv", "--sync-config", "sync.json"))

    assert done.returncode == 0, done.stderr
    assert '"mail": "ann@example.com"' in done.stdout
    assert '"id": "7"' in done.stdout


def test_a_table_keeps_its_words_in_a_narrow_terminal(tmp_path: Path) -> None:
    """It is wider than the terminal rather than empty."""
    done = command(tmp_path, *ROW, **HOOK, COLUMNS="10", FORCE_COLOR="1")

    assert "would be sent" in done.stdout


async def test_a_check_is_interrupted(tmp_path: Path) -> None:
    """By Ctrl-C, with the exit code that other commands have then; no file is left behind."""
    asked, over = asyncio.Event(), asyncio.Event()

    async def silent(_: web.Request) -> web.Response:
        asked.set()
        await over.wait()
        return web.Response()

    async with echoing() as echo:
        echo.pause = silent
        hook = {"kind": "webhook", "url": echo.url, "allow_private_networks": True}
        with Terminal(tmp_path, "check", DESTINATIONS=json.dumps({"crm": hook})) as terminal:
            await asyncio.wait_for(asked.wait(), 30)
            terminal.presses_ctrl_c()
            code = await asyncio.to_thread(terminal.ends)
            text = terminal.text
        over.set()

    assert code == 130
    assert "The check was interrupted." in text
    assert os.listdir(tmp_path) == []  # noqa: PTH208 - a Path would block the loop


def test_an_error_holds_nothing_that_a_terminal_obeys(tmp_path: Path) -> None:
    """Also where it quotes a name that somebody else chose."""
    document = json.dumps({f"crm{ESCAPE}": {"kind": f"web{ESCAPE}hook"}})

    for arguments in (("try", "crm", "--row", "id=1"), ("check",), ("check", "x")):
        done = command(tmp_path, *arguments, DESTINATIONS=document)
        shown = done.stdout + done.stderr
        assert not set(ESCAPE[:1] + ESCAPE[-2:]) & set(shown)
        assert "\\u001b]0;title\\u0007\\u202e" in shown


@pytest.mark.parametrize("command_line", [("describe", "x.json"), ("check", "x.json")])
def test_a_spec_file_of_others_holds_nothing_that_a_terminal_obeys(
    tmp_path: Path, command_line: tuple[str, ...]
) -> None:
    """Spec files are passed around; to look at one is safe."""
    evil = f"evil {ESCAPE}"
    document = {
        "name": "acme",
        "label": evil,
        "description": evil,
        "base_url": "https://acme.example",
        "settings": {"properties": {"key": {"type": "string", "title": evil}}},
        "objects": [{"modes": [{"id": "m", "label": evil, "add": "send", "description": evil}]}],
        "requests": {"send": {"url": "/rows"}},
        "tests": [
            {
                "name": evil,
                "mode": "m",
                "records": [{"id": 1}],
                "requests": [{"method": "POST", "url": evil}],
            }
        ],
    }
    (tmp_path / "x.json").write_text(json.dumps(document))

    done = command(tmp_path, *command_line)

    assert "evil" in done.stdout, done.stdout + done.stderr
    assert not set(ESCAPE[:1] + ESCAPE[-2:]) & set(done.stdout + done.stderr)
