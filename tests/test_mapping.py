"""Rows become records: each field from its source, in its type, or a reason why not."""

import copy
from typing import Any

import pytest

from destination.errors import Code, RowError
from destination.mapping import (
    MISSING,
    Column,
    Entry,
    FieldMapping,
    Plan,
    Rendered,
    Source,
    Static,
    Unresolved,
)
from destination.model import Field, FieldType, Operation, Record
from destination.template import Template

EMAIL = Field("email", "E-mail", FieldType.EMAIL, required=True, identifier=True)
NAME = Field("name", "Name", required=True)
BORN = Field("born", "Born", FieldType.DATE)
FIELDS = (EMAIL, NAME, BORN)

BASE = {"email": Column("email"), "name": Column("name")}
ROW = {"email": "a@b.c", "name": "Ann"}


def mapping(entries: dict[str, Source], identifiers: tuple[str, ...] = ("email",)) -> FieldMapping:
    """A mapping with these sources by field."""
    return FieldMapping(
        tuple(Entry(to, source, to in identifiers) for to, source in entries.items())
    )


def record(
    row: dict[str, Any],
    entries: dict[str, Source],
    *,
    fields: tuple[Field, ...] = (),
    operation: Operation = Operation.ADD,
    identifiers: tuple[str, ...] = ("email",),
) -> Record:
    """The record of one row."""
    return Plan(mapping(entries, identifiers), fields, operation).record(0, "id", row)


def refused(row: dict[str, Any], entries: dict[str, Source], **kwargs: Any) -> RowError:
    """Why a row becomes no record."""
    with pytest.raises(RowError) as raised:
        record(row, entries, **kwargs)
    return raised.value


class TestPaths:
    """Where values go."""

    def test_a_plain_name_is_a_key(self):
        """A field without dots is a key of the record."""
        assert record({"a": 1}, {"x": Column("a")}).fields == {"x": 1}

    def test_dots_make_nested_objects(self):
        """Fields below the same name share one object."""
        entries = {
            "address.city": Column("city"),
            "address.geo.lat": Column("lat"),
            "address.geo.lon": Column("lon"),
            "name": Column("name"),
        }
        row = {"city": "Ulm", "lat": 48.4, "lon": 10.0, "name": "A"}

        assert record(row, entries).fields == {
            "address": {"city": "Ulm", "geo": {"lat": 48.4, "lon": 10.0}},
            "name": "A",
        }

    def test_a_missing_column_makes_no_empty_object(self):
        """Objects exist only for values that do."""
        assert record({}, {"address.city": Column("city")}).fields == {}

    @pytest.mark.parametrize("names", [("a", "a.b"), ("a.b", "a"), ("a.b.c", "a")])
    def test_a_field_inside_another_rejects_the_rows(self, names):
        """Which of the two would win is nobody's guess, in whichever order they stand."""
        entries = {name: Column(name[-1]) for name in names}

        error = refused({"a": {"x": 1}, "b": 2, "c": 3}, entries)

        assert error.code is Code.CONFIG_INVALID
        assert "a is mapped too" in error.message

    def test_nothing_of_a_row_passes_to_the_next(self):
        """Records share no objects that one of them could change."""
        plan = Plan(
            mapping({"fixed.a": Static({"k": 1}), "fixed.b": Column("b")}),
            (),
            Operation.ADD,
        )

        first = plan.record(0, 1, {"b": "private"})
        second = plan.record(1, 2, {})

        assert first.fields == {"fixed": {"a": {"k": 1}, "b": "private"}}
        assert second.fields == {"fixed": {"a": {"k": 1}}}

    def test_the_row_stays_as_it_was(self):
        """Mapping reads the row and changes nothing in it."""
        row = {"a": {"deep": [1]}, "b": "2001-02-03"}
        before = copy.deepcopy(row)

        made = record(row, {"x.y": Column("a"), "born": Column("b")}, fields=FIELDS[2:])

        assert row == before
        assert made.row is row

    def test_position_and_id_are_kept(self):
        """A record knows which row it was."""
        plan = Plan(mapping({}), (), Operation.ADD)

        made = plan.record(7, 10**30, {"a": 1})

        assert (made.position, made.id, made.fields) == (7, 10**30, {})


