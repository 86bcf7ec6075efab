"""``destination sync`` at a terminal: its questions, its bar, and Ctrl-C."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from odd_server import odd
from support import SECRET, Serve
from terminal import Terminal

OBJECTS = [{"id": "user", "label": "User"}, {"id": "org", "label": "Organisation"}]
MODES = [
    {"id": "upsert", "label": "Upsert", "description": "Adds and updates."},
    {"id": "mirror", "label": "Mirror", "description": "Removes, too."},
]
FIELDS = [
    {"id": "email", "label": "E-mail", "type": "EMAIL", "identifier": True, "required": True},
    {"id": "first_name", "label": "First name", "type": "STRING", "required": True},
    {"id": "plan", "label": "Plan", "type": "ENUM"},
]
SCHEMA = {
    "type": "object",
    "required": ["audience"],
    "properties": {
        "audience": {"type": "string", "title": "Audience key"},
        "channel": {"type": "string", "enum": ["c1", "c2"], "enumNames": ["#one", "#two"]},
        "limit": {"type": "integer", "title": "Limit", "default": 5},
        "notify": {"type": "boolean", "title": "Notify", "default": False},
        "tags": {"type": "array", "items": {"type": "string"}, "title": "Tags"},
        "extra": {"type": "object", "title": "Extra", "description": "Whatever else there is."},
    },
}
FORM: dict[str, Any] = {
    "list_objects": {"objects": OBJECTS},
    "list_modes": {"modes": MODES},
    "list_fields": {"fields": FIELDS},
    "list_options": {"options": {"schema": SCHEMA}},
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three rows in ``rows.csv``."""
    (tmp_path / "rows.csv").write_text("id,mail,First Name,nick\n1,a@b.c,Ann,A\n2,d@e.f,Ben,B\n")
    return tmp_path


def sync(url: str, *more: str) -> tuple[str, ...]:
    """The command line."""
    return ("sync", url, "--rows", "rows.csv", "--id", "id", "--retry-wait", "0", *more)


async def beside(person: Callable[[], None]) -> None:
    """Let a person do something while servers of this test's loop keep answering."""
    await asyncio.to_thread(person)


async def test_a_person_is_asked_for_each_choice(folder: Path) -> None:
    """Object, mode, field for each column and options are asked for, and can be saved."""

    def person() -> None:
        with Terminal(folder, *sync(server.url)) as terminal:
            terminal.answers(
                [
                    ("2  Organisation\n  Choose [1]:", "1"),
                    ("2  Mirror: Removes, too.\n  Choose [1]:", "mirror"),
                    ("Column for email [mail]:", "mial"),
                    ('Did you mean "mail"?\nColumn for email [mail]:', "mail"),
                    ("  id [-]:", ""),
                    ("  mail [-]:", ""),
                    ("  First Name [first_name]:", ""),
                    ("  nick [-]:", "first_name"),
                    ("A column goes there already.\n  nick [-]:", "nickname"),
                    ("Send it as a field of your own? [y/N]:", "y"),
                    ("Audience key *:", ""),
                    ("This is required.\nAudience key *:", "vip"),
                    ("channel:\n  1  #one\n  2  #two\n  Choose:", "3"),
                    ("Type a number from 1 to 2.\n  Choose:", "2"),
                    ("Limit [5]:", "many"),
                    ("Type a whole number.\nLimit [5]:", "7"),
                    ("Notify [no]:", "yes"),
                    ("Tags:", "a, b"),
                    ("Extra: Whatever else there is.\nExtra:", '{"a": 1}'),
                    ("Save these choices for --sync-config as (Enter: do not save):", "sync.json"),
                ]
            )
            assert terminal.ends() == 0, terminal.text

    async with odd(**FORM) as server:
        await beside(person)

    expected = {
        "object": "user",
        "mode": "mirror",
        "identifierMapping": [{"from": "mail", "to": "email"}],
        "mappings": [{"from": "mail", "to": "email"}, {"from": "First Name", "to": "first_name"}],
        "customMappings": [{"from": "nick", "to": "nickname"}],
        "audience": "vip",
        "channel": "c2",
        "limit": 7,
        "notify": True,
        "tags": ["a", "b"],
        "extra": {"a": 1},
    }
    assert json.loads((folder / "sync.json").read_text()) == expected
    assert server.calls[-1] == (
        "add",
        {
            "idColumn": "id",
            "configuration": expected,
            "rows": [
                {"id": "1", "mail": "a@b.c", "First Name": "Ann", "nick": "A"},
                {"id": "2", "mail": "d@e.f", "First Name": "Ben", "nick": "B"},
            ],
        },
    )
    asked = [params for method, params in server.calls if method == "list_fields"]
    assert asked == [{"object": "user", "mode": "mirror"}]


async def test_what_is_required_is_asked_for_until_it_is_there(folder: Path) -> None:
    """A required field to which no column goes is asked for; options left empty are left out."""

    def person() -> None:
        with Terminal(folder, *sync(server.url)) as terminal:
            terminal.answers(
                [
                    ("Column for email [mail]:", ""),
                    ("  id [-]:", ""),
                    ("  mail [-]:", ""),
                    ("  First Name [first_name]:", "-"),
                    ("  nick [-]:", ""),
                    ('Field "First name" is required.\nColumn for first_name:', "nick"),
                    ("Limit [5]:", ""),
                    ("Save these choices", ""),
                ]
            )
            assert terminal.ends() == 0, terminal.text

    schema = {"type": "object", "properties": {"limit": SCHEMA["properties"]["limit"]}}
    form = {"list_fields": {"fields": FIELDS}, "list_options": {"options": {"schema": schema}}}
    async with odd(**form) as server:
        await beside(person)

    assert server.calls[-1][1]["configuration"] == {
        "identifierMapping": [{"from": "mail", "to": "email"}],
        "mappings": [{"from": "mail", "to": "email"}, {"from": "nick", "to": "first_name"}],
        "customMappings": [],
        "limit": 5,
    }


