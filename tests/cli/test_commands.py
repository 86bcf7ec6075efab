"""The commands, run as a person runs them: a process each, its output and its exit code."""

import json
import re
from pathlib import Path

import pytest
from commands import command, command_beside
from support import SECRET, Serve

from destination import registry
from destination.cli.sandbox import stand_ins

CRM = """
[destinations.crm]
kind = "webhook"
url = "https://crm.example.com/rows"
"""


def test_help_teaches(tmp_path: Path) -> None:
    """``--help`` lists the commands with what they do, and where to start."""
    done = command(tmp_path, "--help")

    assert done.returncode == 0
    for name in ("serve", "demo", "check", "list", "describe", "call", "sync"):
        assert f"\n  {name} " in done.stdout
    assert "\n  Start here:\n    destination demo " in done.stdout


@pytest.mark.parametrize("name", ["call", "serve", "sync"])
def test_examples_stand_on_lines_of_their_own(tmp_path: Path, name: str) -> None:
    """The help of a command keeps the lines of its examples and tables as they are."""
    shown = command(tmp_path, name, "--help").stdout

    assert "\\b" not in shown
    assert re.search(r"\n\n(    destination|  HOST, PORT   )", shown)


def test_a_misspelt_command_is_answered_with_the_closest(tmp_path: Path) -> None:
    """A command that does not exist is a usage error that names the closest one."""
    done = command(tmp_path, "serv")

    assert done.returncode == 2
    assert "serve" in done.stderr


def test_list_shows_kinds_and_destinations(tmp_path: Path) -> None:
    """``list --json`` gives the kinds and the configured destinations."""
    (tmp_path / "destinations.toml").write_text(CRM)

    done = command(tmp_path, "list", "--json")

    listed = json.loads(done.stdout)
    assert {"kind": "webhook", "summary": "Rows as requests to any HTTP API."} in listed["kinds"]
    assert listed["destinations"] == [{"name": "crm", "kind": "webhook"}]


def test_list_explains_a_broken_file(tmp_path: Path) -> None:
    """A file that is not TOML is a configuration error of three lines."""
    (tmp_path / "destinations.toml").write_text("[destinations.crm")

    done = command(tmp_path, "list")

    assert done.returncode == 3
    assert len(done.stderr.splitlines()) == 3
    assert "is not TOML" in done.stderr


def test_describe_shows_what_a_kind_can_be_told(tmp_path: Path) -> None:
    """``describe`` shows settings, modes with their verbs, fields and limits."""
    done = command(tmp_path, "describe", "webhook")

    assert done.returncode == 0
    for word in ("url", "batching", '"none" | "array"', "mirror", "remove", "identifier", "Limits"):
        assert word in done.stdout


def test_describe_json_is_complete(tmp_path: Path) -> None:
    """``describe --json`` has every setting, the common ones too, with type and default."""
    described = json.loads(command(tmp_path, "describe", "webhook", "--json").stdout)

    settings = {each["name"]: each for each in described["settings"]}
    assert settings["url"]["required"]
    assert settings["method"]["default"] == "POST"
    assert "timeout" in {each["name"] for each in described["common_settings"]}
    assert (
        '{ scheme = "bearer", token } or { scheme = "basic", username' in settings["auth"]["type"]
    )
    hmac, standard = settings["signing"]["type"].split(" or ")
    assert hmac == '{ scheme = "hmac", secret, algorithm?, header? }'
    assert standard == '{ scheme = "standard_webhooks", secrets }'


def test_describe_names_the_closest_kind(tmp_path: Path) -> None:
    """A kind that does not exist is answered with the closest one."""
    done = command(tmp_path, "describe", "webhok")

    assert done.returncode == 3
    assert 'Did you mean "webhook"?' in done.stderr


