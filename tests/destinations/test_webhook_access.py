"""The webhook is let in by every scheme there is, and signs what it sends."""

from typing import Any, ClassVar

import pytest
from aiohttp import web
from javascript import needs_node
from javascript import receiver as node_receiver
from pydantic import ValidationError
from raw_server import nobody
from webhooks import failure, person, reasons, receiver, stand_in, sync

from destination.listen import listening
from destinations.sandbox.webhook import StandIn
from destinations.webhook import Settings

URL = "https://example.com/rows"
TOKEN_URL = "https://example.com/token"
GRANTS = ("client_credentials", "refresh_token", "service_account")
COLUMNS = ("text", "whole", "round", "fraction", "tiny", "huge", "deep")
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def people(count: int) -> list[dict[str, Any]]:
    """Rows."""
    return [person(n) for n in range(count)]


def wanting(serve: Any, auth: Any = None, *, settings: Any = None, **wanted: Any) -> Any:
    """The shipped receiver, which wants this and that; and a way to ask it."""
    kept = StandIn(token="a secret with a % and a +", **wanted)
    return stand_in(serve, auth, kept=kept, **(settings or {}))


async def rejected(served: Any, params: Any) -> list[str]:
    """The reasons."""
    return list((await reasons(served, "add", params)).values())


class TestTokens:
    """OAuth 2 against the receiver's own token endpoint."""

    @pytest.mark.parametrize("grant", GRANTS)
    async def test_rows_come_with_a_token(self, serve, grant):
        """Each grant brings a token, one for all rows."""
        async with wanting(serve, oauth=grant) as (served, ask):
            assert await rejected(served, sync(*people(20))) == []

            told = await ask("requests")
            assert (told["accepted"], told["refused"], told["tokens"]) == (20, 0, 1)

    @pytest.mark.parametrize("grant", GRANTS)
    async def test_a_token_that_is_revoked_is_renewed(self, serve, grant):
        """The refused row goes out again with another token, and arrives once."""
        async with wanting(serve, oauth=grant) as (served, ask):
            assert await rejected(served, sync(*people(1))) == []
            await ask("tokens", "DELETE")
            assert await rejected(served, sync(*people(3))) == []

            told = await ask("requests")
            assert told["accepted"] == 3  # the first of these was remembered
            assert told["tokens"] == 2

    async def test_the_secret_may_stand_in_the_body(self, serve):
        """``client_auth = "body"`` shows it as a parameter."""
        told = {"client_auth": "body"}
        async with wanting(serve, told, oauth="client_credentials") as (served, _):
            assert await rejected(served, sync(*people(1))) == []

    async def test_a_wrong_secret_fails_the_call(self, serve):
        """The reason says what the token endpoint said, and nothing secret."""
        told = {"client_secret": "wrong"}
        async with wanting(serve, told, oauth="client_credentials") as (served, _):
            error = await failure(served, "add", sync(*people(1)))

        assert error["message"] == (
            "AUTH_FAILED: not sent: no access token: the token endpoint answered 401 "
            "(invalid_client): it refused the credentials"
        )

    async def test_an_endpoint_that_is_not_there_rejects_rows(self, serve):
        """They were not sent, and the reason says so."""
        told = {"token_url": nobody()}
        async with wanting(serve, told, oauth="client_credentials") as (served, _):
            [reason] = await rejected(served, sync(*people(1)))

        assert reason == "CONNECT_FAILED: not sent: could not connect to the token endpoint"

    async def test_secrets_do_not_go_over_plain_http(self, serve):
        """The rules for addresses hold for the token endpoint as for the receiver."""
        auth = {
            "scheme": "oauth2_client_credentials",
            "token_url": "http://example.com/token",
            "client_id": "c",
            "client_secret": "s",
        }
        served = await serve({"hook": {"kind": "webhook", "url": URL, "auth": auth}})

        error = await failure(served, "add", sync(*people(1)))

        assert error["message"].startswith("CONFIG_INVALID: only https is allowed")


