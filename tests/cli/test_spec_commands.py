"""What the commands say of spec files: of one by itself, of a configured one, of their form."""

import json
from pathlib import Path
from typing import Any

import pytest
from commands import ROOT, command, command_beside

from destination.cli.sandbox import stand_ins
from destination.spec.files import file_schema

RECEIVER = ROOT / "tests" / "spec" / "receiver.toml"

ACME = """
name = "acme"
label = "Acme"
base_url = "https://api.acme.example"
requests.save = { url = "/people", template = { address = "{{ email }}" } }

[[objects]]
modes = [{ id = "insert", add = "save" }]
fields = [{ id = "email", type = "EMAIL", identifier = true }]

[[tests]]
name = "a row is a request"
records = [{ email = "ann@example.com" }]
requests = [{ url = "https://api.acme.example/people", body = { address = "ann@example.com" } }]
"""


def acme(folder: Path, *changes: tuple[str, str]) -> str:
    """The name of the file above in a folder, changed."""
    content = ACME
    for before, after in changes:
        assert before in content
        content = content.replace(before, after)
    (folder / "acme.toml").write_text(content)
    return "acme.toml"


def told(done: Any, check: str, name: str = "acme.toml") -> list[tuple[str, str]]:
    """Outcome and sentence of each finding of ``check --json`` about this."""
    return [
        (each["outcome"], each["says"])
        for each in json.loads(done.stdout)
        if (each["name"], each["check"]) == (name, check)
    ]


def test_check_runs_a_files_own_tests(tmp_path: Path) -> None:
    """A file that is as it says passes, without a configuration and without the vendor."""
    done = command(tmp_path, "check", acme(tmp_path), "--json")

    assert told(done, "tests") == [("ok", "1 test passed")]
    assert told(done, "form") == [("ok", "without the vendor's choices, no options")]
    assert done.returncode == 0


def test_check_shows_what_a_file_does_not_as_it_says(tmp_path: Path) -> None:
    """Each difference is a line that starts with the test's name, and the exit code is 1."""
    file = acme(tmp_path, ("template = { address", "template = { adress"))

    done = command(tmp_path, "check", file, "--json")

    body = "a row is a request: request 1: its body at"
    assert told(done, "tests") == [
        ("failed", f'{body} /address is nothing, expected "ann@example.com"'),
        ("failed", f'{body} /adress is "ann@example.com", expected nothing'),
    ]
    assert done.returncode == 1


def test_check_shows_every_mistake_of_a_file(tmp_path: Path) -> None:
    """A file with two mistakes has two lines, and other files are checked all the same."""
    file = acme(tmp_path, ("label", "lable"), ("identifier", "identifer"))

    done = command(tmp_path, "check", file, str(RECEIVER), "nowhere.yaml", "--json")

    assert told(done, "settings") == [
        (
            "failed",
            'acme.toml: objects.0.fields.0.identifer: Setting "identifer" does not exist. '
            'Did you mean "identifier"?',
        ),
        ("failed", 'acme.toml: lable: Setting "lable" does not exist. Did you mean "label"?'),
    ]
    assert told(done, "tests", "receiver.toml") == [("ok", "2 tests passed")]
    assert told(done, "settings", "nowhere.yaml") == [
        ("failed", "nowhere.yaml: cannot be read: No such file or directory")
    ]
    assert done.returncode == 1


def test_check_says_that_a_file_has_no_tests(tmp_path: Path) -> None:
    """Which is no failure, and a warning."""
    (tmp_path / "acme.toml").write_text(ACME.partition("[[tests]]")[0])

    done = command(tmp_path, "check", "acme.toml", "--json")

    says = "the file has no tests: add some, so that it can be trusted"
    assert told(done, "tests") == [("warning", says)]
    assert done.returncode == 0


def configured(told: dict[str, Any], **more: Any) -> str:
    """A destination of the receiver's spec file, for the environment."""
    return json.dumps(
        {
            "crm": {
                "kind": "spec",
                "spec": str(RECEIVER),
                "endpoint": told["url"].removesuffix("/rows"),
                "token": told["auth"]["token"],
                "allow_private_networks": True,
                **more,
            }
        }
    )


async def test_check_of_a_configured_file_asks_the_vendor_too(tmp_path: Path) -> None:
    """First its tests, then its request that reads: with the right token, and a wrong one."""
    async with stand_ins() as reached:
        receiver = reached["webhook"].settings
        good = await command_beside(tmp_path, "check", "--json", DESTINATIONS=configured(receiver))
        wrong = await command_beside(
            tmp_path, "check", "--json", DESTINATIONS=configured(receiver, token="canary")
        )

    assert told(good, "tests", "crm") == told(wrong, "tests", "crm") == [("ok", "2 tests passed")]
    assert told(good, "credentials", "crm") == [("ok", "the vendor accepts them")]
    assert told(wrong, "credentials", "crm")[0][1].startswith("AUTH_FAILED: ")
    assert (good.returncode, wrong.returncode) == (0, 1)
    assert "canary" not in wrong.stdout + wrong.stderr


