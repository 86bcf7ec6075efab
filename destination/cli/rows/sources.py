"""Rows from files: CSV and JSON here, tables of databases and Parquet beside."""

import csv
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec

from destination.cli import Stop
from destination.cli.rows import Row, Table
from destination.sync import unknown

LONGEST_CELL = 2**31 - 1
"""Characters of a CSV cell; the module's own limit is 128 Ki."""

CSV = {".csv": ",", ".tsv": "\t"}
JSON = frozenset({".json"})
JSON_LINES = frozenset({".jsonl", ".ndjson"})
PARQUET = frozenset({".parquet", ".pq"})
SQLITE = frozenset({".db", ".sqlite", ".sqlite3"})


def read_rows(path: Path, query: str | None, id_column: str) -> Table:
    """
    The rows of a file, by its suffix; with a query, of a SQLite database.

    Of CSV every cell is text and an empty one null. JSON keeps its types, and integers all their
    digits.

    Raises:
        Stop: It cannot be read, or has no such id column.
    """
    table = read_table(path, query)
    if id_column not in table.columns and table.columns:
        raise Stop(
            f"{path} has no such id column.",
            unknown("Column", id_column, table.columns),
            "Name the column that every row is known by: --id COLUMN",
        )
    return table


def read_table(path: Path, query: str | None, most: int | None = None) -> Table:
    """The same, by whatever column they are known; of a long file perhaps so many rows only."""
    try:
        return _read(path, query, most)
    except OSError as error:
        raise Stop(f"{path} cannot be read.", error.strerror or "", "Name another file.") from None


def _read(path: Path, query: str | None, most: int | None) -> Table:
    from destination.cli.rows.tables import read_parquet, read_sqlite

    suffix = path.suffix.lower()
    if query is not None:
        return read_sqlite(path, query, most)
    if suffix in CSV:
        return _read_csv(path, CSV[suffix], most)
    if suffix in JSON_LINES:
        return _read_json_lines(path, most)
    if suffix in JSON:
        return _read_json(path)
    if suffix in PARQUET:
        return read_parquet(path, most)
    if suffix in SQLITE:
        raise Stop(
            f"Of {path} it is not known what to send.",
            "A database needs a query.",
            'Add one, such as: --query "select * from people"',
        )
    raise Stop(
        f"{path} is of a kind that is not known here.",
        "By its name it is none of .csv, .tsv, .json, .jsonl, .ndjson, .parquet, .db and .sqlite.",
        "Rename it, or export the rows as one of these.",
    )


def _read_csv(path: Path, delimiter: str, most: int | None) -> Table:
    csv.field_size_limit(LONGEST_CELL)
    with path.open(newline="", encoding="utf-8-sig") as file:
        lines = csv.reader(file, delimiter=delimiter, strict=True)
        try:
            columns = next(lines, [])
            _check_columns(path, columns)
            rows = []
            for cells in islice(filter(None, lines), most):
                if len(cells) != len(columns):
                    raise _wrong(
                        path,
                        f"{len(cells)} cells where there are {len(columns)} columns",
                        lines.line_num,
                    )
                rows.append(dict(zip(columns, (cell or None for cell in cells), strict=True)))
        except UnicodeDecodeError:
            raise _wrong(path, "text that is not UTF-8", lines.line_num + 1) from None
        except csv.Error as error:
            raise _wrong(path, str(error), lines.line_num) from None
    return Table(columns, rows)


def _check_columns(path: Path, columns: Sequence[str]) -> None:
    if not columns:
        raise _wrong(path, "no names of columns", 1)
    for name in columns:
        if not name or columns.count(name) > 1:
            raise _wrong(path, f'two columns called "{name}"' if name else "a nameless column", 1)


def _read_json_lines(path: Path, most: int | None) -> Table:
    decoder, rows = msgspec.json.Decoder(dict[str, Any]), list[Row]()
    columns: dict[str, None] = {}
    with path.open("rb") as lines:
        filled = ((number, line) for number, line in enumerate(lines, 1) if line.strip())
        for number, line in islice(filled, most):
            try:
                row = decoder.decode(line.removeprefix(b"\xef\xbb\xbf"))
            except (ValueError, RecursionError) as error:
                why = "is not Unicode" if isinstance(error, UnicodeError) else str(error)
                raise _wrong(path, f"no JSON object: {why}", number) from None
            columns |= dict.fromkeys(row)
            rows.append(row)
    return Table(list(columns), rows)


def _read_json(path: Path) -> Table:
    """A list of objects, or one alone."""
    try:
        read = msgspec.json.decode(
            path.read_bytes().removeprefix(b"\xef\xbb\xbf"),
            type=list[dict[str, Any]] | dict[str, Any],
        )
    except (ValueError, RecursionError) as error:
        why = "text that is not Unicode" if isinstance(error, UnicodeError) else str(error)
        raise Stop(
            f"{path} cannot be read.",
            f"It is no list of JSON objects: {why}",
            "Mend the file, then run this again.",
        ) from None
    rows = read if isinstance(read, list) else [read]
    return Table(list(dict.fromkeys(name for row in rows for name in row)), rows)


def _wrong(path: Path, what: str, line: int) -> Stop:
    return Stop(
        f"{path} cannot be read.", f"Line {line} has {what}.", "Mend the file, then run this again."
    )
