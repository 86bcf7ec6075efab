"""What the marketer chooses: options and modes."""

from collections.abc import Iterator

from pydantic import BaseModel, Field

from destination import Mode, Sync, Template, TemplateText

MANY_ROWS = 100
"""Rows that a digest is made from."""


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

MODES = (
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
        "keep_in_step",
        "Keep in step",
        add="keep",
        change="keep",
        remove="delete",
        description="A changed row edits its message, a removed one deletes it.",
    ),
    Mode(
        "digest",
        "One digest per batch",
        add="digest",
        description=f"One message made from up to {MANY_ROWS} new rows.",
        skip_initial_run=True,
    ),
)


def problems(sync: Sync, options: Options, *, hook: bool) -> Iterator[str]:
    """What suits each option alone, but not the others, the mode or the model."""
    if not (hook or options.channel or options.channel_column):
        yield "Choose a channel, or a column that names each row's channel."
    if sync.mode == "keep_in_step" and (options.username or options.icon):
        yield (
            "Slack does not delete messages under another name or icon: leave both empty to keep "
            "messages in step."
        )
    if sync.mode == "digest" and options.thread_column:
        yield "A digest is about many rows and cannot reply in one's thread."
    templates = Template.parse(options.message).columns | Template.parse(options.blocks).columns
    if sync.mode == "digest" and not templates & {"rows", "count"}:
        yield "A digest's template has the rows as rows, such as in {% for row in rows %}."
    read = {options.channel_column, options.thread_column} - {""}
    if sync.mode != "digest":
        read |= templates
    for name in sorted(read - (read if sync.columns is None else sync.columns)):
        yield f'Column "{name}" does not exist in the model.'
