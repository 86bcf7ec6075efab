"""The commands, run as a person runs them: a process each, its output and its exit code."""

import json
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
    for name in ("serve", "demo", "check", "list", "describe", "call"):
        assert f"\n  {name} " in done.stdout
    assert "Start here" in done.stdout


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


async def test_check_passes_against_a_receiver_that_lets_us_in(tmp_path: Path) -> None:
    """``check`` exits 0 when the receiver accepts the credentials."""
    async with stand_ins() as reached:
        settings = json.dumps({"crm": reached["webhook"].settings})
        done = await command_beside(tmp_path, "check", "--json", DESTINATIONS=settings)

    assert json.loads(done.stdout) == [
        {"name": "crm", "kind": "webhook", "ok": True, "says": "reachable, credentials accepted"}
    ]
    assert done.returncode == 0


async def test_check_fails_on_wrong_credentials_and_shows_all(tmp_path: Path) -> None:
    """``check`` exits 1 when one destination fails, and still shows the others."""
    async with stand_ins() as reached:
        good = reached["webhook"].settings
        bad = good | {"auth": {"scheme": "bearer", "token": "canary-wrong"}}
        settings = json.dumps({"good": good, "bad": bad, "odd": {"kind": "nosuch"}})
        done = await command_beside(tmp_path, "check", "--json", DESTINATIONS=settings)

    outcomes = {each["name"]: each for each in json.loads(done.stdout)}
    assert outcomes["good"]["ok"]
    assert outcomes["bad"]["says"].startswith("AUTH_FAILED")
    assert not outcomes["odd"]["ok"]
    assert done.returncode == 1
    assert "canary" not in done.stdout + done.stderr


@pytest.mark.parametrize("arguments", [("check",), ("check", "nosuch")])
def test_check_never_exits_with_another_code_than_one(
    tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    """Nothing to check, or a name that is not configured, exits 1 with an explanation."""
    done = command(tmp_path, *arguments)

    assert done.returncode == 1
    assert done.stderr.startswith("Error: ")


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
    assert "destination serve" in done.stderr


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


async def test_check_shows_what_a_destination_says(tmp_path: Path) -> None:
    """``check`` says whose account it is, where the destination knows."""
    async with stand_ins() as reached:
        settings = json.dumps({"team": reached["slack"].settings})
        done = await command_beside(tmp_path, "check", "--json", DESTINATIONS=settings)

    assert done.returncode == 0
    assert json.loads(done.stdout)[0]["says"] == 'workspace "Sandbox"'


@pytest.mark.parametrize("kind", registry.kinds())
def test_every_kind_is_described(tmp_path: Path, kind: str) -> None:
    """``describe`` shows each option under the name that it has in the form."""
    done = command(tmp_path, "describe", kind, "--json")

    assert done.returncode == 0, done.stderr
    shown = {each["name"] for each in json.loads(done.stdout)["options"]}
    assert (
        shown == registry.load(kind).options_model.model_json_schema().get("properties", {}).keys()
    )
