"""``destination check``: what it finds wrong before the first sync, and how it says so."""

import asyncio
import json
import re
from pathlib import Path

import pytest
from checking import check, checked, plainly, vendor
from raw_server import OK, raw
from terminal import Terminal

from destination.cli.check import _all
from destination.cli.sandbox import stand_ins
from destination.settings import Server
from destination.testing.clock import run_virtually

SECRET = "s" * 40


class TestGood:
    """Nothing is wrong."""

    async def test_a_good_configuration_gives_no_warning(self, tmp_path: Path) -> None:
        """Each kind against its vendor, on a public address with a secret: every line is ok."""
        async with stand_ins() as reached:
            settings = {kind: each.settings for kind, each in reached.items()}
            del settings["slack"]["rate"]  # which is faster than Slack itself
            told = await check(
                tmp_path,
                DESTINATIONS=json.dumps(settings),
                HOST="0.0.0.0",
                DESTINATION_TOKEN=SECRET,
            )

        assert told.wrong == []
        assert told.code == 0
        for kind in settings:
            subjects = {each["check"] for each in told.findings if each["name"] == kind}
            assert subjects == {
                "settings", "reachability", "credentials", "clock", "form", "speed"
            }, kind  # fmt: skip

    async def test_a_person_reads_a_line_for_each_finding(self, tmp_path: Path) -> None:
        """Below the server's and each destination's name, with the sum at the end."""
        async with vendor() as one:
            code, output, _ = await plainly(
                tmp_path, DESTINATIONS=json.dumps({"crm": one.webhook()})
            )

        assert code == 0
        assert re.sub(r"in \d+ ms", "in 5 ms", output).replace(str(tmp_path), "").splitlines() == [
            "server",
            "  ok       settings      understood, 1 destination",
            "  ok       access        127.0.0.1:8000, from this machine alone, without a secret",
            "  ok       state         /state.db can be written and read",
            "",
            "crm (webhook)",
            "  ok       settings      understood",
            "  ok       reachability  answers from 127.0.0.1 in 5 ms",
            "  ok       credentials   the vendor accepts them",
            "  ok       clock         agrees with that of 127.0.0.1",
            "  ok       form          1 object, 1 field, no options",
            "  ok       speed         calls of 220 rows are delivered in about 22 s of 25",
            "",
            "0 failed, 0 warnings, 9 ok",
        ]

    async def test_names_choose_destinations(self, tmp_path: Path) -> None:
        """Only those that are named are asked for."""
        async with vendor() as one:
            both = json.dumps({"crm": one.webhook(), "erp": {"kind": "nosuch"}})
            told = await check(tmp_path, "crm", DESTINATIONS=both)

        assert {each["name"] for each in told.findings} == {None, "crm"}
        assert told.code == 0


class TestSettings:
    """What is written down."""

    async def test_all_mistakes_are_told_at_once(self, tmp_path: Path) -> None:
        """Of the server and of every destination, each with the closest name there is."""
        (tmp_path / "destinations.toml").write_text("""
            [server]
            deadlin = 20
            max_rows = 0

            [destinations.crm]
            kind = "webhook"
            ur = "https://crm.example.com"
            methd = "PUT"
            timeout = -1

            [destinations.team]
            kind = "slak"
        """)

        told = await check(tmp_path, "--config", str(tmp_path / "destinations.toml"))

        assert told.of("settings", None) == [
            ("failed", "server.max_rows: must be greater than or equal to 1"),
            (
                "failed",
                'server.deadlin: Setting "deadlin" does not exist. Did you mean "deadline"?',
            ),
        ]
        where = "destinations.crm"
        assert told.of("settings") == [
            ("failed", f'{where}: Setting "ur" does not exist. Did you mean "url"?'),
            ("failed", f'{where}: Setting "methd" does not exist. Did you mean "method"?'),
            ("failed", f"{where}.url: is missing"),
            ("failed", f"{where}.timeout: must be greater than 0"),
        ]
        assert told.of("settings", "team") == [
            ("failed", 'destinations.team: Kind "slak" does not exist. Did you mean "slack"?')
        ]
        assert told.code == 1

    async def test_every_variable_that_is_not_set_is_named(self, tmp_path: Path) -> None:
        """The file cannot be read then; so nothing else can be checked, and the exit code is 3."""
        file = tmp_path / "destinations.toml"
        file.write_text("""
            [serve]
            [destinations.crm]
            kind = "webhook"
            url = "${CRM_URL}"
            auth = { scheme = "bearer", token = "${CRM_TOKEN}" }
        """)

        code, output, errors = await plainly(tmp_path, "--config", str(file))

        assert (code, output) == (3, "")
        assert errors.splitlines() == [
            "Error: The configuration cannot be read.",
            f'  {file}: Setting "serve" does not exist. Did you mean "server"?',
            "  destinations.crm.url: the environment variable CRM_URL is not set",
            "  destinations.crm.auth.token: the environment variable CRM_TOKEN is not set",
            "  Mend it, then run this again.",
        ]

    @pytest.mark.parametrize(
        ("names", "what"),
        [
            ((), "There is nothing to check."),
            (("nosuch",), "There is nothing to check."),
            (("--config", "nosuch.toml"), "The configuration cannot be read."),
        ],
    )
    async def test_nothing_to_check_is_an_error_of_configuration(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, names: tuple[str, ...], what: str
    ) -> None:
        """Three lines, and the exit code 3."""
        monkeypatch.chdir(tmp_path)

        code, _, errors = await plainly(tmp_path, *names)

        assert code == 3
        assert errors.startswith(f"Error: {what}")
        assert len(errors.splitlines()) == 3

    async def test_a_name_that_is_not_configured_is_an_error_too(self, tmp_path: Path) -> None:
        """The closest name is told, and the exit code is 3."""
        one = json.dumps({"crm": {"kind": "webhook"}})

        code, _, errors = await plainly(tmp_path, "crn", DESTINATIONS=one)

        assert code == 3
        assert 'Destination "crn" does not exist. Did you mean "crm"?' in errors

    async def test_a_template_that_does_not_parse_is_told_with_its_place(
        self, tmp_path: Path
    ) -> None:
        """In each setting of a webhook that holds templates: line and column."""
        (tmp_path / "destinations.toml").write_text("""
            [destinations.crm]
            kind = "webhook"
            url = "https://crm.example.com/{{ id | nosuch }}"
            query = { since = "{% if %}" }
            headers = { X-Name = "{{ name" }
            template = '''
            {"name": {{ name }},
             "city": {{ city | upcas }}}
            '''
        """)

        told = await check(tmp_path, "--config", str(tmp_path / "destinations.toml"))

        found = [says.removeprefix("destinations.crm.") for _, says in told.of("settings")]
        assert [each.partition(": ")[0] for each in found] == [
            "url", "query", "headers.X-Name", "template"
        ]  # fmt: skip
        assert all(re.search(r"line \d+, column \d+: ", each) for each in found)
        assert found[3].startswith("template: line 2, column ")
        assert told.code == 1

    async def test_a_destination_that_is_switched_off_is_a_warning(self, tmp_path: Path) -> None:
        """It is checked all the same."""
        async with vendor() as one:
            told = await checked(tmp_path, one.webhook(active=False))

        says = "active = false: rows are refused; remove it to deliver them"
        assert told.wrong == [("warning", says)]
        assert told.code == 0


