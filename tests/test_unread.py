"""Rows that nobody has read are cut where they seem to end, and are read as they are."""

import itertools
import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from destination.columns import MAX_ROW
from destination.errors import Code, RowError
from destination.model import Operation
from destination.protocols import hightouch
from destination.protocols.envelope import Envelope, checked, read_body, read_but_for
from destination.protocols.hightouch.rows import read_rows
from destination.raw import MARK, MAX_TOKENS, ParseError, members
from destination.unread import TooManyRows, Unread, ids_of

SHAPES = {name: each.params for name, each in hightouch.METHODS.items()}
ENOUGH = 10_000

JSON = st.recursive(
    st.one_of(
        st.none(),
        st.integers(),
        st.sampled_from(["", "é", '"', "\\", '"rows":[{', "}]", '},{"id":', "[{", "]}}"]),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(["id", "a", "rows", '},{"id', "}]"]), inner, max_size=3),
    ),
    max_leaves=8,
)
ROWS = st.lists(
    st.dictionaries(st.sampled_from(["a", "items", "é", '"}],"']), JSON, max_size=3), max_size=6
)


def array(rows: Sequence[Any], **options: Any) -> msgspec.Raw:
    """Rows as JSON.stringify writes them, unless it is said otherwise."""
    compact = {"separators": (",", ":")} | options
    return msgspec.Raw(json.dumps(rows, **compact).encode())


def unread(rows: Sequence[Any] | msgspec.Raw, most: int = ENOUGH, column: str = "id") -> Unread:
    """What is known of rows before any is read."""
    text = rows if isinstance(rows, msgspec.Raw) else array(rows)
    return read_rows(text, column, ["a"], most)


def numbered(rows: Sequence[Mapping[str, Any]], **more: Any) -> list[dict[str, Any]]:
    """Rows with an id each."""
    return [{"id": n} | dict(row) | more for n, row in enumerate(rows)]


def looked_at(rows: Unread) -> list[Any]:
    """All columns of all rows, one row after another; None for those that cannot be read."""
    return [None if isinstance(one.columns, RowError) else {**one.columns} for one in rows]


# Parts ------------------------------------------------------------------------------------------


@given(ROWS, st.sampled_from([(",", ":"), (", ", ": "), (" ,", " : ")]), st.booleans())
def test_rows_are_what_they_are_in_json(
    rows: Sequence[Mapping[str, Any]], separators: tuple[str, str], is_escaped: bool
) -> None:
    """Whatever they hold and however they are written, each row is read as it came."""
    came = numbered(rows)

    read = unread(array(came, separators=separators, ensure_ascii=is_escaped))

    assert bool(read) is bool(came)
    assert looked_at(read) == came
    assert (len(read), list(read.ids)) == (len(came), [row["id"] for row in came])


WHOLE = msgspec.json.Decoder(list[dict[str, Any]])


