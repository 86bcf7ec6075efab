"""A vendor quotes the credentials that it was sent: no reason, log line or answer has them."""

import json
import re
from base64 import b64encode
from typing import Any

import pytest
from aiohttp import web
from echo import Echo, Sent, echoing
from newsletter import newsletter, problem
from pydantic import BaseModel, SecretStr
from schemes import SCHEMES
from slack_stage import row, stage
from structlog.testing import capture_logs
from support import opened
from webhooks import person, sync

import destination as ht
from destination.app import INSTANCES
from destination.deadline import Deadline
from destination.errors import DestinationError
from destination.instance import Instance
from destination.model import Operation, Row
from destination.protocols.hightouch.configuration import read_sync
from destination.tuning import Tuning
from destinations.sandbox.slack import StandIn

HOOK = "/hightouch/hook"


def refusing(sent: Sent) -> web.Response | None:
    """No, in words that quote all that came: headers, Basic credentials laid open, and address."""
    if sent.path == "/token":
        return None
    words = "; ".join(f"{name}: {text}" for name, text in sent.headers.items())
    return web.json_response(
        {"error": {"message": f"refused {words} at {sent.path}", "rows": [{"why": words}]}},
        status=422 if sent.method == "POST" else 200,
    )


def shows_nothing(text: str, echo: Echo) -> None:
    """No planted secret stands in the text, nor anything that was made of one and sent."""
    assert not re.search("canary", text, re.IGNORECASE)
    assert b64encode(b"canary").decode()[:8] not in text
    for sent in echo.sent:
        for name in ("Authorization", "X-Thing"):
            for word in sent.headers.get(name, "").split()[-1:]:
                assert word not in text


@pytest.mark.parametrize("scheme", SCHEMES)
async def test_a_reason_quotes_no_credential(serve, scheme: str) -> None:
    """By every scheme, with a pointer to the vendor's words: they are shown without the secret."""
    async with echoing(refusing) as echo:
        settings = json.loads(json.dumps(SCHEMES[scheme]).replace("{url}", echo.url))
        hook = {
            "kind": "webhook",
            "url": f"{echo.url}/rows",
            "allow_private_networks": True,
            "headers": {"X-Api-Key": "canary-in-a-header"},
            "answer": {"message": "/error/message"},
        }
        with capture_logs() as logs:
            served = await serve({"hook": hook | settings})
            answer = await served.rpc("add", sync(person(1)), path=HOOK)

    [rejected] = answer["result"]["rejectedRows"]
    assert rejected["reason"].startswith("VENDOR_REJECTED: the vendor answered 422: refused ")
    assert "[secret]" in rejected["reason"] or len(rejected["reason"]) == 300
    shows_nothing(json.dumps(answer) + str(logs), echo)
    assert "canary" in str(echo.sent)


async def test_results_in_a_good_answer_quote_none_either(serve) -> None:
    """What an answer says of one row of several may quote the credentials too."""

    def answers(sent: Sent) -> web.Response:
        words = [{"message": f"bad {sent.headers['Authorization']}"}] * 2
        return web.json_response({"results": words})

    async with echoing(answers) as echo:
        hook = {
            "kind": "webhook",
            "url": f"{echo.url}/rows",
            "allow_private_networks": True,
            "batching": "array",
            "answer": {"rows": {"at": "/results", "message": "/message"}},
            **SCHEMES["bearer"],
        }
        served = await serve({"hook": hook})
        result = await served.result("add", sync(person(1), person(2)), path=HOOK)

    assert {each["reason"] for each in result["rejectedRows"]} == {
        "VENDOR_REJECTED: the vendor refused the row: bad Bearer [secret]"
    }


async def test_a_token_that_was_replaced_is_hidden_too(serve) -> None:
    """The answer to a request may come when its token is another already."""
    tokens = iter(["canary-one-one", "canary-two-two"])

    def answers(sent: Sent) -> web.Response:
        if sent.path == "/token":
            return web.json_response({"access_token": next(tokens), "expires_in": 3600})
        if sent.headers["Authorization"].endswith("canary-one-one"):
            return web.Response(status=401)
        words = "neither canary-one-one nor CANARY-TWO-TWO is good"
        return web.json_response({"message": words}, status=422)

    async with echoing(answers) as echo:
        auth = {"scheme": "oauth2_client_credentials", "token_url": f"{echo.url}/token"}
        hook = {
            "kind": "webhook",
            "url": f"{echo.url}/rows",
            "allow_private_networks": True,
            "auth": {**auth, "client_id": "shop", "client_secret": "canary-client"},
            "answer": {"message": "/message"},
        }
        served = await serve({"hook": hook})
        result = await served.result("add", sync(person(1)), path=HOOK)

    [rejected] = result["rejectedRows"]
    assert rejected["reason"].endswith(": neither [secret] nor [secret] is good")


