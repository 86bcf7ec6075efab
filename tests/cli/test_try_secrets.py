"""``destination try`` shows no credential, whatever way of being let in and whatever comes back."""

import json
import re
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from commands import command_beside
from echo import Echo, Sent, echoing
from schemes import SCHEMES

ROW = '{"id": 1, "email": "ann@example.com"}'


def configured(echo: Echo, **settings: Any) -> str:
    """A destination that sends there, for the environment."""
    hook = {"kind": "webhook", "url": f"{echo.url}/rows", "allow_private_networks": True}
    text = json.dumps({"crm": hook | settings})
    return text.replace("{url}", echo.url)


def shows_nothing(output: str, echo: Echo) -> None:
    """Neither a planted secret nor what was made of it and sent stands in the output."""
    assert not re.search("canary", output, re.IGNORECASE)
    assert b64encode(b"canary").decode()[:8] not in output
    assert "PRIVATE KEY" not in output
    for sent in echo.sent:
        for name in ("Authorization", "X-Thing", "X-Proof", "webhook-signature"):
            for word in sent.headers.get(name, "").split()[-1:]:
                assert word not in output
        for assertion in re.findall(rb"assertion=([\w.-]+)", sent.content):
            assert assertion.decode() not in output


@pytest.mark.parametrize("scheme", SCHEMES)
async def test_no_credential_is_shown(tmp_path: Path, scheme: str) -> None:
    """Dry, sent and as JSON: the vendor quotes every header, address and body, and none is seen."""
    async with echoing() as echo:
        environment = {"DESTINATIONS": configured(echo, **SCHEMES[scheme])}
        dry, sent, program = [
            await command_beside(tmp_path, "try", "crm", "--row", ROW, *more, **environment)
            for more in ((), ("--send",), ("--send", "--json"))
        ]

    for done in (dry, sent, program):
        shows_nothing(done.stdout + done.stderr, echo)
        assert done.returncode == 0, done.stderr
        assert "ann@example.com" in done.stdout
        assert "[secret]" in done.stdout
    assert len(echo.rows) == 2
    assert "canary" in str(echo.sent) or scheme not in ("bearer", "header", "query")
    assert "delivered" in sent.stdout


async def test_the_address_and_the_scheme_stay_readable(tmp_path: Path) -> None:
    """Only the credential itself is masked: not its scheme, nor other parameters."""
    async with echoing() as echo:
        settings = configured(
            echo,
            url=f"{echo.url}/rows?list=7&api_key=abcdef",
            headers={"X-Api-Key": "ghijkl", "X-Source": "crm"},
            **SCHEMES["bearer"],
        )
        done = await command_beside(tmp_path, "try", "crm", "--row", ROW, DESTINATIONS=settings)

    for line in (
        f"POST {echo.url}/rows?list=7&api_key=[secret]",
        "Authorization: Bearer [secret]",
        "X-Api-Key: [secret]",
        "X-Source: crm",
    ):
        assert f"  {line}\n" in done.stdout
    assert "abcdef" not in done.stdout
    assert "ghijkl" not in done.stdout


async def test_a_secret_of_the_environment_is_masked_wherever_it_stands(tmp_path: Path) -> None:
    """A path that holds what a variable named as a secret holds is masked there."""
    async with echoing() as echo:
        settings = configured(echo, url=f"{echo.url}/hooks/open-sesame/7")
        done = await command_beside(
            tmp_path, "try", "crm", "--row", ROW, DESTINATIONS=settings, HOOK_SECRET="open-sesame"
        )

    assert f"POST {echo.url}/hooks/[secret]/7\n" in done.stdout


async def test_a_vendor_may_write_a_secret_in_its_own_way(tmp_path: Path) -> None:
    """In JSON's escapes, in base64, in capitals or in an address it is masked all the same."""
    secret = "canary-bearer"
    escaped = "".join(f"\\u{ord(each):04x}" for each in secret)
    ways = [escaped, secret.upper(), b64encode(secret.encode()).decode(), f"?x={secret}"]

    def answers(_: Sent) -> web.Response:
        body = "[" + ", ".join(f'"{way}"' for way in ways) + "]"
        return web.Response(text=body, content_type="application/json")

    async with echoing(answers) as echo:
        settings = {"DESTINATIONS": configured(echo, **SCHEMES["bearer"])}
        done = await command_beside(tmp_path, "try", "crm", "--row", ROW, "--send", **settings)

    shows_nothing(done.stdout + done.stderr, echo)
    assert escaped not in done.stdout
    assert done.stdout.count("[secret]") == 5


async def test_an_address_that_is_a_secret_shows_its_host(tmp_path: Path) -> None:
    """Of Slack's webhook address what stands behind the host is masked."""
    hook = "http://127.0.0.1:9/services/T0/B0/canary"
    settings = {"team": {"kind": "slack", "webhook_url": hook, "allow_private_networks": True}}

    done = await command_beside(
        tmp_path,
        *("try", "team", "--row", "id=1 name=Ann"),
        *("--sync-config", '{"mode": "post_added", "message": "Hello {{ name }}"}'),
        DESTINATIONS=json.dumps(settings),
    )

    assert "POST http://127.0.0.1:9/[secret]\n" in done.stdout
    assert "Hello Ann" in done.stdout
    assert "canary" not in done.stdout + done.stderr


async def test_a_scheme_and_a_host_are_no_secret(tmp_path: Path) -> None:
    """A variable may be called after a secret and hold an address: others stay readable."""
    async with echoing() as echo:
        done = await command_beside(
            tmp_path,
            *("try", "crm", "--row", ROW),
            DESTINATIONS=configured(echo),
            AUTH_URL="http://127.0.0.1:1/hidden-away",
            DATABASE_TOKEN="http://user:pass-of-mine@127.0.0.1/",
        )

    assert f"POST {echo.url}/rows\n" in done.stdout
    assert "[secret]" not in done.stdout