@settings(max_examples=30, deadline=None)
@given(ROWS, st.lists(st.integers(1, MAX_ROW // 2), min_size=1, max_size=5))
def test_rows_in_many_parts_are_each_read_once(
    rows: Sequence[Mapping[str, Any]], sizes: Sequence[int]
) -> None:
    """However the cuts fall, each row is read once, in order, or is left to be read alone."""
    came = [
        row | {"x": "x" * size}
        for row, size in zip(numbered(rows), itertools.cycle(sizes), strict=False)
    ]
    read = unread(came)

    together, alone = list[Any](), list[Any]()
    for start, part in read.parts(WHOLE):
        assert start == len(together)
        together += part or ()
        alone += came[start:] if part is None else ()

    assert together + alone == looked_at(read) == came


def test_a_part_holds_as_many_rows_as_are_no_longer_than_one_may_be() -> None:
    """Large calls come in parts, so that only a part of them is held as more than JSON."""
    rows = unread(numbered([{}] * 42, x="x" * (MAX_ROW // 4 - 100)))

    assert [len(part or ()) for _, part in rows.parts(WHOLE)] == [4] * 10 + [2]
    assert len(rows) == 42


def test_what_cannot_be_read_together_is_left_with_all_behind_it() -> None:
    """The rows before it were read, and are not read again."""
    decoder = msgspec.json.Decoder(list[dict[str, int]])
    rows = numbered([{"a": 1}] * 30_000)
    rows[20_000]["a"] = "x"

    *parts, (start, rest) = unread(rows, most=50_000).parts(decoder)

    assert [row for _, part in parts for row in part or ()] == rows[:start]
    assert (10_000 < start <= 20_000, rest) == (True, None)


def test_a_seam_within_a_row_is_found_out() -> None:
    """Where objects within a row look like rows, they do not become any."""
    items = [{"id": n, "x": "x" * 1000} for n in range(300)]
    came = [{"id": "a", "items": items[:200]}, {"id": "b", "items": items}, {"id": "c"}]

    read = unread(came)

    assert [start for start, part in read.parts(WHOLE) if part is None] == [0]
    assert looked_at(read)[0] == came[0]
    assert [row.id for row in read] == ["a", "b", "c"]


def deeper(levels: int, what: Callable[[], Any]) -> Any:
    """What comes of it so many levels further down the stack, C's included."""
    return what() if not levels else next(map(partial(deeper, levels - 1), [what]))


def test_what_was_read_once_can_be_read_again_from_anywhere() -> None:
    """Nesting that can just be read is found too deep further down the stack, but not of rows."""
    depth = 100
    with suppress(ParseError):
        while members(b"[" * (depth + 20) + b"]" * (depth + 20)):
            depth += 10
    nested = b"[" * depth + b"]" * depth
    rows = unread(msgspec.Raw(b'[{"id":1,"x":%s}]' % nested))

    assert list(rows.ids) == [1]
    with pytest.raises(ParseError):
        deeper(60, lambda: members(nested))
    assert len(deeper(60, lambda: rows.raw)) == 1


@pytest.mark.parametrize("end", [b"", b"]", b"},{", b'{"id":2}', b'\x01"}', b",", b"nul", b"\\"])
def test_what_is_no_json_is_found_out(end: bytes) -> None:
    """A row that cannot be one fails all: nothing of such a call may be sent."""
    rows = array(numbered([{}] * 3, x="x" * 200_000))
    read = unread(msgspec.Raw(bytes(rows)[:-1] + end + b"]")) if end else unread(rows)

    if end:
        with pytest.raises(ParseError):
            len(read)
    else:
        assert len(read) == 3


def test_a_lone_surrogate_costs_its_row_alone() -> None:
    """A row with what is no text is marked, and cannot be read; its neighbours can."""
    text = array([{"id": "A"}, {"id": "x", "a": "LONE"}, {"id": "B", "a": 1}])

    read = unread(msgspec.Raw(bytes(text).replace(b"LONE", rb"\ud800")))

    assert looked_at(read) == [{"id": "A"}, None, {"id": "B", "a": 1}]
    assert MARK in bytes(read.raw[1])
    assert list(read.ids) == ["A", "x", "B"]


# Ids --------------------------------------------------------------------------------------------


def test_ids_are_read_without_the_rows() -> None:
    """They are known of rows that cannot be read, too; there is none where none is usable."""
    rows = [{"id": 1}, {"id": None}, {"id": "x", "x": "x" * MAX_ROW}, {}, {"id": [1]}, {"id": 2.5}]

    assert list(ids_of(unread(rows))) == [1, None, "x", None, None, 2.5]


@pytest.mark.parametrize("end", [b"", b",{]"], ids=["too-many", "no-json"])
def test_rows_that_cannot_be_read_have_no_ids(end: bytes) -> None:
    """No other call has to wait for them, or is told of it: nothing of them will be sent."""
    rows = unread(msgspec.Raw(bytes(array(numbered([{}] * 9)))[:-1] + end + b"]"), most=8)

    assert list(ids_of(rows)) == []
    with pytest.raises((ParseError, TooManyRows)):
        len(rows)


@pytest.mark.parametrize("rows", [[{"id": 1}, {"id": True}], [{"id": 1}, {}]])
def test_rows_are_vetted_before_any_is_sent(rows: Sequence[Any]) -> None:
    """What would be raised for the last of them is raised for all."""
    with pytest.raises(Exception, match="row 1 has no usable id"):
        unread(rows).vet()

    unread(rows[:1]).vet()


# Limits -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("more", ["", "x" * 100_000])
def test_too_many_rows_are_counted(more: str) -> None:
    """The error says how many there are, though no more are kept than there may be."""
    read = unread(numbered([{}] * 5, x=more), most=4)

    with pytest.raises(TooManyRows) as raised:
        looked_at(read)

    assert raised.value.count == 5
    assert len(unread(numbered([{}] * 5), most=5)) == 5


HEAVY = f"[{'[],' * 80_000}0]"
HEAVY_ROWS = MAX_TOKENS // 160_000 + 1
"""Of a list that takes many times the room of its brackets, more than may be read."""


def test_rows_that_hold_too_much_are_not_looked_at_one_by_one() -> None:
    """However few they are: nothing of such a call may be sent."""
    row = f'{{"id":1,"a":{HEAVY}}}'

    with pytest.raises(ParseError, match="too many values"):
        len(unread(msgspec.Raw(f"[{','.join([row] * HEAVY_ROWS)}]".encode())))

    assert len(unread(msgspec.Raw(f"[{','.join([row] * (HEAVY_ROWS - 2))}]".encode()))) == 30


def test_rows_that_hold_too_much_are_found_out_before_any_is_sent() -> None:
    """Also where their ids were asked for already, which are no more than usual."""
    row = f'{{"id":1,"a":{HEAVY}}}'
    rows = unread(msgspec.Raw(f"[{','.join([row] * HEAVY_ROWS)}]".encode()))

    assert list(rows.ids) == [1] * HEAVY_ROWS

    with pytest.raises(ParseError, match="too many values"):
        rows.vet()
    with pytest.raises(ParseError, match="too many values"):
        _ = rows[0]


def test_what_was_not_mapped_may_hold_too_much_to_be_read() -> None:
    """Rows that were mapped without it are rejected by whoever asks for the rest of them."""
    row = f'{{"id":1,"a":"a","x":{HEAVY}}}'
    rows = unread(msgspec.Raw(f"[{','.join([row] * HEAVY_ROWS)}]".encode()))
    decoder = msgspec.json.Decoder(list[msgspec.defstruct("Mapped", [("a", str)])])  # type: ignore[misc]

    read = [one for _, part in rows.parts(decoder) for one in part or ()]

    assert len(read) == len(rows) == HEAVY_ROWS
    with pytest.raises(RowError, match="too many values") as raised:
        rows.columns(3)["x"]
    assert raised.value.code is Code.INVALID_ROW
    assert rows.columns(3).raw == row.encode()  # what it is can still be told from others


# A request whose rows are not read ---------------------------------------------------------------


def request(rows: Sequence[Any], *, order: Sequence[str] = (), **params: Any) -> bytes:
    """A call with these rows, its params in this order."""
    given = {"rows": rows, "idColumn": "id", "configuration": {"mode": "m"}} | params
    ordered = {name: given[name] for name in order} | given
    body = {"jsonrpc": "2.0", "id": 7, "method": "add", "params": ordered}
    return json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode()


def told(body: bytes) -> Any:
    """All rows of a call and its configuration; of what is no such call, what it is."""
    body = bytes(checked(body))
    if request := read_but_for("rows", body, SHAPES):
        with suppress(ParseError):
            return _parts(request)
    [item], _ = read_body(body, SHAPES)
    is_call = isinstance(item, Envelope) and isinstance(item.params, SHAPES[Operation.ADD])
    return _parts(item) if is_call else json.loads(body)


def _parts(request: Any) -> Any:
    given = request.params.configuration
    configuration = json.loads(bytes(given)) if isinstance(given, msgspec.Raw) else None
    return [json.loads(bytes(each)) for each in unread(request.params.rows).raw], configuration


def meant(body: bytes) -> Any:
    """The same by reading all of it."""
    whole = json.loads(body)
    called = isinstance(whole, dict) and (whole.get("jsonrpc"), whole.get("method"))
    params = whole.get("params") if called == ("2.0", "add") else None
    is_call = isinstance(params, dict) and isinstance(params.get("rows"), list)
    return (params["rows"], params.get("configuration")) if is_call else whole


@given(
    ROWS,
    JSON,
    st.permutations(["rows", "idColumn", "configuration"]),
    st.sampled_from(
        [
            b"",
            b',"rows":[{"id":2,"n":2}]',
            b',"more":[{"id":2},{"id":3}]',
            b',"more":{"rows":[{"id":2}]}',
            b'},"more":{"rows":[{"id":2},{"id":3}]',
        ]
    ),
)
def test_a_request_is_what_it_is_in_json(
    rows: Sequence[Mapping[str, Any]], value: Any, order: Sequence[str], more: bytes
) -> None:
    """Whatever looks like the rows' beginning or end, only the rows are taken for the rows."""
    configuration = {"mode": "m", "value": value, "rows": [{"id": 1}]}
    body = request(numbered(rows), order=order, configuration=configuration)
    body = body[: -len(b"}}")] + more + b"}}"

    assert told(body) == meant(body)


@settings(max_examples=300)
@given(ROWS, JSON, st.data())
def test_a_damaged_request_is_no_other(
    rows: Sequence[Mapping[str, Any]], value: Any, data: st.DataObject
) -> None:
    """A body in which a byte is lost or another is read as what it is then, or not at all."""
    body = request(numbered(rows), configuration={"value": value})
    at = data.draw(st.integers(0, len(body) - 1))
    byte = data.draw(st.sampled_from([b"", b"}", b"]", b'"', b",", b"[", b"{", b" ", b":"]))
    damaged = body[:at] + byte + body[at + 1 :]

    try:
        wanted = meant(damaged)
    except ValueError:
        with pytest.raises(ParseError):
            told(damaged)
    else:
        assert told(damaged) == wanted


def test_the_rows_of_a_request_are_left_in_it() -> None:
    """They are not read before it is known what of them is wanted."""
    rows = numbered([{"a": "a"}] * 1000)

    called = read_but_for("rows", request(rows), SHAPES)

    assert called is not None
    assert (called.method, bytes(called.params.rows)) == ("add", bytes(array(rows)))


def test_what_is_between_the_rows_may_be_no_json() -> None:
    """It is found out when they are read, not before; beside them it is found out at once."""
    body = request(numbered([{"a": "a"}] * 3))

    called = read_but_for("rows", body.replace(b'"a":"a"', b"a"), SHAPES)

    assert called is not None
    with pytest.raises(ParseError):
        len(unread(called.params.rows))
    assert read_but_for("rows", body.replace(b'"idColumn":', b"idColumn:"), SHAPES) is None
