"""``destination conform``, run as a person runs it, and what it says of our own server."""

import asyncio
import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from aiohttp import web
from conforming import BEARER, CASES, ROWS, SECOND, SYNC, faulty, given, results
from raw_server import raw
from support import SECRET, Serve, Served

from destination.cli.conform.case import Outcome
from destination.cli.conform.table import OUTSIDE
from destination.listen import listening
from destinations.sandbox.webhook import StandIn

ROOT = Path(__file__).parents[2]

NOT_IN_A_WEBHOOK = {
    "C4": "The server has no objects.",
    "C6": "The server has no objects.",
    "C7": "The server has modes.",
    "C13": "The server has no options.",
    "C15": "The server has no options.",
    "C16": "The server has no options.",
    "C17": "The server has no options.",
    "C22": "The server has no required options.",
    "C23": "validate has nothing to say, which is right where any field may be mapped.",
    "S39": "The server has no objects.",
}
NOT_IN_PEOPLE = {
    "C2": "The server has objects.",
    "C7": "The server has modes.",
    "C14": "The server has options.",
    "C22": "The server has no required options.",
    "C23": NOT_IN_A_WEBHOOK["C23"],
}


@asynccontextmanager
async def receiver(serve: Serve) -> AsyncIterator[Served]:
    """Our server with two secrets and a webhook that delivers to the stand-in."""
    stand_in = StandIn()
    async with listening(stand_in.app(), "127.0.0.1", 0, grace=1) as url:
        yield await serve({"hook": stand_in.settings(url)}, destination_token=f"{SECRET},{SECOND}")


async def command(
    folder: Path, *arguments: str, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run the command while the servers of this test's loop keep answering."""
    whole = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT)} | environment
    return await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "destination", "conform", *arguments],
        cwd=folder,
        env=whole,
        capture_output=True,
        text=True,
        timeout=60,
    )


def files(folder: Path) -> list[str]:
    """The arguments that name a configuration and rows, which are written here."""
    (folder / "sync.json").write_text(json.dumps({**SYNC, "object": None}))
    (folder / "rows.jsonl").write_text("\n".join(map(json.dumps, ROWS)))
    return ["--sync-config", "sync.json", "--rows", "rows.jsonl"]


async def test_our_own_server_passes_all_that_can_be_judged(serve: Serve, tmp_path: Path) -> None:
    """Of a webhook to the stand-in each case holds, but for those that it gives nothing to."""
    async with receiver(serve) as served:
        url = f"{served.url}/hightouch/hook"
        done = await command(
            tmp_path, url, *files(tmp_path), "--json",
            "-H", "X-Api-Key: " + SECRET, "--token", SECRET, "--token", SECOND,
        )  # fmt: skip

    report = json.loads(done.stdout)
    found = {case["id"]: case for case in report["cases"]}
    outside = {case.id for case in OUTSIDE}
    for id, case in found.items():
        wanted = "skipped" if id in NOT_IN_A_WEBHOOK else "passed"
        assert case["outcome"] == ("outside" if id in outside else wanted), case
        assert case.get("reason") == NOT_IN_A_WEBHOOK.get(id) or id in outside
    assert found.keys() == CASES.keys() | outside
    assert report["holds"]
    assert done.returncode == 0


async def test_a_destination_with_objects_and_options_passes_the_rest(serve: Serve) -> None:
    """What a webhook has nothing of, objects and options, is judged by a kind that has them."""
    served = await serve(destination_token=f"{SECRET},{SECOND}")

    run, found = await results(
        f"{served.url}/hightouch/people", headers={**BEARER, "X-Api-Key": SECRET}
    )

    outcomes = {id: result.outcome for id, result in found.items() if id in CASES}
    skipped = {id: found[id].says for id in outcomes if outcomes[id] is Outcome.SKIPPED}
    assert skipped == NOT_IN_PEOPLE
    assert {outcomes[id] for id in outcomes if id not in skipped} == {Outcome.PASSED}
    assert run.holds


async def test_a_required_option_and_a_closed_list_are_judged(serve: Serve) -> None:
    """A kind that requires an option and takes no other fields is judged by the cases of those."""
    served = await serve({"strict": {"kind": "strict"}})
    configuration = {**SYNC, "mode": "upsert", "audience": "key"}

    _, found = await results(
        f"{served.url}/hightouch/strict", "C22", "C23", configuration=configuration
    )

    assert {result.outcome for result in found.values()} == {Outcome.PASSED}


