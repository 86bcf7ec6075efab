"""``destination sync`` as a person or a program runs it with pipes, against real servers."""

import csv
import json
import sqlite3
import stat
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from commands import command, command_beside
from odd_server import EVERYTHING, Error, odd, rejecting
from support import SECRET, Serve

from destination.cli.people import PEOPLE
from destination.cli.sync import sync_command

PLAIN = {"mappings": []}
USER = {
    "object": "user",
    "mode": "mirror",
    "identifierMapping": [{"from": "mail", "to": "email"}],
    "mappings": [{"from": "name", "to": "first_name"}, {"from": "name", "to": "last_name"}],
    "channel": "dev",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with three rows in ``rows.csv`` and a configuration in ``sync.json``."""
    (tmp_path / "rows.csv").write_text("id,name\n1,Ann\n2,Ben\n3,\n")
    (tmp_path / "sync.json").write_text(json.dumps(PLAIN))
    return tmp_path


def arguments(url: str, *more: str, rows: str = "rows.csv") -> tuple[str, ...]:
    """The command line of a sync that does not wait between retries."""
    options = ("--id", "id", "--sync-config", "sync.json", "--retry-wait", "0")
    return ("sync", url, "--rows", rows, *options, *more)


def names(folder: Path) -> list[str]:
    """What lies in the folder."""
    return sorted(each.name for each in folder.iterdir())


def report(done: Any) -> Any:
    """The document of a run with ``--json``."""
    assert done.stdout.startswith("{"), done.stderr
    return json.loads(done.stdout)


async def test_a_sync_asks_the_form_then_sends_in_batches(folder: Path) -> None:
    """A run asks each method in Hightouch's order, and sends batches of the size it was told."""
    async with odd() as server:
        done = await command_beside(folder, *arguments(server.url))

    assert done.returncode == 0, done.stderr
    assert server.methods() == [
        "list_objects", "list_modes", "list_fields", "list_options", "validate", "behavior",
        "add", "add",
    ]  # fmt: skip
    assert server.calls[-2][1] == {
        "idColumn": "id",
        "configuration": PLAIN,
        "rows": [{"id": "1", "name": "Ann"}, {"id": "2", "name": "Ben"}],
    }
    assert server.calls[-1][1]["rows"] == [{"id": "3", "name": None}]


async def test_a_sync_reaches_a_real_server(serve: Serve, folder: Path) -> None:
    """Rows arrive at a destination of this server; the secret comes from the environment."""
    served = await serve()
    (folder / "rows.csv").write_text("id,mail,name\n1,ann@example.com,Ann\n2,odd,Ben\n")
    (folder / "sync.json").write_text(json.dumps(USER))

    done = await command_beside(
        folder,
        *arguments(f"{served.url}/hightouch/people", "--rejected", "no.csv"),
        DESTINATION_TOKEN=SECRET,
    )

    assert done.returncode == 1, done.stderr
    assert served.plugin().holds["1"]["email"] == "ann@example.com"
    assert list(served.plugin().holds) == ["1"]
    assert "INVALID_ROW: email: expected an email address" in done.stdout
    with (folder / "no.csv").open() as file:
        (line,) = csv.DictReader(file)
    assert line["rejected_operation"] == "add"
    assert line["id"] == "2"
    assert SECRET not in done.stdout + done.stderr


async def test_what_has_changed_is_sent(folder: Path) -> None:
    """With ``--previous`` only added, changed and removed rows are sent, the last as once known."""
    (folder / "new.csv").write_text("id,name\n1,Ann\n2,Bea\n4,Dan\n")
    async with odd() as server:
        done = await command_beside(
            folder, *arguments(server.url, "--previous", "rows.csv", "--json", rows="new.csv")
        )

    sent = {name: params["rows"] for name, params in server.calls[-3:]}
    assert sent == {
        "add": [{"id": "4", "name": "Dan"}],
        "change": [{"id": "2", "name": "Bea"}],
        "remove": [{"id": "3", "name": None}],
    }
    assert report(done)["unchanged"] == 1
    assert done.returncode == 0


async def test_an_operation_that_is_switched_off_is_not_sent(folder: Path) -> None:
    """Rows of an operation that behavior switches off are counted, and not sent."""
    behavior = {"batchSize": 9, "operations": EVERYTHING | {"remove": False}}
    (folder / "new.csv").write_text("id,name\n1,Ann\n")
    async with odd(behavior=behavior | {"skipInitialRun": False}) as server:
        done = await command_beside(
            folder, *arguments(server.url, "--previous", "rows.csv", rows="new.csv")
        )

    assert server.methods()[-1] == "behavior"
    assert "behavior switches off: remove." in done.stdout
    assert done.returncode == 0


async def test_a_first_run_may_be_skipped(folder: Path) -> None:
    """With skipInitialRun the first run's rows are recorded; the second run sends what is new."""
    skip = {"batchSize": 9, "operations": EVERYTHING, "skipInitialRun": True}
    async with odd(behavior=skip) as server:
        first = await command_beside(folder, *arguments(server.url, "--state", "s.json"))
        (folder / "rows.csv").write_text("id,name\n1,Ann\n2,Ben\n3,\n4,Dan\n")
        second = await command_beside(folder, *arguments(server.url, "--state", "s.json"))

    assert "skipInitialRun" in first.stdout
    assert (first.returncode, second.returncode) == (0, 0)
    assert server.rows("add") == [["4"]]


async def test_rejected_rows_are_sent_again_within_the_run(folder: Path) -> None:
    """Rows that are rejected are sent again, alone, as often as ``--retries`` says."""
    async with odd(add=rejecting("2")) as server:
        done = await command_beside(folder, *arguments(server.url, "--retries", "2", "--json"))

    assert server.rows("add") == [["1", "2"], ["3"], ["2"], ["2"]]
    add = report(done)["operations"]["add"]
    assert (add["accepted"], add["rejected"], add["sent_again"]) == (2, 1, 2)
    assert report(done)["reasons"] == [{"rows": 1, "reason": "NO: not this one"}]
    assert done.returncode == 1


async def test_a_row_that_is_accepted_in_the_end_is_not_rejected(folder: Path) -> None:
    """A row that a retry gets through makes a run in which everything was accepted."""
    answers = iter([rejecting("1"), rejecting(), rejecting()])
    async with odd(add=lambda params: next(answers)(params)) as server:
        done = await command_beside(folder, *arguments(server.url))

    assert server.rows("add") == [["1", "2"], ["3"], ["1"]]
    assert done.returncode == 0


async def test_rejected_rows_are_sent_again_in_the_next_run(folder: Path) -> None:
    """With ``--state`` a rejected row is sent again in every run until it is accepted."""
    async with odd(add=rejecting("2")) as server:
        more = ("--state", "s.json", "--retries", "0")
        await command_beside(folder, *arguments(server.url, *more))
        server.answers["add"] = {"rejectedRows": []}
        again = await command_beside(folder, *arguments(server.url, *more))
        third = await command_beside(folder, *arguments(server.url, *more, "--json"))

    assert server.rows("add") == [["1", "2"], ["3"], ["2"]]
    assert (again.returncode, third.returncode) == (0, 0)
    assert report(third)["unchanged"] == 3


async def test_a_rejected_removal_is_sent_again(folder: Path) -> None:
    """A removal that was rejected is repeated in the next run with the row as last known."""
    more = ("--state", "s.json", "--retries", "0")
    async with odd(remove=rejecting("3")) as server:
        await command_beside(folder, *arguments(server.url, *more))
        (folder / "rows.csv").write_text("id,name\n1,Ann\n2,Ben\n")
        await command_beside(folder, *arguments(server.url, *more))
        server.answers["remove"] = {"rejectedRows": []}
        done = await command_beside(folder, *arguments(server.url, *more))

    removals = [params["rows"] for method, params in server.calls if method == "remove"]
    assert removals == [[{"id": "3", "name": None}]] * 2
    assert done.returncode == 0


async def test_the_state_file_is_its_owner_s_alone(folder: Path) -> None:
    """The state and the rejected rows hold people's data: nobody else can read the files."""
    async with odd(add=rejecting("1")) as server:
        more = ("--state", "s.json", "--rejected", "no.jsonl", "--retries", "0")
        await command_beside(folder, *arguments(server.url, *more))

    for name in ("s.json", "no.jsonl"):
        assert stat.S_IMODE((folder / name).stat().st_mode) == 0o600
    assert json.loads((folder / "no.jsonl").read_text()) == {
        "operation": "add",
        "reason": "NO: not this one",
        "row": {"id": "1", "name": "Ann"},
    }
    assert names(folder) == ["no.jsonl", "rows.csv", "s.json", "sync.json"]


async def test_a_state_that_cannot_be_saved_is_told_after_the_report(folder: Path) -> None:
    """When the state cannot be saved the report is printed all the same, and the exit code is 1."""

    def add(_: Any) -> Any:
        (folder / "s.json").mkdir(exist_ok=True)
        return {"rejectedRows": []}

    async with odd(add=add) as server:
        done = await command_beside(folder, *arguments(server.url, "--state", "s.json", "--json"))

    assert report(done)["operations"]["add"]["accepted"] == 3
    assert report(done)["exit_code"] == done.returncode == 1
    assert "The state cannot be saved." in done.stderr


async def test_a_resync_sends_everything_again(folder: Path) -> None:
    """``--resync`` sends all rows as added and removes none; afterwards nothing has changed."""
    more = ("--state", "s.json")
    async with odd() as server:
        await command_beside(folder, *arguments(server.url, *more))
        (folder / "rows.csv").write_text("id,name\n1,Ann\n2,Bea\n")
        await command_beside(folder, *arguments(server.url, *more, "--resync"))
        done = await command_beside(folder, *arguments(server.url, *more, "--json"))

    assert server.rows("add")[2:] == [["1", "2"]]
    assert "remove" not in server.methods()
    assert report(done)["unchanged"] == 2


async def test_a_test_row_is_one_row_and_nothing_else(folder: Path) -> None:
    """``--test-row`` makes one call of add with the first row, and says what became of it."""
    async with odd() as server:
        good = await command_beside(folder, *arguments(server.url, "--test-row"))
        server.answers["add"] = rejecting("1")
        bad = await command_beside(folder, *arguments(server.url, "--test-row"))

    assert server.methods() == ["add", "add"]
    assert server.rows("add") == [["1"], ["1"]]
    assert good.stdout.splitlines()[0] == "The row was accepted."
    assert bad.stdout.splitlines()[0] == "The row was rejected: NO: not this one"
    assert (good.returncode, bad.returncode) == (0, 1)


async def test_a_configuration_that_is_not_valid_stops_the_run(folder: Path) -> None:
    """What validate has to say is shown, no row is sent, and the exit code is 1."""
    async with odd(validate={"errors": ["Map e-mail.", "Choose a list."]}) as server:
        done = await command_beside(folder, *arguments(server.url))

    assert done.returncode == 1
    assert done.stderr.splitlines()[:3] == [
        "Error: The server does not accept the configuration.",
        "  Map e-mail.",
        "  Choose a list.",
    ]
    assert server.methods()[-1] == "validate"


async def test_what_the_form_would_not_take_is_noted(folder: Path) -> None:
    """Choices that the server does not list, and columns that are not there, are noted."""
    choices = {
        "object": "usr",
        "mode": "mirror",
        "mappings": [{"from": "nick", "to": "nickname"}],
    }
    (folder / "sync.json").write_text(json.dumps(choices))
    listed = {
        "list_objects": {"objects": [{"id": "user", "label": "User"}]},
        "list_modes": {"modes": [{"id": "mirror", "label": "Mirror"}]},
        "list_fields": {"fields": [{"id": "email", "label": "E-mail", "required": True}]},
        "list_options": {"options": {"schema": {"properties": {"a": {}}, "required": ["a"]}}},
    }
    async with odd(**listed) as server:
        done = await command_beside(folder, *arguments(server.url, "--json"))

    assert report(done)["notes"] == [
        'Object "usr" does not exist. Did you mean "user"?',
        'Field "nickname" does not exist. There is: email.',
        'Field "E-mail" is required, and no column is mapped to it.',
        'Option "a" is required.',
        'Column "nick" does not exist. There is: id, name.',
    ]
    assert done.returncode == 0


async def test_methods_of_the_form_may_be_missing(folder: Path) -> None:
    """A server that knows only behavior and add is a custom destination too."""

    def unknown(_: Any) -> Any:
        raise Error(-32601, "Method not found")

    names = ("list_objects", "list_modes", "list_fields", "list_options", "validate")
    async with odd(**dict.fromkeys(names, unknown)) as server:
        done = await command_beside(folder, *arguments(server.url, "--json"))

    assert done.returncode == 0
    assert report(done)["problems"] == []


async def test_headers_are_sent_and_never_shown(folder: Path) -> None:
    """Each ``--header`` and the token are sent; neither is shown, whatever goes wrong."""
    async with odd(add=rejecting("1")) as server:
        more = ("--header", "X-Api-Key: canary-key", "--token", "canary-token")
        done = await command_beside(folder, *arguments(server.url, *more))
        spare = await command_beside(
            folder,
            *arguments(server.url, "-H", "Authorization: Basic canary"),
            DESTINATION_TOKEN="canary-environment",
        )

    assert server.headers[0]["X-Api-Key"] == "canary-key"
    assert server.headers[0]["Authorization"] == "Bearer canary-token"
    assert server.headers[-1]["Authorization"] == "Basic canary"
    assert "canary" not in done.stdout + done.stderr + spare.stdout + spare.stderr


async def test_rows_that_cannot_be_told_apart_are_left_out(folder: Path) -> None:
    """A row without id, and all but the last with one id, are rejected without being sent."""
    (folder / "rows.csv").write_text("id,name\n1,Ann\n,Ben\n1,Bea\n2,Cid\n")
    async with odd() as server:
        done = await command_beside(folder, *arguments(server.url, "--json"))

    assert [row["name"] for row in server.calls[-1][1]["rows"]] == ["Bea", "Cid"]
    codes = [each["reason"].split(":")[0] for each in report(done)["reasons"]]
    assert sorted(codes) == ["DUPLICATE_PRIMARY_KEY", "NULL_EXTERNAL_ID"]
    assert report(done)["left_out"] == 2
    assert done.returncode == 1


async def test_rows_come_from_a_query(folder: Path) -> None:
    """A SQLite file's rows come from a query, with their types, and the file is only read."""
    with closing(sqlite3.connect(folder / "people.db")) as database:
        database.execute("create table people (id integer, name text, score real)")
        database.execute("insert into people values (9007199254740993, 'Ann', 1.5)")
        database.commit()
    query = "select id, name, score from people"
    async with odd() as server:
        done = await command_beside(
            folder, *arguments(server.url, "--query", query, rows="people.db")
        )
        write = await command_beside(
            folder, *arguments(server.url, "--query", "delete from people", rows="people.db")
        )

    assert done.returncode == 0, done.stderr
    assert server.calls[-1][1]["rows"] == [{"id": 9007199254740993, "name": "Ann", "score": 1.5}]
    assert write.returncode == 2
    assert "readonly" in write.stderr


async def test_json_lines_keep_their_types(folder: Path) -> None:
    """Numbers, truth values, lists and integers of any length arrive as the file has them."""
    line = '{"id": 123456789012345678901234567890, "a": [1, {"b": null}], "c": true, "d": 0.1}'
    (folder / "rows.jsonl").write_text(line + "\n\n")
    async with odd(add=rejecting(int("123456789012345678901234567890"))) as server:
        done = await command_beside(
            folder, *arguments(server.url, "--retries", "0", "--json", rows="rows.jsonl")
        )

    assert server.calls[-1][1]["rows"] == [json.loads(line)]
    assert report(done)["operations"]["add"]["rejected"] == 1
    assert report(done)["problems"] == []


async def test_the_sandbox_rejects_who_must_be_rejected(serve: Serve, folder: Path) -> None:
    """Of the example people exactly those are rejected of whom it is known, in both runs."""
    from destination.cli.sandbox import stand_ins

    more = (
        "--id", "id", "--sync-config", str(PEOPLE / "sync.json"), "--state", "s.json",
        "--rejected", "no.csv", "--retries", "0", "--json",
    )  # fmt: skip
    rejected = []
    async with stand_ins() as reached:
        served = await serve({"webhook": reached["webhook"].settings})
        for name in ("people.csv", "people_next.csv"):
            url = f"{served.url}/hightouch/webhook"
            done = await command_beside(
                folder, "sync", url, "--rows", str(PEOPLE / name), *more, DESTINATION_TOKEN=SECRET
            )
            assert done.returncode == 1, done.stderr
            with (folder / "no.csv").open() as file:
                sent = [line for line in csv.DictReader(file) if line["rejected_operation"]]
            rejected.append({line["id"] for line in sent})
    with (PEOPLE / "rejections.csv").open() as file:
        known = {run: set() for run in ("1", "2")}
        for line in csv.DictReader(file):
            known[line["run"]].add(line["id"])
    with (PEOPLE / "people_next.csv").open() as file:
        still_there = {line["id"] for line in csv.DictReader(file)}

    assert rejected[0] == known["1"]
    assert known["2"] <= rejected[1] <= known["2"] | known["1"] & still_there


def test_without_a_terminal_there_must_be_a_configuration(folder: Path) -> None:
    """Without ``--sync-config`` and without a terminal the command says so in three lines."""
    done = command(folder, "sync", "http://127.0.0.1:9", "--rows", "rows.csv", "--id", "id")

    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 3
    assert "--sync-config" in done.stderr


@pytest.mark.parametrize(
    ("url", "more"),
    [
        ("localhost:8000", ()),
        ("ftp://example.com", ()),
        ("http://127.0.0.1:99999", ()),
        ("http://127.0.0.1:9", ("--header", "nocolon")),
        ("http://127.0.0.1:9", ("--header", "X-A: canary\u00e9")),
        ("http://127.0.0.1:9", ("--token", "canary\u00e9")),
        ("http://127.0.0.1:9", ("--test-row", "--state", "s.json")),
        ("http://127.0.0.1:9", ("--previous", "rows.csv", "--resync")),
        ("http://127.0.0.1:9", ("--state", "missing/s.json")),
        ("http://127.0.0.1:9", ("--rejected", "missing/no.csv")),
        ("http://127.0.0.1:9", ("--sync-config", "rows.csv")),
        ("http://127.0.0.1:9", ("--sync-config", "missing.json")),
        ("http://127.0.0.1:9", ("--id", "nme")),
        ("http://127.0.0.1:9", ("--rows", "missing.csv")),
        ("http://127.0.0.1:9", ("--rows", "sync.json")),
    ],
)
def test_what_cannot_be_meant_is_a_usage_error(
    folder: Path, monkeypatch: pytest.MonkeyPatch, url: str, more: tuple[str, ...]
) -> None:
    """A mistake on the command line is told in three lines before anything is called."""
    monkeypatch.chdir(folder)

    done = CliRunner().invoke(sync_command, arguments(url, *more)[1:])

    assert done.exit_code == 2
    assert len(done.stderr.splitlines()) == 3, done.stderr
    assert "canary" not in done.stderr


def test_a_state_that_is_none_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that is no state, or another sync's, is not written over."""
    monkeypatch.chdir(folder)
    other = {"version": 1, "id_column": "mail", "rows": [], "pending": []}
    for content in ("{}", "no json", json.dumps(other), json.dumps(other | {"version": 2})):
        (folder / "s.json").write_text(content)
        given = arguments("http://127.0.0.1:9", "--state", "s.json")[1:]
        assert CliRunner().invoke(sync_command, given).exit_code == 2
        assert (folder / "s.json").read_text() == content
