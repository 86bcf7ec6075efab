"""Bodies are the bytes that JavaScript would write, so that those who write them anew agree."""

import json
import random
import struct
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from javascript import needs_node, stringified

from destination.vendor.encoding import encode

MANY = random.Random(5)


def doubles(count: int) -> list[float]:
    """Numbers of every size, from their bits, and the edges of JavaScript's notations."""
    any_bits = [struct.unpack("<d", MANY.randbytes(8))[0] for _ in range(count)]
    usual = [MANY.uniform(-(10**n), 10**n) for n in range(-8, 24) for _ in range(10)]
    whole = [float(MANY.randrange(10**n)) for n in range(1, 24) for _ in range(10)]
    edges = [each * 10.0**n for n in range(-9, 25) for each in (1, -1, 1.5, 9.99)]
    return [*any_bits, *usual, *whole, *edges, 0.0, -0.0, 5e-324, 1.7976931348623157e308]


@needs_node
def test_numbers_are_javascript_s():
    """Each float has the digits that ``JSON.stringify`` gives it."""
    encoded = [encode([each, {"n": each}]) for each in doubles(5000) if abs(each) < float("inf")]

    assert stringified(encoded) == encoded


@needs_node
def test_texts_are_javascript_s():
    """Controls are escaped as there, and nothing else is."""
    texts = [chr(n) for n in range(0xD800)] + [chr(n) for n in range(0xE000, 0x10FFFF, 97)]
    encoded = [encode({"text": each, each * 2: ["x", None, True, {}]}) for each in texts]
    encoded = [each for each in encoded if not each.startswith(b'{"text":"0')]

    same = [one == other for one, other in zip(stringified(encoded), encoded, strict=True)]

    # JavaScript moves keys that are numbers to the front.
    moved = [each for each, kept in zip(encoded, same, strict=True) if not kept]
    assert all(each.decode().split('"')[3].isdigit() for each in moved)
    assert len(moved) == 9


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1.0, b"1"),
        (-1.0, b"-1"),
        (-0.0, b"0"),
        (12.5, b"12.5"),
        (1e16, b"10000000000000000"),
        (1e21, b"1e+21"),
        (1e-6, b"0.000001"),
        (1e-7, b"1e-7"),
        ({"a": [1.0, {"b": 2.0}], "c": (3.0,)}, b'{"a":[1,{"b":2}],"c":[3]}'),
        ([Decimal("1.0"), 1.0], b"[1.0,1]"),
        ([10**30, 1.0], b"[" + str(10**30).encode() + b",1]"),
        ("a,1.0,2e5", b'"a,1.0,2e5"'),
        ({"a,1.0": 1.5}, b'{"a,1.0":1.5}'),
        ([float("nan"), 1.0], b"[null,1]"),
    ],
)
def test_what_goes_out(value, text):
    """Floats are as short as they can be; integers, decimals and texts are as they were."""
    assert encode(value) == text


def tree(leaves: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """JSON with these leaves."""
    return st.recursive(leaves, lambda x: st.lists(x) | st.dictionaries(st.text(), x))


@given(tree(st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()))
def test_nothing_is_lost(value):
    """The same numbers, digit for digit, and the same texts are read as from any other JSON."""

    def read(text: bytes) -> Any:
        return json.loads(text, parse_float=Decimal, parse_int=Decimal)

    assert read(encode(value)) == read(msgspec.json.encode(value))


@given(tree(st.floats(allow_nan=False, allow_infinity=False) | st.text()))
def test_no_float_escapes(value):
    """However deep it stands, a float is written as JavaScript writes it."""

    def floats(value: Any) -> Any:
        match value:
            case float() if value.is_integer() and abs(value) < 2**53:
                return int(value)
            case dict():
                return {key: floats(inner) for key, inner in value.items()}
            case list():
                return [floats(inner) for inner in value]
        return value

    if "e" not in repr(value):
        assert encode(value) == encode(floats(value))
