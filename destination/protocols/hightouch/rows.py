"""The platform's rows, each read alone; their ids as they were written."""

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Any

import msgspec

from destination.columns import Columns, Reader
from destination.errors import RowError
from destination.model import Rejection, Row, RowId
from destination.protocols.envelope import InvalidParams
from destination.protocols.hightouch.configuration import JSON
from destination.unread import Unread

_id: msgspec.json.Decoder[str | int | float] = msgspec.json.Decoder(str | int | float)


def read_rows(array: msgspec.Raw, id_column: str, names: Iterable[str], most: int) -> Unread:
    """
    The rows, each read alone and when it is asked for, so that one that cannot be harms no other.

    To read one without a usable id raises InvalidParams, since its outcome could not be reported.

    Args:
        id_column: The column with their ids; empty where none is known.
        names: The columns that will be read of every row; others are read when they are.
        most: How many rows there may be.

    Raises:
        InvalidParams: There are rows and no id column, or they are not in an array.
        ParseError: There is no id column, and they are no rows.
    """
    if bytes(memoryview(array)[:1]) != b"[":
        raise InvalidParams('Invalid params: "rows" must be an array')
    rows = Unread(array, _Reading(id_column, names), most)
    if rows and not id_column and len(rows):  # they are rows: else all may be otherwise
        raise InvalidParams("Invalid params: idColumn is missing and no identifier is mapped")
    return rows


class _Reading:
    """
    How the rows of a call are read.

    Args:
        column: The one with their ids.
        names: Of the columns that will be read of every row.
    """

    def __init__(self, column: str, names: Iterable[str]) -> None:
        self.column = column
        self.decoder = _ids_decoder(column)
        self._reader = Reader((column, *names))

    def rows(self, raw: Iterable[tuple[int, msgspec.Raw]]) -> Iterator[Row]:
        """Those of which positions and JSON are given; raises InvalidParams for unusable ids."""
        for position, row in raw:
            columns = self._reader.read(row)
            yield Row(position, self._id_of(columns, row, position), columns)

    def _id_of(self, columns: Columns | RowError, raw: msgspec.Raw, position: int) -> RowId:
        if isinstance(columns, RowError):
            return _usable(self._unread_id(raw), position)
        id = columns.ahead.get(self.column)
        is_usable = type(id) is str or type(id) is int or isinstance(id, float)
        return _usable(id if is_usable else None, position)

    def ids(self, raw: Sequence[msgspec.Raw]) -> list[RowId | None]:
        """The rows' ids; None where one has none."""
        return [*map(self._unread_id, raw)]

    def _unread_id(self, raw: msgspec.Raw) -> RowId | None:
        """The id, of a row that is not read itself."""
        written = _written(self.column, raw)
        try:
            return None if written is None else _id.decode(written)
        except ValueError:  # text that is not Unicode: what is written tells it from others
            return bytes(written or b"").decode("utf-8", "replace")


def _usable(id: RowId | None, position: int) -> RowId:
    if id is None:
        raise InvalidParams(f"Invalid params: row {position} has no usable id in the idColumn")
    return id


def _written(column: str, raw: msgspec.Raw) -> msgspec.Raw | None:
    """A row's id as the caller wrote it; None where it has none that is usable."""
    try:
        found = _id_decoder(column).decode(raw)
        id: msgspec.Raw = found[column] if isinstance(found, dict) else found.id
    except (ValueError, KeyError, RecursionError):
        return None
    return id if bytes(memoryview(id)[:1]) in _IDS else None


_IDS = {bytes((byte,)) for byte in b'"-0123456789'}
"""What an id begins with: a text or a number."""


@lru_cache(maxsize=64)
def _id_decoder(column: str) -> msgspec.json.Decoder[Any]:
    """Reads the id of a row as it is written, and passes over all else."""
    struct = _id_struct(column, msgspec.Raw)
    return msgspec.json.Decoder(struct or dict[str, msgspec.Raw])


@lru_cache(maxsize=64)
def _ids_decoder(column: str) -> msgspec.json.Decoder[list[Any]] | None:
    """Reads the ids of an array of rows."""
    struct: Any = _id_struct(column, RowId)
    return None if struct is None else msgspec.json.Decoder(list[struct])


def _id_struct(column: str, type: Any) -> Any:
    """What has one column only; None where a struct cannot have a field of its name."""
    if any(character in '"\\' or character < " " for character in column):
        return None
    return msgspec.defstruct("Id", [("id", type)], rename={"id": column})


def rejected_rows(rejections: Sequence[Rejection], rows: Unread) -> list[JSON]:
    """
    Each rejected id once, with its first reason, in the order of the rows.

    Raises:
        InvalidParams: One has no usable id; then none was sent.
    """
    rejected: dict[tuple[type, Any], JSON] = {}
    known = rows.ids if rejections else ()
    for rejection in rejections:
        id = _usable(known[rejection.position], rejection.position)
        if (type(id), id) not in rejected:
            written = _written(rows.id_column, rows.raw[rejection.position])
            rejected[type(id), id] = {"id": written, "reason": rejection.error.reason}
    return list(rejected.values())
