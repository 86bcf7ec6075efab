"""
Slack: a message for each row, messages kept in step with rows, or one digest of many.

Messages are Liquid templates over the row's columns. What a row inserts is escaped: it can
neither ping anybody nor forge a link, and in blocks it stays inside its string.
"""

import json
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, NamedTuple, Self

import httpx
from pydantic import BaseModel, ConfigDict, SecretStr, model_validator

from destination import (
    AuthError,
    Batch,
    Checked,
    Connection,
    Destination,
    DestinationError,
    Form,
    Limits,
    Object,
    Record,
    Rejection,
    RowError,
    Sync,
    TargetError,
    bearer,
    per_second,
)
from destinations.slack.answers import (
    ADD_SCOPE,
    SCOPES,
    MessageGone,
    NothingSaid,
    ScopeMissing,
    refusal,
)
from destinations.slack.form import HIDDEN, MANY_ROWS, MODES, Options, problems
from destinations.slack.messages import channel_of, manner, message

PAGE = 100
"""Channels in an answer; what Slack tells of each may be long."""

UTF_8 = {"Content-Type": "application/json; charset=utf-8"}


class Settings(BaseModel):
    """A bot token, or the address of an incoming webhook, which needs no app of its own."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, hide_input_in_errors=True, use_attribute_docstrings=True
    )

    token: SecretStr | None = None
    """The app's bot token (``xoxb-…``)."""
    webhook_url: SecretStr | None = None
    """The address of an incoming webhook, in place of a token."""

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        given = [each.get_secret_value() for each in (self.token, self.webhook_url) if each]
        if len(given) != 1 or not re.fullmatch(r"[!-~]+", given[0]):
            raise ValueError("say either token or webhook_url, as one word of ASCII characters")
        return self


class Posted(NamedTuple):
    """Where the message about a row stands, and which channel was asked for."""

    channel: str
    ts: str
    asked: str