async def test_nothing_is_written_without_rows(serve: Serve) -> None:
    """With no configuration and no rows nothing reaches the vendor, and the cases say so."""
    served = await serve()

    _, found = await results(
        f"{served.url}/hightouch/people", configuration=None, rows=(), id_column=""
    )

    assert served.plugin().batches == []
    writing = [id for id in found if id[0] == "S" and id not in ("S1", "S2", "S3")]
    for id in writing:
        assert found[id].outcome in (Outcome.SKIPPED, Outcome.OUTSIDE)
    assert found["S4"].says == "Not asked for: it writes rows: --sync-config and --rows."
    assert found["C20"].says.endswith("--sync-config.")


async def test_the_url_alone_is_enough(serve: Serve, tmp_path: Path) -> None:
    """A server without a secret, and nothing but the URL, gives a report and exit code 0."""
    served = await serve(destination_token=None)

    done = await command(tmp_path, f"{served.url}/hightouch/people")

    assert done.returncode == 0, done.stdout
    assert "\nTransport\n  ok   T1   A POST of JSON" in done.stdout
    assert "Everything that Hightouch relies on holds" in done.stdout
    assert "Envelope: done" in done.stderr


async def test_the_secret_comes_from_the_environment(serve: Serve, tmp_path: Path) -> None:
    """Without a header DESTINATION_TOKEN is sent, both of its secrets where it has two."""
    served = await serve(destination_token=f"{SECRET},{SECOND}")

    done = await command(
        tmp_path, f"{served.url}/hightouch/people", "--json", "--only", "T19,T20,T23",
        DESTINATION_TOKEN=f"{SECRET},{SECOND}",
    )  # fmt: skip

    assert {case["outcome"] for case in json.loads(done.stdout)["cases"]} == {"passed"}


async def test_a_must_that_does_not_hold_exits_one(kinds_for_tests: None, tmp_path: Path) -> None:
    """A server that lets anybody in fails: exit code 1, and each case is explained."""
    async with faulty(lambda *_: None) as url:
        done = await command(tmp_path, url, "--token", "wrong" * 8)

    assert done.returncode == 1
    lines = done.stdout.splitlines()
    [at] = [number for number, line in enumerate(lines) if line.startswith("  FAIL T19 ")]
    assert lines[at + 1].startswith("            sent      POST /hightouch/people, 58 bytes: {")
    assert lines[at + 2].startswith("            received  200, application/json")
    assert lines[at + 3] == "            expected  HTTP 401"
    assert lines[at + 4].startswith("            why       Headers are the only credentials")
    assert "wrongwrong" not in done.stdout + done.stderr


async def test_cases_are_chosen_by_id_and_by_group(serve: Serve, tmp_path: Path) -> None:
    """``--only`` and ``--skip`` take ids and groups, in any case of letters."""
    served = await serve(destination_token=None)
    url = f"{served.url}/hightouch/people"

    done = await command(tmp_path, url, "--only", "e,S3, T1", "--skip", "E5,E6", "--json")

    ids = [case["id"] for case in json.loads(done.stdout)["cases"]]
    wanted = [id for id in CASES if id[0] == "E" and id not in ("E5", "E6")]
    assert ids == ["T1", *wanted, "S3"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["ftp://example.com/"], "https://"),
        (["http://user:pass@example.com/"], "header"),
        (["http://example.com/a b"], "percent-encoded"),
        (["http://example.com:99999/"], "ort"),
        (["http://127.0.0.1:9/", "--only", "E99"], "E99"),
        (["http://127.0.0.1:9/", "--only", "X"], "X"),
        (["http://127.0.0.1:9/", "--only", "T", "--skip", "t"], "None is left"),
        (["http://127.0.0.1:9/", "-H", "no colon"], "NAME: VALUE"),
        (["http://127.0.0.1:9/", "-H", "X-A: b\r\nX-C: d"], "characters"),
        (["http://127.0.0.1:9/", "--sync-config", "missing.json"], "missing.json"),
        (["http://127.0.0.1:9/", "--sync-config", "list.json"], "object"),
        (["http://127.0.0.1:9/", "--sync-config", "nan.json"], "JSON"),
        (["http://127.0.0.1:9/", "--rows", "rows.csv"], "configuration"),
        (["http://127.0.0.1:9/", "--sync-config", "ok.json", "--rows", "ok.json"], "no value"),
        (["http://127.0.0.1:9/", "--sync-config", "ok.json", "--rows", "nan.json"], "JSON"),
        (["http://127.0.0.1:9/", "--sync-config", "ok.json", "--rows", "empty.csv"], "has none"),
        (
            ["http://127.0.0.1:9/", "--sync-config", "ok.json", "--rows", "rows.csv", "--id", "k"],
            '"k"',
        ),
    ],
)
async def test_wrong_usage_is_explained(tmp_path: Path, arguments: list[str], words: str) -> None:
    """What cannot be used is told in three lines with exit code 2, and nothing is sent."""
    (tmp_path / "list.json").write_text("[]")
    (tmp_path / "nan.json").write_text('{"a": NaN}')
    (tmp_path / "ok.json").write_text('{"mode": null}')
    (tmp_path / "rows.csv").write_text("id,name\n1,Ada\n")
    (tmp_path / "empty.csv").write_text("id,name\n")

    done = await command(tmp_path, *arguments)

    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 3
    assert words in done.stderr