class TestSignatures:
    """What is sent can be told from what others send."""

    @pytest.mark.parametrize("signing", ["hmac", "standard_webhooks"])
    @pytest.mark.parametrize("oauth", [None, "client_credentials"])
    @pytest.mark.parametrize("batching", ["none", "array"])
    async def test_rows_are_signed(self, serve, signing, oauth, batching):
        """With tokens and without, singly and in arrays."""
        wanted = {"signing": signing, "oauth": oauth}
        async with wanting(serve, settings={"batching": batching}, **wanted) as (served, ask):
            rows = [row | {"first_name": "Zoë 👩‍👩‍👧", "ltv": 1e21} for row in people(5)]
            assert await rejected(served, sync(*rows, names=("first_name", "ltv"))) == []
            assert (await ask("requests"))["refused"] == 0

    @pytest.mark.parametrize("signing", ["hmac", "standard_webhooks"])
    async def test_a_wrong_secret_is_noticed(self, serve, signing):
        """The receiver refuses what others signed."""
        wrong = {
            "hmac": {"scheme": "hmac", "secret": "wrong"},
            "standard_webhooks": {"scheme": "standard_webhooks", "secrets": [SECRET]},
        }
        settings = {"signing": wrong[signing]}
        async with wanting(serve, settings=settings, signing=signing) as (served, _):
            error = await failure(served, "add", sync(*people(1)))

        assert error["message"].startswith("AUTH_FAILED: the vendor answered 401")

    @needs_node
    @pytest.mark.parametrize("batching", ["none", "array"])
    @pytest.mark.parametrize(
        "payload",
        [
            {},
            {"payload": "event"},
            {"template": "[" + ", ".join(f"{{{{ {each} }}}}" for each in COLUMNS) + ", 1.50]"},
            {"template": {each: f"{{{{ {each} }}}}" for each in COLUMNS}},
            {
                "template": {
                    "half": "{{ fraction | divided_by: 2 }}",
                    "one": "{{ round | plus: 1 }}",
                }
            },
            {"payload": "event", "template": '{"t": "{{ traits.text }}", "all": {{ traits }}}'},
        ],
    )
    async def test_a_receiver_that_writes_the_json_anew_agrees(self, serve, batching, payload):
        """Node checks the signature over what it parsed: unicode, integers and fractions hold."""
        values = [
            {
                "text": text,
                "whole": n * 10**12,
                "round": float(n),
                "fraction": n / 7 + 0.1,
                "tiny": n * 1e-9,
                "huge": n * 1e21,
                "deep": {"z": [1.0, None, True, {"ü": -0.0}], "a": "</script>\u2028"},
            }
            for n, text in enumerate(['Zoë "名前"\n', "👩‍👩‍👧", "\x00\x1f\x7f\\/", "e\u0301", ""])
        ]
        rows = [row | value for row, value in zip(people(5), values, strict=True)]
        async with node_receiver("a s3cret") as url:
            signing = {"scheme": "hmac", "secret": "a s3cret"}
            hook = {"kind": "webhook", "url": url, "signing": signing, "batching": batching}
            served = await serve({"hook": {**hook, **payload, "allow_private_networks": True}})
            assert await rejected(served, sync(*rows, names=COLUMNS)) == []

    @needs_node
    async def test_that_receiver_is_not_content_with_everything(self, serve):
        """It refuses what another secret signed."""
        async with node_receiver("a s3cret") as url:
            signing = {"scheme": "hmac", "secret": "another"}
            hook = {"kind": "webhook", "url": url, "signing": signing}
            served = await serve({"hook": hook | {"allow_private_networks": True}})
            error = await failure(served, "add", sync(*people(1)))

        assert "401" in error["message"]


