"""Many rows at once are mapped as each of them alone."""

import json
from collections.abc import Mapping, Sequence
from itertools import count
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from destination.bulk import MANY_FIELDS, Bulk
from destination.columns import MAX_ROW, Columns
from destination.deadline import Deadline
from destination.errors import Code
from destination.mapping import Column, Entry, FieldMapping, Plan, Rendered, Static
from destination.model import Field, FieldType, Operation, Record
from destination.protocols.envelope import InvalidParams
from destination.protocols.hightouch.rows import read_rows
from destination.records import SPAN, Mapped, Mapper
from destination.template import Template
from destination.testing.clock import run_virtually

COLUMNS = ("id", "a", "b", "Ä", 'q"')

TEXTS = st.sampled_from(
    [
        *("", " ", "x", "12.5", "true", "é" * 300),
        *("a@b.c", "a@b", "a@b.c\nd@e.f", "a@b.c\n", " a@b.c"),
        *("2024-01-31", "2024-01-28", "2024-02-30", "0000-01-01", "٢٠٢٤-01-01"),
        *("2024-01-28\n2024-01-27", "2024-01-28\n"),
    ]
)
VALUES = st.one_of(
    TEXTS,
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([2**64, -(2**63) - 1, 10**30, 0.5, -0.0, 1e300]),
    st.sampled_from([[], {}, [1], {"a": {"b": []}}]),
)
ROWS = st.dictionaries(st.sampled_from((*COLUMNS, "A")), VALUES).map(lambda row: {"id": 1} | row)
FIELDS = st.builds(
    Field,
    st.sampled_from(["x", "y", "z", "class", "a.b", "_x", "-"]),
    type=st.sampled_from(FieldType),
    required=st.booleans(),
    identifier=st.booleans(),
)
SOURCES = st.one_of(
    st.builds(Column, st.sampled_from(COLUMNS)), st.builds(Static, st.one_of(TEXTS, st.none()))
)
MAPPINGS = st.lists(
    st.builds(
        Entry, st.sampled_from(["x", "y", "z", "class", "a.b", "_x", "-"]), SOURCES, st.booleans()
    ),
    unique_by=lambda entry: entry.to,
    max_size=4,
)


def raw(row: Mapping[str, Any]) -> msgspec.Raw:
    return msgspec.Raw(json.dumps(row).encode())


def records(many: Bulk, *rows: Mapping[str, Any], start: int = 0) -> list[Record] | None:
    """What becomes of rows that are read together; None when they have to be looked at alone."""
    try:
        read = many.many.decode(json.dumps(rows))
    except msgspec.ValidationError:
        return None
    assert read == [many.one.decode(raw(row)) for row in rows]
    assert many.all_fit(read) is all(map(many.fits, read))
    if not many.all_fit(read):
        return None
    return many.records(read, count(start), lambda position: Columns(raw(rows[position - start])))


def seen(records: Sequence[Record]) -> Any:
    """What there is to see of records: types, and the columns they were made of, too."""
    return [
        (each.position, repr(each.id), {**each.row}, [*map(repr, each.fields.items())])
        for each in records
    ]


def bulk(types: Mapping[str, FieldType], id_column: str = "id", **options: Any) -> Bulk | None:
    """A mapping of each column to the field of its name."""
    fields = [Field(name, type=type, **options) for name, type in types.items()]
    entries = tuple(Entry(name, Column(name)) for name in types)
    return Plan(FieldMapping(entries), fields, Operation.ADD).bulk(id_column)


@given(
    st.lists(FIELDS, unique_by=lambda field: field.id),
    MAPPINGS,
    st.sampled_from(Operation),
    st.lists(ROWS, min_size=1, max_size=4),
)
@example(
    [Field("x", type=FieldType.EMAIL)],
    [Entry("x", Column("a"))],
    Operation.ADD,
    [{"id": 1, "a": "a@b.c\nd@e.f"}],
)
@example([], [Entry("x", Column("a")), Entry("y", Static("f"))], Operation.ADD, [{"id": 2, "a": 1}])
def test_it_is_as_if_each_were_mapped_alone(
    fields: Sequence[Field],
    entries: Sequence[Entry],
    operation: Operation,
    rows: Sequence[Mapping[str, Any]],
) -> None:
    """Whatever the fields, the mapping and the rows are, together they become what each becomes."""
    plan = Plan(FieldMapping(tuple(entries)), fields, operation)
    many = plan.bulk("id")

    together = many and records(many, *rows, start=7)

    if together is not None:
        alone = [
            plan.record(position, row["id"], Columns(raw(row)))
            for position, row in enumerate(rows, 7)
        ]
        assert seen(together) == seen(alone)


@pytest.mark.parametrize(
    ("type", "values"),
    [
        (FieldType.STRING, ["x", "", None]),
        (FieldType.NUMBER, [1, 0.5, 10**30, None]),
        (FieldType.BOOLEAN, [True, False, None]),
        (FieldType.EMAIL, ["a@b.c", "é@b", None]),
        (FieldType.DATE, ["2024-01-28", "1999-12-01", None]),
        (FieldType.UNKNOWN, ["x", "", 1, 0.5, False, None]),
    ],
)
def test_what_is_as_declared_is_mapped_together(type: FieldType, values: Sequence[Any]) -> None:
    """Values of the declared type, and null where nothing is required, need no second look."""
    many = bulk({"a": type})
    assert many is not None

    made = records(many, *({"id": str(n), "a": each} for n, each in enumerate(values)))

    assert made is not None
    assert [each.fields for each in made] == [{"a": value} for value in values]
    assert [each.id for each in made] == [str(n) for n in range(len(values))]


