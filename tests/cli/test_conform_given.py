"""What a run is given, what it may show of it, and how serious a finding is."""

import asyncio
import json
from pathlib import Path
from typing import Any

import certificates
import pytest
import trustme
from aiohttp import web
from conform_faults import an_error, crash, http, params, refusing, rejecting, reply, rows
from conforming import BEARER, Fault, faulty, given, results
from support import SECRET

from destination.cli.conform import wire
from destination.cli.conform.case import Outcome
from destination.cli.conform.given import sample
from destination.cli.conform.mask import Mask
from destination.cli.conform.wire import Address, NoAnswer, Request, exchange


def test_the_first_three_rows_are_the_sample(tmp_path: Path) -> None:
    """They are read as a sync reads them, and known by the first column unless one is named."""
    rows = [{"key": 10**30 + number, "tags": ["a", None]} for number in range(5)]
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))

    assert sample(tmp_path / "rows.jsonl", None, None) == (rows[:3], "key")
    assert sample(tmp_path / "rows.jsonl", None, "tags") == (rows[:3], "tags")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Ada and ADA, Adam", "[first_name] and [first_name], Adam"),
        ("ada@example.com", "[email]"),
        ("g\\u00f6del", "[last_name]"),
        (f"Bearer {SECRET}", "Bearer [secret]"),
        (f"token={SECRET};", "token=[secret];"),
        ("tenant 7, 77", "tenant [secret], 77"),
        ("p-1 p-19", "[id] p-19"),
        ("\x1b[31m\u202e\n\ufeff", "\\u001b[31m\\u202e\\n\\ufeff"),
        ("nothing of it", "nothing of it"),
    ],
)
def test_what_is_shown_is_masked(text: str, shown: str) -> None:
    """Values and secrets are replaced wherever they stand whole; nothing moves a cursor."""
    assert Mask(given()).text(text) == shown


def test_the_version_of_json_rpc_is_no_value() -> None:
    """It stays where a row has the number 2, which is replaced elsewhere."""
    mask = Mask(given(rows=({"id": 2},)))

    assert mask.text('{"jsonrpc":"2.0","id":"2"}') == '{"jsonrpc":"2.0","id":"[id]"}'


def test_what_is_shown_is_bounded() -> None:
    """Of a long body the beginning is shown, and of a repeated character three."""
    mask = Mask(given())

    assert mask.body(b"x" * 1_000_000) == "xxx…"
    assert len(mask.body(bytes(range(32, 127)) * 10_000)) < 600
    assert mask.url("https://example.com/rpc?key=word") == "https://example.com/rpc?…"


@pytest.mark.parametrize(
    ("url", "host", "port", "path"),
    [
        ("https://example.com", "example.com", 443, "/"),
        ("http://example.com/a/?b=c#d", "example.com", 80, "/a/?b=c"),
        ("http://[::1]:8000/x", "::1", 8000, "/x"),
    ],
)
def test_an_address_is_what_the_url_says(url: str, host: str, port: int, path: str) -> None:
    """Port and path have their defaults; a fragment is not sent."""
    address = Address.of(url)

    assert (address.host, address.port, address.path) == (host, port, path)


def unauthorized(**headers: str) -> Fault:
    """A server that refuses strangers with these headers."""

    def fault(request: web.Request, _: bytes, __: Any) -> web.Response | None:
        if request.headers.get("Authorization") == BEARER["Authorization"]:
            return None
        return web.json_response(an_error(-32000), status=401, headers=headers)

    return fault


async def test_strangers_must_be_refused_and_should_be_told_how(kinds_for_tests: None) -> None:
    """A 401 without WWW-Authenticate is a warning where an answer would be a failure."""
    async with faulty(unauthorized()) as url:
        _, bare = await results(url, "T19", "T20")
    async with faulty(unauthorized(WWW_Authenticate="Bearer")) as url:
        _, odd = await results(url, "T19")
    async with faulty(unauthorized(**{"WWW-Authenticate": "Bearer"})) as url:
        _, right = await results(url, "T19")
    async with faulty(lambda *_: None) as url:
        _, open_to_all = await results(url, "T19")

    assert bare["T19"].outcome is odd["T19"].outcome is Outcome.WARNED
    assert bare["T20"].outcome is right["T19"].outcome is Outcome.PASSED
    assert open_to_all["T19"].outcome is Outcome.FAILED


