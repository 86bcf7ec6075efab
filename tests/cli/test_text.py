"""What commands print of other people's words."""

import json

from destination.cli.text import json_text, visible


def test_json_for_programs_moves_no_terminal_either() -> None:
    """What a terminal might obey is escaped; the document says the same, and letters stay."""
    value = {"ärger": "\x1b[31m \x9b2J \u202e \U000e0041 \u2028 \x7f", "n": [10**30, 0.5, None]}

    text = json_text(value)

    assert all(line.isprintable() for line in text.split("\n"))
    assert json.loads(text) == value
    assert "ärger" in text


def test_a_line_is_shown_as_json_writes_it() -> None:
    """Tabs, line ends and what moves a cursor are escapes; everything else is itself."""
    assert visible("Zoë\t1\n\x1b[31m\u202e") == "Zoë\\t1\\n\\u001b[31m\\u202e"
