"""
Many rows at once, where every value is as its field declares it.

Most rows are like that, and then nothing is left to decide for each: their JSON is read, checked
against the declared types and named as the fields are by msgspec, one loop of C after another.
Whatever is otherwise is left to ``Plan.record``, which converts, tells and rejects row by row.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, reduce
from itertools import count, repeat
from operator import or_
from typing import Annotated, Any

import msgspec
from msgspec.structs import asdict

from destination.coercion import ALL_FIT
from destination.columns import MAX_ROW, Columns
from destination.model import FieldType, Record

_ID = "_id"
"""The row's id, where no field has it; a field's own name does not begin like this."""


@dataclass(frozen=True, slots=True)
class Plain:
    """
    A column whose values go to a field as they are.

    Args:
        type: The declared type; UNKNOWN takes whatever is no list and no object.
        required: Neither null nor an empty text will do.
    """

    column: str
    to: str
    type: FieldType
    required: bool = False


class Bulk:
    """
    A mapping in which nothing is converted. It is made by ``of``.

    Args:
        frame: A record's fields in their order, with the values of those that are no columns.
        id_column: The column with the rows' ids.
    """

    def __init__(self, columns: Sequence[Plain], frame: Mapping[str, Any], id_column: str) -> None:
        self._frame = frame if len(frame) > len(columns) else None
        self._id = next((each.to for each in columns if each.column == id_column), _ID)
        self._decode = _decoder(tuple(columns), id_column).decode
        self._fits = [(each.to, ALL_FIT[each.type]) for each in columns if each.type in ALL_FIT]

    @classmethod
    def of(
        cls, columns: Sequence[Plain], frame: Mapping[str, Any], id_column: str
    ) -> "Bulk | None":
        """None where msgspec cannot look for the columns, or a struct cannot have such fields."""
        sources = [each.column for each in columns]
        once = len({*sources}) == len(sources)
        found = all(_ORDINARY.fullmatch(column) for column in (*sources, id_column))
        typed = all(_types(each, id_column) for each in columns)
        named = all(each.to.isidentifier() and not each.to.startswith("_") for each in columns)
        return cls(columns, frame, id_column) if once and found and typed and named else None

    def records(self, rows: Sequence[msgspec.Raw], start: int) -> list[Record] | None:
        """
        The records of rows that begin at this position of the call; None if one is otherwise.

        It is as if ``Plan.record`` had been asked for each.
        """
        if max(map(len, map(_bytes, rows))) > MAX_ROW:
            return None
        try:
            fields = [*map(asdict, map(self._decode, rows))]
        except (ValueError, RecursionError):
            return None
        for to, fits in self._fits:
            if not fits([text for one in fields if (text := one[to]) is not None]):
                return None
        take = dict.pop if self._id == _ID else dict.__getitem__
        ids = [*map(take, fields, repeat(self._id))]
        if self._frame is not None:
            fields = [{**self._frame, **one} for one in fields]
        return [*map(Record, count(start), ids, fields, map(Columns, rows))]


_bytes: Callable[[msgspec.Raw], memoryview] = memoryview

_ORDINARY = re.compile(r"[ !#-[\]-~]+")
"""Names of columns that msgspec 0.22 finds: no quotes, no escapes, nothing beyond ASCII."""

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
def _decoder(columns: tuple[Plain, ...], id_column: str) -> msgspec.json.Decoder[Any]:
    fields = [(each.to, _type(each, id_column), each.column) for each in columns]
    if all(each.column != id_column for each in columns):
        fields.append((_ID, reduce(or_, _IDS), id_column))
    struct = msgspec.defstruct(
        "Read",
        [(to, type) for to, type, _ in fields],
        rename={to: column for to, _, column in fields},
        gc=False,
    )
    return msgspec.json.Decoder(struct)


def _types(column: Plain, id_column: str) -> frozenset[type]:
    """Those that a value may have; none where values of this column are never left as they are."""
    kinds = _TYPES.get(column.type, frozenset())
    return kinds & _IDS if column.column == id_column else kinds


def _type(column: Plain, id_column: str) -> Any:
    text = Annotated[str, msgspec.Meta(min_length=1)] if column.required else str
    kinds = [text if kind is str else kind for kind in _types(column, id_column)]
    optional = not column.required and column.column != id_column
    return reduce(or_, [*kinds, None] if optional else kinds)