async def test_a_null_must_not_fail_the_call_and_should_not_fail_its_row(
    kinds_for_tests: None,
) -> None:
    """A row that is rejected for an optional null is a warning, a failing call a failure."""

    def has_null(call: Any) -> bool:
        return any(row.get("last_name", 1) is None for row in rows(call))

    def rejected(_: web.Request, body: bytes, __: Any) -> web.Response | None:
        call = json.loads(body)
        if not has_null(call):
            return None
        rejections = [{"id": row["id"], "reason": "No."} for row in rows(call)]
        return reply({"jsonrpc": "2.0", "id": "1", "result": {"rejectedRows": rejections}})

    async with faulty(rejected) as url:
        _, row = await results(url, "S19")
    async with faulty(crash("add", has_null)) as url:
        _, call = await results(url, "S19")

    assert row["S19"].outcome is Outcome.WARNED
    assert call["S19"].outcome is Outcome.FAILED


async def test_a_method_that_is_not_there_is_no_fault(kinds_for_tests: None) -> None:
    """The form's methods may be left out: their cases are skipped, and say so."""
    form = ("list_objects", "list_modes", "list_fields", "list_options", "validate")
    missing = refusing(-32601, lambda call: isinstance(call, dict) and call["method"] in form)

    async with faulty(missing) as url:
        run, found = await results(url, *(f"C{number}" for number in range(1, 28)))

    wrong = {Outcome.FAILED, Outcome.WARNED}
    assert not wrong & {result.outcome for result in run.results}
    assert found["C1"].says == "The server does not implement list_objects, which Hightouch allows."


async def test_a_server_that_takes_any_row_is_not_asked_to_refuse_one(
    kinds_for_tests: None,
) -> None:
    """Where no row is refused, the cases of rejected rows have nothing to judge."""
    async with faulty(rejecting(lambda _: [])) as url:
        _, found = await results(url, "S11", "S12", "S35", "S37")

    assert {result.says for result in found.values()} == {
        "No row was found that the server refuses."
    }


async def test_a_proxy_that_answers_everything_is_not_taken_for_a_server(
    kinds_for_tests: None,
) -> None:
    """A gateway's 502 to calls with rows fails what needs them, and is shown."""
    async with faulty(http(502, lambda _, body: bool(params(json.loads(body)).get("rows")))) as url:
        _, found = await results(url, "S1", "S4", "S5")

    assert found["S1"].outcome is Outcome.PASSED
    assert found["S4"].outcome is Outcome.FAILED
    assert getattr(found["S4"].came, "status", 0) == 502
    assert found["S5"].says == "The sample rows are not taken as they are: see S4."


@pytest.mark.parametrize("shows", [certificates.good, certificates.of_nobody_known])
async def test_certificates_are_verified(monkeypatch: pytest.MonkeyPatch, shows: Any) -> None:
    """A server whose certificate somebody vouches for is spoken to, another is not."""
    ours = trustme.CA()
    monkeypatch.setattr(wire, "trusted", certificates.believing(ours))

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
        writer.close()

    listener = await asyncio.start_server(answer, certificates.HOST, 0, ssl=shows(ours))
    async with listener:
        port = listener.sockets[0].getsockname()[1]
        address = Address.of(f"https://{certificates.HOST}:{port}/")
        asked = exchange(address, Request("GET", "/", {}), 5.0)
        if shows is certificates.good:
            assert (await asked).status == 204
        else:
            with pytest.raises(NoAnswer, match="no TLS connection: CERTIFICATE_VERIFY_FAILED"):
                await asked
