"""OAuth 2: tokens are fetched once for all who wait, renewed in time, and never loop."""

import asyncio
import gzip
import json
import zlib
from typing import Any

import pytest
from aiohttp import web
from raw_server import drip, hang, hang_up, nobody, raw, reset
from token_office import GRANT, SECRET, Office, send, story, told_here

from destination.errors import (
    AuthError,
    Code,
    ConfigError,
    DestinationError,
    NoAnswer,
    RateLimited,
    UnavailableError,
)
from destination.testing.clock import run_virtually
from destination.vendor.answers import MAX_ANSWER
from destination.vendor.client import VendorClient
from destination.vendor.grants import Client, RefreshToken, Renewing, TokenNames, TokenRequest
from destination.vendor.signing import HmacSignature, Signed


def now() -> float:
    return asyncio.get_running_loop().time()


def answering(status: int, body: Any = b"", **headers: str) -> Any:
    """Always the same answer."""

    async def answer(request: web.Request) -> web.Response:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return web.Response(status=status, body=content, headers=headers)

    return answer


async def failure(client: VendorClient) -> DestinationError:
    """What rows are answered with that cannot be sent."""
    with pytest.raises(DestinationError) as raised:
        await send(client)
    return raised.value


class TestTokens:
    """When a token is fetched, and when it is renewed."""

    def test_a_token_is_fetched_once(self):
        """What follows the first request goes out with the same token."""

        async def tell(office: Office, client: VendorClient) -> None:
            assert [await send(client) for _ in range(3)] == [200] * 3

            assert office.tokens == ["t1"] * 3
            assert office.forms == [{"grant_type": "client_credentials", "scope": "rows"}]
            assert office.heads[0]["User-Agent"] == "destination"
            assert office.heads[0]["Accept-Encoding"] == "identity"

        story(tell)

    def test_one_asks_for_all_who_wait(self):
        """Fifty requests at once bring about one request for a token."""

        async def tell(office: Office, client: VendorClient) -> None:
            assert await asyncio.gather(*(send(client) for _ in range(50))) == [200] * 50
            assert office.given == 1

        story(tell, seconds=10, told={"expires_in": 0})

    @pytest.mark.parametrize(("life", "renewed"), [(3600, 3540), (10, 8), ("3600", 3540)])
    def test_it_is_renewed_before_it_lapses(self, life, renewed):
        """A minute before its end, or a fifth of its life, the next request brings a new one."""

        async def tell(office: Office, client: VendorClient) -> None:
            await send(client)
            asked = now()
            await asyncio.sleep(renewed - 1)
            await send(client)
            await asyncio.sleep(asked + renewed - now())
            await send(client)

            assert office.tokens == ["t1", "t1", "t2"]

        story(tell, told={"expires_in": life})

    def test_its_life_counts_from_when_it_was_asked_for(self):
        """A vendor that takes long to answer does not make it live longer."""

        async def tell(office: Office, client: VendorClient) -> None:
            await send(client)
            office.office_seconds = 0
            await asyncio.sleep(8 - 4)
            await send(client)
            assert office.tokens == ["t1", "t2"]

        story(tell, told={"expires_in": 10}, seconds=10, office_seconds=4)

    @pytest.mark.parametrize("told", [{}, *({"expires_in": v} for v in (None, "soon", [], {}))])
    def test_a_life_that_is_not_told_lasts_until_a_refusal(self, told):
        """Such a token is used for as long as the vendor takes it."""

        async def tell(office: Office, client: VendorClient) -> None:
            await send(client)
            await asyncio.sleep(10**6)
            await send(client)
            assert office.tokens == ["t1", "t1"]

        story(tell, told=told)

    @pytest.mark.parametrize("life", [0, -1, "NaN", "-Infinity"])
    def test_a_life_of_nothing_is_for_one_use(self, life):
        """A token that lapses at once is used for the request that asked for it."""

        async def tell(office: Office, client: VendorClient) -> None:
            assert [await send(client) for _ in range(2)] == [200] * 2
            assert office.tokens == ["t1", "t2"]

        story(tell, told={"expires_in": life})

    def test_a_refresh_token_that_is_replaced_is_kept(self):
        """Each renewal shows the refresh token that the one before brought."""
        grant = RefreshToken(Client("c"), "r0", {})

        async def tell(office: Office, client: VendorClient) -> None:
            for n in range(1, 4):
                if n != 2:  # an answer without one leaves it as it was
                    office.told["refresh_token"] = f"r{n}"
                await send(client)
                office.told.pop("refresh_token", None)
            assert [form["refresh_token"] for form in office.forms] == ["r0", "r1", "r1"]
            assert [form["client_id"] for form in office.forms] == ["c"] * 3

        story(tell, grant=grant, told={"expires_in": 0})


