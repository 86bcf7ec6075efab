"""``destination try``: what rows would cause, shown and sent, for every kind."""

import json
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from commands import ROOT, command, command_beside
from echo import Echo, Sent, echoing

from destination import registry
from destination.cli.sandbox import Reached, held, stand_in, stand_ins

RECEIVER = ROOT / "tests" / "spec" / "receiver.toml"
ANN = '{"id": 1, "email": "ann@example.com", "first_name": "Ann"}'
FIELDS = [
    {"id": "email", "type": "EMAIL", "required": True, "identifier": True},
    {"id": "first_name"},
    {"id": "born", "type": "DATE"},
]


def crm(echo: Echo, **settings: Any) -> str:
    """A webhook that sends there, for the environment."""
    hook = {"kind": "webhook", "url": f"{echo.url}/rows", "allow_private_networks": True}
    return json.dumps({"crm": hook | {"fields": FIELDS} | settings})


async def told(folder: Path, destinations: str, *arguments: str) -> dict[str, Any]:
    """What ``try crm --json`` prints; its exit code must be the one that it tells."""
    done = await command_beside(
        folder, "try", "crm", "--json", *arguments, DESTINATIONS=destinations
    )
    assert not done.stderr
    document: dict[str, Any] = json.loads(done.stdout)
    assert done.returncode == document["exit_code"]
    return document


def outcomes(document: dict[str, Any]) -> dict[Any, str]:
    """By id, what became of each row."""
    return {row["id"]: row["outcome"] for row in document["rows"]}


def files(folder: Path) -> list[str]:
    """What stands in a folder."""
    return sorted(path.name for path in folder.iterdir())


async def test_nothing_is_sent_unless_it_is_asked_for(tmp_path: Path) -> None:
    """The request is shown as it would be sent, and the vendor hears nothing."""
    async with echoing() as echo:
        document = await told(tmp_path, crm(echo), "--row", ANN)

    [request] = document["requests"]
    assert (request["method"], request["url"]) == ("POST", f"{echo.url}/rows")
    assert request["body"] == {
        "operation": "add",
        "id": 1,
        "fields": {"email": "ann@example.com", "first_name": "Ann"},
    }
    assert (request["rows"], request["sent"], request["answer"]) == ([1], False, None)
    assert outcomes(document) == {1: "would_be_sent"}
    assert document["exit_code"] == 0
    assert echo.sent == []


async def test_what_is_shown_is_what_is_sent(tmp_path: Path) -> None:
    """Method, address, headers and body of a dry run are, byte for byte, those that arrive."""
    async with echoing() as echo:
        settings = crm(echo, method="PUT", query={"q": "{{ email }}"}, headers={"X-A": "{{ id }}"})
        dry = await told(tmp_path, settings, "--row", ANN)
        await told(tmp_path, settings, "--row", ANN, "--send")

    [request], [sent] = dry["requests"], echo.sent
    assert (sent.method, f"{echo.url}{sent.path}") == (request["method"], request["url"])
    assert json.loads(sent.content) == request["body"]
    shown = {name.lower(): value for name, value in request["headers"].items()}
    assert {name.lower(): value for name, value in sent.headers.items()} == shown


async def test_answers_stand_beside_their_requests(tmp_path: Path) -> None:
    """Status, time and body of each answer, and what became of each row."""

    def answers(sent: Sent) -> web.Response:
        bad = json.loads(sent.content)["id"] == "2"
        return web.json_response({"ok": not bad}, status=422 if bad else 200)

    async with echoing(answers) as echo:
        rows = ("--row", ANN, "--row", "id=2 email=ben@example.com", "--row", "id=3 email=ben")
        document = await told(tmp_path, crm(echo), *rows, "--send")

    answered = {each["rows"][0]: each["answer"] for each in document["requests"]}
    assert {id: (one["status"], one["body"]) for id, one in answered.items()} == {
        1: (200, {"ok": True}),
        "2": (422, {"ok": False}),
    }
    assert all(0 < each["ms"] < 10_000 for each in document["requests"])
    assert {row["id"]: (row["outcome"], row["reason"]) for row in document["rows"]} == {
        1: ("delivered", None),
        "2": ("rejected", "VENDOR_REJECTED: the vendor answered 422"),
        "3": ("rejected", "INVALID_ROW: email: expected an email address"),
    }
    assert document["exit_code"] == 1


