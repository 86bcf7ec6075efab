"""What is sent is signed so that every receiver's own check holds."""

import base64
import hashlib
import hmac
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook
from standardwebhooks.webhooks import WebhookVerificationError

from destination.errors import ConfigError, RowError
from destination.listen import listening
from destination.metrics import Metrics
from destination.vendor.auth import bearer
from destination.vendor.client import VendorClient
from destination.vendor.encoding import encode
from destination.vendor.limiter import Limiter
from destination.vendor.sender import Sender
from destination.vendor.signing import HmacSignature, Signature, Signed, StandardWebhooks
from destination.vendor.transport import AiohttpTransport

BODY = '{"id":"42","name":"Zoë","total":12.5}'.encode()
SECRETS = ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD")

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


def request(body: bytes, **headers: str) -> httpx.Request:
    return httpx.Request("POST", "https://example.com", content=body, headers=headers)


def signed(signature: Signature, body: bytes, **headers: str) -> httpx.Headers:
    made = request(body, **headers)
    signature.sign(made)
    assert made.content == body
    return made.headers


class TestHmac:
    """The algorithm's name and the digits of the body's HMAC."""

    @pytest.mark.parametrize(
        ("algorithm", "digits"),
        [
            ("sha1", "07efa660228430bea232a041edba8290c0896617"),
            ("sha256", "76d1333ad83719e8a0c0d245094765b9bc2cf81098b509ab52859f84d915cc0b"),
            (
                "sha512",
                "8bf928959a669ffc898cd4c0f631e9458fa69dd9f8cb527b01f45d87859a43e3"
                "58e9dbb11aad00ea0dbf14d40c233ba9ee283421e388bf08ffc361422a0e027b",
            ),
        ],
    )
    def test_vectors(self, algorithm, digits):
        """A known body and secret have a known signature."""
        headers = signed(HmacSignature("topsecret", algorithm=algorithm), BODY)

        assert headers["X-Signature-256"] == f"{algorithm}={digits}"

    def test_the_header_is_configured(self):
        """The receiver says where it looks."""
        headers = signed(HmacSignature("topsecret", header="X-Hub-Signature"), BODY)

        assert headers["X-Hub-Signature"].startswith("sha256=")
        assert "X-Signature-256" not in headers

    @given(st.text(min_size=1), JSON, st.sampled_from(["sha1", "sha256", "sha512"]))
    def test_it_verifies(self, secret, value, algorithm):
        """Whatever the secret and the rows, a receiver that computes it anew agrees."""
        body = encode(value)
        expected = hmac.new(secret.encode(), body, getattr(hashlib, algorithm)).hexdigest()

        headers = signed(HmacSignature(secret, algorithm=algorithm), body)

        assert headers["X-Signature-256"] == f"{algorithm}={expected}"


class TestStandardWebhooks:
    """The three headers of Standard Webhooks 1.0."""

    @pytest.mark.parametrize(
        ("secret", "id", "moment", "body", "signature"),
        [
            (
                SECRETS[0],
                "msg_p5jXN8AQM9LWM0D4loKWxJek",
                1614265330,
                b'{"test": 2432232314}',
                "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
            ),
            (
                SECRETS[1],
                "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk",
                1649367553,
                b'{"email":"test@example.com","username":"test_user"}',
                "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=",
            ),
        ],
    )
    @pytest.mark.parametrize("fraction", [0.0, 0.999])
    def test_vectors(self, secret, id, moment, body, signature, fraction):
        """A known message has known headers."""
        webhooks = StandardWebhooks([secret], clock=lambda: moment + fraction)

        headers = signed(webhooks, body, **{"webhook-id": id})

        assert headers["webhook-id"] == id
        assert headers["webhook-timestamp"] == str(moment)
        assert headers["webhook-signature"] == signature

    @given(st.binary(min_size=24, max_size=64), JSON, st.booleans())
    def test_it_verifies(self, key, value, prefixed):
        """Whatever the secret and the rows, the reference library accepts our headers."""
        encoded = base64.b64encode(key).decode()
        body = encode(value)

        headers = signed(StandardWebhooks([f"whsec_{encoded}" if prefixed else encoded]), body)

        Webhook(key).verify(body, dict(headers), json_parse=False)
        text = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
        expected = base64.b64encode(hmac.new(key, text, hashlib.sha256).digest()).decode()
        assert headers["webhook-signature"] == f"v1,{expected}"

    def test_a_secret_can_be_replaced(self):
        """While there are two, a receiver that knows either is content, and no other is."""
        headers = signed(StandardWebhooks(SECRETS), BODY)

        assert len(headers["webhook-signature"].split(" ")) == 2
        for secret in SECRETS:
            Webhook(secret).verify(BODY, dict(headers))
        with pytest.raises(WebhookVerificationError):
            Webhook(base64.b64encode(bytes(24)).decode()).verify(BODY, dict(headers))

    def test_an_id_that_would_be_ambiguous_is_refused(self):
        """A full stop separates what is signed, so none may stand in the id."""
        with pytest.raises(RowError, match="full stop"):
            signed(StandardWebhooks(SECRETS), BODY, **{"webhook-id": "a.1"})

    def test_what_is_no_text_is_refused(self):
        """The format signs text; other bytes are a matter of configuration."""
        with pytest.raises(ConfigError, match="UTF-8"):
            signed(StandardWebhooks(SECRETS), b"\xff")