class TestRefusedTokens:
    """A vendor that does not take a token any more."""

    def test_a_refusal_renews_and_repeats(self):
        """The same bytes go out once more, with a new token."""

        async def tell(office: Office, client: VendorClient) -> None:
            await send(client)
            office.given += 1  # of which we do not know
            assert await send(client, {"id": "Zoë", "n": 1.0}) == 200

            assert office.tokens == ["t1", "t1", "t3"]
            assert office.rows[1][1] == office.rows[2][1] == '{"id":"Zoë","n":1}'.encode()

        story(tell)

    def test_it_never_loops(self):
        """A vendor that takes no token at all is asked twice, then that is the answer."""

        async def tell(office: Office, client: VendorClient) -> None:
            error = await failure(client)

            assert type(error) is AuthError
            assert error.message == "the vendor answered 401: it refused the credentials"
            assert office.tokens == ["t1", "t2"]

        story(tell, takes=False, attempts=3)

    def test_one_renews_for_all_who_were_refused(self):
        """Twenty refusals at once bring about one renewal."""

        async def tell(office: Office, client: VendorClient) -> None:
            await send(client)
            office.given += 1
            assert await asyncio.gather(*(send(client) for _ in range(20))) == [200] * 20
            assert len(office.forms) == 2

        story(tell)

    def test_the_same_token_again_is_tried_once(self):
        """A vendor that gives the same token again, and refuses it, does not cause a loop."""

        async def tell(office: Office, client: VendorClient) -> None:
            office.told["access_token"] = "same"
            await asyncio.gather(*(failure(client) for _ in range(5)))
            assert len(office.rows) == 10
            assert len(office.forms) <= 6

        story(tell)

    @pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "nonsense"])
    def test_the_refusal_s_body_is_not_inflated(self, encoding, monkeypatch):
        """What a 401 says is dropped unread, however much it would grow."""
        inflate = {"gzip": gzip.compress, "deflate": zlib.compress}.get(encoding, bytes)
        bomb = inflate(bytes(2**26 if encoding in ("gzip", "deflate") else 2**16))
        refuses = answering(401, bomb, **{"Content-Encoding": encoding})

        async def tell(office: Office, client: VendorClient) -> None:
            await send(client)
            office.given += 1
            monkeypatch.setattr("httpx._decoders.zlib", None)
            assert await send(client) == 200
            assert office.tokens == ["t1", "t1", "t3"]

        story(tell, refuses=refuses)

    def test_the_refusal_s_body_is_not_waited_for(self):
        """A 401 whose body never ends costs no time."""

        async def endless(request: web.Request) -> web.StreamResponse:
            response = web.StreamResponse(status=401)
            await response.prepare(request)
            while True:
                await response.write(bytes(1000))
                await asyncio.sleep(1)

        async def tell(office: Office, client: VendorClient) -> None:
            await send(client)
            office.given += 1
            began = now()
            assert await send(client) == 200
            assert now() - began < 1

        story(tell, refuses=endless)


