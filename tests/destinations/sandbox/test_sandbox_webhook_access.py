"""The receiver of webhooks gives out tokens like a strict vendor, and checks who signed."""

import asyncio
from typing import Any

import httpx
import pytest

from destination.listen import listening
from destination.testing.clock import run_virtually
from destination.vendor.access import Hmac, StandardSignature
from destinations.sandbox.webhook import StandIn

ROW = b'{"operation":"add","id":1,"fields":{}}'
JSON = {"Content-Type": "application/json"}


def asked(receiver: StandIn, *forms: dict[str, str], auth: Any = None) -> list[tuple[int, Any]]:
    """What the token endpoint answers to each form in turn."""

    async def run() -> list[tuple[int, Any]]:
        answers = []
        async with (
            listening(receiver.app(), "127.0.0.1", 0, grace=0.1) as url,
            httpx.AsyncClient(base_url=url, trust_env=False, auth=auth) as http,
        ):
            for form in forms:
                answer = await http.post("/oauth/token", data=form)
                answers.append((answer.status_code, answer.json()))
        return answers

    return run_virtually(run())


CREDENTIALS = {"grant_type": "client_credentials"}
CLIENT = {"client_id": "sandbox", "client_secret": "right"}


@pytest.mark.parametrize(
    ("form", "basic", "status", "error"),
    [
        (CREDENTIALS | CLIENT, None, 200, None),
        (CREDENTIALS, ("sandbox", "right"), 200, None),
        (CREDENTIALS, None, 401, "invalid_client"),
        (CREDENTIALS, ("sandbox", "wrong"), 401, "invalid_client"),
        (CREDENTIALS, ("other", "right"), 401, "invalid_client"),
        (CREDENTIALS | CLIENT | {"client_secret": "Zoë"}, None, 401, "invalid_client"),
        (CLIENT | {"grant_type": "password"}, None, 400, "unsupported_grant_type"),
        (CLIENT, None, 400, "unsupported_grant_type"),
    ],
)
def test_a_client_is_known_by_its_secret(form, basic, status, error):
    """In HTTP Basic or as a parameter; the errors are those of RFC 6749."""
    receiver = StandIn(token="right", oauth="client_credentials", expires_in=7)
    [(answered, told)] = asked(receiver, form, auth=basic)

    assert answered == status
    assert told.get("error") == error
    if error is None:
        assert (told["token_type"], told["expires_in"]) == ("Bearer", 7)
        assert told["access_token"]


def test_a_refresh_token_is_good_once():
    """The answer brings the next one."""
    receiver = StandIn(token="right", oauth="refresh_token")
    first = receiver.settings("")["auth"]["refresh_token"]
    form = {"grant_type": "refresh_token", "refresh_token": first, **CLIENT}

    (status, told), again = asked(receiver, form, form)

    assert status == 200
    assert told["refresh_token"] != first
    assert again == (400, {"error": "invalid_grant"})


@pytest.mark.parametrize("assertion", ["", "a.b.c", "ü"])
def test_an_assertion_must_hold(assertion):
    """What its key did not sign brings no token."""
    receiver = StandIn(oauth="service_account")
    kind = "urn:ietf:params:oauth:grant-type:jwt-bearer"
    [answer] = asked(receiver, {"grant_type": kind, "assertion": assertion})

    assert answer == (400, {"error": "invalid_grant"})


def test_a_token_expires():
    """It is good for as long as was said, and the plain token is not."""

    async def run() -> list[int]:
        receiver = StandIn(token="right", oauth="client_credentials", expires_in=60)
        async with (
            listening(receiver.app(), "127.0.0.1", 0, grace=0.1) as url,
            httpx.AsyncClient(base_url=url, trust_env=False) as http,
        ):
            told = (await http.post("/oauth/token", data=CREDENTIALS | CLIENT)).json()

            async def send(token: str) -> int:
                headers = JSON | {"Authorization": f"Bearer {token}"}
                return (await http.post("/rows", content=ROW, headers=headers)).status_code

            statuses = [await send(told["access_token"]), await send("right")]
            await asyncio.sleep(59)
            statuses.append(await send(told["access_token"]))
            await asyncio.sleep(2)
            return [*statuses, await send(told["access_token"])]

    assert run_virtually(run()) == [200, 401, 200, 401]


@pytest.mark.parametrize(
    ("scheme", "model"), [("hmac", Hmac), ("standard_webhooks", StandardSignature)]
)
async def test_a_body_must_be_signed(aiohttp_client, scheme, model):
    """With the right secret, over these bytes, and whole headers; else it changes nothing."""
    receiver = StandIn(token="right", signing=scheme)
    client = await aiohttp_client(receiver.app(), headers={"Authorization": "Bearer right"})
    signature = model(**receiver.settings("")["signing"]).signature()
    request = httpx.Request("POST", "http://x", content=ROW, headers=JSON)
    signature.sign(request)
    ours = ("content-type", "webhook-", "x-signature-")
    good = {name: value for name, value in request.headers.items() if name.startswith(ours)}

    async def send(headers: dict[str, str], body: bytes = ROW) -> int:
        async with client.post("/rows", data=body, headers=headers) as answer:
            return answer.status

    assert await send(good) == 200
    assert await send(good, ROW.replace(b"1", b"2")) == 401
    assert await send(good, b"\xff") == 401
    for name in set(good) - {"content-type"}:
        for value in ("", "x", "ü", good[name][:-1], "v1,ü", "v1,a,b", "9" * 400):
            assert await send(good | {name: value}) == 401
        assert await send({key: value for key, value in good.items() if key != name}) == 401
