"""Slack passes what every destination must."""

from typing import Any, ClassVar

from slack_stage import GENERAL

from destination.testing.contract import DestinationContract


class TestPosts(DestinationContract):
    """Each row is a message."""

    kind = "slack"
    required = "name"
    configuration: ClassVar = {"channel": GENERAL, "message": "{{ name }}{{ count }}"}

    def rows(self, count: int) -> list[dict[str, Any]]:
        return [{"id": n, "name": f"Ann {n}", "to": GENERAL} for n in range(count)]


class TestBlocks(TestPosts):
    """Each row is a message of blocks, in the channel that it names."""

    required = "to"
    configuration: ClassVar = {
        "channelColumn": "to",
        "message": "",
        "blocks": '[{"type": "section", "text": {"type": "mrkdwn", "text": "{{ name }}"}}]',
    }


class TestInStep(TestPosts):
    """Each row has a message."""

    configuration: ClassVar = TestPosts.configuration | {"mode": "keep_in_step"}


class TestDigests(TestPosts):
    """All rows are one message."""

    required = ""
    configuration: ClassVar = {
        "mode": "digest",
        "channel": GENERAL,
        "message": "{% for row in rows %}{{ row.name }} {% endfor %}{{ name }}",
    }