async def test_a_real_form_is_asked(serve: Serve, folder: Path) -> None:
    """The form of a destination of this server is asked for choice by choice."""
    served = await serve()

    def person() -> None:
        url = f"{served.url}/hightouch/people"
        with Terminal(folder, *sync(url), DESTINATION_TOKEN=SECRET) as terminal:
            terminal.answers(
                [
                    ("1  User: A user.\n  2  Organization\n  Choose [1]:", "2"),
                    ("Column for email [mail]:", ""),
                    ("  id [-]:", ""),
                    ("  mail [-]:", ""),
                    ("  First Name [-]:", ""),
                    ("  nick [-]:", ""),
                    ("1  #general\n  2  #dev\n  Choose [1]:", ""),
                    ("Message:", ""),
                    ("Archiveonremove [no]:", ""),
                    ("Save these choices", ""),
                ]
            )
            assert terminal.ends() == 0, terminal.text
            assert "│ in all    │    2 │        2 │" in terminal.text

    await beside(person)

    assert served.plugin().holds["2"] == {"email": "d@e.f"}


async def test_a_bar_shows_rows_and_their_rate(folder: Path) -> None:
    """On a terminal each operation has a bar with rows done and rows a second."""
    (folder / "sync.json").write_text("{}")

    def person() -> None:
        with Terminal(folder, *sync(server.url, "--sync-config", "sync.json")) as terminal:
            assert terminal.ends() == 0, terminal.text
            (line,) = [line for line in terminal.text.splitlines() if "━━━ " in line + " "][:1]
            assert "add" in line
            assert "2/2" in line
            assert "rows/s" in line

    async with odd() as server:
        await beside(person)


async def test_data_goes_to_standard_output_alone(folder: Path) -> None:
    """With ``--json > FILE`` the file holds one document; questions stay on the terminal."""

    def person() -> None:
        out = folder / "out.json"
        with Terminal(folder, *sync(server.url, "--json"), output=out) as terminal:
            terminal.waits_for("Save these choices")
            terminal.types("")
            assert terminal.ends() == 0, terminal.text
        assert json.loads(out.read_text())["operations"]["add"]["accepted"] == 2

    async with odd() as server:
        await beside(person)


async def test_ctrl_c_at_a_question_sends_nothing(folder: Path) -> None:
    """Ctrl-C while a choice is asked for ends the command with 130; no row was sent."""

    def person() -> None:
        with Terminal(folder, *sync(server.url)) as terminal:
            terminal.waits_for("Choose [1]:")
            assert terminal.ends(pressing=True) == 130
            assert "No row had been sent." in terminal.text

    async with odd(**FORM) as server:
        await beside(person)

    assert server.methods() == ["list_objects"]


async def test_ctrl_c_while_the_form_is_asked_sends_nothing(folder: Path) -> None:
    """Ctrl-C while a method of the form hangs ends the command with 130."""

    def person() -> None:
        with Terminal(folder, *sync(server.url)) as terminal:
            asyncio.run_coroutine_threadsafe(server.received(1), loop).result(30)
            terminal.presses_ctrl_c()
            assert terminal.ends() == 130
            assert "No row had been sent." in terminal.text

    async def hang(_: Any) -> Any:
        await asyncio.Event().wait()

    def hanging(params: Any) -> Any:
        return hang(params)

    loop = asyncio.get_running_loop()
    async with odd(list_objects=hanging) as server:
        await beside(person)


@pytest.mark.parametrize("presses", [1, 2])
async def test_ctrl_c_in_a_run_reports_what_was_sent(folder: Path, presses: int) -> None:
    """
    Ctrl-C stops after the call under way, pressed again at once: what was sent is reported, the
    exit code is 130, and the next run sends the rest.
    """
    lines = "".join(f"{number},m,N,n\n" for number in range(5))
    (folder / "rows.csv").write_text(f"id,mail,First Name,nick\n{lines}")
    (folder / "sync.json").write_text("{}")
    options = ("--sync-config", "sync.json", "--state", "s.json")
    released, second = asyncio.Event(), asyncio.Event()

    async def add(params: Any) -> Any:
        if len(server.rows("add")) == 2:
            second.set()
            await released.wait()
        return {"rejectedRows": []}

    def person() -> None:
        with Terminal(folder, *sync(server.url, *options)) as terminal:
            asyncio.run_coroutine_threadsafe(second.wait(), loop).result(30)
            terminal.presses_ctrl_c()
            terminal.waits_for("Stopping after the call under way")
            if presses == 1:
                loop.call_soon_threadsafe(released.set)
            else:
                terminal.presses_ctrl_c()
            assert terminal.ends() == 130, terminal.text
            assert "The run was interrupted." in terminal.text
            accepted, failed = (4, 0) if presses == 1 else (2, 2)
            counts = f"│    5 │ {accepted:>8} │ {0:>8} │ {failed:>11} │ {1:>8} │"
            assert f"│ add       {counts}" in terminal.text

    loop = asyncio.get_running_loop()
    async with odd(add=lambda params: add(params)) as server:
        await beside(person)
        released.set()
        with_rest = await asyncio.to_thread(ended, folder, sync(server.url, *options))

    rest = [id for ids in server.rows("add")[2:] for id in ids]
    assert rest == (["4"] if presses == 1 else ["2", "3", "4"])
    assert with_rest == 0


def ended(folder: Path, arguments: tuple[str, ...]) -> int:
    """The exit code of a command that nobody disturbs."""
    with Terminal(folder, *arguments) as terminal:
        return terminal.ends()
