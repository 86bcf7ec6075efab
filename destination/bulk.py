"""
Many rows at once, where every value is as its field declares it.

Most rows are like that, and then nothing is left to decide for each: their JSON is read, checked
against the declared types and named as the fields are, one loop of C after another. Whatever is
otherwise is left to ``Plan.record``, which converts, tells and rejects row by row.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, reduce
from itertools import repeat
from operator import attrgetter, or_
from typing import Annotated, Any

import msgspec

from destination.coercion import ALL_FIT, FITS, LONGEST
from destination.model import FieldType, Record

MANY_FIELDS = 500
"""Fields of a record that is made together with others."""


@dataclass(frozen=True, slots=True)
class Plain:
    """
    A column whose values go to a field as they are.

    Args:
        type: The declared type; UNKNOWN takes whatever is no list and no object.
        required: Neither null nor an empty text will do.
    """

    column: str
    type: FieldType
    required: bool = False


@dataclass(frozen=True, slots=True)
class Fixed:
    """The same value in every record."""

    value: Any


class Bulk:
    """
    A mapping in which nothing is converted. It is made by ``of``.

    ``one`` reads a row, ``many`` an array of rows; both fail where a value is of another type.

    Args:
        fields: A record's, in their order, by name.
        id_column: The column with the rows' ids.
    """

    def __init__(self, fields: Mapping[str, Plain | Fixed], id_column: str) -> None:
        numbered = {f"c{n}": each for n, each in enumerate(fields.values())}
        plain = {name: each for name, each in numbered.items() if isinstance(each, Plain)}
        fixed = [each.value for each in fields.values() if isinstance(each, Fixed)]
        layout = "".join("f" if isinstance(each, Fixed) else "c" for each in fields.values())
        named = {each.column: name for name, each in plain.items()}
        self.one, self.many = _decoders(tuple(plain.items()), id_column)
        self._id = attrgetter(named.get(id_column, "id"))
        self._fields = _writer(layout)(*fields, *fixed)
        self._texts = [
            (attrgetter(name), each.type) for name, each in plain.items() if each.type in FITS
        ]

    @classmethod
    def of(cls, fields: Mapping[str, Plain | Fixed], id_column: str) -> "Bulk | None":
        """
        None where msgspec does not find the columns, or their values never stay as they are.

        None for very many fields, too: to be made ready takes time that grows with their square.
        """
        if len(fields) > MANY_FIELDS:
            return None
        columns = [each for each in fields.values() if isinstance(each, Plain)]
        sources = [each.column for each in columns]
        once = len({*sources}) == len(sources)
        found = all(_ORDINARY.fullmatch(column) for column in (*sources, id_column))
        typed = all(_types(each, id_column) for each in columns)
        return cls(fields, id_column) if once and found and typed else None

    def all_fit(self, read: Sequence[Any]) -> bool:
        """Whether nothing of these rows is to be converted."""
        return all(ALL_FIT[type](filter(None, map(value, read))) for value, type in self._texts)

    def fits(self, one: Any) -> bool:
        """Whether nothing of this row is to be converted."""
        texts = ((value(one), type) for value, type in self._texts)
        return all(text is None or FITS[type](text) for text, type in texts)

    def records(
        self,
        read: Iterable[Any],
        positions: Iterable[int],
        columns: Callable[[int], Mapping[str, Any]],
    ) -> list[Record]:
        """
        The records of rows that fit, as if ``Plan.record`` had been asked for each.

        Args:
            read: What ``one`` made of each row, or ``many`` of all.
            positions: Of the rows in the call.
            columns: A row's, by its position.
        """
        ids, fields = map(self._id, read), self._fields(read)
        return [*map(Record, positions, ids, fields, repeat(columns))]


_ORDINARY = re.compile(r"[ !#-[\]-~]{1,256}")
"""Names that msgspec 0.22 finds: no quotes, no escapes, nothing beyond ASCII; none very long."""

_IDS = frozenset({str, int, float})

_TYPES: Mapping[FieldType, frozenset[type]] = {
    FieldType.STRING: frozenset({str}),
    FieldType.EMAIL: frozenset({str}),
    FieldType.DATE: frozenset({str}),
    FieldType.NUMBER: frozenset({int, float}),
    FieldType.BOOLEAN: frozenset({bool}),
    FieldType.UNKNOWN: frozenset({str, int, float, bool}),
}


@lru_cache(maxsize=64)
def _decoders(
    columns: tuple[tuple[str, Plain], ...], id_column: str
) -> tuple[msgspec.json.Decoder[Any], msgspec.json.Decoder[list[Any]]]:
    fields = [(name, _type(each, id_column), each.column) for name, each in columns]
    if all(each.column != id_column for _, each in columns):
        fields.append(("id", reduce(or_, _IDS), id_column))
    struct: Any = msgspec.defstruct(
        "Read",
        [(name, type) for name, type, _ in fields],
        rename={name: column for name, _, column in fields},
        gc=False,
    )
    return msgspec.json.Decoder(struct), msgspec.json.Decoder(list[struct])


def _types(column: Plain, id_column: str) -> frozenset[type]:
    """Those that a value may have; none where values of this column are never left as they are."""
    kinds = _TYPES.get(column.type, frozenset())
    return kinds & _IDS if column.column == id_column else kinds


def _type(column: Plain, id_column: str) -> Any:
    shortest = 1 if column.required or column.type in FITS else None
    length = msgspec.Meta(min_length=shortest, max_length=LONGEST.get(column.type))
    kinds = [Annotated[str, length] if kind is str else kind for kind in _types(column, id_column)]
    optional = not column.required and column.column != id_column
    return reduce(or_, [*kinds, None] if optional else kinds)


@lru_cache(maxsize=64)
def _writer(layout: str) -> Callable[..., Callable[[Iterable[Any]], list[dict[str, Any]]]]:
    """
    Makes what writes dicts of what was read, from the dicts' keys and their fixed values.

    It is code that is made here, since nothing else fills a dict as fast as a display of it. Of
    what comes from outside, nothing is in the code: it is made of numbers.

    Args:
        layout: For each key, ``c`` where its value is that of a column, ``f`` where it is fixed.
    """
    fixed = [f"f{n}" for n, kind in enumerate(layout) if kind == "f"]
    given = ", ".join([*(f"k{n}" for n in range(len(layout))), *fixed])
    value = {"c": "one.c", "f": "f"}
    display = ", ".join(f"k{n}: {value[kind]}{n}" for n, kind in enumerate(layout))
    code = f"lambda {given}: lambda read: [{{{display}}} for one in read]"
    written: Callable[..., Any] = eval(code, {})  # noqa: S307 - see above
    return written