class TestIds:
    """A Standard Webhooks id is that of what is sent, however often it is."""

    SIGNED: ClassVar = {"signing": {"scheme": "standard_webhooks", "secrets": [SECRET]}}

    async def ids(self, serve: Any, *rows: Any, method: str = "add", **settings: Any) -> list[str]:
        """The ids of what a call with these rows sends, by a server that remembers nothing."""
        async with receiver(serve, **self.SIGNED, **settings) as (served, received):
            await reasons(served, method, sync(*rows))
        return [headers["webhook-id"] for headers in received.headers]

    @pytest.mark.parametrize("batching", ["none", "array"])
    async def test_every_retry_has_the_same(self, serve, batching):
        """And a signature of its own time."""
        left = [503, 503, 200]
        answers = {"answers": lambda _: web.Response(status=left.pop(0))}
        made = await self.ids(serve, person(1), batching=batching, **answers)

        assert len(made) == 3
        assert len(set(made)) == 1

    @pytest.mark.parametrize("batching", ["none", "array"])
    async def test_a_call_that_is_repeated_has_the_same(self, serve, batching):
        """Also after a restart, so that a receiver can tell a repeat from something new."""
        rows = person(1), person(2)
        settings = {"batching": batching, "remember": 0}
        async with receiver(serve, **self.SIGNED, **settings) as (served, received):
            for _ in range(2):
                await reasons(served, "add", sync(*rows))
        again = await self.ids(serve, *rows, batching=batching)

        made = [headers["webhook-id"] for headers in received.headers]
        assert sorted(made) == sorted(again * 2)
        assert len(set(made)) == len(again)

    async def test_what_changed_has_another(self, serve):
        """Another row, operation or content is another message."""
        made = [
            *await self.ids(serve, person(1), person(2)),
            *await self.ids(serve, person(1, first_name="Bea")),
            *await self.ids(serve, person(1), method="change"),
            *await self.ids(serve, person(1), person(2), batching="array"),
        ]

        assert len(set(made)) == len(made) == 5

    async def test_it_is_the_event_id_of_templates(self, serve):
        """Receivers may look at either; of an array it is that of the whole."""
        for settings in (
            {"template": {"id": "{{ event_id }}"}},
            {"batching": "array", "wrapper": {"id": "{{ event_id }}", "rows": "{{ payloads }}"}},
        ):
            async with receiver(serve, **self.SIGNED, **settings) as (served, received):
                await reasons(served, "add", sync(person(1)))
            assert received.bodies[0]["id"] == received.headers[0]["webhook-id"]

    async def test_of_an_array_it_is_that_of_what_is_in_it(self, serve):
        """Rows that make no payload have no part in it."""
        settings = {"batching": "array", "headers": {"X-Id": "{{ event_id }}"}}
        template = '[{% if born != "" %}{{ born }}{% endif %}{% if born == "" %},{% endif %}]'
        async with receiver(serve, **self.SIGNED, **settings, template=template) as (
            served,
            received,
        ):
            await reasons(served, "add", sync(person(1, born=1), person(2, born="")))
            await reasons(served, "change", sync(person(1, born=1)))

        first, second = received.headers
        assert (first["X-Id"], second["X-Id"]) == (first["webhook-id"], second["webhook-id"])
        assert first["X-Id"] != second["X-Id"]

    async def test_an_id_of_the_operator_s_is_kept(self, serve):
        """A header template says it better where the receiver wants its own."""
        headers = {"webhook-id": "row_{{ row_id }}"}
        made = await self.ids(serve, person(7), headers=headers)

        assert made == ["row_7"]

    async def test_one_that_cannot_be_signed_rejects_its_row(self, serve):
        """A full stop would make the signed text ambiguous."""
        headers = {"webhook-id": "{{ email }}"}
        async with receiver(serve, **self.SIGNED, headers=headers) as (served, received):
            [reason] = await rejected(served, sync(person(7)))

        assert reason == "INVALID_ROW: not sent: a webhook-id must not have a full stop"
        assert received.requests == []


async def test_a_key_in_the_query_arrives(serve):
    """It comes after the operator's own parameters, and in no reason."""
    paths = []

    async def take(request: web.Request) -> web.Response:
        paths.append(request.raw_path)
        return web.Response(status=200 if len(paths) == 1 else 422)

    app = web.Application()
    app.router.add_post("/rows", take)
    async with listening(app, "127.0.0.1", 0, grace=0.1) as url:
        auth = {"scheme": "query", "name": "key", "value": "k3y+/"}
        hook = {"kind": "webhook", "url": f"{url}/rows?a=%7E", "auth": auth}
        served = await serve({"hook": hook | {"allow_private_networks": True}})
        assert await rejected(served, sync(*people(1))) == []
        reasons = await rejected(served, sync({"id": "x", "email": "a@b.c"}))

    assert paths == ["/rows?a=%7E&key=k3y%2B%2F"] * 2
    assert reasons == ["VENDOR_REJECTED: the vendor answered 422"]