@pytest.mark.parametrize(
    "row", [{"a": "x"}, {"id": 1}, {"id": None, "a": "x"}, {"id": True, "a": ""}]
)
def test_a_row_that_lacks_something_is_left_to_the_other_way(row: Mapping[str, Any]) -> None:
    """Without its id or a mapped column a row is looked at alone, and so are its neighbours."""
    many = bulk({"a": FieldType.STRING})
    assert many is not None

    assert records(many, {"id": 1, "a": "x"}) is not None
    assert records(many, {"id": 1, "a": "x"}, row) is None


@pytest.mark.parametrize("length", [253, 254, 255])
def test_a_text_may_be_as_long_as_alone(length: int) -> None:
    """An address has its limit here too."""
    many = bulk({"a": FieldType.EMAIL}, required=True)
    assert many is not None

    made = records(many, {"id": 1, "a": "x@" + "y" * (length - 2)})

    assert (made is not None) is (length <= 254)


def test_the_id_may_be_mapped_too() -> None:
    """A column that is both the id and a field is read once, for both."""
    many = bulk({"id": FieldType.STRING})
    assert many is not None

    [record] = records(many, {"id": "7", "a": 1}) or []

    assert (record.id, record.fields, dict(record.row)) == ("7", {"id": "7"}, {"id": "7", "a": 1})
    assert records(many, {"id": 7}) is None  # to be made a text


@pytest.mark.parametrize(
    "entry",
    [
        Entry("x", Rendered(Template.parse("{{ a }}"))),
        Entry("x.y", Column("a")),
        Entry("x", Column("ä")),
        Entry("x", Column('a"')),
        Entry("x", Column("b")),
        Entry("when", Column("a")),
    ],
    ids=str,
)
def test_what_needs_thought_is_not_for_many_at_once(entry: Entry) -> None:
    """Templates, nested fields, odd columns, one for two fields, and types to be converted."""
    entries = (Entry("b", Column("b")), entry)

    plan = Plan(FieldMapping(entries), [Field("when", type=FieldType.DATETIME)], Operation.ADD)

    assert Plan(FieldMapping(entries[:1]), (), Operation.ADD).bulk("id") is not None
    assert plan.bulk("id") is None


async def chunks(plan: Plan, array: bytes, seconds: float = 25) -> list[Mapped]:
    """Everything that becomes of the rows of an array."""
    rows = read_rows(msgspec.Raw(array), "id", ["a"], most=100_000)
    mapper, all = Mapper(plan, rows, Deadline(seconds)), list[Mapped]()
    while chunk := await mapper.chunk():
        all.append(chunk)
    return all


NUMBERS = Plan(
    FieldMapping((Entry("a", Column("a")),)),
    [Field("a", type=FieldType.NUMBER)],
    Operation.ADD,
)


def test_very_many_fields_are_not_made_together() -> None:
    """What writes them would take time to be made that grows with the square of their number."""
    few = dict.fromkeys((f"c{n}" for n in range(MANY_FIELDS)), FieldType.STRING)

    assert bulk(few) is not None
    assert bulk(few | {"one more": FieldType.STRING}) is None


@pytest.mark.parametrize("separators", [None, (",", ":")], ids=["spaced", "compact"])
@pytest.mark.parametrize(
    "odd", [{0}, {SPAN + 3}, {*range(7, 3 * SPAN, 100)}, {*range(2 * SPAN, 3 * SPAN)}],
    ids=["first", "one", "some", "many"],
)  # fmt: skip
def test_odd_rows_cost_their_neighbours_nothing(odd: set[int], separators: Any) -> None:
    """Rows are mapped together where they can be and alone where not; all are there, in order."""
    rows = [{"id": n, "a": n} for n in range(3 * SPAN)]
    for n in odd:
        rows[n]["a"] = str(n) if n % 2 else "no number"  # type: ignore[assignment]

    array = json.dumps(rows, separators=separators).encode()
    [(made, rejections)] = run_virtually(chunks(NUMBERS, array))

    bad = sorted(n for n in odd if n % 2 == 0)
    assert [each.position for each in rejections] == bad
    assert [each.position for each in made] == [n for n in range(3 * SPAN) if n not in {*bad}]
    assert all(each.fields == {"a": each.position} == {"a": each.id} for each in made)
    assert all(dict(each.row) == rows[each.position] for each in made)


@pytest.mark.parametrize("separators", [None, (",", ":")])
def test_a_row_that_is_too_long_costs_its_neighbours_nothing(separators: Any) -> None:
    """The size of a row has its limit however it is read, and wherever the bytes stand."""
    rows = [{"id": n, "a": n, "b": "x" * (MAX_ROW - 100 if n != 2 else MAX_ROW)} for n in range(4)]

    array = json.dumps(rows, separators=separators).encode()
    [(made, [rejection])] = run_virtually(chunks(NUMBERS, array))

    assert [each.position for each in made] == [0, 1, 3]
    assert (rejection.position, rejection.error.code) == (2, Code.TOO_LARGE)


def test_a_row_without_an_id_is_told_before_any_is_sent() -> None:
    """Mapping ends where the outcome of a row could not be reported."""
    with pytest.raises(InvalidParams, match="row 1 has no usable id"):
        run_virtually(chunks(NUMBERS, b'[{"id":1,"a":1},{"id":null,"a":1}]'))


@pytest.mark.parametrize("array", [b'[{"id":1,"a":1}]', b'[{"id":1,"a":"1"}]', b'[{"a":1,"id":1}]'])
def test_rows_that_are_too_late_are_not_sent(array: bytes) -> None:
    """However they would be read, rows that come to be mapped after the deadline are rejected."""
    [(made, [rejection])] = run_virtually(chunks(NUMBERS, array, seconds=-1))

    assert (made, rejection.error.code) == ([], Code.DEADLINE_NOT_SENT)
