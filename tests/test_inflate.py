"""Compressed bodies come out whole, or not at all, and never larger than the limit."""

import contextlib
import gzip
import tracemalloc
import zlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from destination.inflate import InflatedTooLarge, InflateError, Inflater

TEXT = b'{"jsonrpc":"2.0","id":1,"method":"list_objects"}' * 20


def raw_deflate(body: bytes) -> bytes:
    compressor = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return compressor.compress(body) + compressor.flush()


FORMS = [
    pytest.param("gzip", gzip.compress, id="gzip"),
    pytest.param("x-gzip", gzip.compress, id="x-gzip"),
    pytest.param("deflate", zlib.compress, id="zlib"),
    pytest.param("deflate", raw_deflate, id="raw"),
]
PLAIN = [
    pytest.param("identity", bytes, id="identity"),
    pytest.param("", bytes, id="none"),
]


def inflated(encoding: str, *pieces: bytes, limit: int = 1_000_000) -> bytes:
    inflater = Inflater(encoding, limit)
    for piece in pieces:
        inflater.feed(piece)
    return inflater.finish()


def single(body: bytes) -> list[bytes]:
    """The bytes one by one."""
    return [body[at : at + 1] for at in range(len(body))]


@pytest.mark.parametrize(("encoding", "encode"), FORMS + PLAIN)
@pytest.mark.parametrize("body", [b"", b"x", TEXT, bytes(300_000)])
def test_body_comes_out_as_it_went_in(encoding: str, encode: Any, body: bytes) -> None:
    """Every supported encoding is taken off, whether the body comes at once or in pieces."""
    encoded = encode(body)

    assert inflated(encoding, encoded) == body
    assert (
        inflated(encoding, *(encoded[at : at + 1000] for at in range(0, len(encoded), 1000)))
        == body
    )


@pytest.mark.parametrize(("encoding", "encode"), FORMS + PLAIN)
def test_body_may_come_byte_by_byte(encoding: str, encode: Any) -> None:
    """The pieces' sizes do not matter, and empty ones are nothing."""
    assert inflated(encoding, *single(encode(TEXT))) == TEXT
    assert inflated(encoding, b"", encode(TEXT), b"") == TEXT


@pytest.mark.parametrize("level", range(10))
def test_every_level_of_zlib_is_told_from_raw_deflate(level: int) -> None:
    """Deflate with zlib's header and without are told apart at every level of compression."""
    raw = zlib.compressobj(level, wbits=-zlib.MAX_WBITS)

    assert inflated("deflate", zlib.compress(TEXT, level)) == TEXT
    assert inflated("deflate", raw.compress(TEXT) + raw.flush()) == TEXT


@pytest.mark.parametrize(("encoding", "encode"), FORMS)
def test_body_that_ends_early_is_an_error(encoding: str, encode: Any) -> None:
    """A compressed body that lacks its last byte, or all of them, is refused."""
    for body in (encode(TEXT)[:-1], encode(TEXT)[:5], b""):
        with pytest.raises(InflateError):
            inflated(encoding, body)


@pytest.mark.parametrize(("encoding", "encode"), FORMS)
@pytest.mark.parametrize("extra", [b"x", b"\0", gzip.compress(TEXT)], ids=["x", "null", "member"])
def test_bytes_after_the_end_are_an_error(encoding: str, encode: Any, extra: bytes) -> None:
    """Anything after the end of the compressed body is refused, however it arrives."""
    for pieces in ([encode(TEXT) + extra], [encode(TEXT), extra], single(encode(TEXT) + extra)):
        with pytest.raises(InflateError):
            inflated(encoding, *pieces)


@pytest.mark.parametrize("encoding", ["gzip", "x-gzip", "deflate"])
@pytest.mark.parametrize("body", [TEXT, b"\0" * 100, b"\x1f\x8b" + b"\xff" * 50, b"\x78\x9c\xff"])
def test_body_of_another_format_is_an_error(encoding: str, body: bytes) -> None:
    """Bytes that are not what the encoding says are refused."""
    with pytest.raises(InflateError):
        inflated(encoding, body)


def test_corruption_inside_zlib_is_not_taken_for_raw_deflate() -> None:
    """A zlib body that turns bad after some output is refused, not started again as raw."""
    body = bytearray(zlib.compress(bytes(range(256)) * 400, 0))
    body[-1] ^= 1

    with pytest.raises(InflateError):
        inflated("deflate", bytes(body[:-1]), bytes(body[-1:]))


@pytest.mark.parametrize(("encoding", "encode"), FORMS + PLAIN)
def test_limit_counts_inflated_bytes(encoding: str, encode: Any) -> None:
    """A body of exactly the limit fits, one byte more does not, in one piece or in many."""
    encoded = encode(TEXT)
    fits, exceeds = len(TEXT), len(TEXT) - 1

    assert inflated(encoding, encoded, limit=fits) == TEXT
    assert inflated(encoding, *single(encoded), limit=fits) == TEXT
    with pytest.raises(InflatedTooLarge, match=str(exceeds)):
        inflated(encoding, encoded, limit=exceeds)
    with pytest.raises(InflatedTooLarge):
        inflated(encoding, *single(encoded), limit=exceeds)


@pytest.mark.parametrize(("encoding", "wbits"), [("gzip", 31), ("deflate", 15), ("deflate", -15)])
def test_bomb_costs_no_more_than_its_limit(encoding: str, wbits: int) -> None:
    """A body that inflates to 50 times the limit is given up when the limit is reached."""
    limit = 1024 * 1024
    compressor = zlib.compressobj(wbits=wbits)
    bomb = b"".join([compressor.compress(bytes(limit)) for _ in range(50)] + [compressor.flush()])

    tracemalloc.start()
    try:
        with pytest.raises(InflatedTooLarge):
            inflated(encoding, bomb, limit=limit)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak < 4 * limit


def test_only_known_encodings_are_supported() -> None:
    """The supported encodings are gzip, deflate and none."""
    known = {"gzip", "x-gzip", "deflate", "identity", ""}
    offered = known | {"br", "zstd", "compress", "gzip, gzip", "GZIP"}

    assert {each for each in offered if Inflater.supports(each)} == known


@settings(deadline=None, derandomize=True, max_examples=300)
@given(
    encoding=st.sampled_from(["gzip", "deflate"]),
    pieces=st.lists(st.binary(max_size=40), max_size=5),
    prefix=st.sampled_from([b"", b"\x1f\x8b\x08", b"\x78\x9c", zlib.compress(TEXT), b"\x4b"]),
)
def test_any_bytes_come_out_or_are_refused(
    encoding: str, pieces: list[bytes], prefix: bytes
) -> None:
    """Whatever the bytes are, they are inflated within the limit or refused in a known way."""
    with contextlib.suppress(InflateError, InflatedTooLarge):
        assert len(inflated(encoding, prefix, *pieces, limit=100)) <= 100
