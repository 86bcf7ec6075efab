"""The Dockerfile, and what ``docs/deploying.md`` has for each platform."""

import asyncio
import json
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from pages import ROOT
from scene import server_process

from destination.app import make_instances
from destination.settings import Settings, load

PAGE = (ROOT / "docs" / "deploying.md").read_text("utf-8")
SERVE = ["python", "-m", "destination", "serve"]


def instructions() -> list[tuple[str, str]]:
    """The Dockerfile's, each in one line."""
    text = (ROOT / "Dockerfile").read_text("utf-8").replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [(line.split()[0], line.split(maxsplit=1)[1]) for line in lines]


def instruction(name: str) -> str:
    [found] = [rest for each, rest in instructions() if each == name]
    return found


def block(language: str) -> str:
    """The page's only block in a language."""
    [found] = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    return str(found)


def configured(monkeypatch: pytest.MonkeyPatch, folder: Path, **environment: str) -> Settings:
    """The settings by an environment."""
    monkeypatch.chdir(folder)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return load()


def test_what_the_image_copies_is_there() -> None:
    """Each file that is copied is in the repository, and let through by ``.dockerignore``."""
    ignored = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    copied = [rest.split()[0] for name, rest in instructions() if name == "COPY"]

    assert copied == ["requirements.txt", "destination", "destinations"]
    for name in copied:
        assert (ROOT / name).exists()
        assert f"!{name}" in ignored


def test_the_image_installs_locked_versions() -> None:
    """Only what has a hash is installed, and everything that is required has one."""
    [install] = [rest for name, rest in instructions() if "pip" in rest and name == "RUN"]
    required = re.split(r"\n(?=\S)", (ROOT / "requirements.txt").read_text("utf-8").strip())

    assert "--require-hashes" in json.loads(install)
    assert [each for each in required if "--hash=sha256:" not in each] == []


def test_the_image_s_user_has_no_rights() -> None:
    """It is named by a number that is not root's, before the server starts."""
    names = [name for name, _ in instructions()]

    assert int(instruction("USER")) > 0
    assert names.index("USER") < names.index("CMD")


def test_the_server_gets_the_signal_itself() -> None:
    """The image's command is in the exec form, and is the ``Procfile``'s; so is Render's."""
    procfile = (ROOT / "Procfile").read_text("utf-8").removeprefix("web: ")

    assert json.loads(instruction("CMD")) == SERVE == shlex.split(procfile)
    assert shlex.split(yaml.safe_load(block("yaml"))["services"][0]["startCommand"]) == SERVE


async def test_the_health_check_tells_a_server_that_is_gone(tmp_path: Path) -> None:
    """It exits with 0 while a server listens on PORT, and with something else when none does."""
    check = json.loads(instruction("HEALTHCHECK").partition("CMD ")[2])
    (tmp_path / "destinations.toml").write_text(
        '[destinations.crm]\nkind = "webhook"\nurl = "https://crm.example.com/rows"\n'
    )

    async def exits(port: str) -> int:
        proxied = {"PORT": port, "http_proxy": "http://127.0.0.1:9"}  # as Docker may set it
        process = await asyncio.create_subprocess_exec(
            sys.executable, *check[1:], env=proxied, stderr=subprocess.DEVNULL
        )
        return await process.wait()

    async with server_process(tmp_path) as server:
        port = server.url.rpartition(":")[2]
        assert await exits(port) == 0
    assert await exits(port) != 0


def test_fly_s_file_configures_the_server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """It listens where Fly calls, writes to the volume, and has time to drain."""
    fly = tomllib.loads(block("toml"))
    settings = configured(monkeypatch, tmp_path, DESTINATION_TOKEN="s" * 40, **fly["env"])

    assert settings.address == ("0.0.0.0", fly["http_service"]["internal_port"])
    assert settings.state_url.startswith(f"sqlite:///{fly['mounts']['destination']}/")
    assert settings.server.drain < fly["kill_timeout"]
    assert fly["kill_signal"] == "SIGTERM"


def test_an_image_is_told_its_destination_by_the_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """No file of the operator's is in it: by Fly's file and by Cloud Run's command crm is whole."""
    fly = tomllib.loads(block("toml"))["env"]
    section = PAGE.split("\n## Cloud Run\n")[1].split("\n## ")[0]
    run = dict(re.findall(r"\b(\w+__\w+)=([^,\s]+)", section))

    for given in (fly, run):
        secret = {"DESTINATION_TOKEN": "s" * 40, "DESTINATIONS__CRM__AUTH__TOKEN": "from-the-vault"}
        instances = make_instances(configured(monkeypatch, tmp_path, **given | secret))
        assert list(instances) == ["crm"]
        assert instances["crm"].plugin.settings.auth.token.get_secret_value() == "from-the-vault"


def test_render_s_file_configures_the_server(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """It writes to the disk, and has time to drain; secrets are not in the file."""
    [service] = yaml.safe_load(block("yaml"))["services"]
    given = {each["key"]: each["value"] for each in service["envVars"] if "value" in each}
    settings = configured(monkeypatch, tmp_path, **given)

    assert settings.state_url.startswith(f"sqlite:///{service['disk']['mountPath']}/")
    assert settings.server.drain < service["maxShutdownDelaySeconds"]
    assert "--require-hashes" in service["buildCommand"]
    assert [name for name in given if "TOKEN" in name] == []


@pytest.mark.parametrize(("platform", "kill"), [("Heroku", 30), ("Cloud Run", 10), ("Docker", 30)])
def test_there_is_time_to_drain(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, platform: str, kill: float
) -> None:
    """With the variables of a platform's commands the server is done before it is killed."""
    section = PAGE.split(f"\n## {platform}\n")[1].split("\n## ")[0]
    given: dict[str, Any] = dict(re.findall(r"\b(SERVER__\w+)=([\w.]+)", section))
    told = re.search(r"--stop-timeout (\d+)", section)

    assert configured(monkeypatch, tmp_path, **given).server.drain < kill
    assert platform != "Docker" or (told is not None and float(told[1]) == kill)


def test_every_request_is_answered_in_time() -> None:
    """The default deadline is within the shortest time that a platform of the page gives."""
    assert Settings().server.deadline < 30
