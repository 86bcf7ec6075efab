"""``destination new``, as a person uses it: what it writes works at once, and nothing is lost."""

import os
import re
import runpy
import tomllib
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from commands import ROOT, command, command_beside, python
from scene import server_process
from support import SECRET

from destination import registry
from destination.cli.new.drafts import FORMATS
from destination.cli.new.names import LONGEST, Name
from destination.listen import listening
from destination.spec.files import read

FORMS = [(), *(("--spec", "--format", form) for form in FORMATS)]
LONG = "my-longest-name-of-thirty-char"

PEOPLE = "id,mail,first\n1,ann@example.org,Ann\n2,no address,Bea\n3,cyd@example.org,Cyd\n"
SYNC = """{
  "mode": "mirror",
  "identifierMapping": [{"from": "mail", "to": "email"}],
  "mappings": [{"from": "first", "to": "name"}]
}"""


def new(folder: Path, *arguments: str) -> dict[str, str]:
    """What the command writes into an empty folder, by file."""
    done = command(folder, "new", *arguments)
    assert done.returncode == 0, done.stderr
    return {path.name: path.read_text("utf-8") for path in folder.iterdir()}


def refused(folder: Path, *arguments: str) -> str:
    """Why nothing is written."""
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    done = command(folder, "new", *arguments)
    assert done.returncode == 2, done.stdout
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before
    return done.stderr


def test_a_name_has_a_form_for_each_place(tmp_path: Path) -> None:
    """Files and the destination have underscores, the class is in camel case, the kind as typed."""
    files = new(tmp_path, "my-crm")

    assert sorted(files) == ["destinations.toml", "my_crm.md", "my_crm.py", "test_my_crm.py"]
    assert "class MyCrm(Destination[Settings, Options]):" in files["my_crm.py"]
    assert 'kind = "my-crm"\n' in files["my_crm.py"]
    assert "https://api.my-crm.example" in files["my_crm.py"]
    assert list(tomllib.loads(files["destinations.toml"])["destinations"]) == ["my_crm"]
    assert "${MY_CRM_TOKEN" in files["destinations.toml"]
    assert "acme" not in "".join(files.values()).lower()


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form[-1] if form else "py")
def test_its_tests_pass_at_once(tmp_path: Path, form: tuple[str, ...]) -> None:
    """Pytest is green in the folder, and nothing is skipped."""
    new(tmp_path, "my-crm", *form)

    done = python(tmp_path, "pytest", "-p", "no:cacheprovider")

    assert done.returncode == 0, done.stdout
    assert re.search(rf"= {3 if form else 12} passed\b", done.stdout), done.stdout
    assert "skipped" not in done.stdout


@pytest.mark.parametrize("name", ["a", LONG])
def test_it_is_typed_and_formatted_whatever_the_name(tmp_path: Path, name: str) -> None:
    """Strict mypy, and ruff by this project's rules, have nothing to say of a short or long one."""
    assert len(LONG) == LONGEST
    files = [file for file in new(tmp_path, name) if file.endswith(".py")]
    configuration = ("--no-cache", "--config", str(ROOT / "pyproject.toml"))
    exceptions = ("--per-file-ignores", "test_*.py:S")
    for program in (
        ("mypy", "--strict", "--cache-dir", os.devnull),
        ("ruff", "format", "--check", *configuration),
        ("ruff", "check", *configuration, *exceptions),
    ):
        done = python(tmp_path, *program, *files)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("form", FORMS[1:], ids=lambda form: form[-1])
def test_a_spec_file_checks_at_once(tmp_path: Path, form: tuple[str, ...]) -> None:
    """``check`` finds nothing wrong with the file, and its own tests pass."""
    new(tmp_path, "my-crm", *form)

    done = command(tmp_path, "check", f"my_crm.{form[-1]}")

    assert done.returncode == 0, done.stdout
    assert "3 tests passed" in done.stdout