async def test_check_tells_what_it_found_as_json(tmp_path: Path) -> None:
    """An object for each finding; ``check`` exits 1 when one destination fails."""
    async with stand_ins() as reached:
        good = reached["webhook"].settings
        bad = good | {"auth": {"scheme": "bearer", "token": "canary-wrong"}}
        settings = json.dumps({"good": good, "bad": bad, "odd": {"kind": "nosuch"}})
        done = await command_beside(tmp_path, "check", "--json", DESTINATIONS=settings)
        fine = await command_beside(tmp_path, "check", "good", DESTINATIONS=settings)

    findings = json.loads(done.stdout)
    assert findings[-1] == {
        "name": "odd",
        "kind": "nosuch",
        "check": "settings",
        "outcome": "failed",
        "says": findings[-1]["says"],
    }
    failed = [(each["name"], each["check"]) for each in findings if each["outcome"] == "failed"]
    assert failed == [("bad", "credentials"), ("odd", "settings")]
    assert (done.returncode, fine.returncode) == (1, 0)
    assert fine.stdout.endswith("0 failed, 0 warnings, 9 ok\n")
    assert "canary" not in done.stdout + done.stderr


async def test_call_prints_the_response(serve: Serve, tmp_path: Path) -> None:
    """``call`` sends the secret from the environment and prints the response object."""
    served = await serve()

    done = await command_beside(
        tmp_path, "call", "people", "list_modes", '{"object": "organization"}', "--url", served.url,
        DESTINATION_TOKEN=SECRET,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    assert [mode["id"] for mode in json.loads(done.stdout)["result"]["modes"]] == ["upsert"]


async def test_call_exits_one_when_rows_are_rejected(serve: Serve, tmp_path: Path) -> None:
    """``call`` exits 1 when the response rejects rows or is an error; params may be a file."""
    served = await serve()
    params = {"idColumn": "id", "rows": [{"id": 7}], "configuration": {"object": "user"}}
    (tmp_path / "rows.json").write_text(json.dumps(params))

    rejected = await command_beside(
        tmp_path,
        "call",
        "people",
        "add",
        "@rows.json",
        "--url",
        served.url,
        "-H",
        f"X-Api-Key: {SECRET}",
    )
    unknown = await command_beside(
        tmp_path, "call", "people", "nosuch", "--url", served.url, "-H", f"X-Api-Key: {SECRET}"
    )

    assert json.loads(rejected.stdout)["result"]["rejectedRows"][0]["id"] == 7
    assert rejected.returncode == 1
    assert json.loads(unknown.stdout)["error"]["code"] == -32601
    assert unknown.returncode == 1


def test_call_says_when_no_server_answers(tmp_path: Path) -> None:
    """``call`` exits 4 with a hint when nothing listens."""
    done = command(tmp_path, "call", "crm", "behavior", "--url", "http://127.0.0.1:9")

    assert done.returncode == 4
    assert "is the server running there?" in done.stderr


@pytest.mark.parametrize("params", ["{", "@missing.json"])
def test_call_says_when_params_cannot_be_used(tmp_path: Path, params: str) -> None:
    """Params that are not JSON, or a file that is not there, are a usage error."""
    done = command(tmp_path, "call", "crm", "add", params)

    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 3


def test_curl_prints_a_line_without_the_secret(tmp_path: Path) -> None:
    """``call --curl`` prints a line to paste in which the secret is a variable."""
    done = command(
        tmp_path, "call", "crm", "add", '{"rows": []}', "--curl", DESTINATION_TOKEN=SECRET
    )

    assert done.returncode == 0
    assert done.stdout.startswith("curl ")
    assert "$DESTINATION_TOKEN" in done.stdout
    assert SECRET not in done.stdout


@pytest.mark.parametrize("kind", registry.kinds())
def test_every_kind_is_described(tmp_path: Path, kind: str) -> None:
    """``describe`` shows each option under the name that it has in the form."""
    done = command(tmp_path, "describe", kind, "--json")

    assert done.returncode == 0, done.stderr
    shown = {each["name"] for each in json.loads(done.stdout)["options"]}
    assert (
        shown == registry.load(kind).options_model.model_json_schema().get("properties", {}).keys()
    )
