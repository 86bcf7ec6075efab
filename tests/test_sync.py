"""What is wrong with a sync, as the marketer who made it reads it."""

from typing import Any

import pytest

from destination.errors import ConfigError
from destination.mapping import Column, Entry, FieldMapping, Rendered, Source, Static, Unresolved
from destination.model import Field, FieldType, Mode, Object
from destination.sync import (
    Sync,
    choose_mode,
    choose_object,
    listed,
    mapping_problems,
    unknown,
)
from destination.template import Template

UPSERT = Mode("upsert", "Upsert", "upsert", "upsert")
USER = Object(
    "user",
    "User",
    (UPSERT, Mode("mirror")),
    (
        Field("email", "E-mail", FieldType.EMAIL, required=True, identifier=True),
        Field("first_name", "First name"),
        Field("plan", required=True),
    ),
)
GROUP = Object("group", "Group")
NAMELESS = Object(modes=(UPSERT,))
GOOD: dict[str, Source] = {"email": Column("user_email"), "plan": Column("plan")}


def problems(
    entries: dict[str, Source], object: Object = USER, columns: set[str] | None = None
) -> list[str]:
    """What is said of a mapping."""
    mapping = FieldMapping(tuple(Entry(to, source) for to, source in entries.items()))
    known = None if columns is None else frozenset(columns)
    return list(mapping_problems(Sync(mapping=mapping, columns=known), object, object.fields))


class TestChoices:
    """Which object and mode are meant."""

    def test_the_named_one(self):
        """An id chooses."""
        assert choose_object((USER, GROUP), "group") is GROUP
        assert choose_mode(USER, "mirror").id == "mirror"

    def test_the_only_one(self):
        """Where there is nothing to choose, nothing needs to be chosen."""
        assert choose_object((USER,), None) is USER
        assert choose_mode(USER, None) is UPSERT

    @pytest.mark.parametrize("id", [None, "", "anything"])
    def test_a_destination_without_objects_takes_any(self, id):
        """An id that is left over from another form does no harm."""
        assert choose_object((NAMELESS,), id) is NAMELESS

    @pytest.mark.parametrize(
        ("objects", "id", "message"),
        [
            ((USER, GROUP), None, "Choose an object: user, group."),
            ((USER, GROUP), "usr", 'Object "usr" does not exist. Did you mean "user"?'),
            ((USER, GROUP), "zzz", 'Object "zzz" does not exist. There is: user, group.'),
            ((USER,), "zzz", 'Object "zzz" does not exist. There is: user.'),
            ((), None, "There is nothing to sync to yet: the vendor has no objects."),
            ((), "user", "There is nothing to sync to yet: the vendor has no objects."),
        ],
    )
    def test_an_object_that_is_none(self, objects, id, message):
        """The sentence names what there is, or what was probably meant."""
        with pytest.raises(ConfigError) as raised:
            choose_object(objects, id)

        assert raised.value.message == message

    @pytest.mark.parametrize(
        ("object", "id", "message"),
        [
            (USER, "mirrors", 'Mode "mirrors" does not exist. Did you mean "mirror"?'),
            (USER, "x", 'Mode "x" does not exist. There is: upsert, mirror.'),
            (GROUP, None, "This destination declares no mode: it cannot be synced to."),
            (GROUP, "upsert", "This destination declares no mode: it cannot be synced to."),
        ],
    )
    def test_a_mode_that_is_none(self, object, id, message):
        """The same for modes."""
        with pytest.raises(ConfigError) as raised:
            choose_mode(object, id)

        assert raised.value.message == message


class TestMapping:
    """What about a mapping would fail."""

    def test_a_good_mapping_has_no_problems(self):
        """Required fields are mapped and all names exist."""
        assert problems(GOOD) == []

    def test_a_required_field_that_is_not_mapped(self):
        """It is named as the form shows it, or by its id where it has no label."""
        assert problems({}) == [
            'Field "E-mail" is required: map a column to it.',
            'Field "plan" is required: map a column to it.',
        ]

    def test_a_field_that_does_not_exist(self):
        """The closest name is offered; where none is close, all are listed."""
        assert problems({**GOOD, "frist_name": Column("a"), "zzz": Column("b")}) == [
            'Field "frist_name" does not exist. Did you mean "first_name"?',
            'Field "zzz" does not exist. There is: email, first_name, plan.',
        ]

    def test_any_field_where_the_list_is_open(self):
        """A destination that takes custom fields has no unknown ones."""
        open_object = Object("x", modes=(UPSERT,), fields=USER.fields, custom_fields=True)

        assert problems({**GOOD, "zzz": Column("b")}, open_object) == []

    def test_any_field_where_none_are_declared(self):
        """Without a list no name can be missing from it."""
        assert problems({"zzz": Column("b")}, NAMELESS) == []

    def test_an_entry_that_cannot_be_resolved(self):
        """Its own sentence is passed on."""
        assert problems({**GOOD, "first_name": Unresolved("This is odd.")}) == ["This is odd."]

    def test_fields_that_contain_each_other(self):
        """What the mapping itself cannot mean is told too."""
        assert problems({"a": Column("x"), "a.b": Column("y")}, NAMELESS) == [
            'Fields "a" and "a.b" contain each other: map one of them.'
        ]

    def test_columns_that_are_gone(self):
        """Columns are compared where they are known, those in templates too."""
        entries: dict[str, Source] = {
            "email": Column("user_emial"),
            "plan": Static("free"),
            "first_name": Rendered(Template.parse("{{ fn | upcase }} {{ ln }}")),
        }

        assert problems(entries, columns={"user_email", "ln"}) == [
            'Column "user_emial" does not exist. Did you mean "user_email"? '
            'It is mapped to "email".',
            'Column "fn" does not exist. There is: ln, user_email. It is mapped to "first_name".',
        ]
        assert problems(entries) == []

    def test_every_problem_is_a_sentence(self):
        """Whatever is wrong is told in one line each."""
        entries: dict[str, Any] = {"a": Unresolved("Odd."), "b.c": Column("x"), "b": Column("y")}

        for problem in problems(entries, columns=set()):
            assert problem.endswith((".", "?"))
            assert "\n" not in problem


class TestNames:
    """How names are listed."""

    def test_few_are_listed(self):
        """With commas, and a word for nothing."""
        assert listed(["a", "b"]) == "a, b"
        assert listed([]) == "none"

    def test_many_are_cut(self):
        """A vendor with a thousand lists does not fill the page."""
        shown = listed(str(n) for n in range(1000))

        assert shown.startswith("0, 1, ")
        assert shown.endswith("19, …")

    def test_a_long_name_is_cut(self):
        """A name that somebody made very long is not repeated whole."""
        assert len(unknown("Mode", "x" * 10_000, ["upsert"])) < 200
