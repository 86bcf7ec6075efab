"""The documentation says what the program does."""

import asyncio
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner
from declared import body
from pages import PAGES

from destination import registry
from destination.app import make_instances
from destination.cli import main
from destination.errors import Code
from destination.mapping import Column, Entry, FieldMapping, Plan
from destination.model import Operation
from destination.settings import Server, Settings, load
from destination.settings_file import expand
from destination.spec.answer import Answer
from destination.spec.declarations import (
    ExpectedRequest,
    FieldDeclaration,
    LimitsDeclaration,
    ModeDeclaration,
    ObjectDeclaration,
    Reply,
    Trial,
)
from destination.spec.document import Document
from destination.spec.kinds import load as load_spec
from destination.spec.request import Request, parsed_template
from destination.spec.results import RowResults
from destination.spec.trials import differences
from destination.tuning import Tuning

ROOT = Path(__file__).parents[1]
SECRETS = {
    "BRAZE_API_KEY": "secret",
    "CRM_TOKEN": "secret",
    "CONNECTIF_API_KEY": "key:secret",
    "MAILCHIMP_API_KEY": "secret-us1",
    "SLACK_BOT_TOKEN": "xoxb-1",
}


def page(name: str) -> str:
    return (ROOT / name).read_text("utf-8")


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def test_every_reason_code_is_explained() -> None:
    """``docs/reasons.md`` has a line for each code of the closed list, and for no other."""
    explained = re.findall(r"^\| `([A-Z_]+)` \|", page("docs/reasons.md"), re.MULTILINE)

    assert sorted(explained) == sorted(Code)


@pytest.mark.parametrize("model", [Server, Tuning])
def test_every_setting_is_explained(model: type[Server | Tuning]) -> None:
    """``docs/configuration.md`` has a line for each setting of the server and of every kind."""
    for name in model.model_fields:
        assert f"| `{name}` |" in page("docs/configuration.md")


@pytest.mark.parametrize("kind", [*registry.kinds(), registry.SPEC])
def test_a_kind_s_page_is_written_from_its_declarations(kind: str, tmp_path: Path) -> None:
    """``make pages`` would change nothing; ``docs/configuration.md`` links to each page."""
    name = "spec-files" if kind == registry.SPEC else kind
    written = tmp_path / "page.md"
    written.write_text(page(f"docs/{name}.md"))

    done = CliRunner().invoke(main, ["describe", kind, "--into", str(written)])

    assert done.exit_code == 0, done.output
    assert written.read_text() == page(f"docs/{name}.md"), "run: make pages"
    assert f"]({name}.md)" in page("docs/configuration.md")


def test_every_setting_of_an_answer_is_explained() -> None:
    """The webhook's page has a line for each way in which answers may be read."""
    text = page("docs/webhook.md")
    for name in (*Answer.model_fields, *(f"rows.{each}" for each in RowResults.model_fields)):
        assert name == "rows" or f"| `{name}` |" in text


def test_the_spec_file_shown_does_what_it_says(tmp_path: Path) -> None:
    """The file in ``docs/spec-files.md`` passes its own tests."""
    source = blocks(page("docs/spec-files.md"), "toml")[0]
    (tmp_path / "acme.toml").write_text(source)
    kind = load_spec(tmp_path / "acme.toml")

    assert len(kind.document.tests) == 2
    for test in kind.document.tests:
        assert asyncio.run(differences(kind, test)) == []


def test_every_part_of_a_spec_file_is_explained() -> None:
    """``docs/spec-files.md`` names each key; of requests it names those that the webhook's has."""
    text = page("docs/spec-files.md")
    models = (Document, ObjectDeclaration, ModeDeclaration, FieldDeclaration, LimitsDeclaration)
    for model in (*models, Request, Trial, Reply, ExpectedRequest):
        for name, field in model.model_fields.items():
            assert f"`{field.alias or name}`" in text or f"{name} = true`" in text, name
    for member in blocks(text, "liquid"):
        assert parsed_template(member).columns == {"object", "fields"}