async def test_a_path_that_is_a_credential_is_hidden(serve) -> None:
    """Many servers quote the path of what they do not have."""

    def answers(sent: Sent) -> web.Response:
        return web.json_response({"message": f"Cannot POST {sent.path}"}, status=422)

    async with echoing(answers) as echo:
        hook = {
            "kind": "webhook",
            "url": f"{echo.url}/hooks/catch/777/canary",
            "allow_private_networks": True,
            "answer": {"message": "/message"},
        }
        served = await serve({"hook": hook})
        result = await served.result("add", sync(person(1)), path=HOOK)

    [rejected] = result["rejectedRows"]
    assert rejected["reason"].endswith(": Cannot POST /[secret]")


TOKEN = "canary_of_the_team"


async def test_slack_s_answer_may_hold_the_token() -> None:
    """In the place of a code, of a right that is missing, or of the workspace's name."""
    async with stage(stand_in=StandIn(token=TOKEN)) as slack:
        codes = [{"error": TOKEN}, {"error": "no_right", "needed": f"scope:{TOKEN}"}]
        await slack.tell(next=[{"status": 200, "body": {"ok": False, **each}} for each in codes])
        reasons = await slack.rejected("add", row(1), row(3))
        told = {"ok": True, "team": f"Bearer {TOKEN}", "user": "x"}
        await slack.tell(next=[{"status": 200, "body": told}])
        checked = await slack.served.app[INSTANCES]["team"].check()

    assert reasons == {
        1: "VENDOR_REJECTED: Slack answered [secret]",
        3: "VENDOR_REJECTED: Slack answered no_right: the token lacks scope:[secret]",
    }
    assert checked.says == 'workspace "Bearer [secret]"'


async def test_mailchimp_s_answer_may_hold_the_key(serve) -> None:
    """As it is, or as the Basic credentials that it was sent as."""
    async with newsletter(serve) as news:
        key = news.stand_in.settings("")["api_key"]
        basic = b64encode(f"destination:{key}".encode()).decode()
        told = problem(400, "Invalid Resource", f"{key}, sent as Basic {basic}, may not do that.")
        await news.call("add", person(0))
        await news.ask("behavior", next=[told] * 3)
        with capture_logs() as logs:
            reasons = await news.call("add", person(1))

    assert reasons == {
        1: "VENDOR_REJECTED: Mailchimp refused the contact: Invalid Resource. [secret], sent as "
        "Basic [secret], may not do that"
    }
    assert key not in str(logs)


class Settings(BaseModel):
    """A secret."""

    token: SecretStr = SecretStr("canary-in-settings")


WORDS = "it does not like canary-in-settings"


class Careless(ht.Destination[Settings, ht.NoOptions]):
    """Shows a vendor's words wherever it can."""

    kind = "careless"
    objects = (ht.Object(modes=(ht.Mode("send", add="post"),), custom_fields=True),)
    error: ht.DestinationError | None = None

    async def check(self) -> ht.Checked:
        self._fail()
        return ht.Checked(WORDS, (WORDS,))

    async def discover(self) -> Any:
        self._fail()
        return self.objects

    async def validate(self, sync: ht.Sync, options: Any) -> list[str]:
        return [WORDS]

    async def deliver(self, batch: ht.Batch[Any]) -> Any:
        error = ht.RefusedError(WORDS)
        return [record.reject(error) for record in batch.records]

    def _fail(self) -> None:
        if self.error:
            raise self.error


def careless() -> Instance:
    """A destination of that kind."""
    return Instance("x", Careless(Settings()), Tuning(), deadline=5, max_rows=10)


ROWS = [Row(n, n, {"name": "Ann"}) for n in range(3)]
SYNC = read_sync({"mode": "send", "mappings": [{"from": "name", "to": "name"}]})


async def test_no_author_of_a_kind_can_forget_it() -> None:
    """Whatever a kind says of itself is masked where it leaves the destination."""
    shown = WORDS.replace("canary-in-settings", "[secret]")
    async with opened(careless()) as instance:
        checked = await instance.check()
        report = await instance.deliver(SYNC, Operation.ADD, ROWS, Deadline(5))

        assert (checked.says, checked.warnings) == (shown, (shown,))
        assert await instance.validate(SYNC) == [shown]
        assert {each.error.message for each in report.rejections} == {shown}
        assert len(report.rejections) == 3


@pytest.mark.parametrize(
    "ask",
    [
        lambda one: one.check(),
        lambda one: one.objects(),
        lambda one: one.modes(None),
        lambda one: one.fields(None, None),
        lambda one: one.form(None, None),
        lambda one: one.behavior(None),
        lambda one: one.deliver(SYNC, Operation.ADD, ROWS, Deadline(5)),
    ],
)
async def test_what_fails_as_a_whole_is_masked(ask) -> None:
    """Whichever question it is that the vendor does not answer."""
    async with opened(careless()) as instance:
        instance.plugin.error = ht.AuthError(WORDS)
        with pytest.raises(DestinationError) as raised:
            await ask(instance)

    assert raised.value.reason == "AUTH_FAILED: it does not like [secret]"


async def test_a_configuration_that_cannot_be_judged_says_no_secret() -> None:
    """What fails while a sync is validated is told to the marketer."""
    async with opened(careless()) as instance:
        instance.plugin.error = ht.ConfigError(WORDS)

        assert await instance.validate(SYNC) == ["it does not like [secret]"]
