"""Rows from tables with types of their own: a SQLite query, a Parquet file."""

import math
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import quote

from destination.cli import Stop
from destination.cli.rows import Row, Table


def read_sqlite(path: Path, query: str, most: int | None = None) -> Table:
    """
    The query's rows. The database is opened for reading only.

    Raises:
        OSError: There is no such file.
        Stop: The query fails.
    """
    path.stat()
    try:
        with (
            closing(sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True)) as database,
            closing(database.execute(query)) as cursor,
        ):
            columns = [column[0] for column in cursor.description or ()]
            _check(path, columns)
            return Table(columns, [_row(path, columns, cells) for cells in islice(cursor, most)])
    except sqlite3.Error as error:
        why = "a text is not UTF-8" if "decode" in str(error) else str(error)
        raise Stop("The query fails.", f"{path}: {why}", "Mend the query.") from None


def read_parquet(path: Path, most: int | None = None) -> Table:
    """The file's rows. Raises Stop when it cannot be read, or pyarrow is not installed."""
    try:
        from pyarrow import ArrowException
        from pyarrow.parquet import ParquetFile
    except ImportError:
        raise Stop(
            f"{path} cannot be read.",
            "Parquet files need pyarrow, which is not installed.",
            "Install it with: pip install 'destination[parquet]' (or: pip install pyarrow)",
        ) from None
    try:
        with ParquetFile(path) as file:
            columns = list(file.schema_arrow.names)
            _check(path, columns)
            rows = (row for batch in file.iter_batches() for row in batch.to_pylist())
            return Table(columns, [_row(path, columns, row.values()) for row in islice(rows, most)])
    except ArrowException:
        raise Stop(
            f"{path} cannot be read.", "It is not a Parquet file.", "Name another file."
        ) from None


def _check(path: Path, columns: Sequence[str]) -> None:
    for name in columns:
        if columns.count(name) > 1:
            raise Stop(
                f"Of {path} rows cannot be made.",
                f'There are two columns called "{name}".',
                "Give each a name of its own.",
            )
    if not columns:
        raise Stop(f"{path} gives no rows.", "The query selects nothing.", "Write a select.")


def _row(path: Path, columns: Sequence[str], cells: Any) -> Row:
    try:
        return {name: plain(cell) for name, cell in zip(columns, cells, strict=True)}
    except TypeError as error:
        raise Stop(
            f"Of {path} rows cannot be made.",
            f"A column holds {error}, which JSON does not know.",
            "Cast it to text in the query.",
        ) from None


def plain(value: Any) -> Any:
    """The value as JSON knows it: moments in ISO 8601, decimals as text with all their digits."""
    match value:
        case None | bool() | int() | str():
            return value
        case float():
            return value if math.isfinite(value) else None
        case Decimal():
            return str(value)
        case datetime() | date() | time():
            return value.isoformat()
        case timedelta():
            return value.total_seconds()
        case dict():
            return {str(name): plain(each) for name, each in value.items()}
        case list() | tuple():
            return [plain(each) for each in value]
        case _:
            raise TypeError(type(value).__name__)