def test_the_webhook_s_example_gives_what_it_shows() -> None:
    """The row becomes the entry, by the settings that stand before it."""
    example = page("docs/webhook.md").split("## An example")[1].split("\n## ")[0]
    settings = tomllib.loads(blocks(example, "toml")[0])["destinations"]["events"]
    fields, entry = map(json.loads, blocks(example, "json"))
    plan = Plan(
        FieldMapping(tuple(Entry(name, Column(name)) for name in fields)), (), Operation.ADD
    )
    request = {name: settings[name] for name in ("payload", "template", "batching")}

    assert body(request, plan.record(0, 1, fields)) == [entry]


def test_the_table_of_kinds_is_complete() -> None:
    """The README's table of kinds is what the registry finds, with each class's first sentence."""
    table = page("README.md").split("<!-- kinds: begin -->")[1].split("<!-- kinds: end -->")[0]
    lines = [
        f"| `{kind}` | {(registry.load(kind).__doc__ or '').strip()} |" for kind in registry.kinds()
    ]

    assert table.strip().splitlines()[2:] == [line.splitlines()[0] for line in lines]


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_configurations_shown_are_accepted(path: Path) -> None:
    """Each TOML block that configures the server makes working destinations."""
    for block in blocks(path.read_text("utf-8"), "toml"):
        document = expand(tomllib.loads(block), SECRETS)
        make_instances(Settings(**document))


def test_the_environment_shown_is_accepted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The variables of ``docs/configuration.md`` make a working destination without a file."""
    monkeypatch.chdir(tmp_path)
    [shown] = blocks(page("docs/configuration.md"), "sh")
    for line in shown.splitlines():
        name, _, value = line.partition("=")
        monkeypatch.setenv(name, value.replace("…", "secret"))
    settings = load()

    assert list(make_instances(settings)) == ["crm"]
    assert settings.server.deadline == 20


def test_the_structure_names_every_module() -> None:
    """``docs/structure.md`` names each module of the server."""
    text = page("docs/structure.md")
    for module in (ROOT / "destination").rglob("*.py"):
        inside = module.parent != ROOT / "destination"
        if module.stem not in {"__init__", "__main__"}:
            names = (module.stem, f"{module.parent.name}/") if inside else (module.stem,)
            assert any(re.search(rf"\b{name}", text) for name in names), module


def test_the_destination_shown_works(tmp_path: Path) -> None:
    """The destination in ``docs/writing.md``, installed as a package, is found and type-checks."""
    source = blocks(page("docs/writing.md"), "python")[0]
    (tmp_path / "acme.py").write_text(source)
    installed = tmp_path / "acme-1.0.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: acme\nVersion: 1.0\n")
    (installed / "entry_points.txt").write_text("[destination.kinds]\nacme = acme:Acme\n")
    environment = {"PYTHONPATH": f"{tmp_path}:{ROOT}", "PATH": "/usr/bin:/bin"}
    command = [sys.executable, "-m", "destination", "describe", "acme"]

    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)

    assert done.returncode == 0, done.stderr
    assert "Rows as people of Acme." in done.stdout
    types = [sys.executable, "-m", "mypy", "--strict", "acme.py"]
    checked = subprocess.run(types, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout


PREFIXES = {
    "W": "tests/destinations/test_webhook",
    "S": "tests/spec/test",
    "V": "tests/vendor/test",
    "P": "tests/protocols/test",
    "R": "tests/destinations/test_relay42",
    "C": "tests/destinations/test_connectif",
}


def test_what_the_coverage_names_is_there() -> None:
    """Each test that ``docs/coverage.md`` names is one that runs, and each prefix is explained."""
    text = page("docs/coverage.md")
    named = re.findall(r"`([A-Z])((?:_\w+)?\.py)::(test_\w+)`", text)

    assert len(named) > 80
    for prefix, rest, test in named:
        source = (ROOT / f"{PREFIXES[prefix]}{rest}").read_text("utf-8")
        assert re.search(rf"^(?: *(?:async )?def {test}\(|{test} = )", source, re.MULTILINE), test
    for prefix, path in PREFIXES.items():
        assert f"{prefix} is `{path}`" in text


def test_what_the_security_page_names_is_there() -> None:
    """Each test that ``docs/security.md`` names is one that runs."""
    named = re.findall(r"`(tests/[\w/]+\.py)::(test_\w+)`", page("docs/security.md"))

    assert len(named) > 30
    for path, test in named:
        assert re.search(rf"^ *(?:async )?def {test}\(", page(path), re.MULTILINE), (path, test)