def test_the_formats_say_the_same(tmp_path: Path) -> None:
    """But for their comments, the three spec files are one document."""
    for form in FORMATS:
        command(tmp_path, "new", "a", "--spec", "--format", form, "--into", form)
    toml, *others = [
        read(tmp_path / form / f"a.{form}").model_copy(update={"comment_": ""}) for form in FORMATS
    ]

    assert others == [toml, toml]


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form[-1] if form else "py")
def test_its_page_is_what_it_declares(tmp_path: Path, form: tuple[str, ...]) -> None:
    """``describe --into``, as the page says, changes nothing; the page knows the fields."""
    page = new(tmp_path, "my-crm", *form)["my_crm.md"]
    source = f"my_crm.{form[-1] if form else 'py'}"

    assert f"`destination describe {source} --into my_crm.md`" in page
    assert command(tmp_path, "describe", source, "--into", "my_crm.md").returncode == 0
    assert (tmp_path / "my_crm.md").read_text("utf-8") == page
    assert "| `email` | E-mail | EMAIL | identifier, required |" in page


def test_it_is_listed_and_described(tmp_path: Path) -> None:
    """The file is described as a kind is, with the settings that name it."""
    new(tmp_path, "my-crm")

    assert "my-crm" in command(tmp_path, "list").stdout
    assert (
        'kind = "my-crm", module = "my_crm.py"' in command(tmp_path, "describe", "my_crm.py").stdout
    )


async def test_it_is_checked_and_served(tmp_path: Path) -> None:
    """With the stand-in up ``check`` passes; ``serve`` and ``sync`` keep it in step."""
    new(tmp_path, "my-crm")
    (tmp_path / "people.csv").write_text(PEOPLE)
    (tmp_path / "fewer.csv").write_text("".join(PEOPLE.splitlines(keepends=True)[:2]))
    (tmp_path / "sync.json").write_text(SYNC)
    stand_in = runpy.run_path(str(tmp_path / "test_my_crm.py"))["StandIn"]()
    chosen = ("--id", "id", "--sync-config", "sync.json", "--state", "state", "--retries", "0")

    async with listening(stand_in.app(), "127.0.0.1", 0, grace=1) as url:
        told = {"DESTINATIONS__MY_CRM__BASE_URL": url}
        checked = await command_beside(tmp_path, "check", "my_crm", **told)
        async with server_process(tmp_path, **told) as process:
            to = f"{process.url}/hightouch/my_crm"
            first = await command_beside(
                tmp_path, "sync", to, "--rows", "people.csv", *chosen, DESTINATION_TOKEN=SECRET
            )
            held = dict(stand_in.people)
            await command_beside(
                tmp_path, "sync", to, "--rows", "fewer.csv", *chosen, DESTINATION_TOKEN=SECRET
            )

    assert checked.returncode == 0, checked.stdout
    assert "INVALID_ROW: email: expected an email address" in first.stdout
    assert list(held) == ["ann@example.org", "cyd@example.org"]
    assert stand_in.people == {"ann@example.org": {"email": "ann@example.org", "name": "Ann"}}