async def test_a_server_that_is_not_there_exits_four(tmp_path: Path) -> None:
    """Where nothing listens the exit code is 4, with a hint, and without the URL's query."""
    done = await command(tmp_path, "http://127.0.0.1:9/rpc?key=canary", "--token", "canary" * 6)

    assert done.returncode == 4
    assert "refused" in done.stderr
    assert "canary" not in done.stderr


@pytest.mark.parametrize(
    ("path", "token", "says"),
    [
        ("/hightouch/peopel", SECRET, "answered 404: there is no destination at this address."),
        ("/hightouch/people", "canary" * 6, "answered 401: it refused the credentials."),
        ("/healthz", SECRET, "answered 405: it takes no POST there."),
    ],
)
async def test_where_nobody_takes_calls_no_case_is_run(
    serve: Serve, tmp_path: Path, path: str, token: str, says: str
) -> None:
    """A wrong address or secret is told in three lines, not once for each case."""
    served = await serve()

    done = await command(tmp_path, f"{served.url}{path}", "--token", token)

    assert (done.returncode, done.stdout) == (4, "")
    assert len(done.stderr.splitlines()) == 3
    assert says in done.stderr
    assert "canary" not in done.stderr


async def test_a_method_that_is_answered_404_is_a_case(tmp_path: Path) -> None:
    """Some servers give JSON-RPC's unknown method this status: they are there, and are judged."""
    missing = {"jsonrpc": "2.0", "id": "1", "error": {"code": -32601, "message": "no"}}
    application = web.Application()

    async def answer(_: web.Request) -> web.Response:
        return web.json_response(missing, status=404)

    application.router.add_post("/", answer)
    async with listening(application, "127.0.0.1", 0, grace=1) as url:
        done = await command(tmp_path, url, "--only", "E1")

    assert done.returncode == 1
    assert "FAIL E1" in done.stdout


async def test_no_value_of_a_row_and_no_secret_is_shown(tmp_path: Path) -> None:
    """However a server echoes them, rows and secrets stand in no report, while columns do."""

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = server.heads[-1].encode("latin-1")
        body = head + server.bodies[-1]
        shown = json.dumps(body.decode("utf-8", "replace")).encode() + body
        lines = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: %d\r\n\r\n"
        writer.write(lines % len(shown) + shown)
        await writer.drain()
        writer.close()

    rows = [
        {"id": "canary-1", "email": "canary@example.com", "name": "Canary Zoë", "n": 31337},
        {"id": "canary-2", "email": "cänary@example.com", "name": "canary\n\x1b[31m", "n": 41337},
    ]
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (tmp_path / "sync.json").write_text(json.dumps(SYNC))
    arguments = ["--sync-config", "sync.json", "--rows", "rows.jsonl", "--token", "canary-secret"]
    arguments += ["--header", "X-Key: canary-key", "--junit", "junit.xml", "--timeout", "5"]
    arguments += ["--skip", "E31,E28,T10,T12"]  # long bodies, which this server does not read

    async with raw(echo) as server:
        url = f"{server.url}/rpc?key=canary-query"
        plain = await command(tmp_path, url, *arguments)
        as_json = await command(tmp_path, url, *arguments, "--json")

    document = (tmp_path / "junit.xml").read_text("utf-8")
    for shown in (plain.stdout, plain.stderr, as_json.stdout, as_json.stderr, document):
        for canary in ("canary", "cänary", "c\\u00e4nary", "1337", "\x1b"):
            assert canary not in shown.lower()
    assert plain.returncode == 1
    for shown in (plain.stdout, as_json.stdout, document):
        assert "[email]" in shown
        assert "[secret]" in shown


