"""A vendor's words about a row are shown without the row."""

import msgspec
import pytest

from destination import Record, quoted
from destination.columns import Reader

ROW = {
    "email": "Ann.Lee@Example.com",
    "born": "2003-10-16",
    "phone": "+1 (415) 555-0100",
    "name": "Zoë Łukasz",
    "grade": "a",
    "vip": True,
    "home": {"street": ["7 Elm Street"]},
}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("ann.lee@example.com looks fake", "[email] looks fake"),
        ("'10/16/2003' is no date", "'[born]' is no date"),
        ("4155550100 is no phone number", "… is no phone number"),
        ("ZOË ŁUKASZ: in a compliance state", "[name]: in a compliance state"),
        ("Zoe\u0308 is too short", "[name] is too short"),
        ("Elm is no city; true", "[home] is no city; true"),
        ("at most 255 characters", "at most 255 characters"),
        ("", ""),
    ],
)
def test_values_are_replaced_by_their_column(text, shown):
    """However a vendor writes a value, the name of its column stands in its place."""
    assert quoted(text, Record(0, 1, {}, ROW)) == shown


def test_mapped_values_are_replaced_too():
    """What a template made of a row is as secret as the row."""
    record = Record(0, 1, {"FNAME": "hunter2", "ADDRESS": {"secretkey": "x"}}, {})

    assert quoted("hunter2 and secretkey", record) == "[FNAME] and [ADDRESS]"


def test_of_a_row_that_cannot_be_read_nothing_is_shown():
    """What the vendor quotes may stand in the column that nobody could read."""
    row = Reader(["email"]).read(msgspec.Raw(b'{"email": "a@b.c", "other": 1e999}'))

    assert quoted("a@b.c is bad", Record(0, 1, {"email": "a@b.c"}, row)) == "…"


def test_a_long_text_is_cut():
    """No more of a vendor's text is looked at than could ever be shown."""
    assert len(quoted("x " * 10_000, Record(0, 1, {}, ROW))) <= 1000
