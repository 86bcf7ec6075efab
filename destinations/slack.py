"""
Slack: a message for each row, messages kept in step with rows, or one digest of many.

Messages are Liquid templates over the row's columns. What a row inserts is escaped: it can
neither ping anybody nor forge a link, and in blocks it stays inside its string.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import lru_cache
from typing import Any, NamedTuple, Self

import httpx
from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

from destination import (
    AuthError,
    Batch,
    Code,
    Connection,
    Destination,
    DestinationError,
    Form,
    Limits,
    Mode,
    NoAnswer,
    Object,
    RateLimited,
    Record,
    RefusedError,
    Rejection,
    RowError,
    Sync,
    TargetError,
    Template,
    TemplateText,
    UnavailableError,
    bearer,
    per_second,
)


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


class Options(BaseModel):
    """What the marketer chooses for one sync."""

    channel: str | None = Field(
        None, title="Channel", description="Channel that messages are sent to."
    )
    message: TemplateText = Field(
        title="Message",
        description="Template for messages in Liquid format. A digest's has rows and count.",
    )
    blocks: TemplateText = Field(
        "",
        title="Blocks",
        description="Block Kit as a JSON list, a Liquid template too. The message above is then "
        "what notifications show.",
    )
    channel_column: str = Field(
        "",
        alias="channelColumn",
        title="Channel column",
        description="Column that names each row's channel; where empty, the channel above.",
    )
    thread_column: str = Field(
        "",
        alias="threadColumn",
        title="Thread column",
        description="Column with the timestamp of the message to reply to (1503435956.000247).",
    )
    unfurl: bool = Field(default=False, title="Preview links")
    username: str = Field("", title="Name", description="Shown in place of the app's name.")
    icon: str = Field("", title="Icon", description="Such as :tada:, or an image's address.")
    series: str = Field(
        "",
        title="Series",
        description="A word that tells apart several syncs that keep one channel in step.",
    )


HIDDEN = {"ui:widget": "hidden"}
"""What an incoming webhook has by itself: its channel, its name and icon."""

POSTS = (
    Mode(
        "post_added",
        "Post new rows",
        add="post",
        description="A message for each new row.",
        skip_initial_run=True,
    ),
    Mode(
        "post_added_changed",
        "Post new and changed rows",
        add="post",
        change="post",
        description="A message for each new row, and another whenever a row changes.",
        skip_initial_run=True,
    ),
    Mode(
        "digest",
        "One digest per batch",
        add="digest",
        description="One message made from up to 100 new rows.",
        skip_initial_run=True,
    ),
)
KEEP_IN_STEP = Mode(
    "keep_in_step", "Keep in step", add="keep", change="keep", remove="delete",
    description="The channel shows the rows: a changed row edits its message, a removed one "
    "deletes it.",
)  # fmt: skip

LONGEST = {"keep": 4_000}
"""Characters of a message that is to be edited later, beyond which Slack would refuse that."""

CUT_OFF, MANY_BLOCKS, MANY_ROWS = 40_000, 50, 100
"""Characters of a message that Slack shows, blocks it takes, rows that a digest is made from."""

PAGE = 100
"""Channels in an answer; what Slack tells of each may be long."""

UTF_8 = {"Content-Type": "application/json; charset=utf-8"}


class MessageGone(RefusedError):
    """Somebody has deleted the message by hand."""


class ScopeMissing(RefusedError):
    """The token may not list channels, which is no reason not to post."""


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

    async def check(self) -> str:
        """Which workspace the token belongs to, and which scopes it lacks."""
        if self.settings.webhook_url:
            with suppress(RefusedError):  # as any message without text is
                await self._post({})
            return "the incoming webhook is there"
        answer = await self.http.request("GET", "/auth.test")
        granted = re.split(r"[\s,]+", answer.headers.get("X-OAuth-Scopes", ",".join(SCOPES)))
        missing = {name: lost for name, lost in SCOPES.items() if name not in granted}
        found = [f'workspace "{answer.json()["team"]}"']
        found += [f"the scope {name} is missing: {lost}" for name, lost in missing.items()]
        if "chat:write" in missing:
            raise AuthError("; ".join(found))
        return "; ".join(found)

    async def discover(self) -> Sequence[Object]:
        """One object without fields. A webhook does not tell where a message stands."""
        in_step = () if self.settings.webhook_url else (KEEP_IN_STEP,)
        return (Object(modes=(*POSTS[:2], *in_step, *POSTS[2:])),)

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
        return list(_problems(sync, options, hook=self.settings.webhook_url is not None))

    def limits_for(self, mode: str | None, options: Options | None) -> Limits:
        """A digest is made from all that one call brings."""
        if mode != "digest":
            return self.limits
        return replace(self.limits, batch_size=MANY_ROWS, call_size=MANY_ROWS, halve=False)

    def lane(self, record: Record, options: Options) -> str:
        """The channel: Slack takes a message a second in each."""
        if self.settings.webhook_url:
            return ""
        own = _column(record, options.channel_column, r"[#@]?[\w.-]{1,80}", "a channel")
        if not (own or options.channel):
            raise RowError("neither the row nor the sync names a channel")
        return own or str(options.channel)

    def classify(self, response: httpx.Response) -> DestinationError | None:
        """Slack says no with a 200 and a code in JSON, a webhook with a code as plain text."""
        if response.status_code == 429 or response.status_code >= 500:
            return None
        said = _said(response, hook=self.settings.webhook_url is not None)
        if said.get("ok") is True:
            return None
        if not re.fullmatch(r"[a-z0-9_]{1,60}", code := str(said.get("error"))):
            unread = NoAnswer("Slack's answer cannot be read; may have been delivered")
            return unread if response.is_success else None
        if code == "missing_scope" and response.request.method == "GET":
            return ScopeMissing("the token may not list channels")
        return _error(code, said)

    async def deliver(self, batch: Batch[Options]) -> Sequence[Rejection]:
        """One message, about one record or, as a digest, about all."""
        match batch.verb:
            case "keep":
                await self._keep(batch)
            case "delete":
                await self._delete(batch)
            case _:
                await self._post(self._message(batch))
        return ()

    async def _keep(self, batch: Batch[Options]) -> None:
        """Edit the row's message; post it where there is none, or none in the right channel."""
        message, posted = self._message(batch), await self._posted(batch)
        if posted and posted.asked == message["channel"]:
            shown = {name: message[name] for name in ("text", "blocks") if name in message}
            with suppress(MessageGone):
                return await self._edit("/chat.update", posted, parse="none", **shown)
        elif posted:
            await self._delete(batch)
        answer = (await self._post(message)).json()
        await self._note(batch, Posted(answer["channel"], answer["ts"], message["channel"]))
        return None

    async def _delete(self, batch: Batch[Options]) -> None:
        """Delete the row's message, if there is one."""
        if posted := await self._posted(batch):
            with suppress(MessageGone):
                await self._edit("/chat.delete", posted)
            await self._note(batch, None)

    async def _posted(self, batch: Batch[Options]) -> Posted | None:
        [note] = await self.notes.read(_series(batch), [batch.records[0].id])
        return Posted(*note.split(" ")) if note else None

    async def _note(self, batch: Batch[Options], posted: Posted | None) -> None:
        note = " ".join(posted) if posted else None
        await self.notes.write(_series(batch), {batch.records[0].id: note})

    async def _edit(self, method: str, posted: Posted, **shown: Any) -> None:
        """Slack counts edits by method; the same one twice does no harm."""
        body = {"channel": posted.channel, "ts": posted.ts, **shown}
        await self.http.request(
            "POST", method, json=body, headers=UTF_8, repeatable=True, lane=method
        )

    async def _post(self, message: Mapping[str, Any]) -> httpx.Response:
        hook = self.settings.webhook_url
        address = hook.get_secret_value() if hook else "/chat.postMessage"
        return await self.http.request("POST", address, json=message, headers=UTF_8)

    def _message(self, batch: Batch[Options]) -> dict[str, Any]:
        """The batch's message, without what is empty."""
        options, record = batch.options, batch.records[0]
        values = record.row
        if batch.verb == "digest":
            values = {"rows": [each.row for each in batch.records], "count": len(batch.records)}
        message: dict[str, Any] = {
            "text": _text(options.message, values, LONGEST.get(batch.verb, CUT_OFF)),
            "blocks": _blocks(options.blocks, values) if options.blocks else None,
        }
        if not (message["text"].strip() or message["blocks"]):
            raise RowError("the message is empty")
        if batch.verb != "digest":
            pattern = r"\d{1,12}\.\d{1,9}"
            message["thread_ts"] = _column(
                record, options.thread_column, pattern, "a timestamp such as 1503435956.000247"
            )
        if not self.settings.webhook_url:
            message["channel"] = self.lane(record, options)
            message |= dict.fromkeys(("unfurl_links", "unfurl_media"), options.unfurl)
            if batch.verb != "keep":  # Slack deletes no message under another name
                icon = "icon_emoji" if options.icon.startswith(":") else "icon_url"
                message |= {"username": options.username, icon: options.icon}
        return {name: value for name, value in message.items() if value not in (None, "")}


