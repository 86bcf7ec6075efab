"""``destination sync`` against servers that answer wrongly, or not at all."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from commands import command_beside
from odd_server import EVERYTHING, Error, odd, rejecting
from raw_server import nobody


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three rows with numbers as ids, and a configuration."""
    (tmp_path / "rows.jsonl").write_text("".join(f'{{"id": {n}}}\n' for n in (1, 2, 3)))
    (tmp_path / "sync.json").write_text("{}")
    return tmp_path


async def sync(folder: Path, url: str, *more: str) -> tuple[int, Any, str]:
    """The exit code, the document and what stands on standard error."""
    options = ("--id", "id", "--sync-config", "sync.json", "--retries", "0", "--json")
    done = await command_beside(folder, "sync", url, "--rows", "rows.jsonl", *options, *more)
    assert "Traceback" not in done.stderr
    return done.returncode, json.loads(done.stdout or "null"), done.stderr


def iterating(*answers: Any) -> Callable[[Any], Any]:
    """An answer after the other."""
    left = iter(answers)

    def answer(params: Any) -> Any:
        each = next(left)
        return each(params) if callable(each) else each

    return answer


async def test_an_answer_that_is_none_before_the_run_ends_it(folder: Path) -> None:
    """A server that answers with a web page ends the command with 4 and three lines."""
    page = web.Response(text="<html>", content_type="text/html")
    async with odd(list_objects=page) as server:
        code, report, errors = await sync(folder, server.url)

    assert (code, report) == (4, None)
    assert len(errors.splitlines()) == 3
    assert "answered 200 with a web page, not with JSON-RPC" in errors


async def test_an_answer_that_is_none_in_the_run_fails_its_batch(folder: Path) -> None:
    """Rows of a call that is answered with 500 failed for that reason; the others are sent."""
    broken = web.Response(status=500, text="oops")
    async with odd(add=iterating(broken, {"rejectedRows": []})) as server:
        code, report, _ = await sync(folder, server.url)

    reason = "the server answered 500; may have been delivered"
    assert report["reasons"] == [{"rows": 2, "reason": reason}]
    assert report["operations"]["add"]["accepted"] == 1
    assert code == 1


async def test_nobody_listening_is_told_in_three_lines(folder: Path) -> None:
    """Where nobody listens the exit code is 4, and the URL is shown without its secrets."""
    url = nobody().replace("http://", "http://user:canary@") + "/path?key=canary"
    code, _, errors = await sync(folder, url)

    assert code == 4
    assert len(errors.splitlines()) == 3
    assert "/path does not answer" in errors
    assert "canary" not in errors


async def test_a_behavior_that_says_nothing_useful_stops_the_run(folder: Path) -> None:
    """Without a batch size no row can be sent; what is missing is said, and the exit code is 1."""
    async with odd(behavior={"operations": EVERYTHING}) as server:
        code, _, errors = await sync(folder, server.url)

    assert code == 1
    assert "behavior answered no batchSize; batchSize must be a whole number" in errors
    assert "add" not in server.methods()


async def test_a_careless_behavior_is_a_problem(folder: Path) -> None:
    """A behavior without some of its parts is followed, and they are counted as problems."""
    async with odd(behavior={"batchSize": 3.0, "operations": {"add": True}}) as server:
        code, report, _ = await sync(folder, server.url)

    assert server.rows("add") == [[1, 2, 3]]
    assert {each["problem"] for each in report["problems"]} == {
        "behavior does not say true or false for operations.change",
        "behavior does not say true or false for operations.remove",
        "behavior does not say true or false for skipInitialRun",
    }
    assert code == 1


@pytest.mark.parametrize("method", ["list_fields", "validate", "behavior"])
async def test_an_error_before_the_run_ends_it(folder: Path, method: str) -> None:
    """A JSON-RPC error before the run ends the command with 1, and says which method it was."""

    def failing(_: Any) -> Any:
        raise Error(-32000, "the vendor\nis \x1b[31maway")

    async with odd(**{method: failing}) as server:
        code, _, errors = await sync(folder, server.url)

    assert code == 1
    assert f"The server failed at {method}." in errors
    assert "-32000: the vendor is [31maway" in errors