def test_the_stand_in_runs_where_the_configuration_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``python test_my_crm.py`` listens at the configured address and takes that token."""
    told = tomllib.loads(new(tmp_path, "my-crm")["destinations.toml"])["destinations"]["my_crm"]
    ran: dict[str, Any] = {}
    monkeypatch.setattr(web, "run_app", lambda app, **where: ran.update(where))

    stand_in = runpy.run_path(str(tmp_path / "test_my_crm.py"), run_name="__main__")["StandIn"]

    assert told["base_url"] == f"http://{ran['host']}:{ran['port']}"
    assert told["token"] == f"${{MY_CRM_TOKEN:-{stand_in().token}}}"


def test_it_says_what_it_wrote_and_what_to_type_now(tmp_path: Path) -> None:
    """Each file is named with what it is, and the next commands are the ones for this name."""
    shown = command(tmp_path, "new", "my-crm", "--into", "vendors").stdout

    assert sorted(path.name for path in (tmp_path / "vendors").iterdir()) == sorted(
        line.split()[0] for line in shown.partition("\n\n")[0].splitlines()[1:]
    )
    steps = re.findall(r"^  (\S+(?: \S+)*)  ", shown.partition("Next:\n")[2], re.MULTILINE)
    assert steps[0] == "cd vendors"
    assert "destination check my_crm" in steps
    assert "destination serve" in steps


@pytest.mark.parametrize("there", ["my_crm.py", "test_my_crm.py", "my_crm.md"])
def test_no_file_is_written_over(tmp_path: Path, there: str) -> None:
    """One that is there already keeps all from being written, and is named."""
    (tmp_path / there).write_text("mine")

    assert f"{there} is there already" in refused(tmp_path, "my-crm")
    assert [path.name for path in tmp_path.iterdir()] == [there]


def test_a_link_that_leads_nowhere_is_not_followed(tmp_path: Path) -> None:
    """It is there already, wherever it leads."""
    (tmp_path / "my_crm.md").symlink_to(tmp_path / "elsewhere")

    assert "my_crm.md is there already" in refused(tmp_path, "my-crm")
    assert not (tmp_path / "elsewhere").exists()


def test_a_configuration_that_is_there_is_left_alone(tmp_path: Path) -> None:
    """What to add to it is shown instead, and makes it work."""
    before = '[destinations.crm]\nkind = "webhook"\nurl = "https://crm.example.com/rows"\n'
    (tmp_path / "destinations.toml").write_text(before)

    shown = command(tmp_path, "new", "my-crm").stdout

    assert (tmp_path / "destinations.toml").read_text() == before
    added = shown.partition("Add to it:\n\n")[2].partition("\n\nNext:")[0]
    (tmp_path / "destinations.toml").write_text(f"{before}\n{added}")
    assert "my-crm" in command(tmp_path, "list").stdout


def test_what_cannot_be_written_whole_is_not_written(tmp_path: Path) -> None:
    """A folder that is a file is refused, and told."""
    (tmp_path / "file").write_text("")

    assert "file" in refused(tmp_path, "my-crm", "--into", "file")
    assert "Not a directory" in refused(tmp_path, "my-crm", "--into", "file/below")
    assert "name too long" in refused(tmp_path, "my-crm", "--into", "a" * 300)


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("My CRM", 'Did you mean "my-crm"?'),
        ("MyCrm", 'Did you mean "my-crm"?'),
        ("a--b", 'Did you mean "a-b"?'),
        ("3m", "begins with a letter"),
        ("café", "small letters"),
        ("", "small letters"),
        ("../acme", "small letters"),
        ("a" * (LONGEST + 1), f"{LONGEST} characters"),
        ("class", "word of the language"),
        ("json", 'has a module "json"'),
        ("httpx", 'has a module "httpx"'),
        ("destinations", 'has a module "destinations"'),
        ("webhook", 'There is a kind "webhook" already'),
        ("spec", 'There is a kind "spec" already'),
        ("field", "calls something else Field"),
        ("exception", "calls something else Exception"),
    ],
)
def test_a_name_that_cannot_be_is_refused(name: str, why: str) -> None:
    """The reason is told, and the name that was probably meant."""
    with pytest.raises(ValueError, match=r"\w") as raised:
        Name.parse(name, registry.kinds())

    assert why in str(raised.value)


def test_a_refused_name_writes_nothing(tmp_path: Path) -> None:
    """The command ends as one that was typed wrongly, in three lines."""
    told = refused(tmp_path, "My_CRM")

    assert len(told.splitlines()) == 3
    assert list(tmp_path.iterdir()) == []


def test_a_name_of_this_folder_s_own_module_is_no_foreign_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second folder may have a destination of the same name."""
    new(tmp_path, "my-crm")

    assert command(tmp_path, "new", "my-crm", "--into", "copy").returncode == 0


def test_a_format_is_a_spec_file_s(tmp_path: Path) -> None:
    """Without ``--spec`` there is nothing that it could say."""
    assert "--spec" in refused(tmp_path, "my-crm", "--format", "yaml")


def test_help_teaches(tmp_path: Path) -> None:
    """It names what is written, and when to take which of the two."""
    shown = command(tmp_path, "new", "--help").stdout

    assert "\n    test_my_crm.py " in shown
    assert "\n  Which of the two?\n" in shown