async def test_each_attempt_is_shown(tmp_path: Path) -> None:
    """With --send a request that was not taken is made again, as in a call."""
    async with echoing() as echo:
        echo.answers = lambda _: web.Response(status=503) if len(echo.sent) == 1 else None
        document = await told(tmp_path, crm(echo), "--row", ANN, "--send")

    first, second = document["requests"]
    assert (first["answer"]["status"], second["answer"]["status"]) == (503, 200)
    assert (first["attempt_of"], second["attempt_of"]) == (None, 1)
    assert document["rows"][0]["requests"] == [1, 2]
    assert outcomes(document) == {1: "delivered"}


async def test_a_vendor_that_is_not_there_is_told(tmp_path: Path) -> None:
    """The row is rejected with the true reason, beside the request that could not be made."""
    settings = {"kind": "webhook", "url": "http://127.0.0.1:9/", "allow_private_networks": True}

    document = await told(tmp_path, json.dumps({"crm": settings}), "--row", ANN, "--send")

    assert {each["failure"] for each in document["requests"]} == {
        "not sent: there was no connection"
    }
    assert [each["sent"] for each in document["requests"]] == [False] * 3
    assert [each["perhaps_after"] for each in document["requests"]] == [None] * 3
    told_reason = "CONNECT_FAILED: not sent: could not connect to the vendor"
    assert document["rows"][0]["reason"] == told_reason


async def test_rows_of_one_request_stand_beside_it(tmp_path: Path) -> None:
    """An array names the rows that it carries, and not the one that was rejected before."""
    rows = [f"id={id} email={id}@example.com" for id in "abcd"] + ["id=e born=never email=e@x.org"]
    async with echoing() as echo:
        settings = crm(echo, batching="array", batch_size=3)
        document = await told(
            tmp_path, settings, *(part for row in rows for part in ("--row", row))
        )

    assert [each["rows"] for each in document["requests"]] == [["a", "b", "c"], ["d"]]
    assert [row["requests"] for row in document["rows"]] == [[1], [1], [1], [2], []]
    assert document["rows"][4]["reason"].startswith("INVALID_ROW: born: ")


async def test_rows_that_are_left_out_are_skipped(tmp_path: Path) -> None:
    """What the operator's filter leaves out is neither sent nor an error."""
    async with echoing() as echo:
        settings = crm(echo, filter='first_name == "Ann"')
        rows = ("--row", ANN, "--row", "id=2 email=b@example.com first_name=Ben")
        document = await told(tmp_path, settings, *rows)

    assert outcomes(document) == {1: "would_be_sent", "2": "skipped"}
    assert document["exit_code"] == 0


async def test_what_is_repeated_is_not_held_back(tmp_path: Path) -> None:
    """Delivery memory is off: the same row is sent as often as it is tried, and nothing is kept."""
    async with echoing() as echo:
        for _ in range(2):
            document = await told(tmp_path, crm(echo), "--row", ANN, "--send")
            assert outcomes(document) == {1: "delivered"}

    assert len(echo.sent) == 2
    assert files(tmp_path) == []


async def test_an_operation_that_the_mode_does_not_send(tmp_path: Path) -> None:
    """A removal in a mode without removals is rejected; without a mode one with them is chosen."""
    row = ("--row", ANN, "--operation", "remove")
    async with echoing() as echo:
        chosen = await told(tmp_path, crm(echo), *row)
        given = await told(tmp_path, crm(echo), *row, "--sync-config", '{"mode": "insert"}')

    assert chosen["sync_config"]["mode"] == "mirror"
    assert chosen["requests"][0]["body"]["operation"] == "remove"
    assert outcomes(given) == {1: "rejected"}
    assert given["rows"][0]["reason"] == (
        'NOT_SUPPORTED: mode "insert" does not send rows to remove'
    )