async def test_the_junit_report_is_read_by_ci(kinds_for_tests: None, tmp_path: Path) -> None:
    """Groups are suites: failures are musts, warnings are output, and counts add up."""
    (tmp_path / "made.xml").touch()

    async with faulty(lambda *_: None) as url:
        done = await command(tmp_path, url, "--token", "w" * 40, "--junit", "made.xml")

    root = ElementTree.parse(tmp_path / "made.xml").getroot()
    cases = root.findall("testsuite/testcase")
    failures = root.findall("testsuite/testcase/failure")
    warned = [case for case in cases if case.find("system-out") is not None]
    assert done.returncode == 1
    assert [suite.get("name") for suite in root] == [
        "Transport",
        "Envelope",
        "Configuration methods",
        "Sync methods",
    ]
    assert len(cases) == int(root.get("tests", 0)) == 128
    assert len(failures) == int(root.get("failures", 0)) > 0
    assert f" {len(failures)} failed, {len(warned)} warned" in done.stdout
    assert "received: 200" in (failures[0].text or "")


async def test_a_junit_report_that_cannot_be_written_is_a_usage_error(
    serve: Serve, tmp_path: Path
) -> None:
    """A folder that is not there is told, with exit code 2."""
    served = await serve(destination_token=None)

    done = await command(
        tmp_path, f"{served.url}/hightouch/people", "--only", "T1", "--junit", "no/such.xml"
    )

    assert done.returncode == 2
    assert "no/such.xml" in done.stderr


async def test_ctrl_c_reports_what_ran(tmp_path: Path) -> None:
    """Interrupted while a server hangs, the command reports the cases before, and exits 130."""
    hangs = asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        body = server.bodies[-1]
        if b"toString" in body:
            hangs.set()
            await asyncio.sleep(60)
        id = json.loads(body).get("id")
        text = json.dumps({"jsonrpc": "2.0", "id": id, "error": {"code": -32601, "message": "no"}})
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(text)}"
        writer.write(f"{head}\r\n\r\n{text}".encode())

    async with raw(answer) as server:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "destination", "conform", server.url,
            "--only", "T1,E13,E14,E15", "--junit", "junit.xml",
            cwd=tmp_path,
            env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT)},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        async with asyncio.timeout(30):
            await hangs.wait()
            process.send_signal(signal.SIGINT)
            output, errors = await process.communicate()

    assert process.returncode == 130
    assert b"  ok   T1 " in output
    assert b"  ok   E13 " in output
    assert b"E14" not in output
    assert b"2 of 4 cases were run." in errors
    assert b"Traceback" not in errors
    assert len(ElementTree.parse(tmp_path / "junit.xml").findall("testsuite/testcase")) == 2


async def test_a_terminal_shows_progress(serve: Serve, tmp_path: Path) -> None:
    """On a terminal a bar names the group and the case; a report in colours follows."""
    served = await serve(destination_token=None)
    url = f"{served.url}/hightouch/people"

    def watched() -> str:
        ours, theirs = pty.openpty()
        environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), "TERM": "xterm-256color"}
        process = subprocess.Popen(
            [sys.executable, "-m", "destination", "conform", url, "--only", "T"],
            cwd=tmp_path,
            env=environment | {"COLUMNS": "120"},
            stdout=theirs,
            stderr=theirs,
            stdin=theirs,
        )
        os.close(theirs)
        shown = b""
        try:
            while piece := os.read(ours, 65_536):
                shown += piece
        except OSError:  # the other side is closed
            pass
        process.wait()
        os.close(ours)
        return shown.decode()

    shown = await asyncio.to_thread(watched)

    assert "Transport T" in shown
    assert "/27" in shown
    assert "\x1b[32mok" in shown


def test_what_is_given_is_not_shown_by_accident() -> None:
    """Neither headers nor rows stand in the text of what was given."""
    shown: Any = repr(given())

    assert SECRET not in shown
    assert "Lovelace" not in shown
