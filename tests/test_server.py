"""A real process, started as a platform starts it."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
SECRET = "canary-" + "k" * 40
START = 30.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def clean_environment(**extra: str) -> dict[str, str]:
    """A platform's environment: the project importable, nothing of ours set but what is given."""
    kept = {name: os.environ[name] for name in ("HOME", "LANG") if name in os.environ}
    path = f"{Path(sys.executable).parent}:/usr/bin:/bin"
    return kept | {"PATH": path, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"} | extra


Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start a command in an empty folder; whatever still runs at the end is stopped."""
    started: list[subprocess.Popen[str]] = []

    def run(*command: str, **environment: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            command,
            cwd=tmp_path,
            env=clean_environment(**environment),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        started.append(process)
        return process

    yield run
    for process in started:
        if process.poll() is None:
            process.terminate()  # a Procfile runner then ends what it started, in its own sessions
        try:
            process.communicate(timeout=START)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            raise


def get(url: str, **headers: str) -> tuple[int, Any]:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers)) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def wait_healthy(port: int, process: subprocess.Popen[str]) -> None:
    end = time.monotonic() + START
    while time.monotonic() < end:
        try:
            assert get(f"http://127.0.0.1:{port}/healthz")[0] == 200
        except (urllib.error.URLError, ConnectionError):
            assert process.poll() is None, process.communicate()[0]
            time.sleep(0.05)
        else:
            return
    raise AssertionError("the server did not start")


def serve_command() -> tuple[str, ...]:
    return (sys.executable, "-m", "destination", "serve")


CRM = {
    "DESTINATIONS__CRM__KIND": "webhook",
    "DESTINATIONS__CRM__URL": "https://crm.example.com/rows",
}


def test_the_procfile_serves_when_port_and_secret_are_set(start: Start, tmp_path: Path) -> None:
    """A Procfile runner with PORT and a secret set gets a server that asks for the secret."""
    shutil.copy(ROOT / "Procfile", tmp_path)
    port = free_port()
    # honcho gives the first process of a type the base port itself.
    process = start(
        sys.executable,
        "-m",
        "honcho",
        "start",
        "web",
        PORT=str(port),
        DESTINATION_TOKEN=SECRET,
        **CRM,
    )

    wait_healthy(port, process)

    assert get(f"http://127.0.0.1:{port}/")[0] == 401
    status, index = get(f"http://127.0.0.1:{port}/", Authorization=f"Bearer {SECRET}")
    assert status == 200
    assert index["destinations"] == [{"name": "crm", "kind": "webhook", "url": "/hightouch/crm"}]


def test_the_procfile_refuses_without_a_secret(start: Start, tmp_path: Path) -> None:
    """With PORT set and no DESTINATION_TOKEN the Procfile's process refuses, with exit code 3."""
    shutil.copy(ROOT / "Procfile", tmp_path)

    process = start(sys.executable, "-m", "honcho", "start", "web", PORT=str(free_port()), **CRM)
    output, _ = process.communicate(timeout=START)

    assert process.returncode == 3
    assert "DESTINATION_TOKEN is not set" in output
    assert "secrets.token_urlsafe" in output or "at least 32" in output


@pytest.mark.parametrize("secret", ["", "short", f"{SECRET},", f"{SECRET},short"])
def test_an_empty_or_short_secret_is_refused(start: Start, secret: str) -> None:
    """An empty or short secret, also one of several, ends the start with exit code 3."""
    process = start(*serve_command(), DESTINATION_TOKEN=secret, **CRM)
    output, _ = process.communicate(timeout=START)

    assert process.returncode == 3
    assert "characters" in output
    assert SECRET not in output


def test_a_wrong_setting_is_named_without_its_value(start: Start, tmp_path: Path) -> None:
    """A misspelt setting ends the start with exit code 3, the closest name, and no value."""
    (tmp_path / "destinations.toml").write_text(
        '[destinations.crm]\nkind = "webhook"\nurl = "https://crm.example.com"\n'
        'auth = { scheme = "bearer", tokn = "canary-value" }\nheadrs = { a = "canary-value" }\n'
    )

    process = start(*serve_command())
    output, _ = process.communicate(timeout=START)

    assert process.returncode == 3
    assert 'Did you mean "headers"?' in output
    assert "destinations.crm.auth" in output
    assert "canary-value" not in output
    assert "Traceback" not in output


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_it_cleanly(start: Start, number: signal.Signals) -> None:
    """SIGTERM and SIGINT end an idle server with exit code 0 within two seconds."""
    port = free_port()
    process = start(*serve_command(), PORT=str(port), DESTINATION_TOKEN=SECRET, **CRM)
    wait_healthy(port, process)

    began = time.monotonic()
    process.send_signal(number)
    output, _ = process.communicate(timeout=START)

    assert process.returncode == 0, output
    assert time.monotonic() - began < 2
    assert "Traceback" not in output


def test_the_sandbox_serves_without_any_configuration(start: Start) -> None:
    """``serve --sandbox`` needs neither file nor account: a row reaches the stand-in."""
    port = free_port()
    process = start(*serve_command(), "--sandbox", HOST="127.0.0.1", PORT=str(port))
    wait_healthy(port, process)
    row = {"key": 1, "mail": "ada@example.com"}
    request = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "add",
        "params": {
            "idColumn": "key",
            "configuration": {"identifierMapping": [{"from": "mail", "to": "email"}]},
            "rows": [row],
        },
    }

    call = urllib.request.Request(
        f"http://127.0.0.1:{port}/hightouch/webhook",
        data=json.dumps(request).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(call) as answer:
        assert json.load(answer) == {"jsonrpc": "2.0", "result": {"rejectedRows": []}, "id": 1}


def test_a_taken_port_is_explained(start: Start) -> None:
    """A port that is taken ends the start with a sentence, not with a traceback."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        process = start(*serve_command(), HOST="127.0.0.1", PORT=port, **CRM)
        output, _ = process.communicate(timeout=START)

    assert process.returncode == 3
    assert "cannot listen" in output
    assert "Traceback" not in output


def test_rows_and_secrets_are_nowhere_in_the_log(start: Start) -> None:
    """At level debug, neither secrets nor row values appear in what the process prints."""
    port, vendor = free_port(), free_port()
    crm = {
        "DESTINATIONS__CRM__KIND": "webhook",
        "DESTINATIONS__CRM__URL": f"http://127.0.0.1:{vendor}/canary-path?key=canary-query",
        "DESTINATIONS__CRM__AUTH__SCHEME": "bearer",
        "DESTINATIONS__CRM__AUTH__TOKEN": "canary-token",
        "DESTINATIONS__CRM__ALLOW_PRIVATE_NETWORKS": "true",
    }
    process = start(
        *serve_command(),
        PORT=str(port),
        HOST="127.0.0.1",
        DESTINATION_TOKEN=SECRET,
        LOG_LEVEL="debug",
        **crm,
    )
    wait_healthy(port, process)
    request = {
        "jsonrpc": "2.0",
        "id": "canary-call",
        "method": "add",
        "params": {"idColumn": "id", "rows": [{"id": "canary-row", "name": "canary-name"}],
                   "configuration": {"customMappings": [{"from": "name", "to": "name"}]}},
    }  # fmt: skip
    call = urllib.request.Request(
        f"http://127.0.0.1:{port}/hightouch/crm",
        data=json.dumps(request).encode(),
        headers={"Content-Type": "application/json", "X-Api-Key": SECRET},
    )
    with urllib.request.urlopen(call) as answer:
        rejected = json.load(answer)["result"]["rejectedRows"]
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=START)

    assert rejected == [
        {"id": "canary-row", "reason": "CONNECT_FAILED: not sent: could not connect to the vendor"}
    ]
    assert "canary" not in output
    assert '"rejected":1' in output.replace(" ", "")