async def test_what_is_not_given_is_chosen_and_told(tmp_path: Path) -> None:
    """Mode and mapping are chosen, the notes say how, and the form's complaints are among them."""
    async with echoing() as echo:
        settings = crm(echo, custom_fields=False)
        document = await told(tmp_path, settings, "--row", "id=1 FIRST_NAME=Ann shoe=42")

    assert document["sync_config"] == {
        "mode": "upsert",
        "mappings": [{"from": "FIRST_NAME", "to": "first_name"}],
    }
    assert document["notes"] == [
        "Mode upsert: the first that sends rows to add. Others: mirror, insert.",
        "Mapping: each column to the field of its name: FIRST_NAME.",
        "Not mapped, as no field is called so: shoe.",
        'The form would say: Field "email" is required: map a column to it.',
    ]
    assert document["rows"][0]["reason"] == (
        "INVALID_ROW: email: required, but nothing is mapped to it"
    )


async def test_a_made_up_token_lets_the_request_be_seen(tmp_path: Path) -> None:
    """Without --send a request for a token is shown, answered here, and the next one is shown."""
    auth = {"scheme": "oauth2_client_credentials", "client_id": "shop", "client_secret": "s" * 20}
    async with echoing() as echo:
        settings = crm(echo, auth={**auth, "token_url": f"{echo.url}/token", "scope": "rows"})
        document = await told(tmp_path, settings, "--row", ANN)

    token, request = document["requests"]
    assert (token["for"], token["rows"], token["sent"]) == ("token", [], False)
    assert "grant_type: client_credentials" in token["body"]
    assert "scope: rows" in token["body"]
    assert request["headers"]["Authorization"] == "Bearer [secret]"
    assert document["rows"][0]["requests"] == [2]
    assert echo.sent == []


async def test_a_grant_of_two_requests_is_shown_whole(tmp_path: Path) -> None:
    """A key brings a refresh token, and that a token: made-up ones, by the vendor's names."""
    kept = registry.stand_in("relay42")(token="k" * 20, delivery="facts", by_key=True)
    sync, row = json.dumps(kept.sync()), "id=00001 email=ann@example.com"
    settings = json.dumps({"crm": kept.settings("http://127.0.0.1:9")})

    document = await told(tmp_path, settings, "--row", row, "--sync-config", sync)

    assert [each["for"] for each in document["requests"]] == ["token", "token", "rows"]
    assert [each["body"] for each in document["requests"][:2]] == [
        "apiKey: [secret]",
        "refreshToken: [secret]",
    ]
    assert outcomes(document) == {"00001": "would_be_sent"}


async def test_hostile_answers_are_harmless(tmp_path: Path) -> None:
    """What a terminal would obey is escaped, and what is long is cut off."""
    hostile = "\x1b[2J\x07\u202eevil\r\n\x9b31m" + "x" * 50_000

    def answers(_: Sent) -> web.Response:
        return web.Response(body=hostile.encode(), headers={"Content-Type": "text/\u202ex"})

    row = json.dumps({"id": "\x1b[2Ji", "email": "ann@example.com", "first_name": "\x1b]0;t\x07"})
    async with echoing(answers) as echo:
        environment = {"DESTINATIONS": crm(echo)}
        text = await command_beside(tmp_path, "try", "crm", "--row", row, "--send", **environment)
        program = await command_beside(
            tmp_path, "try", "crm", "--row", row, "--send", "--json", **environment
        )

    for done in (text, program):
        assert all(each.isprintable() or each == "\n" for each in done.stdout)
        assert "evil" in done.stdout
    assert "\\u001b[2J" in text.stdout
    assert len(text.stdout) < 10_000
    assert json.loads(program.stdout)["requests"][0]["answer"]["body"] == hostile