def _series(batch: Batch[Options]) -> str:
    """What the notes on a row are kept under: rows of other syncs may have the same ids."""
    options = batch.options
    channel = options.channel_column or options.channel
    return json.dumps([channel, options.series, batch.id_column])


def _problems(sync: Sync, options: Options, *, hook: bool) -> Iterator[str]:
    if not (hook or options.channel or options.channel_column):
        yield "Choose a channel, or a column that names each row's channel."
    if sync.mode == KEEP_IN_STEP.id and (options.username or options.icon):
        yield (
            "Slack does not delete messages under another name or icon: leave both empty to keep "
            "messages in step."
        )
    if sync.mode == "digest" and options.thread_column:
        yield "A digest is about many rows and cannot reply in one's thread."
    read = {options.channel_column, options.thread_column} - {""}
    if sync.mode != "digest":
        read |= _template(options.message).columns | _template(options.blocks).columns
    for name in sorted(read - (read if sync.columns is None else sync.columns)):
        yield f'Column "{name}" does not exist in the model.'


def _column(record: Record, name: str, pattern: str, what: str) -> str | None:
    """What a column holds, None where it is empty or no column is named."""
    if name and name not in record.row:
        raise RowError(f'column "{name}" is not in the row')
    value = record.row.get(name) if name else None
    if value in (None, ""):
        return None
    if not (isinstance(value, str) and re.fullmatch(pattern, value)):
        raise RowError(f'column "{name}" does not hold {what}')
    return value


