"""Values are coerced to what a field declares, or the row is rejected without quoting them."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from destination.coercion import ALL_FIT, FITS, LONGEST, MAX_DEPTH, MAX_ITEMS, coerce
from destination.errors import RowError
from destination.literals import number_text
from destination.model import Field, FieldType

CHOICES = tuple(f"c{number}" for number in range(12))


def field(kind: str, **options: Any) -> Field:
    return Field("born", type=FieldType(kind), **options)


def shown(value: Any) -> str:
    """A short id for a test; Python does not print the longest numbers."""
    return "long" if isinstance(value, int) and value > 10**100 else repr(value)[:30]


def nested(depth: int, kind: type = list) -> Any:
    value: Any = kind()
    for _ in range(depth - 1):
        value = [value] if kind is list else {"in": value}
    return value


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        ("STRING", " as is ", " as is "),
        ("STRING", "", ""),
        ("STRING", 10.0, "10"),
        ("STRING", 1e21, "1e+21"),
        ("STRING", 0.000001, "0.000001"),
        ("STRING", 1e-7, "1e-7"),
        ("STRING", -0.0, "0"),
        ("STRING", Decimal("1.50"), "1.5"),
        ("STRING", 12345678901234567890123, "12345678901234567890123"),
        ("STRING", True, "true"),
        ("STRING", False, "false"),
        ("ENUM", "anything", "anything"),
        ("ENUM", 7, "7"),
        ("NUMBER", 7, 7),
        ("NUMBER", 7.5, 7.5),
        ("NUMBER", " 7 ", 7),
        ("NUMBER", "-0012", -12),
        ("NUMBER", "12.50", 12.5),
        ("NUMBER", "1e3", 1000.0),
        ("NUMBER", "12345678901234567890123", 12345678901234567890123),
        ("NUMBER", "0.1234567890123456789", Decimal("0.1234567890123456789")),
        ("NUMBER", "1e-400", Decimal("1e-400")),
        ("BOOLEAN", True, True),
        ("BOOLEAN", 1, True),
        ("BOOLEAN", 0, False),
        ("BOOLEAN", "YES", True),
        ("BOOLEAN", " f ", False),
        ("BOOLEAN", "0", False),
        ("DATE", "2026-01-31", "2026-01-31"),
        ("DATE", "2026-01-31T23:59:59.999-08:00", "2026-01-31"),
        ("DATE", "2026-01-31 00:00:00 UTC", "2026-01-31"),
        ("DATE", "2026-01-31 00:00:00.000 +0000", "2026-01-31"),
        ("DATE", {"value": "2026-01-31"}, "2026-01-31"),
        ("DATE", {"value": ""}, None),
        ("DATETIME", "2026-01-31", "2026-01-31T00:00:00"),
        ("DATETIME", "2026-01-31 10:11", "2026-01-31T10:11:00"),
        ("DATETIME", "2026-01-31T10:11:12Z", "2026-01-31T10:11:12Z"),
        ("DATETIME", "2026-01-31T10:11:12+00:00", "2026-01-31T10:11:12Z"),
        ("DATETIME", "2026-01-31 10:11:12.500 +0530", "2026-01-31T10:11:12.5+05:30"),
        ("DATETIME", "2026-01-31T10:11:12.123456789-05", "2026-01-31T10:11:12.123456-05:00"),
        ("DATETIME", {"value": "2026-01-31T10:11:12.000Z"}, "2026-01-31T10:11:12Z"),
        ("EMAIL", " ada@example.com ", "ada@example.com"),
        ("OBJECT", {"a": 1}, {"a": 1}),
        ("OBJECT", '{"a": [1]}', {"a": [1]}),
        ("ARRAY", [1], [1]),
        ("ARRAY", " [12345678901234567890123]", [12345678901234567890123]),
        ("REFERENCE", {"any": "thing"}, {"any": "thing"}),
        ("UNKNOWN", "", ""),
    ],
    ids=shown,
)
def test_a_value_becomes_the_declared_type(kind: str, value: Any, expected: Any) -> None:
    """What can be read without guessing becomes the field's type."""
    result = coerce(field(kind), value)

    assert result == expected
    assert type(result) is type(expected)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("STRING", []),
        ("STRING", {}),
        ("STRING", 10**5000),
        ("STRING", float("inf")),
        ("ENUM", ["a"]),
        ("NUMBER", True),
        ("NUMBER", "1_000"),
        ("NUMBER", "1,5"),
        ("NUMBER", "NaN"),
        ("NUMBER", "inf"),
        ("NUMBER", "1e400"),
        ("NUMBER", "１２"),
        ("NUMBER", "0x10"),
        ("NUMBER", "9" * 401),
        ("NUMBER", float("nan")),
        ("NUMBER", Decimal("inf")),
        ("BOOLEAN", 2),
        ("BOOLEAN", "on"),
        ("BOOLEAN", []),
        ("DATE", "2026-02-30"),
        ("DATE", "31.01.2026"),
        ("DATE", "20260131"),
        ("DATE", 1769850307),
        ("DATE", {"value": 1769850307}),
        ("DATE", {"value": "2026-01-31", "more": 1}),
        ("DATETIME", 1769850307000),
        ("DATETIME", "2026-01-31T25:00:00"),
        ("DATETIME", "2026-01-31T10:00:00+25:00"),
        ("DATETIME", "2026-01-31T10:00:00.1234567890Z"),
        ("EMAIL", "ada"),
        ("EMAIL", "@example.com"),
        ("EMAIL", "ada@"),
        ("EMAIL", "a@b@c"),
        ("EMAIL", "a da@example.com"),
        ("EMAIL", "ada@example.com\r\nBcc: x"),
        ("EMAIL", "a" * 243 + "@example.com"),
        ("EMAIL", 5),
        ("OBJECT", []),
        ("OBJECT", "[]"),
        ("OBJECT", "{'a': 1}"),
        ("OBJECT", '{"a": "\ud800"}'),
        ("ARRAY", "1"),
        ("ARRAY", "[" * 100_000),
        ("ARRAY", "[" + "0," * MAX_ITEMS + "0]"),
        ("ARRAY", 5),
    ],
    ids=shown,
)
def test_what_would_be_a_guess_rejects_the_row(kind: str, value: Any) -> None:
    """A value that cannot be read as the declared type rejects its row."""
    with pytest.raises(RowError, match=r"^born: expected ") as caught:
        coerce(field(kind), value)

    assert caught.value.reason.startswith("INVALID_ROW: born: expected ")


