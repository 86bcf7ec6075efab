"""The platform's rows, each read alone; their ids as they were written."""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any

import msgspec

from destination.call import CHUNK
from destination.columns import Columns, Reader, ReadLater, ids_of
from destination.errors import RowError
from destination.model import Rejection, Row, RowId
from destination.protocols.envelope import InvalidParams
from destination.protocols.hightouch.configuration import JSON

_id: msgspec.json.Decoder[str | int | float] = msgspec.json.Decoder(str | int | float)


def read_rows(
    raw: list[msgspec.Raw], id_column: str | None, names: Iterable[str]
) -> tuple[Sequence[Row], "Ids"]:
    """
    The rows, each read alone and when it is asked for, so that one that cannot be harms no other.

    All rows that are mapped together are read before any is sent. To read one without a usable id
    raises InvalidParams, since its outcome could not be reported.

    Args:
        names: The columns that will be read of every row; others are read when they are.

    Raises:
        InvalidParams: No id column; or, of more rows than are mapped together, one without an id.
    """
    if not raw:
        return [], Ids("", [])
    if not id_column:
        raise InvalidParams("Invalid params: idColumn is missing and no identifier is mapped")
    ids, reader = Ids(id_column, raw), Reader((id_column, *names))

    def read(start: int, end: int) -> list[Row]:
        return [
            Row(position, _id_of(columns, position, ids), columns)
            for position, columns in enumerate(reader.read(raw[start:end]), start)
        ]

    rows = ReadLater(raw, id_column, ids.values, read)
    if len(raw) > CHUNK and None in rows.ids:
        ids.value(rows.ids.index(None))
    return rows, ids


def _id_of(columns: Columns | RowError, position: int, ids: "Ids") -> RowId:
    if isinstance(columns, RowError):
        return ids.value(position)
    id = columns.ahead.get(ids.column)
    if type(id) is not str and type(id) is not int and not isinstance(id, float):
        raise InvalidParams(f"Invalid params: row {position} has no usable id in the idColumn")
    return id


class Ids:
    """The rows' ids as the caller wrote them, found only for the few rows that are rejected."""

    def __init__(self, column: str, rows: list[msgspec.Raw]) -> None:
        self.column = column
        self._rows = rows
        self._decoder: Any = None

    def values(self) -> list[RowId | None]:
        """All rows' ids; None where one has none."""
        decode = _id_decoder(self.column, str | int | float).decode
        try:
            return [decode(raw).id for raw in self._rows]
        except (ValueError, AttributeError, RecursionError):
            return [self._value(position) for position in range(len(self._rows))]

    def _value(self, position: int) -> RowId | None:
        with suppress(InvalidParams):
            return self.value(position)
        return None

    def value(self, position: int) -> str | int | float:
        """The id, of a row that is not read itself; raises InvalidParams when it has none."""
        written = self.raw(position)
        try:
            return _id.decode(written)
        except ValueError:  # text that is not Unicode: what is written tells it from others
            return written.decode("utf-8", "replace")

    def raw(self, position: int) -> bytes:
        """The id's JSON text; raises InvalidParams when the row has none."""
        if self._decoder is None:
            self._decoder = _id_decoder(self.column, msgspec.Raw)
        try:
            found = self._decoder.decode(self._rows[position])
            id = bytes(found[self.column] if isinstance(found, dict) else found.id)
        except (ValueError, KeyError, RecursionError):
            id = b"null"
        if id[:1] not in b'"-0123456789':
            raise InvalidParams(f"Invalid params: row {position} has no usable id in the idColumn")
        return id


def _id_decoder(column: str, type: Any) -> Any:
    """Reads one column and passes over the others, where a struct can have a field of its name."""
    if any(character in '"\\' or character < " " for character in column):
        return msgspec.json.Decoder(dict[str, msgspec.Raw])
    struct = msgspec.defstruct("Id", [("id", type)], rename={"id": column})
    return msgspec.json.Decoder(struct)


def rejected_rows(rejections: Sequence[Rejection], rows: Sequence[Row], ids: Ids) -> list[JSON]:
    """Each rejected id once, with its first reason, in the order of the rows."""
    rejected: dict[tuple[type, Any], JSON] = {}
    known = ids_of(rows) if rejections else ()
    for rejection in rejections:
        id = known[rejection.position]
        if (type(id), id) not in rejected:
            written = msgspec.Raw(ids.raw(rejection.position))
            rejected[type(id), id] = {"id": written, "reason": rejection.error.reason}
    return list(rejected.values())