async def test_bodies_are_shown_to_the_last_digit(tmp_path: Path) -> None:
    """Numbers stand as they are sent, also those that a float would lose."""
    row = '{"id": 12345678901234567890, "email": "a@example.com", "n": 0.1, "m": 1e21}'
    async with echoing() as echo:
        done = await command_beside(
            tmp_path, "try", "crm", "--row", row, "--send", DESTINATIONS=crm(echo)
        )

    sent = echo.sent[0].content.decode()
    for part in ('"id": 12345678901234567890', '"n": 0.1', '"m": 1e+21'):
        assert part in done.stdout
        assert part.replace(": ", ":") in sent


@pytest.mark.parametrize(
    ("arguments", "what", "code"),
    [
        ((), "There are no rows to try.", 2),
        (("--row", "{"), "Row 1 cannot be read.", 2),
        (("--row", "ann"), "Row 1 cannot be read.", 2),
        (("--row", "id='1"), "Row 1 cannot be read.", 2),
        (("--row", "id=1", "--rows", "x.csv"), "Two options exclude each other.", 2),
        (("--rows", "none.csv"), "none.csv cannot be read.", 2),
        (("--row", '{"id": null}'), 'Row 1 has no id in the column "id".', 2),
        (("--row", '{"id": true}'), 'Row 1 has no id in the column "id".', 2),
        (("--row", "id=1", "--id", "x"), 'Row 1 has no id in the column "x".', 2),
        (("--row", "id=1", "--sync-config", "{"), "The sync's configuration cannot be read.", 2),
        (("--row", "id=1", "--sync-config", "none.json"), "none.json cannot be read.", 2),
        (
            ("--row", "id=1", "--sync-config", '{"mode": "upsrt"}'),
            "The sync's configuration cannot be used.",
            2,
        ),
        (
            ("--row", "id=1", "--sync-config", '{"mode": {}}'),
            "The sync's configuration cannot be used.",
            2,
        ),
    ],
)
def test_what_cannot_be_tried_is_told(
    tmp_path: Path, arguments: tuple[str, ...], what: str, code: int
) -> None:
    """Three lines: what is wrong, why, and what to do."""
    settings = '{"crm": {"kind": "webhook", "url": "https://crm.example.com"}}'

    done = command(tmp_path, "try", "crm", *arguments, DESTINATIONS=settings)

    assert done.stderr.splitlines()[0] == f"Error: {what}"
    assert len(done.stderr.splitlines()) == 3
    assert (done.returncode, done.stdout) == (code, "")


def test_a_kind_without_a_configuration_is_pointed_to_the_sandbox(tmp_path: Path) -> None:
    """A destination that is not configured is told apart from a kind that there is."""
    kind = command(tmp_path, "try", "webhook", "--row", "id=1")
    other = command(tmp_path, "try", "crm", "--row", "id=1")
    broken = command(
        tmp_path, "try", "crm", "--row", "id=1", DESTINATIONS='{"crm": {"kind": "webhook"}}'
    )

    assert "destination try webhook --sandbox" in kind.stderr
    assert (kind.returncode, other.returncode, broken.returncode) == (3, 3, 3)
    assert 'Destination "crm" does not exist.' in other.stderr
    assert "destinations.crm.url: is missing" in broken.stderr


@pytest.mark.parametrize("kind", ["connectif", "mailchimp", "relay42", "slack", "webhook"])
def test_every_kind_can_be_seen_without_a_configuration(tmp_path: Path, kind: str) -> None:
    """With --sandbox alone the example people's requests are shown, and the stand-in gets none."""
    done = command(tmp_path, "try", kind, "--sandbox", "--json")

    document = json.loads(done.stdout)
    rows = [each for each in document["requests"] if each["rows"]]
    assert rows
    assert not any(each["sent"] for each in rows)
    assert outcomes(document)["00001"] == "would_be_sent"
    assert done.stderr == ""


