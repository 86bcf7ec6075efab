"""``destination check``: what asking the vendor shows, and what its clock says."""

import base64
import socket
import time
from collections.abc import Callable
from email.utils import formatdate
from pathlib import Path
from typing import Any

import certificates
import httpx
import pytest
import structlog
import trustme
from aiohttp import ClientSession, web
from checking import Vendor, checked, vendor
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from destination.cli.check.watch import ahead_of
from destination.cli.sandbox import Reached, stand_ins
from destination.vendor import resolver

CHECK_IT = "check the address, and whether a firewall stands between"


def hook(url: str, **more: Any) -> dict[str, Any]:
    """The settings of a webhook."""
    return {"kind": "webhook", "url": url, "allow_private_networks": True, "attempts": 1, **more}


async def tell(reached: Reached, **behavior: Any) -> None:
    """Tell a stand-in how to behave."""
    headers = {"Authorization": f"Bearer {reached.token}"}
    async with (
        ClientSession(headers=headers) as session,
        session.post(f"{reached.url}/_sandbox/behavior", json=behavior) as answer,
    ):
        assert answer.status == 200


class TestReachability:
    """Whether there is anybody."""

    async def test_a_port_where_nobody_listens(self, tmp_path: Path) -> None:
        """The system's own words are told; whether we would be let in is not known."""
        told = await checked(tmp_path, hook("http://127.0.0.1:9/rows"))

        says = "CONNECT_FAILED: could not connect to the vendor (connection refused); "
        assert told.of("reachability") == [("failed", says + CHECK_IT)]
        assert told.of("credentials") == []
        assert told.code == 1

    async def test_a_name_that_does_not_exist(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """DNS says so."""

        def nobody(*_: object) -> list[Any]:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

        monkeypatch.setattr(resolver, "lookup", nobody)
        told = await checked(tmp_path, hook("https://crm.example.com/rows"))

        says = "CONNECT_FAILED: could not connect to the vendor (name or service not known); "
        assert told.of("reachability") == [("failed", says + CHECK_IT)]

    @pytest.mark.parametrize(
        ("shows", "why"),
        [
            (certificates.expired, "certificate has expired"),
            (certificates.not_yet_valid, "certificate is not yet valid"),
            (certificates.of_nobody_known, "unable to get local issuer certificate"),
            (
                certificates.of_another_name,
                "IP address mismatch, certificate is not valid for '127.0.0.1'",
            ),
        ],
    )
    async def test_a_certificate_that_cannot_be_trusted(
        self,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        shows: Callable[[trustme.CA], Any],
        why: str,
    ) -> None:
        """TLS says what is wrong with it."""
        ours = trustme.CA()
        monkeypatch.setattr("destination.vendor.transport.trusted", certificates.believing(ours))
        runner = web.AppRunner(web.Application())
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=shows(ours))
        await site.start()
        try:
            port = runner.addresses[0][1]
            told = await checked(tmp_path, hook(f"https://127.0.0.1:{port}/rows"))
        finally:
            await runner.cleanup()

        [(outcome, says)] = told.of("reachability")
        assert outcome == "failed"
        assert says == (
            f"TLS_ERROR: the vendor's TLS certificate or handshake was refused ({why}); the "
            "vendor must mend it, or its authority belongs into this system's store"
        )

    async def test_an_address_that_is_not_public(self, tmp_path: Path) -> None:
        """It is not dialled; the sentence names the setting."""
        told = await checked(tmp_path, hook("https://127.0.0.1/", allow_private_networks=False))

        says = "BLOCKED_URL: the address is not public; allow_private_networks = true permits it"
        assert told.of("reachability") == [("failed", says)]


