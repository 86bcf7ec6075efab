"""Numbers and moments as text are read exactly, or not at all."""

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from destination.literals import parse_moment, parse_number

ZONES = {"": None, "Z": UTC, "z": UTC, " UTC": UTC, "GMT": UTC}
offsets = st.builds(
    lambda sign, hours, minutes, colon: (
        f"{sign}{hours:02}{colon}{minutes:02}",
        timezone(int(f"{sign}1") * timedelta(hours=hours, minutes=minutes)),
    ),
    st.sampled_from("+-"),
    st.integers(0, 23),
    st.integers(0, 59),
    st.sampled_from(["", ":"]),
)


@given(
    moment=st.datetimes(min_value=datetime(1, 1, 2), max_value=datetime(9999, 12, 30)),
    separator=st.sampled_from("Tt "),
    point=st.sampled_from(".,"),
    digits=st.integers(0, 9),
    zone=st.sampled_from(sorted(ZONES.items())) | offsets,
)
def test_a_moment_is_read_however_it_is_written(
    moment: datetime,
    separator: str,
    point: str,
    digits: int,
    zone: tuple[str, timezone | None],
) -> None:
    """Date and time of day, to nine digits of a second of which six count, and an offset."""
    fraction = f"{moment.microsecond:06}789"[:digits]
    written, offset = zone
    text = (
        f"{moment:%m-%d}{separator}{moment:%H:%M:%S}"
        + (point + fraction if digits else "")
        + written
    )
    read = parse_moment(f" {moment.year:04}-{text} ")

    assert read == moment.replace(microsecond=int(fraction.ljust(6, "0")[:6]), tzinfo=offset)
    assert read.tzinfo == offset


@given(day=st.dates(), time=st.sampled_from(["", "T07:05", " 07:05", "T07:05Z", "T07:05 +02"]))
def test_what_is_not_written_is_zero(day: datetime, time: str) -> None:
    """A date is its midnight, and a minute its first second."""
    hours = 7 if time else 0
    read = parse_moment(f"{day.isoformat()}{time}")

    assert read is not None
    assert read.replace(tzinfo=None) == datetime(day.year, day.month, day.day, hours, hours and 5)


@pytest.mark.parametrize(
    "text",
    [
        "2026-02-29",
        "0000-01-01",
        "20260131",
        "2026-W05-6",
        "2026-01-31Z",
        "2026-01-31T",
        "2026-01-31T24:00",
        "2026-01-31T23:60",
        "2026-01-31T23:59:60",
        "2026-01-31T2359",
        "2026-01-31T23:59:59.1234567890",
        "2026-01-31T23:59+24:00",
        "2026-01-31T23:59+05:60",
        "2026-01-31T23:59+05:30:15",
        "2026-01-31T23:59  Z",
        "２026-01-31",
        "2026-01-31\x00",
    ],
)
def test_what_is_no_moment_is_none(text: str) -> None:
    """No other form of ISO 8601, nothing that no calendar or clock shows, and no offset of days."""
    assert parse_moment(text) is None


digits = st.text("0123456789", max_size=18)


@given(
    sign=st.sampled_from(["", "+", "-"]),
    whole=digits,
    fraction=digits,
    power=st.just("") | st.integers(-330, 280).map("e{}".format),
)
@example(sign="", whole="9999999", fraction="000000001", power="")
@example(sign="-", whole="1", fraction="2345", power="e-320")
def test_a_number_keeps_all_its_digits(sign: str, whole: str, fraction: str, power: str) -> None:
    """As a float where the shortest text of that is the same number, otherwise as a Decimal."""
    assume(whole or fraction)
    text = f"{sign}{whole}.{fraction}{power}"
    number = parse_number(text)

    assert isinstance(number, float | Decimal)
    assert Decimal(str(number)) == Decimal(text)
    assert isinstance(number, float) or Decimal(repr(float(text))) != Decimal(text)
