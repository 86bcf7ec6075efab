"""Rows to messages: what a row brings stays text, and stays in its place."""

import json
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from destination import Batch, Code, Record, RowError, Template
from destinations.slack.form import Options

LONGEST, LONGEST_EDITED, MANY_BLOCKS = 40_000, 4_000, 50
"""Characters that Slack shows of a message and lets an edited one have, and blocks in it."""

_TIMESTAMP = re.compile(r"\d{1,12}\.\d{1,9}")
_CHANNEL = re.compile(r"[#@]?[\w.-]{1,80}")


def message(batch: Batch[Options]) -> dict[str, Any]:
    """
    The batch's message, without a channel.

    Raises:
        RowError: There is nothing to say, or too much, or no JSON.
    """
    options, record = batch.options, batch.records[0]
    values = record.row
    if batch.verb == "digest":
        values = {"rows": [each.row for each in batch.records], "count": len(batch.records)}
    said: dict[str, Any] = {
        "text": _text(options.message, values, LONGEST_EDITED if batch.verb == "keep" else LONGEST)
    }
    if options.blocks:
        said["blocks"] = _blocks(options.blocks, values)
    if not said["text"].strip() and not said.get("blocks"):
        raise RowError("the message is empty")
    if batch.verb != "digest" and (thread := thread_of(record, options)):
        said["thread_ts"] = thread
    return said


def manner(batch: Batch[Options]) -> dict[str, Any]:
    """How a new message appears. One that may have to be deleted has the app's own name."""
    options = batch.options
    how: dict[str, Any] = {"unfurl_links": options.unfurl, "unfurl_media": options.unfurl}
    if batch.verb != "keep" and options.username:
        how["username"] = options.username
    if batch.verb != "keep" and options.icon:
        how["icon_emoji" if options.icon.startswith(":") else "icon_url"] = options.icon
    return how


def channel_of(record: Record, options: Options) -> str:
    """The row's channel, or else the sync's."""
    own = _column(record, options.channel_column, _CHANNEL, "a channel")
    if not (own or options.channel):
        raise RowError("neither the row nor the sync names a channel")
    return own or str(options.channel)


def thread_of(record: Record, options: Options) -> str | None:
    """The timestamp of the message to reply to, if any."""
    what = "a timestamp such as 1503435956.000247"
    return _column(record, options.thread_column, _TIMESTAMP, what)


def _column(record: Record, name: str, pattern: re.Pattern[str], what: str) -> str | None:
    """What a column holds, None where it is empty or no column is named."""
    if name and name not in record.row:
        raise RowError(f'column "{name}" is not in the row')
    value = record.row.get(name) if name else None
    if value in (None, ""):
        return None
    if not (isinstance(value, str) and pattern.fullmatch(value)):
        raise RowError(f'column "{name}" does not hold {what}')
    return value


_template = lru_cache(maxsize=64)(Template.parse)

_STRUCTURE = str.maketrans({each: f"\\u{ord(each):04x}" for each in "[]{},:"})


def _escaped(text: str) -> str:
    """Text that Slack shows as it is: no mention, no link, no entity."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


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