class TestCredentials:
    """Whether we are let in, and what we may do there."""

    async def test_credentials_that_are_refused_hide_no_other_finding(self, tmp_path: Path) -> None:
        """The vendor is reached; the rest is looked at as far as it can be."""
        async with stand_ins() as reached:
            wrong = {"auth": {"scheme": "bearer", "token": "canary-wrong"}}
            told = await checked(tmp_path, reached["webhook"].settings | wrong)

        assert told.of("credentials") == [
            (
                "failed",
                "AUTH_FAILED: the vendor answered 401: it refused the credentials; mend the "
                "credentials in the settings, or what they may do at the vendor",
            )
        ]
        assert [outcome for outcome, _ in told.of("reachability")] == ["ok"]
        assert [outcome for outcome, _ in told.of("form") + told.of("speed")] == ["ok", "ok"]
        assert "canary" not in str(told)
        assert told.code == 1

    async def test_slack_s_scopes_that_are_missing_are_warnings(self, tmp_path: Path) -> None:
        """One for each, with what is lost and what to do; without the right to post it fails."""
        add = "add it under OAuth & Permissions and install the app again"
        async with stand_ins() as reached:
            slack = reached["slack"]
            settings = slack.settings | {"rate": 1}
            await tell(slack, scopes=["chat:write", "channels:read"])
            some = await checked(tmp_path, settings)
            await tell(slack, scopes=["channels:read", "groups:read", "chat:write.customize"])
            none = await checked(tmp_path, settings)

        assert some.of("credentials") == [
            ("ok", 'workspace "Sandbox"'),
            (
                "warning",
                "the scope groups:read is missing: private channels are not listed; " + add,
            ),
            (
                "warning",
                "the scope chat:write.customize is missing: name and icon cannot be chosen; " + add,
            ),
        ]
        assert some.code == 0
        [(outcome, says)] = none.of("credentials")
        assert outcome == "failed"
        assert says.startswith(
            'AUTH_FAILED: workspace "Sandbox"; the scope chat:write is missing: nothing can be '
            f"posted; {add}; "
        )

    async def test_mailchimp_s_role_is_told(self, tmp_path: Path) -> None:
        """A viewer's key is known, and cannot do what it is for."""
        async with stand_ins() as reached:
            mailchimp = reached["mailchimp"]
            good = await checked(tmp_path, mailchimp.settings)
            body = {"account_name": "Acme", "role": "viewer"}
            await tell(mailchimp, next=[{"status": 200, "headers": {}, "body": body}])
            viewer = await checked(tmp_path, mailchimp.settings)

        assert good.of("credentials") == [("ok", 'account "Sandbox", role owner')]
        assert viewer.of("credentials") == [
            ("ok", 'account "Acme", role viewer'),
            (
                "warning",
                "the key is of a user with the role viewer, which does not import contacts; use "
                "the key of a manager, an admin or the owner",
            ),
        ]

    async def test_a_scope_that_was_not_granted_is_a_warning(self, tmp_path: Path) -> None:
        """The token's answer is compared with what was asked for; one without a scope grants it."""
        async with vendor() as one:
            auth = {
                "scheme": "oauth2_client_credentials", "token_url": f"{one.url}/token",
                "client_id": "us", "client_secret": "canary", "scope": "rows.read rows.write all",
            }  # fmt: skip
            whole = await checked(tmp_path, one.webhook(auth=auth))
            one.token["scope"] = "rows.read other"
            part = await checked(tmp_path, one.webhook(auth=auth))

        assert whole.wrong == []
        assert part.wrong == [
            (
                "warning",
                "the token endpoint did not grant rows.write, all: correct scope, or let the "
                "vendor allow it to this client",
            )
        ]

    async def test_a_kind_that_breaks_is_told_by_a_reference(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Its own words are kept back, and the other findings are told."""

        async def broken(_: object) -> None:
            raise RuntimeError("canary")

        monkeypatch.setattr("destinations.webhook.Webhook.check", broken)
        async with vendor() as one:
            with structlog.testing.capture_logs() as log:
                told = await checked(tmp_path, one.webhook())

        assert [each["error"] for each in log] == ["RuntimeError"]
        [(outcome, says)] = told.of("credentials")
        assert outcome == "failed"
        assert says.startswith("internal error, ref ")
        assert [outcome for outcome, _ in told.of("speed")] == ["ok"]

    async def test_a_vendor_without_anything_to_sync_to_is_a_warning(self, tmp_path: Path) -> None:
        """An account of Mailchimp that has no audience yet."""
        async with stand_ins() as reached:
            reached["mailchimp"].stand_in.audiences.clear()
            told = await checked(tmp_path, reached["mailchimp"].settings)

        says = "the vendor has nothing to sync to yet: make it there, such as an audience"
        assert told.wrong == [("warning", says)]


class TestClock:
    """This machine's clock and the vendor's."""

    async def late(self, one: Vendor, seconds: float) -> None:
        """From now on the vendor's clock is behind ours by so much."""
        one.headers["Date"] = formatdate(time.time() - seconds, usegmt=True)

    async def test_half_a_minute_is_a_warning(self, tmp_path: Path) -> None:
        """With the number, and whose clock it was compared with; less is nothing to tell."""
        async with vendor() as one:
            await self.late(one, 90)
            wrong = await checked(tmp_path, one.webhook())
            await self.late(one, -20)
            good = await checked(tmp_path, one.webhook())

        [(outcome, says)] = wrong.of("clock")
        assert outcome == "warning"
        assert says in [
            f"is {n} s ahead of that of 127.0.0.1: set it, such as by NTP" for n in (88, 89, 90)
        ]
        assert good.wrong == []

    async def test_five_minutes_fail_where_what_is_signed_has_a_time(self, tmp_path: Path) -> None:
        """Standard Webhooks' receivers refuse it; for others it is a warning."""
        secret = "whsec_" + base64.b64encode(b"k" * 32).decode()
        signing = {"scheme": "standard_webhooks", "secrets": [secret]}
        async with vendor() as one:
            await self.late(one, -1000)
            signed = await checked(tmp_path, one.webhook(signing=signing))
            plain = await checked(tmp_path, one.webhook())

        [(outcome, says)] = signed.of("clock")
        assert outcome == "failed"
        assert says.endswith(
            " s behind that of 127.0.0.1, and what is signed here counts for 300 s: set it, such "
            "as by NTP"
        )
        assert [outcome for outcome, _ in plain.of("clock")] == ["warning"]

    async def test_five_minutes_fail_where_a_grant_is_signed(self, tmp_path: Path) -> None:
        """A service account's assertion has a time."""
        key = ec.generate_private_key(ec.SECP256R1())
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
        async with vendor() as one:
            auth = {
                "scheme": "oauth2_service_account", "token_url": f"{one.url}/token",
                "issuer": "us", "algorithm": "ES256", "private_key": pem,
            }  # fmt: skip
            await self.late(one, 1000)
            told = await checked(tmp_path, one.webhook(auth=auth))

        assert [outcome for outcome, _ in told.of("clock")] == ["failed"]

    @pytest.mark.parametrize(
        ("headers", "ahead"),
        [
            ({}, None),
            ({"Date": "yesterday"}, None),
            ({"Date": "Thu, 01 Jan 1970 00:16:40 GMT"}, 0.0),
            ({"Date": "Thu, 01 Jan 1970 00:16:40"}, 0.0),
            ({"Date": "Thu, 01 Jan 1970 00:16:00 GMT"}, 39.0),
            ({"Date": "Thu, 01 Jan 1970 00:16:00 GMT", "Age": "40"}, 0.0),
            ({"Date": "Thu, 01 Jan 1970 00:16:00 GMT", "Age": "old"}, None),
            ({"Date": "Thu, 01 Jan 1970 00:17:40 GMT"}, -58.0),
        ],
    )
    def test_an_answer_is_compared_as_far_as_it_can_be(
        self, headers: dict[str, str], ahead: float | None
    ) -> None:
        """Of an answer that took two seconds, from 1000 on, some time within them is its date."""
        assert ahead_of(httpx.Headers(headers), 1000.0, 1002.0) == ahead