@pytest.mark.parametrize(
    "kind", sorted(set(FieldType) - {"STRING", "ENUM", "REFERENCE", "UNKNOWN"})
)
@pytest.mark.parametrize("blank", ["", "  \t", None])
def test_a_blank_cell_is_no_value(kind: str, blank: str | None) -> None:
    """Blank text is null for every type that is not text."""
    assert coerce(field(kind), blank) is None


def test_a_date_is_named_with_an_example() -> None:
    """The message names the field and shows what was expected."""
    with pytest.raises(RowError) as caught:
        coerce(field("DATE"), "yesterday")

    assert caught.value.message == "born: expected a date such as 2026-01-31"


@pytest.mark.parametrize(
    ("choices", "expected"),
    [
        (("a", "b"), "born: expected one of a, b"),
        (CHOICES, f"born: expected one of {', '.join(CHOICES[:10])}, …"),
    ],
)
def test_an_enum_names_its_choices(choices: tuple[str, ...], expected: str) -> None:
    """A word that is no choice is answered with the choices, ten at most."""
    assert coerce(field("ENUM", choices=choices), choices[1]) == choices[1]
    with pytest.raises(RowError) as caught:
        coerce(field("ENUM", choices=choices), "z")

    assert caught.value.message == expected


@pytest.mark.parametrize("kind", [list, dict])
def test_depth_is_limited(kind: type) -> None:
    """Lists and objects may be 64 levels deep, given as they are or as text."""
    typed = field("ARRAY" if kind is list else "OBJECT")
    allowed, too_deep = nested(MAX_DEPTH, kind), nested(MAX_DEPTH + 1, kind)

    assert coerce(typed, allowed) == allowed
    assert coerce(typed, msgspec.json.encode(allowed).decode()) == allowed
    for value in (too_deep, msgspec.json.encode(too_deep).decode()):
        with pytest.raises(RowError):
            coerce(typed, value)


SECRET = "zqxj8841"
words = st.text().map(lambda text: text + SECRET)
scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | words
json_values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text() | words, inner, max_size=4)
    ),
    max_leaves=12,
)


@settings(deadline=None)
@given(kind=st.sampled_from(FieldType), value=json_values)
def test_any_json_value_is_coerced_or_rejected(kind: FieldType, value: Any) -> None:
    """Every JSON value gives a result or a RowError, whose text never holds the value."""
    error = None
    try:
        coerce(Field("born", type=kind, choices=("a",)), value)
    except RowError as caught:
        error = caught

    assert error is None or (SECRET not in error.reason and error.__suppress_context__)


@settings(deadline=None)
@given(
    st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.decimals(places=3, allow_nan=False, allow_infinity=False)
)
def test_a_number_survives_being_text(number: Any) -> None:
    """A number printed as text, read again and printed again gives the same text."""
    text = number_text(number)

    assert number_text(coerce(field("NUMBER"), text)) == text


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_what_json_does_not_know_prints_as_in_javascript(value: float) -> None:
    """NaN and the infinities have JavaScript's names."""
    assert number_text(value) in {"NaN", "Infinity", "-Infinity"}


TEXTS = {
    FieldType.DATE: st.one_of(
        st.dates().map(str),
        st.from_regex(r"[0-9]{4}-[01][0-9]-[0-3][0-9]", fullmatch=True),
        st.sampled_from(["2024-02-29", "2100-02-29", "0000-01-01", "٢٠٢٤-٠١-٠١", "2024-01-31\n"]),
    ),
    FieldType.EMAIL: st.one_of(
        st.emails(),
        st.text("ab@. \n\té\x85\u2028\x7f", min_size=1, max_size=8),
        st.sampled_from(["a@b\nc@d", "@b", "a@", "a@@b", "x@" + "y" * 252, "x@" + "y" * 253]),
    ),
}


@settings(max_examples=500)
@given(st.data(), st.sampled_from(sorted(TEXTS)))
def test_a_text_fits_where_it_would_stay_as_it_is(data: st.DataObject, kind: FieldType) -> None:
    """Whether a text may go as it is, is the same alone and among others."""
    texts = data.draw(st.lists(TEXTS[kind], min_size=1, max_size=5))

    for text in texts:
        try:
            stays = coerce(field(kind), text) == text
        except RowError:
            stays = False
        assert bool(FITS[kind](text)) is stays, text

    texts = [text for text in texts if len(text) <= LONGEST.get(kind, len(text))]
    assert ALL_FIT[kind](texts) is all(map(FITS[kind], texts))
