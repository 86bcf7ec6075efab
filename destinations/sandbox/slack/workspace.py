"""What a workspace holds and what its methods answer; of HTTP it knows nothing."""

import base64
import math
from collections.abc import Callable
from typing import Any

JSON = dict[str, Any]

BURST, EDITS = 5, 50
"""Messages at once in a channel; edits, and deletions, at once in the workspace."""

SHOWN, EDITABLE, BLOCKS, SECTION = 40_000, 4_000, 50, 3_000
"""Characters that are shown of a text, of an edited text, blocks, characters in a section."""

SCOPES = ("chat:write", "channels:read", "groups:read", "chat:write.customize")
BOT, USER = "B0SANDBOX01", "U0SANDBOX"
BLOCK_TYPES = {"section", "header", "divider", "context", "image", "actions", "markdown"}
GENERAL, PEOPLE = "C0GENERAL01", "C0PEOPLE001"

CHANNELS: tuple[JSON, ...] = (
    {"id": GENERAL, "name": "general"},
    {"id": PEOPLE, "name": "people"},
    {"id": "C0LEADS0001", "name": "leads", "is_private": True},
    {"id": "C0OLD000001", "name": "old", "is_archived": True},
    {"id": "C0OTHERS001", "name": "others", "is_member": False},
)
"""The channels a new workspace has."""


class Refusal(Exception):
    """An answer that says no with a code, and what else Slack tells."""

    def __init__(self, code: str, **told: Any) -> None:
        super().__init__(code)
        self.code = code
        self.told = told


class Throttled(Exception):
    """429, and the whole seconds after which to come again."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.seconds = max(1, math.ceil(seconds))


class Workspace:
    """
    Channels, the messages in them, and who may do what how often.

    Args:
        rate: Messages a second in each channel.
        now: The clock, in seconds.
    """

    def __init__(self, rate: float, now: Callable[[], float]) -> None:
        self.rate = rate
        self.scopes = set(SCOPES)
        self.messages: dict[tuple[str, str], JSON] = {}
        self.channels: dict[str, JSON] = {each["id"]: channel(**each) for each in CHANNELS}
        self.methods: dict[str, Callable[[JSON], JSON]] = {
            "auth.test": self._auth_test,
            "users.conversations": self._conversations,
            "chat.postMessage": self._post_message,
            "chat.update": self._update,
            "chat.delete": self._delete,
        }
        self._now = now
        self._due: dict[str, float] = {}
        self._posted = 0

    def post(self, asked: JSON, id: str) -> JSON:
        """Put a message into a channel that is open."""
        self._take_turn(id, BURST)
        self._posted += 1
        ts = f"{1_700_000_000 + self._posted // 10**6}.{self._posted % 10**6:06d}"
        said: JSON = {"type": "message", "ts": ts, "text": str(asked.get("text", ""))[:SHOWN]}
        self.messages[id, ts] = {**asked, **said, "channel": id}
        more = {name: asked[name] for name in ("thread_ts", "username") if name in asked}
        return {"channel": id, "ts": ts, "message": {**said, **more, "bot_id": BOT}}

    def _auth_test(self, _: JSON) -> JSON:
        where = {"url": "https://sandbox.slack.com/", "team": "Sandbox", "team_id": "T0SANDBOX"}
        return {**where, "user": "destination", "user_id": USER, "bot_id": BOT}

    def _conversations(self, asked: JSON) -> JSON:
        types = str(asked.get("types") or "public_channel").split(",")
        scopes = {"public_channel": "channels:read", "private_channel": "groups:read"}
        for type in types:
            if type not in scopes:
                raise Refusal("invalid_types")
            self._needs(scopes[type])
        limit, start = str(asked.get("limit") or 100), _position(asked.get("cursor"))
        if not limit.isdigit() or not 1 <= int(limit) <= 999:
            raise Refusal("invalid_limit")
        archived = asked.get("exclude_archived") != "true"
        listed = [
            {name: value for name, value in each.items() if name != "is_member"}
            for each in self.channels.values()
            if each["is_member"]
            and (archived or not each["is_archived"])
            and ("private_channel" if each["is_private"] else "public_channel") in types
        ]
        end = start + int(limit)
        cursor = base64.b64encode(f"at:{end}".encode()).decode() if end < len(listed) else ""
        return {"channels": listed[start:end], "response_metadata": {"next_cursor": cursor}}

    def _post_message(self, asked: JSON) -> JSON:
        self._needs("chat:write")
        if any(asked.get(name) for name in ("username", "icon_emoji", "icon_url")):
            self._needs("chat:write.customize")
        id = self._open_channel(str(asked.get("channel", "")))
        check_content(asked)
        if "thread_ts" in asked and (id, asked["thread_ts"]) not in self.messages:
            raise Refusal("cannot_reply_to_message")
        return self.post(asked, id)

    def _update(self, asked: JSON) -> JSON:
        id, ts = self._message(asked)
        check_content(asked)
        text = str(asked.get("text", ""))
        if len(text) > EDITABLE:
            raise Refusal("msg_too_long")
        self._take_turn("chat.update", EDITS)
        self.messages[id, ts] = {**asked, "type": "message", "text": text}
        return {"channel": id, "ts": ts, "text": text, "message": {"text": text}}

    def _delete(self, asked: JSON) -> JSON:
        id, ts = self._message(asked)
        if self.messages[id, ts].get("username"):
            raise Refusal("cant_delete_message")
        self._take_turn("chat.delete", EDITS)
        del self.messages[id, ts]
        return {"channel": id, "ts": ts}

    def _needs(self, scope: str) -> None:
        if scope not in self.scopes:
            provided = ",".join(sorted(self.scopes))
            raise Refusal("missing_scope", needed=scope, provided=provided)

    def _take_turn(self, what: str, burst: int) -> None:
        """The generic cell rate algorithm, for each channel and for each method that edits."""
        now, interval = self._now(), 1 / self.rate
        due = max(self._due.get(what, now), now)
        if (wait := due - (burst - 1) * interval - now) > 1e-6:
            raise Throttled(wait)
        self._due[what] = due + interval

    def _message(self, asked: JSON) -> tuple[str, str]:
        """Which message is meant: edits take the channel's id, not its name."""
        self._needs("chat:write")
        id, ts = str(asked.get("channel")), str(asked.get("ts"))
        if id not in self.channels:
            raise Refusal("channel_not_found")
        if self.channels[id]["is_archived"]:
            raise Refusal("is_archived")
        if (id, ts) not in self.messages:
            raise Refusal("message_not_found")
        return id, ts

    def _open_channel(self, wanted: str) -> str:
        for id, each in self.channels.items():
            if wanted in (id, each["name"], f"#{each['name']}"):
                if each["is_archived"]:
                    raise Refusal("is_archived")
                if not each["is_member"]:
                    raise Refusal("channel_not_found" if each["is_private"] else "not_in_channel")
                return id
        raise Refusal("channel_not_found")