GARBAGE = [
    b"",
    b"<html>sign in</html>",
    b"\xff\xfe",
    b"[]",
    b"null",
    b'{"access_token": "t"',
    b"[" * 100_000,
    {},
    {"access_token": None},
    {"access_token": ""},
    {"access_token": ["t"]},
    {"access_token": "t\r\nX-Evil: 1"},
    {"access_token": "Zoë"},
]


class TestFailures:
    """No token is to be had: nothing of the rows was sent."""

    @pytest.mark.parametrize(
        ("status", "body", "kind", "code", "text"),
        [
            (400, {"error": "invalid_grant"}, AuthError, Code.AUTH_FAILED, "(invalid_grant)"),
            (401, {"error": "invalid_client"}, AuthError, Code.AUTH_FAILED, "(invalid_client)"),
            (403, b"no", AuthError, Code.AUTH_FAILED, "answered 403: it refused the credentials"),
            (200, {"error": "invalid_client"}, AuthError, Code.AUTH_FAILED, "(invalid_client)"),
            (400, {"error": SECRET}, AuthError, Code.AUTH_FAILED, "answered 400: it refused"),
            (400, {"error": ["x"]}, AuthError, Code.AUTH_FAILED, "answered 400: it refused"),
            (404, b"", ConfigError, Code.CONFIG_INVALID, "is its address right?"),
            (405, b"", ConfigError, Code.CONFIG_INVALID, "is its address right?"),
            (302, b"", ConfigError, Code.CONFIG_INVALID, "is its address right?"),
            (429, b"", RateLimited, Code.RATE_LIMITED, "answered 429"),
            (503, b"", UnavailableError, Code.CONNECT_FAILED, "answered 503"),
            (500, b"", UnavailableError, Code.CONNECT_FAILED, "answered 500"),
            (504, b"", UnavailableError, Code.CONNECT_FAILED, "answered 504"),
            *((200, each, UnavailableError, Code.CONNECT_FAILED, "answer") for each in GARBAGE),
            (
                200,
                {"access_token": "t", "token_type": "mac"},
                AuthError,
                Code.AUTH_FAILED,
                "unknown type",
            ),
        ],
    )
    def test_an_answer_without_a_token(self, status, body, kind, code, text):
        """Each has its class; none says that anything may have been delivered."""

        async def tell(office: Office, client: VendorClient) -> None:
            error = await failure(client)

            assert (type(error), error.code) == (kind, code)
            assert error.message.startswith("not sent: ")
            assert text in error.message
            assert SECRET not in error.message
            assert office.rows == []

        story(tell, instead=answering(status, body))

    @pytest.mark.parametrize("kind", ["Bearer", "bearer", "BEARER", None])
    def test_the_type_is_bearer(self, kind):
        """In any letters, or left out."""

        async def tell(office: Office, client: VendorClient) -> None:
            assert await send(client) == 200

        story(tell, told={"token_type": kind})

    @pytest.mark.parametrize("encoding", ["", "gzip"])
    def test_an_answer_is_read_within_bounds(self, encoding):
        """More than 256 KiB, inflated, is not a token."""
        body = json.dumps({"access_token": "t", "more": "x" * MAX_ANSWER}).encode()
        headers = {"Content-Encoding": "gzip"} if encoding else {}
        instead = answering(200, gzip.compress(body) if encoding else body, **headers)

        async def tell(office: Office, client: VendorClient) -> None:
            error = await failure(client)
            assert type(error) is UnavailableError
            assert "cannot be read" in error.message

        story(tell, instead=instead)

    def test_a_wait_is_honoured(self):
        """A token endpoint that asks for a pause gets it."""

        async def tell(office: Office, client: VendorClient) -> None:
            error = await failure(client)
            assert type(error) is RateLimited
            assert error.retry_after == 7

            office.instead = None
            began = now()
            assert await send(client) == 200
            assert now() - began >= 7

        story(tell, instead=answering(503, **{"Retry-After": "7"}))

    @pytest.mark.parametrize(
        "ending",
        [hang, hang_up, reset, drip(b"HTTP/1.1 200 OK\r\n\r\n", b" "), b"nonsense\r\n\r\n"],
    )
    def test_an_endpoint_that_does_not_answer(self, ending):
        """The rows are known to be where they were, in half of the attempt's time at most."""

        async def run() -> None:
            async with raw(ending) as endpoint:

                async def tell(office: Office, client: VendorClient) -> None:
                    began = now()
                    error = await failure(client)

                    assert isinstance(error, UnavailableError)
                    assert not isinstance(error, NoAnswer)
                    assert error.message.startswith("not sent: ")
                    assert "may have been" not in error.message
                    assert now() - began <= 5
                    assert office.rows == []

                await told_here(tell, token_url=endpoint.url)

        run_virtually(run())

    def test_an_endpoint_that_is_not_there(self):
        """It is named as what could not be reached."""

        async def tell(office: Office, client: VendorClient) -> None:
            error = await failure(client)
            assert error.reason == (
                "CONNECT_FAILED: not sent: could not connect to the token endpoint"
            )

        story(tell, token_url=nobody())

    def test_a_failure_holds_for_all_who_wait(self):
        """An endpoint that refuses is not asked by each in turn."""

        async def tell(office: Office, client: VendorClient) -> None:
            errors = await asyncio.gather(*(failure(client) for _ in range(50)))

            assert {type(error) for error in errors} == {AuthError}
            assert len(office.forms) == 1

        story(tell, instead=answering(401, {"error": "invalid_client"}), office_seconds=1)

    def test_a_failure_holds_for_them_alone(self):
        """Whoever comes later asks anew."""

        async def tell(office: Office, client: VendorClient) -> None:
            await failure(client)
            office.instead = None
            assert await send(client) == 200

        story(tell, instead=answering(500))

    def test_it_is_tried_again(self):
        """What was not sent for want of a token is sent when there is one."""
        failures = iter([500, 503])

        async def twice(request: web.Request) -> web.Response:
            if status := next(failures, None):
                return web.Response(status=status)
            return web.json_response({"access_token": "t0"})

        async def tell(office: Office, client: VendorClient) -> None:
            assert await send(client) == 200
            assert office.tokens == ["t0"]

        story(tell, instead=twice, attempts=3)

    def test_a_slow_endpoint_leaves_time_for_the_rows(self):
        """Token and rows together take no longer than an attempt may."""

        async def slow(request: web.Request) -> web.Response:
            await asyncio.sleep(100)
            return web.Response()

        async def tell(office: Office, client: VendorClient) -> None:
            began = now()
            error = await failure(client)
            assert type(error) is NoAnswer  # the rows were sent, and not answered
            assert 9.9 < now() - began < 10.1

        story(tell, office_seconds=4, takes=False, refuses=slow)