# Templates -------------------------------------------------------------------------------------

_template = lru_cache(maxsize=64)(Template.parse)

_MARKUP = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
_STRUCTURE = str.maketrans({each: f"\\u{ord(each):04x}" for each in "[]{},:"})


def _escaped(text: str) -> str:
    """Text that Slack shows as it is: no mention, no link, no entity."""
    return text.translate(_MARKUP)


def _escaped_in_json(text: str) -> str:
    """The same, as part of a JSON string; outside of one it can be no more than a single value."""
    return json.dumps(_escaped(text))[1:-1].translate(_STRUCTURE)


def _text(source: str, values: Mapping[str, Any], longest: int) -> str:
    text = _template(source).render(values, escape=_escaped)
    if len(text) > longest:
        raise RowError(f"the message is longer than {longest:,} characters", code=Code.TOO_LARGE)
    return text


def _blocks(source: str, values: Mapping[str, Any]) -> list[Any]:
    try:
        blocks = json.loads(_template(source).render(values, escape=_escaped_in_json))
    except (ValueError, RecursionError):
        blocks = None
    if not (isinstance(blocks, list) and all(isinstance(each, dict) for each in blocks)):
        raise RowError(
            "blocks: what the template gives is not a JSON list of blocks",
            code=Code.TEMPLATE_ERROR,
        )
    if len(blocks) > MANY_BLOCKS:
        raise RowError(f"blocks: more than {MANY_BLOCKS}", code=Code.TOO_LARGE)
    return blocks


# Slack's answers -------------------------------------------------------------------------------

SCOPES = {
    "chat:write": "nothing can be posted",
    "channels:read": "public channels are not listed",
    "groups:read": "private channels are not listed",
    "chat:write.customize": "name and icon cannot be chosen",
}
"""The scopes a token should have, and what is lost without each."""

CODES: Mapping[str, type[DestinationError]] = {
    code: error
    for error, codes in {
        RateLimited: "ratelimited rate_limited",
        UnavailableError: """service_unavailable team_added_to_org org_login_required
            external_channel_migrating request_timeout update_failed""",
        NoAnswer: "internal_error fatal_error",
        AuthError: """not_authed invalid_auth account_inactive token_revoked token_expired
            not_allowed_token_type missing_scope no_permission access_denied accesslimited
            two_factor_setup_required team_access_not_granted enterprise_is_restricted
            ekm_access_denied method_deprecated deprecated_endpoint as_user_not_supported
            metadata_must_be_sent_from_app invalid_token action_prohibited""",
        TargetError: """channel_not_found not_in_channel is_archived is_inactive restricted_action
            restricted_action_read_only_channel restricted_action_thread_only_channel
            restricted_action_non_threadable_channel messages_tab_disabled team_not_found
            posting_to_channel_denied method_not_supported_for_channel_type
            message_limit_exceeded channel_is_archived posting_to_general_channel_denied
            no_service no_service_id no_team no_active_hooks team_disabled""",
        MessageGone: "message_not_found",
    }.items()
    for code in codes.split()
}
"""What Slack's codes mean; any other refuses the message alone."""

HINTS = {
    "channel_not_found": "there is no such channel, or the app is not in it",
    "not_in_channel": "invite the app to the channel",
    "no_service": "the incoming webhook was removed",
}

_POINTER = re.compile(
    r"json-pointer:((?:/(?:blocks|text|fields|elements|accessory|title|label|options|value|url"
    r"|image_url|alt_text|\d{1,3}))+)"
)
"""The place that Slack objects to, as far as it is no row's word."""


def _said(response: httpx.Response, *, hook: bool) -> dict[str, Any]:
    if hook:
        return {"ok": response.text == "ok", "error": response.text}
    try:
        said = response.json()
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}


def _error(code: str, said: Mapping[str, Any]) -> DestinationError:
    error, text = CODES.get(code, RefusedError), f"Slack answered {code}"
    if hint := HINTS.get(code):
        text += f": {hint}"
    if re.fullmatch(r"[a-z:._,]{1,80}", needed := str(said.get("needed", ""))):
        text += f": the token lacks {needed}"
    if place := _POINTER.search(str(said.get("response_metadata"))):
        text += f" at {place[1]}"
    if error is NoAnswer:
        return NoAnswer(f"{text}; may have been delivered")
    if error is RateLimited:
        return RateLimited(f"not sent: {text}", retry_after=1.0)
    if error is UnavailableError:
        return UnavailableError(f"not sent: {text}", code=Code.RATE_LIMITED)
    return error(text if error is RefusedError else f"not sent: {text}")