CLIENT = {"token_url": TOKEN_URL, "client_id": "c", "client_secret": "hunter2"}
CREDENTIALS = {"scheme": "oauth2_client_credentials", **CLIENT}
ACCOUNT = {"scheme": "oauth2_service_account", "token_url": TOKEN_URL, "issuer": "i"}


class TestSettings:
    """What the operator may say."""

    @pytest.mark.parametrize(
        "settings",
        [
            {"auth": {"scheme": "digest"}},
            {"auth": {"scheme": "basic", "username": "a:b", "password": "p"}},
            {"auth": {"scheme": "query", "name": "", "value": "v"}},
            {"auth": {"scheme": "query", "name": "key", "value": "hunter2\n"}},
            {"auth": CREDENTIALS | {"client_secret": ""}},
            {"auth": CREDENTIALS | {"client_secret": "hunter2\n"}},
            {"auth": CREDENTIALS | {"token_url": "https://c:hunter2@example.com/token"}},
            {"auth": CREDENTIALS | {"token_url": "/token"}},
            {"auth": CREDENTIALS | {"client_auth": "header"}},
            {"auth": CREDENTIALS | {"scope": "a\nb"}},
            {"auth": CREDENTIALS | {"scopes": "a"}},
            {"auth": CREDENTIALS | {"scheme": "oauth2_refresh_token"}},
            {"auth": ACCOUNT},
            {"auth": ACCOUNT | {"private_key": "hunter2"}},
            {"auth": ACCOUNT | {"private_key": "hunter2", "algorithm": "HS256"}},
            {"signing": {"scheme": "hmac"}},
            {"signing": {"scheme": "hmac", "secret": ""}},
            {"signing": {"scheme": "hmac", "secret": "hunter2\n"}},
            {"signing": {"scheme": "hmac", "secret": "hunter2", "algorithm": "md5"}},
            {"signing": {"scheme": "hmac", "secret": "hunter2", "header": "X Y"}},
            {"signing": {"scheme": "standard_webhooks", "secrets": []}},
            {"signing": {"scheme": "standard_webhooks", "secrets": ["whsec_hunter2"]}},
            {"signing": {"scheme": "standard_webhooks", "secrets": [SECRET, "hunter2" * 8 + "!"]}},
            {"signing": {"scheme": "standard_webhooks", "secrets": ["whsec_" + "A" * 88]}},
        ],
    )
    def test_what_cannot_work_is_refused(self, settings):
        """A mistake is told when the server starts, and the secret is not quoted."""
        with pytest.raises(ValidationError) as raised:
            Settings.model_validate({"url": URL, **settings})
        assert "hunter2" not in str(raised.value)

    @pytest.mark.parametrize(
        "settings",
        [
            {"auth": {"scheme": "query", "name": "key", "value": "hunter2"}},
            {"auth": CREDENTIALS | {"parameters": {"audience": "a"}, "scope": "a b"}},
            {"auth": CREDENTIALS | {"scheme": "oauth2_refresh_token", "refresh_token": "hunter2"}},
            {"signing": {"scheme": "hmac", "secret": "hunter2", "algorithm": "sha512"}},
            {"signing": {"scheme": "standard_webhooks", "secrets": [SECRET, SECRET[6:]]}},
        ],
    )
    def test_secrets_are_not_shown(self, settings):
        """No repr holds a credential."""
        made = Settings.model_validate({"url": URL, **settings})

        assert "hunter2" not in repr(made) + str(made) + made.model_dump_json()
        assert SECRET[6:] not in repr(made)

    def test_a_public_client_has_no_secret(self):
        """A refresh token may be enough."""
        told = {"scheme": "oauth2_refresh_token", "token_url": TOKEN_URL, "client_id": "c"}
        made = Settings.model_validate({"url": URL, "auth": told | {"refresh_token": "r"}})

        assert made.auth.auth() is not None