class TestConflicts:
    """What cannot be meant."""

    def test_two_columns_for_one_field(self):
        """Both sources are named; a third says nothing new."""
        entries = [Entry("x", Column(name)) for name in "abc"]

        assert list(FieldMapping(tuple(entries)).conflicts()) == [
            'Field "x" is mapped twice, from column "a" and from column "b". Keep one of them.'
        ]

    def test_sources_of_different_kinds(self):
        """Templates and fixed values are sources as columns are."""
        entries = (Entry("x", Static(1)), Entry("x", Rendered(Template.parse("{{ a }}"))))

        assert list(FieldMapping(entries).conflicts()) == [
            'Field "x" is mapped twice, from a fixed value and from a template. Keep one of them.'
        ]

    def test_the_same_twice_is_no_conflict(self):
        """An identifier may be mapped again like any field."""
        entries = (Entry("x", Column("a"), identifier=True), Entry("x", Column("a")))

        assert list(FieldMapping(entries).conflicts()) == []

    def test_a_field_inside_another(self):
        """A field and a part of it cannot both be mapped."""
        entries = (Entry("a.b.c", Column("x")), Entry("a", Column("y")), Entry("ab", Column("z")))

        assert list(FieldMapping(entries).conflicts()) == [
            'Fields "a" and "a.b.c" contain each other: map one of them.'
        ]

    def test_the_later_of_two_wins(self):
        """Where both are sent all the same, entries are merged in order."""
        entries = (Entry("x", Column("a"), identifier=True), Entry("x", Column("b")))

        made = Plan(FieldMapping(entries), (), Operation.ADD).record(0, 1, {"a": 1, "b": 2})

        assert made.fields == {"x": 2}


class TestColumns:
    """How columns are found."""

    def test_the_exact_name_comes_first(self):
        """A column of another case does not stand in the way."""
        assert Column("Email").read({"email": 1, "Email": 2, "EMAIL": 3}) == 2

    @pytest.mark.parametrize("name", ["email", "EMAIL", "eMail"])
    def test_the_only_one_of_another_case_serves(self, name):
        """Warehouses change the case of names; one that is unique is meant."""
        assert Column("Email").read({name: 1, "other": 2}) == 1

    def test_of_several_of_another_case_none_serves(self):
        """Where two could be meant neither is."""
        assert Column("Email").read({"email": 1, "EMAIL": 2}) is MISSING

    def test_null_is_not_missing(self):
        """A null is a value; a column that is not there is none."""
        assert Column("a").read({"a": None}) is None
        assert Column("a").read({}) is MISSING


class TestNulls:
    """Null empties a field, a missing column leaves it alone."""

    def test_null_is_passed_on(self):
        """An explicit null arrives as null, uncoerced."""
        made = record({"born": None}, {"born": Column("born")}, fields=(BORN,))

        assert made.fields == {"born": None}

    def test_a_missing_column_is_left_out(self):
        """What the row does not have is not in the record."""
        assert record({}, {"born": Column("born")}, fields=(BORN,)).fields == {}

    @pytest.mark.parametrize(
        ("row", "what"),
        [
            ({"email": "a@b.c"}, 'name: required, but column "name" is not in the row'),
            ({"email": "a@b.c", "name": None}, 'name: required, but column "name" is empty'),
            ({"email": "a@b.c", "name": ""}, 'name: required, but column "name" is empty'),
            ({"name": "A"}, 'email: required, but column "email" is not in the row'),
        ],
    )
    def test_a_required_field_needs_a_value(self, row, what):
        """A required field that is empty or missing rejects the row and says which it is."""
        error = refused(row, BASE, fields=FIELDS)

        assert error.message == what
        assert error.code is Code.INVALID_ROW

    def test_zero_and_false_are_values(self):
        """Only nothing is nothing."""
        fields = (Field("n", type=FieldType.NUMBER, required=True), Field("b", required=True))

        made = record({"n": 0, "b": "0"}, {"n": Column("n"), "b": Column("b")}, fields=fields)

        assert made.fields == {"n": 0, "b": "0"}

    def test_a_required_field_must_be_mapped(self):
        """A sync without it rejects its rows by the field's name."""
        error = refused(ROW, {"email": Column("email")}, fields=FIELDS)

        assert error.message == "name: required, but nothing is mapped to it"

    def test_what_rows_are_matched_by_needs_a_value(self):
        """An identifier is required though its field is not."""
        handle = Field("handle", identifier=True)

        error = refused(
            {"h": None}, {"handle": Column("h")}, fields=(handle,), identifiers=("handle",)
        )

        assert error.message == 'handle: required, but column "h" is empty'