@pytest.mark.parametrize("kind", ["connectif", "mailchimp", "relay42", "slack", "webhook"])
async def test_every_kind_delivers_what_it_shows(tmp_path: Path, kind: str) -> None:
    """Sent to a stand-in, rows are delivered by the vendor's answers, and are held there."""
    async with stand_in(kind) as reached:
        people = ("--rows", str(ROOT / "examples" / "people" / "people.csv"), "--limit", "2")
        sync = ("--sync-config", json.dumps(reached.stand_in.sync()))
        settings = json.dumps({"crm": reached.settings})
        read = await told(tmp_path, settings, *people, *sync, "--read")
        before = await held(reached)
        sent = await told(tmp_path, settings, *people, *sync, "--send")
        after = await held(reached)

    assert outcomes(read) == {"00001": "would_be_sent", "00002": "would_be_sent"}
    assert outcomes(sent) == {"00001": "delivered", "00002": "delivered"}
    assert (len(before), len(after)) == (0, 2)
    shown = [each for each in read["requests"] if each["rows"]]
    done = [each for each in sent["requests"] if each["rows"]]
    assert [each["body"] for each in done[: len(shown)]] == [each["body"] for each in shown]
    assert "[secret]" in str(done)
    assert reached.token not in json.dumps([read, sent])


async def test_a_spec_file_is_tried_like_any_other(tmp_path: Path) -> None:
    """A destination that a file declares shows its requests, and sends them."""
    async with stand_ins() as reached:
        receiver = reached["webhook"]
        settings = json.dumps({"crm": of_file(receiver)})
        rows = ("--row", ANN, "--row", "id=2 email=ben", "--sync-config", '{"object": "person"}')
        dry = await told(tmp_path, settings, *rows)
        sent = await told(tmp_path, settings, *rows, "--send")
        entries = await held(receiver)

    assert outcomes(dry) == {1: "would_be_sent", "2": "rejected"}
    assert outcomes(sent) == {1: "delivered", "2": "rejected"}
    assert dry["kind"] == "receiver"
    assert dry["requests"][0]["headers"]["Authorization"] == "Bearer [secret]"
    assert [each["id"] for each in entries] == [1]


def of_file(receiver: Reached) -> dict[str, Any]:
    """The settings of the receiver's spec file."""
    return {
        "kind": "spec",
        "spec": str(RECEIVER),
        "endpoint": receiver.url,
        "token": receiver.token,
        "allow_private_networks": True,
    }


async def test_a_vendor_is_not_even_read_from_without_leave(tmp_path: Path) -> None:
    """Where lists are the vendor's, the request for them is shown and not sent; --read sends it."""
    row = ("--row", "id=1 email_address=ann@example.com FNAME=Ann")
    chosen = ("--sync-config", '{"object": "a1b2c3d4e5"}')
    async with stand_in("mailchimp") as reached:
        settings = json.dumps({"crm": reached.settings})
        dry = await told(tmp_path, settings, *row)
        read = await told(tmp_path, settings, *row, *chosen, "--read")
        entries = await held(reached)

    [request] = dry["requests"]
    assert (request["method"], request["for"], request["sent"]) == ("GET", "form", False)
    assert outcomes(dry) == {"1": "undetermined"}
    assert dry["exit_code"] == 0
    assert [(each["method"], each["sent"]) for each in read["requests"]] == [
        ("GET", True),
        ("GET", True),
        ("POST", False),
    ]
    assert read["requests"][2]["body"]["members"][0]["merge_fields"] == {"FNAME": "Ann"}
    assert outcomes(read) == {"1": "would_be_sent"}
    assert entries == []


async def test_what_would_follow_is_said_to_depend(tmp_path: Path) -> None:
    """Where tags are removed one by one, the second is asked for only after the first's answer."""
    row = ("--row", "id=1 email_address=ann@example.com", "--operation", "remove", "--read")
    sync = {"object": "a1b2c3d4e5", "mode": "mirror", "onRemove": "removeTags", "tags": ["a", "b"]}
    async with stand_in("mailchimp") as reached:
        settings = json.dumps({"crm": reached.settings})
        document = await told(tmp_path, settings, *row, "--sync-config", json.dumps(sync))

    first, second = (each for each in document["requests"] if each["rows"])
    assert (first["method"], first["sent"]) == ("GET", False)  # it holds what is the row's
    assert (first["perhaps_after"], second["perhaps_after"]) == (None, first["number"])
    assert outcomes(document) == {"1": "would_be_sent"}


