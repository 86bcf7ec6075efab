"""Slack's answers: it says no with a 200 and a code, a webhook with a code as plain text."""

import re
from collections.abc import Mapping
from typing import Any

import httpx

from destination import (
    AuthError,
    Code,
    DestinationError,
    NoAnswer,
    RateLimited,
    RefusedError,
    TargetError,
    UnavailableError,
)


class MessageGone(RefusedError):
    """Somebody has deleted the message by hand."""


class NothingSaid(RefusedError):
    """There is no message in it, which only a webhook that is there can say."""


class ScopeMissing(RefusedError):
    """The token may not list channels, which is no reason not to post."""


SCOPES = {
    "chat:write": "nothing can be posted",
    "channels:read": "public channels are not listed",
    "groups:read": "private channels are not listed",
    "chat:write.customize": "name and icon cannot be chosen",
}
"""The scopes a token should have, and what is lost without each."""

ADD_SCOPE = "add it under OAuth & Permissions and install the app again"

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
        NothingSaid: "no_text invalid_payload",
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


def refusal(response: httpx.Response, *, hook: bool) -> DestinationError | None:
    """The error in an answer; None for a good one, or where the status says it all."""
    if response.status_code == 429 or response.status_code >= 500:
        return None
    said = {"ok": response.text == "ok", "error": response.text} if hook else _said(response)
    if said.get("ok") is True:
        return None
    code = str(said.get("error"))
    if not re.fullmatch(r"[a-z_]{1,60}", code):
        unread = NoAnswer("Slack's answer cannot be read; may have been delivered")
        return unread if response.is_success else None
    if code == "missing_scope" and response.request.method == "GET":
        return ScopeMissing("the token may not list channels")
    return _error(code, said)


def _said(response: httpx.Response) -> dict[str, Any]:
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
    return error(text if issubclass(error, RefusedError) else f"not sent: {text}")