async def test_a_form_that_is_nonsense_is_a_problem(folder: Path) -> None:
    """Lists that are none, and entries without id, are counted; the run goes on."""
    async with odd(
        list_objects=["user"],
        list_modes={"modes": [7, {"label": "Upsert"}, {"id": "\x1b[2J"}]},
        list_fields={"fields": "email"},
        list_options={"options": {"schema": "none"}},
        validate={"errors": None},
    ) as server:
        code, report, _ = await sync(folder, server.url)

    assert report["operations"]["add"]["accepted"] == 3
    assert {each["problem"]: each["times"] for each in report["problems"]} == {
        "list_objects answers without objects": 1,
        "list_modes lists something without an id that can be shown": 3,
        "list_fields answers fields that are no list": 1,
    }
    assert code == 1


BAD = {"batchSize": 3, "operations": EVERYTHING, "skipInitialRun": False}


async def test_an_answer_without_rejected_rows_fails_all(folder: Path) -> None:
    """When an answer does not say which rows were rejected none of them counts as accepted."""
    async with odd(behavior=BAD, add={}) as server:
        code, report, _ = await sync(folder, server.url)

    assert report["operations"]["add"]["call_failed"] == 3
    reason = "add failed: answered no rejectedRows where a list is expected"
    assert report["reasons"] == [{"rows": 3, "reason": reason}]
    assert code == 1


async def test_a_rejection_of_nobody_is_a_problem(folder: Path) -> None:
    """An id that was not sent rejects no row, and makes the exit code 1."""
    async with odd(behavior=BAD, add={"rejectedRows": [{"id": 9, "reason": "no"}]}) as server:
        code, report, _ = await sync(folder, server.url)

    problem = "rejectedRows named an id that was not sent: its row counts as accepted"
    assert report["problems"] == [{"times": 1, "problem": problem}]
    assert report["operations"]["add"]["accepted"] == 3
    assert code == 1


async def test_an_id_that_lost_its_last_digits_is_recognised(folder: Path) -> None:
    """A server that reads ids as doubles rejects the right row, and the problem is told."""
    (folder / "rows.jsonl").write_text('{"id": 9007199254740993}\n{"id": 5}\n')
    rejected = [{"id": 9007199254740992, "reason": "no"}]
    async with odd(add={"rejectedRows": rejected}) as server:
        code, report, _ = await sync(folder, server.url, "--rejected", "no.jsonl")

    assert '"id":9007199254740993' in (folder / "no.jsonl").read_text()
    assert "without all its digits" in report["problems"][0]["problem"]
    assert code == 1


async def test_a_null_result_is_nothing_rejected(folder: Path) -> None:
    """The vendor's examples answer null: nothing is rejected, and it is told."""
    async with odd(behavior=BAD, add=None) as server:
        _, report, _ = await sync(folder, server.url)

    assert report["operations"]["add"]["accepted"] == 3
    assert report["problems"][0]["problem"].startswith("The result was null")


async def test_reasons_cannot_write_on_the_terminal(folder: Path) -> None:
    """Control characters of a reason are left out, in the tables and in the file."""
    evil = "=cmd|'/c calc'!A1 \x1b[2J\u202e\n" + "x" * 5000
    async with odd(behavior=BAD, add=rejecting(2, reason=evil)) as server:
        options = ("--id", "id", "--sync-config", "sync.json", "--retries", "0")
        done = await command_beside(
            folder, "sync", server.url, "--rows", "rows.jsonl", *options, "--rejected", "no.csv"
        )

    text = done.stdout + (folder / "no.csv").read_text()
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert "\nadd,'=cmd" in text
    assert len(text) < 5000


async def test_a_json_rpc_error_fails_its_batch_only(folder: Path) -> None:
    """Rows of a call that is answered with an error failed for that reason; the run goes on."""

    def failing(_: Any) -> Any:
        raise Error(-32603, "Internal error, ref 1")

    async with odd(add=iterating(failing, {"rejectedRows": []})) as server:
        code, report, errors = await sync(folder, server.url)

    assert report["reasons"] == [{"rows": 2, "reason": "add failed: -32603: Internal error, ref 1"}]
    assert report["operations"]["add"]["accepted"] == 1
    assert "A call failed. add failed: -32603" in errors
    assert code == 1