def channel(id: str, name: str, **facts: bool) -> JSON:
    """A channel as Slack tells of it."""
    no = ("archived", "general", "group", "im", "mpim", "org_shared", "private", "shared")
    said = {"value": "", "creator": USER, "last_set": 0}
    made = {"created": 1_449_252_889, "creator": USER, "topic": said, "purpose": said}
    kinds = {f"is_{each}": False for each in no} | {"is_channel": True, "is_member": True}
    return {"id": id, "name": name, "name_normalized": name, **made, **kinds, **facts}


def _position(cursor: Any) -> int:
    try:
        return int(base64.b64decode(cursor or b"YXQ6MA==").removeprefix(b"at:"))
    except ValueError:
        raise Refusal("invalid_cursor") from None


def check_content(asked: JSON) -> None:
    """Raises Refusal for what Slack takes for no message."""
    text, blocks = asked.get("text", ""), asked.get("blocks", [])
    if not isinstance(text, str) or not isinstance(blocks, list):
        raise Refusal("invalid_arguments")
    if not text.strip() and not blocks:
        raise Refusal("no_text")
    problems = ["no more than 50 items allowed [json-pointer:/blocks]"] * (len(blocks) > BLOCKS)
    for number, block in enumerate(blocks):
        if not isinstance(block, dict) or block.get("type") not in BLOCK_TYPES:
            problems.append(f"unsupported type [json-pointer:/blocks/{number}/type]")
            continue
        shown = block.get("text")
        if isinstance(shown, dict) and len(str(shown.get("text", ""))) > SECTION:
            place = f"[json-pointer:/blocks/{number}/text/text]"
            problems.append(f"must be less than {SECTION + 1} characters {place}")
    if problems:
        said = [f"[ERROR] {problem}" for problem in problems]
        raise Refusal("invalid_blocks", response_metadata={"messages": said})