@asynccontextmanager
async def client(
    statuses: list[int], auth: httpx.Auth, attempts: int = 3
) -> AsyncIterator[tuple[VendorClient, list[Any]]]:
    """A client of a receiver that answers so, and the headers of what it received."""
    received: list[Any] = []

    async def take(request: web.Request) -> web.Response:
        received.append(request.headers)
        return web.Response(status=statuses.pop(0) if statuses else 200)

    app = web.Application()
    app.router.add_route("*", "/", take)
    async with (
        listening(app, "127.0.0.1", 0, grace=0.1) as url,
        Sender(AiohttpTransport(), base_url=url, auth=auth) as http,
    ):
        yield (
            VendorClient(
                http,
                meter=Metrics().of("x"),
                limiter=Limiter(None),
                classify=lambda _: None,
                timeout=5,
                attempts=attempts,
                random=lambda: 0.0,
            ),
            received,
        )


class TestRequests:
    """What arrives at a receiver."""

    async def test_an_id_stays_the_same_on_every_retry(self):
        """All attempts of a request share its id; the next request has another."""
        moments = iter(range(1000, 2000))
        auth = Signed(StandardWebhooks(SECRETS, clock=lambda: next(moments)))
        async with client([503, 503], auth) as (http, received):
            await http.request("POST", "/", json={"id": 1})
            await http.request("POST", "/", json={"id": 1})

        ids = [headers["webhook-id"] for headers in received]
        assert len(ids) == 4
        assert len(set(ids[:3])) == 1
        assert ids[3] not in ids[:3]
        moments = [headers["webhook-timestamp"] for headers in received]
        assert moments == ["1000", "1001", "1002", "1003"]

    async def test_an_id_of_its_own_is_kept(self):
        """A destination that knows what a message is may say so."""
        async with client([503], Signed(StandardWebhooks(SECRETS))) as (http, received):
            await http.request("POST", "/", json={}, headers={"webhook-id": "msg_7"})

        assert [headers["webhook-id"] for headers in received] == ["msg_7"] * 2

    async def test_a_signature_stands_beside_credentials(self):
        """Both are on the request."""
        auth = Signed(HmacSignature("k"), bearer("t"))
        async with client([], auth) as (http, received):
            await http.request("POST", "/", json={"id": 1})

        assert received[0]["Authorization"] == "Bearer t"
        expected = hmac.new(b"k", b'{"id":1}', "sha256").hexdigest()
        assert received[0]["X-Signature-256"] == f"sha256={expected}"

    async def test_what_has_no_body_is_signed_too(self):
        """The signature is that of nothing."""
        async with client([], Signed(HmacSignature("k"))) as (http, received):
            await http.request("OPTIONS", "/")

        expected = hmac.new(b"k", b"", "sha256").hexdigest()
        assert received[0]["X-Signature-256"] == f"sha256={expected}"

    async def test_the_time_is_the_attempt_s(self):
        """By default it is the clock's, in whole seconds since 1970."""
        before = int(time.time())
        async with client([], Signed(StandardWebhooks(SECRETS))) as (http, received):
            await http.request("POST", "/", json={})

        assert before <= int(received[0]["webhook-timestamp"]) <= time.time()