class Slack(Destination[Settings, Options]):
    """Messages in Slack's channels: one for each row, kept in step with the rows, or digests."""

    kind = "slack"
    label = "Slack"
    limits = Limits(rate=per_second(1, burst=3), in_order=True)
    closed_choices = False

    def connection(self) -> Connection:
        """A webhook's address is absolute and holds the secret itself."""
        token = self.settings.token
        auth = bearer(token.get_secret_value()) if token else None
        return Connection("https://slack.com/api", auth)

    async def check(self) -> str | Checked:
        """Which workspace the token belongs to, and which scopes it lacks."""
        if hook := self.settings.webhook_url:
            with suppress(NothingSaid):
                await self.http.request("POST", hook.get_secret_value(), json={})
            return "the incoming webhook is there"
        answer = await self.http.request("GET", "/auth.test")
        granted = re.split(r"[\s,]+", answer.headers.get("X-OAuth-Scopes", ",".join(SCOPES)))
        missing = {
            name: f"the scope {name} is missing: {lost}; {ADD_SCOPE}"
            for name, lost in SCOPES.items()
            if name not in granted
        }
        workspace = f'workspace "{answer.json()["team"]}"'
        if told := missing.get("chat:write"):
            raise AuthError(f"{workspace}; {told}")
        return Checked(workspace, tuple(missing.values()))

    async def discover(self) -> Sequence[Object]:
        """One object without fields. A webhook does not tell where a message stands."""
        without = "keep_in_step" if self.settings.webhook_url else None
        return (Object(modes=tuple(mode for mode in MODES if mode.id != without)),)

    async def form(self, object: Object, mode: str | None) -> Form:
        """The channels that the app is in; only public ones where it may not list the others."""
        if self.settings.webhook_url:
            names = ("channel", "channelColumn", "username", "icon", "series")
            return Form(ui=dict.fromkeys(names, HIDDEN))
        for types in ("public_channel,private_channel", "public_channel"):
            with suppress(ScopeMissing):
                return Form({"channel": await self._channels(types)})
        return Form()

    async def _channels(self, types: str) -> dict[str, str]:
        names: dict[str, str] = {}
        asked = {"types": types, "exclude_archived": "true", "limit": str(PAGE)}
        while True:
            answer = (await self.http.request("GET", "/users.conversations", params=asked)).json()
            names |= {each["id"]: f"#{each['name']}" for each in answer["channels"]}
            asked["cursor"] = answer.get("response_metadata", {}).get("next_cursor", "")
            if not asked["cursor"]:
                return dict(sorted(names.items(), key=lambda each: each[1]))

    async def validate(self, sync: Sync, options: Options) -> Sequence[str]:
        """What suits each option alone, but not the others, the mode or the model."""
        return list(problems(sync, options, hook=self.settings.webhook_url is not None))

    def limits_for(self, mode: str | None, options: Options | None) -> Limits:
        """A digest is made from all that one call brings."""
        if mode != "digest":
            return self.limits
        return replace(self.limits, batch_size=MANY_ROWS, call_size=MANY_ROWS, halve=False)

    def lane(self, record: Record, options: Options) -> str:
        """The channel: Slack takes a message a second in each."""
        if not self.settings.webhook_url:
            with suppress(RowError):  # said when its message is made; none is for a removal
                return channel_of(record, options)
        return ""

    def classify(self, response: httpx.Response) -> DestinationError | None:
        """Slack says no with a 200 and a code."""
        return refusal(response, hook=self.settings.webhook_url is not None)

    async def deliver(self, batch: Batch[Options]) -> Sequence[Rejection]:
        """One message, about one record or, as a digest, about all."""
        match batch.verb:
            case "keep":
                await self._keep(batch)
            case "delete":
                await self._delete(batch)
            case _:
                await self._post(batch, message(batch))
        return ()

    async def _keep(self, batch: Batch[Options]) -> None:
        """Edit the row's message; post it where there is none, or none in the right channel."""
        said, posted = message(batch), await self._posted(batch)
        if posted and posted.asked == channel_of(batch.records[0], batch.options):
            shown = {name: said[name] for name in ("text", "blocks") if name in said}
            with suppress(MessageGone):
                return await self._edit("/chat.update", posted, parse="none", **shown)
        elif posted:
            with suppress(MessageGone, TargetError):  # its old channel may be archived
                await self._edit("/chat.delete", posted)
        return await self._note(batch, await self._post(batch, said))

    async def _delete(self, batch: Batch[Options]) -> None:
        """Delete the row's message, if there is one."""
        if posted := await self._posted(batch):
            with suppress(MessageGone):
                await self._edit("/chat.delete", posted)
            await self._note(batch, None)

    async def _post(self, batch: Batch[Options], said: dict[str, Any]) -> Posted | None:
        """Post anew; where it stands, which a webhook does not tell."""
        if hook := self.settings.webhook_url:
            await self.http.request("POST", hook.get_secret_value(), json=said)
            return None
        channel = channel_of(batch.records[0], batch.options)
        body = {"channel": channel, **said, **manner(batch)}
        answer = await self.http.request("POST", "/chat.postMessage", json=body, headers=UTF_8)
        stands = answer.json()
        return Posted(stands["channel"], stands["ts"], channel)

    async def _edit(self, method: str, posted: Posted, **shown: Any) -> None:
        """Slack counts edits by method; the same one twice does no harm."""
        body = {"channel": posted.channel, "ts": posted.ts, **shown}
        await self.http.request(
            "POST", method, json=body, headers=UTF_8, repeatable=True, lane=method
        )

    async def _posted(self, batch: Batch[Options]) -> Posted | None:
        [note] = await self.notes.read(_series(batch), [batch.records[0].id])
        return Posted(*note.split(" ", 2)) if note else None

    async def _note(self, batch: Batch[Options], posted: Posted | None) -> None:
        note = " ".join(posted) if posted else None
        await self.notes.write(_series(batch), {batch.records[0].id: note})


def _series(batch: Batch[Options]) -> str:
    """What the notes on a row are kept under: rows of other syncs may have the same ids."""
    options = batch.options
    channel = options.channel_column or options.channel
    return json.dumps([channel, options.series, batch.id_column])