class TestTypes:
    """Declared types hold, others are not touched."""

    def test_declared_fields_are_coerced(self):
        """A value arrives in its field's type."""
        fields = (Field("n", type=FieldType.NUMBER), Field("ok", type=FieldType.BOOLEAN), BORN)
        entries = {name: Column(name) for name in ("n", "ok", "born")}

        made = record({"n": "12", "ok": "true", "born": "2001-02-03"}, entries, fields=fields)

        assert made.fields == {"n": 12, "ok": True, "born": "2001-02-03"}

    def test_fixed_values_and_templates_are_coerced(self):
        """The type is the field's, wherever the value comes from."""
        fields = (Field("n", type=FieldType.NUMBER), Field("m", type=FieldType.NUMBER))
        entries = {"n": Static("7"), "m": Rendered(Template.parse("{{ a }}1"))}

        assert record({"a": 2}, entries, fields=fields).fields == {"n": 7, "m": 21}

    @pytest.mark.parametrize("kind", [FieldType.UNKNOWN, FieldType.REFERENCE, None])
    def test_other_fields_pass_as_they_are(self, kind):
        """Undeclared fields and those of no type keep their values."""
        fields = (Field("x", type=kind),) if kind else ()

        assert record({"a": [1, "2"]}, {"x": Column("a")}, fields=fields).fields == {"x": [1, "2"]}

    def test_a_value_of_another_type_names_the_field_and_not_the_value(self):
        """The reason says what was expected; rows are personal data."""
        error = refused({"born": "hunter2"}, {"born": Column("born")}, fields=(BORN,))

        assert error.code is Code.INVALID_ROW
        assert error.message.startswith("born: expected ")
        assert "hunter2" not in error.message

    def test_one_bad_row_leaves_the_plan_as_it_was(self):
        """Rows before and after a bad one are mapped alike."""
        plan = Plan(mapping({**BASE, "born": Column("born")}), FIELDS, Operation.ADD)

        good = plan.record(0, 1, {**ROW, "born": "2001-02-03"})
        with pytest.raises(RowError):
            plan.record(1, 2, {**ROW, "born": "no date"})
        again = plan.record(2, 3, {**ROW, "born": "2001-02-03"})

        assert good.fields == again.fields == {**ROW, "born": "2001-02-03"}

    def test_an_entry_that_cannot_be_resolved_rejects_every_row(self):
        """The reason is the same for all rows, so that they group."""
        entries = {**BASE, "x": Unresolved("Field x is odd.")}

        errors = [refused({**ROW, "n": n}, entries, fields=FIELDS) for n in range(3)]

        assert {error.reason for error in errors} == {"CONFIG_INVALID: Field x is odd."}

    def test_a_template_that_fails_rejects_its_row(self):
        """A template's failure on one row is that row's."""
        entries = {"x": Rendered(Template.parse("{{ a | divided_by: b }}"))}

        assert record({"a": 6, "b": 3}, entries).fields["x"] in ("2", 2)
        error = refused({"a": 6, "b": 0}, entries)
        assert error.code is Code.TEMPLATE_ERROR


class TestRemovals:
    """A removal needs to know which record, and nothing else."""

    @pytest.mark.parametrize(
        "row",
        [
            {"email": "a@b.c"},
            {"email": "a@b.c", "name": None, "born": "not a date"},
            {"email": "a@b.c", "born": {"odd": 1}},
        ],
    )
    def test_other_fields_are_left_out_where_they_do_not_fit(self, row):
        """Columns that are gone or have changed their type do not keep a row from leaving."""
        entries = {**BASE, "born": Column("born"), "x": Unresolved("odd")}

        made = record(row, entries, fields=FIELDS, operation=Operation.REMOVE)

        assert made.fields["email"] == "a@b.c"
        assert "born" not in made.fields
        assert "x" not in made.fields

    @pytest.mark.parametrize("row", [{}, {"email": None}, {"email": "nobody"}])
    def test_the_identifier_must_fit(self, row):
        """Without what rows are matched by there is nothing to remove."""
        error = refused(row, BASE, fields=FIELDS, operation=Operation.REMOVE)

        assert error.message.startswith("email: ")

    def test_required_fields_need_not_be_mapped(self):
        """A removal works with the identifier's mapping alone."""
        made = record(ROW, {"email": Column("email")}, fields=FIELDS, operation=Operation.REMOVE)

        assert made.fields == {"email": "a@b.c"}

    def test_an_identifier_must_be_mapped(self):
        """A required identifier that nothing is mapped to is missed in a removal, too."""
        error = refused(ROW, {}, fields=FIELDS, operation=Operation.REMOVE)

        assert error.message == "email: required, but nothing is mapped to it"

    @pytest.mark.parametrize("operation", [Operation.ADD, Operation.CHANGE])
    def test_additions_and_changes_are_strict(self, operation):
        """What a removal forgives rejects the row otherwise."""
        entries = {**BASE, "born": Column("born")}

        error = refused({**ROW, "born": "no date"}, entries, fields=FIELDS, operation=operation)

        assert error.message.startswith("born: ")