def test_a_file_is_looked_for_beside_the_configuration(tmp_path: Path) -> None:
    """And a file that asks nothing of the vendor says so."""
    folder = tmp_path / "configured"
    folder.mkdir()
    acme(folder)
    (folder / "destinations.toml").write_text(
        '[destinations.crm]\nkind = "spec"\nspec = "acme.toml"\n'
    )

    done = command(tmp_path, "check", "--config", "configured/destinations.toml", "--json")

    says = "the file names no request that reads, so nothing was asked"
    assert told(done, "tests", "crm") == [("ok", "1 test passed")]
    assert told(done, "credentials", "crm") == [("ok", says)]


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({}, 'destinations.crm: a spec file is missing: name it, as in spec = "acme.toml"'),
        (
            {"spec": "none.toml"},
            "destinations.crm: none.toml: cannot be read: No such file or directory",
        ),
        (
            {"spec": str(RECEIVER), "endpoint": "http://[", "token": "t"},
            "destinations.crm: base_url: must be a valid URL, invalid IPv6 address",
        ),
        (
            {"spec": str(RECEIVER), "endpoint": "ftp://x", "token": "t"},
            r"destinations.crm.endpoint: does not satisfy pattern: ^https?://[^/?#\s]+$",
        ),
        (
            {"spec": str(RECEIVER), "endpoint": "https://x.example", "tokn": "t"},
            'destinations.crm: Setting "tokn" does not exist. Did you mean "token"?\n'
            "destinations.crm.token: is missing",
        ),
    ],
)
def test_a_configured_file_that_cannot_be_used_is_told(
    tmp_path: Path, values: dict[str, Any], says: str
) -> None:
    """Every problem is a line that names the destination."""
    settings = json.dumps({"crm": {"kind": "spec", **values}})

    done = command(tmp_path, "check", "--json", DESTINATIONS=settings)

    assert told(done, "settings", "crm") == [("failed", each) for each in says.splitlines()]
    assert done.returncode == 1


def test_describe_shows_a_file(tmp_path: Path) -> None:
    """How it is configured, its settings, modes, fields and limits."""
    done = command(tmp_path, "describe", acme(tmp_path))

    assert done.returncode == 0
    assert 'Acme — kind = "spec", spec = "acme.toml"' in done.stdout
    for word in ("insert", "save", "email", "EMAIL", "identifier", "│ batch_size  │ 1 "):
        assert word in done.stdout


def test_describe_json_of_a_file_is_complete(tmp_path: Path) -> None:
    """Settings are marked as secrets where they are, and the batch is the largest there is."""
    described = json.loads(command(tmp_path, "describe", str(RECEIVER), "--json").stdout)

    settings = {each["name"]: each["type"] for each in described["settings"]}
    assert settings == {"endpoint": "string", "token": "string (secret)"}
    assert (described["kind"], described["spec"]) == ("spec", str(RECEIVER))
    assert [each["id"] for each in described["objects"]] == ["person", "people"]
    assert described["limits"]["batch_size"] == 100
    assert described["limits"]["latency"] == 0.2


def test_describe_tells_a_files_mistakes(tmp_path: Path) -> None:
    """A configuration error, with what to do next."""
    done = command(tmp_path, "describe", acme(tmp_path, ("base_url", "base")))

    assert done.returncode == 3
    assert "acme.toml: base_url: is missing" in done.stderr
    assert "destination describe spec" in done.stderr


def test_describe_spec_is_the_form_of_a_file(tmp_path: Path) -> None:
    """Every part of a file has a table; each key has its type and what it is."""
    done = command(tmp_path, "describe", "spec")

    assert done.returncode == 0
    for word in (
        "objects.fields",
        "requests.answer.rows",
        "tests.replies",
        "omit_empty",
        "group_by",
    ):
        assert word in done.stdout


def test_describe_spec_json_is_the_schema(tmp_path: Path) -> None:
    """What is published in ``docs``."""
    done = command(tmp_path, "describe", "spec", "--json")

    assert json.loads(done.stdout) == file_schema()


def test_list_shows_that_there_are_spec_files(tmp_path: Path) -> None:
    """Among the kinds, and a configured one by its name."""
    acme(tmp_path)
    (tmp_path / "destinations.toml").write_text(
        '[destinations.crm]\nkind = "spec"\nspec = "acme.toml"\n'
    )

    listed = json.loads(command(tmp_path, "list", "--json").stdout)

    summary = "Rows to any API that a spec file describes."
    assert {"kind": "spec", "summary": summary} in listed["kinds"]
    assert listed["destinations"] == [{"name": "crm", "kind": "spec"}]