class TestServer:
    """What concerns all destinations."""

    async def test_a_public_address_without_a_secret_fails(self, tmp_path: Path) -> None:
        """It says how to set one; the destinations are checked beside it."""
        async with vendor() as one:
            told = await checked(tmp_path, one.webhook(), PORT="8080")

        [(outcome, says)] = told.of("settings", None)
        assert outcome == "failed"
        assert says.startswith("DESTINATION_TOKEN is not set: without a secret the server listens ")
        assert says.endswith("Authorization: Bearer <secret>")
        assert told.of("credentials") == [("ok", "the vendor accepts them")]
        assert told.code == 1

    async def test_loopback_is_out_of_reach_on_a_platform(self, tmp_path: Path) -> None:
        """A platform's router comes from elsewhere."""
        async with vendor() as one:
            told = await checked(tmp_path, one.webhook(), HOST="127.0.0.1", FLY_APP_NAME="ours")

        assert told.of("access", None) == [
            (
                "failed",
                "HOST = 127.0.0.1 is out of reach for Fly.io's router: remove HOST, or set it to "
                "0.0.0.0",
            )
        ]

    async def test_a_deadline_beyond_the_platforms_own_fails(self, tmp_path: Path) -> None:
        """Heroku's router answers first, and its end comes before ours."""
        async with vendor() as one:
            slow = {"deadline": 40, "drain": 60}
            told = await checked(tmp_path, one.webhook(), DYNO="web.1", SERVER=json.dumps(slow))
            good = await checked(tmp_path, one.webhook(), DYNO="web.1")

        assert told.of("deadline", None) == [
            (
                "failed",
                "server.deadline = 40 s, but Heroku answers 503 itself after 30 s, and all rows of "
                "the call count as failed: lower it to 25",
            ),
            (
                "warning",
                "server.drain = 60 s, but Heroku ends the process 30 s after the signal to stop: "
                "lower it to 25",
            ),
        ]
        assert good.of("deadline", None) == [("ok", "25 s, before Heroku gives up after 30 s")]


class TestTime:
    """How long it takes."""

    def test_destinations_are_checked_at_once_and_none_for_ever(self) -> None:
        """Two vendors that never answer are given up after twenty seconds, not after forty."""

        async def never(*_: object) -> None:
            await asyncio.sleep(3600)

        async def scenario() -> tuple[float, list[list[str]]]:
            async with raw(never) as silent:
                one = {"kind": "webhook", "url": silent.url, "allow_private_networks": True}
                groups = await _all({"crm": one, "erp": one}, Server())
            says = [[found.says for found in group.findings] for group in groups]
            return asyncio.get_running_loop().time(), says

        seconds, says = run_virtually(scenario())

        given_up = "the vendor did not answer all that was asked within 20 s; check again"
        assert [each[-1] for each in says] == [given_up, given_up]
        assert 20 <= seconds < 21

    async def test_a_terminal_shows_what_is_waited_for(self, tmp_path: Path) -> None:
        """After a moment, until it is over; nothing of it is left between the lines."""
        loop, released = asyncio.get_running_loop(), asyncio.Event()

        def person(url: str) -> tuple[int, str]:
            settings = {"kind": "webhook", "url": url, "allow_private_networks": True}
            told = json.dumps({"crm": settings})
            with Terminal(tmp_path, "check", DESTINATIONS=told) as terminal:
                terminal.waits_for("Checking crm …")
                loop.call_soon_threadsafe(released.set)
                return terminal.ends(), terminal.text

        async def late(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await released.wait()
            writer.write(OK)
            await writer.drain()

        async with raw(late) as slow:
            code, shown = await asyncio.to_thread(person, slow.url)

        assert code == 0
        assert shown.rstrip().endswith("0 failed, 0 warnings, 8 ok")
        assert "Checking" not in shown