class TestCancellation:
    """A caller that goes away."""

    def test_whoever_waits_goes_on(self):
        """When the one that asks is cancelled, the next one asks."""

        async def tell(office: Office, client: VendorClient) -> None:
            first, *others = [asyncio.create_task(send(client)) for _ in range(5)]
            await asyncio.sleep(0.5)
            first.cancel()

            assert await asyncio.gather(*others) == [200] * 4
            assert len(office.forms) == 2
            assert first.cancelled()

        story(tell, office_seconds=1)

    def test_a_waiter_s_going_harms_nobody(self):
        """The one that asks, and the others that wait, get the token."""

        async def tell(office: Office, client: VendorClient) -> None:
            first, second, third = [asyncio.create_task(send(client)) for _ in range(3)]
            await asyncio.sleep(0.5)
            second.cancel()

            assert await asyncio.gather(first, third) == [200] * 2
            assert len(office.forms) == 1

        story(tell, office_seconds=1)

    @pytest.mark.parametrize("moment", [0.0, 0.5, 1.0, 1.5, 2.0, 2.5])
    def test_at_any_moment(self, moment):
        """Cancelled while it asks, sends, is refused or renews: the next request works."""

        async def slow(request: web.Request) -> web.Response:
            await asyncio.sleep(1)
            return web.Response(status=401)

        async def tell(office: Office, client: VendorClient) -> None:
            office.takes = False
            task = asyncio.create_task(send(client))
            await asyncio.sleep(moment)
            task.cancel()
            await asyncio.wait([task])
            assert task.cancelled()
            office.takes = True
            assert await send(client) == 200

        story(tell, refuses=slow, office_seconds=1)