async def test_a_row_may_need_no_request(tmp_path: Path) -> None:
    """A removed row about which no message is known to stand has nothing to be deleted."""
    async with stand_in("slack") as reached:
        settings = json.dumps({"crm": reached.settings})
        sync = json.dumps(reached.stand_in.sync())
        row = ("--row", ANN, "--operation", "remove", "--sync-config", sync)
        document = await told(tmp_path, settings, *row)

    assert document["requests"] == []
    assert outcomes(document) == {1: "nothing_to_send"}


async def test_only_the_first_rows_of_a_file_are_tried(tmp_path: Path) -> None:
    """A large file is not sent by accident: ten rows are, unless --limit says otherwise."""
    (tmp_path / "rows.json").write_text(
        json.dumps([{"key": id, "email": f"{id}@example.com"} for id in range(30)])
    )
    async with echoing() as echo:
        few = await told(tmp_path, crm(echo), "--rows", "rows.json", "--send")
        more = await told(
            tmp_path, crm(echo), *("--rows", "rows.json", "--limit", "12", "--id", "email")
        )

    assert len(few["rows"]) == len(echo.sent) == 10
    assert few["notes"][0] == "rows.json has more than 10 rows; no others are tried (--limit)."
    assert (few["id_column"], few["rows"][3]["id"]) == ("key", 3)
    assert [row["id"] for row in more["rows"]][-1] == "11@example.com"


async def test_people_are_shown_the_first_requests(tmp_path: Path) -> None:
    """Of many requests twenty are printed, and the others are counted."""
    rows = [part for id in range(30) for part in ("--row", f"id={id} email={id}@example.com")]
    async with echoing() as echo:
        done = await command_beside(
            tmp_path, "try", "crm", "--limit", "30", *rows, DESTINATIONS=crm(echo)
        )

    assert done.stdout.count("\nRequest ") == 20
    assert "10 more requests: --json shows all." in done.stdout
    assert done.stdout.count("would be sent") == 30
    assert "Nothing was sent. With --send it is." in done.stdout


BROKEN = """
import destination as d

class Broken(d.Destination[d.NoOptions, d.NoOptions]):
    kind = "broken"
    objects = (d.Object(modes=(d.Mode("send", add="send"),), custom_fields=True),)

    async def fields(self, object, mode):
        raise KeyError("canary")
"""


def test_a_broken_destination_is_told_without_its_words(tmp_path: Path) -> None:
    """An exception that nobody foresaw rejects the rows under a reference, as in a call."""
    (tmp_path / "broken.py").write_text(BROKEN)
    installed = tmp_path / "broken-1.0.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 1.0\n")
    (installed / "entry_points.txt").write_text("[destination.kinds]\nbroken = broken:Broken\n")
    settings = {"DESTINATIONS": '{"crm": {"kind": "broken"}}', "PYTHONPATH": f"{tmp_path}:{ROOT}"}

    done = command(tmp_path, "try", "crm", "--row", ANN, "--json", **settings)

    [row] = json.loads(done.stdout)["rows"]
    assert row["outcome"] == "rejected"
    assert row["reason"].startswith("INTERNAL: not sent: internal error, ref ")
    assert "canary" not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert done.returncode == 1


async def test_rows_never_reach_a_log(tmp_path: Path) -> None:
    """Standard error, where logs go, has nothing of the rows, also where sending fails."""
    row = '{"id": 1, "email": "ann@example.com", "first_name": "Annegret"}'
    async with echoing(lambda _: web.Response(status=500)) as echo:
        done = await command_beside(
            tmp_path, "try", "crm", "--row", row, "--send", DESTINATIONS=crm(echo)
        )

    assert "Annegret" in done.stdout
    assert "Annegret" not in done.stderr
    assert "OUTCOME_UNKNOWN" in done.stdout
    assert done.returncode == 1