class KeyFirst:
    """A grant whose key brings a ticket, and the ticket a token; both asked for in JSON."""

    NAMES = TokenNames("ticket", "kind", "seconds")

    def renew(self, now: float) -> Renewing:
        ticket = yield TokenRequest({"key": "k"}, json=True, names=self.NAMES)
        try:
            return (yield TokenRequest({"ticket": ticket.value}, json=True))
        except AuthError:
            return (yield TokenRequest({"ticket": "spare"}, json=True, headers={"X-Spare": "1"}))


class TestGrantsOfSeveralRequests:
    """A grant may ask more than once, as JSON, and read answers by other names."""

    @staticmethod
    def office(*answers: dict[str, Any]) -> tuple[list[Any], dict[str, Any]]:
        """What an office is asked, which answers in this order; and how to make it."""
        asked, left = list[Any](), list(answers)

        async def answer(request: web.Request) -> web.Response:
            asked.append((request.headers["Content-Type"], await request.json()))
            body = left.pop(0)
            return web.json_response(body, status=401 if "error" in body else 200)

        return asked, {"instead": answer, "given": 1, "grant": KeyFirst()}

    def test_each_request_is_sent_what_the_one_before_brought(self):
        """The last token is the one that rows go out with."""
        asked, made = self.office({"ticket": "a", "seconds": 9}, {"access_token": "t1"})

        async def tell(office: Office, client: VendorClient) -> None:
            assert [await send(client), await send(client)] == [200, 200]
            assert office.tokens == ["t1", "t1"]

        story(tell, **made)
        assert asked == [
            ("application/json", {"key": "k"}),
            ("application/json", {"ticket": "a"}),
        ]

    def test_a_grant_may_mend_a_refusal(self):
        """It is raised where the request was yielded, and another may follow."""
        refused = {"error": "invalid_grant"}
        asked, made = self.office({"ticket": "a"}, refused, {"access_token": "t1"})

        async def tell(office: Office, client: VendorClient) -> None:
            assert await send(client) == 200

        story(tell, **made)
        assert asked[-1][1] == {"ticket": "spare"}

    @pytest.mark.parametrize(
        "answers",
        [
            [{"access_token": "t1"}],
            [{"ticket": "a", "kind": "mac"}],
            [{"ticket": "a"}, {"ticket": "t1"}],
            [{"ticket": "a"}, {"error": "x"}, {"error": "x"}],
        ],
    )
    def test_what_brings_nothing_ends_it(self, answers):
        """No rows go out, whichever of the requests fails."""
        _, made = self.office(*answers)

        async def tell(office: Office, client: VendorClient) -> None:
            assert (await failure(client)).message.startswith("not sent: no access token: ")
            assert office.rows == []

        story(tell, **made)


def test_rows_are_signed_and_requests_for_tokens_are_not():
    """A signature stands beside the token, on the repeated request too."""

    async def tell(office: Office, client: VendorClient) -> None:
        await send(client)
        office.given += 1
        await send(client)

        [signature] = set(office.signatures)
        assert signature.startswith("sha256=")
        assert len(office.signatures) == 3
        assert all("X-Signature-256" not in head for head in office.heads)

    story(tell, around=lambda auth: Signed(HmacSignature("k"), auth))


def test_secrets_are_not_shown():
    """Neither the client nor a token shows itself in a repr."""
    assert SECRET not in repr(Client("client", SECRET))
    assert SECRET not in repr(GRANT)
