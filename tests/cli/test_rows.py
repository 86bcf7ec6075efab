"""Rows from files: each format's values, and a sentence for each file that cannot be read."""

import sqlite3
import sys
from contextlib import closing
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from destination.cli import Stop
from destination.cli.rows import Table
from destination.cli.rows.sources import read_rows, read_table
from destination.cli.rows.tables import plain


def table(folder: Path, name: str, content: str | bytes, query: str | None = None) -> Table:
    """What is read of a file with this content."""
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return read_rows(path, query, "id")


def test_cells_are_text_and_empty_ones_null(tmp_path: Path) -> None:
    """Of CSV every value is text as it stands; commas, quotes and line ends within are kept."""
    content = '\ufeffid,note\r\n007,"a, ""b""\nc"\r\n\r\n 8 ,\r\n'

    read = table(tmp_path, "rows.csv", content)

    assert read.columns == ["id", "note"]
    assert read.rows == [{"id": "007", "note": 'a, "b"\nc'}, {"id": " 8 ", "note": None}]


def test_tabs_separate_where_the_name_says_so(tmp_path: Path) -> None:
    """A .tsv file has tabs between its cells."""
    assert table(tmp_path, "rows.TSV", "id\tnote\n1\ta,b\n").rows == [{"id": "1", "note": "a,b"}]


def test_a_cell_may_be_long(tmp_path: Path) -> None:
    """A cell of a megabyte is read."""
    assert len(table(tmp_path, "rows.csv", f"id\n{'x' * 2**20}\n").rows[0]["id"]) == 2**20


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("rows.csv", "id\n\n1\n\n2\n3,4\n"),
        ("rows.jsonl", '\n{"id": "1"}\n\n{"id": "2"}\nno JSON\n'),
    ],
)
def test_of_a_long_file_only_the_beginning_is_read(tmp_path: Path, name: str, content: str) -> None:
    """So many rows; what comes after them is not looked at, and blank lines do not count."""
    (tmp_path / name).write_text(content)

    assert read_table(tmp_path / name, None, 2).rows == [{"id": "1"}, {"id": "2"}]
    with pytest.raises(Stop):
        read_table(tmp_path / name, None, 3)


def test_columns_of_json_lines_are_those_of_all_rows(tmp_path: Path) -> None:
    """Rows of JSON Lines may differ in their columns."""
    read = table(tmp_path, "rows.ndjson", '\ufeff{"id": 1}\r\n\n{"id": 2, "x": [1.5, {}]}')

    assert read.columns == ["id", "x"]
    assert read.rows == [{"id": 1}, {"id": 2, "x": [1.5, {}]}]


def test_a_query_s_values_keep_their_types(tmp_path: Path) -> None:
    """Integers, reals, texts and nulls of SQLite stay what they are."""
    with closing(sqlite3.connect(tmp_path / "a b?.db")):
        pass
    query = "select 1 as id, 0.5 as a, 'x' as b, null as c, 9e999 as d"

    read = read_rows(tmp_path / "a b?.db", query, "id")

    assert read.rows == [{"id": 1, "a": 0.5, "b": "x", "c": None, "d": None}]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.csv", "", "Line 1 has no names of columns."),
        ("a.csv", "id,x,id\n", 'Line 1 has two columns called "id".'),
        ("a.csv", "id,\n", "Line 1 has a nameless column."),
        ("a.csv", "id,x\n1,2\n3\n", "Line 3 has 1 cells where there are 2 columns."),
        ("a.csv", "id,x\n1,2,3\n", "Line 2 has 3 cells where there are 2 columns."),
        ("a.csv", b"id\n1\n\xff\n", "has text that is not UTF-8."),
        ("a.csv", 'id\n"1\n', "Line 2 has unexpected end of data."),
        ("a.csv", "key\n1\n", 'Column "id" does not exist. There is: key.'),
        ("a.jsonl", '{"id": 1}\n[]\n', "Line 2 has no JSON object: Expected `object`"),
        ("a.jsonl", '{"id": NaN}', "Line 1 has no JSON object"),
        ("a.jsonl", '{"id": 1', "Line 1 has no JSON object"),
        ("a.jsonl", '{"id":' + "[" * 10**5, "Line 1 has no JSON object"),
        ("a.jsonl", b'{"id": "\xff"}', "Line 1 has no JSON object: is not Unicode"),
        ("a.jsonl", '{"key": 1}', 'Column "id" does not exist. There is: key.'),
        ("a.xlsx", "", "none of .csv"),
        ("a.db", "", "A database needs a query."),
    ],
)
def test_a_file_that_cannot_be_read_is_explained(
    tmp_path: Path, name: str, content: str | bytes, said: str
) -> None:
    """What is wrong with a file is said with its line, without what stands there."""
    with pytest.raises(Stop) as stopped:
        table(tmp_path, name, content)

    assert said in stopped.value.why
    assert stopped.value.exit_code == 2


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("selct 1", "syntax error"),
        ("select * from people", "no such table: people"),
        ("select 1 as id; select 2", "one statement"),
        ("select 1 as id, 2 as id", 'There are two columns called "id".'),
        ("select x'00' as id", "A column holds bytes, which JSON does not know."),
        ("select cast(x'ff' as text) as id", "a text is not UTF-8"),
        ("create table t (id)", "readonly"),
        ("begin", "selects nothing"),
        ("select 1 as key", 'Column "id" does not exist. There is: key.'),
    ],
)
def test_a_query_that_fails_is_explained(tmp_path: Path, query: str, said: str) -> None:
    """What SQLite has against a query is said, and what JSON has against its values."""
    with closing(sqlite3.connect(tmp_path / "a.db")) as database:
        database.execute("create table other (id)")
    with pytest.raises(Stop) as stopped:
        read_rows(tmp_path / "a.db", query, "id")

    assert said in stopped.value.why


def test_a_file_that_is_no_database_is_explained(tmp_path: Path) -> None:
    """With a query every file is taken for a SQLite database."""
    with pytest.raises(Stop, match="file is not a database"):
        table(tmp_path, "rows.csv", "id\n1\n" * 100, "select * from t")
    with pytest.raises(Stop, match="No such file"):
        read_rows(tmp_path / "missing.db", "select 1 as id", "id")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (True, True),
        (2**70, 2**70),
        (float("nan"), None),
        (Decimal("12345678901234567890.10"), "12345678901234567890.10"),
        (date(2026, 1, 31), "2026-01-31"),
        (datetime(2026, 1, 31, 12, 30, tzinfo=UTC), "2026-01-31T12:30:00+00:00"),
        (time(12, 30), "12:30:00"),
        (timedelta(minutes=1.5), 90.0),
        ([("a", {1: Decimal(1)})], [["a", {"1": "1"}]]),
    ],
)
def test_values_of_tables_become_json(value: Any, expected: Any) -> None:
    """Moments become ISO 8601, decimals text with all their digits, what is no number null."""
    assert plain(value) == expected
    assert type(plain(value)) is type(expected)


def test_parquet_without_pyarrow_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where pyarrow is not installed the way to install it is told."""
    monkeypatch.setitem(sys.modules, "pyarrow", None)

    with pytest.raises(Stop) as stopped:
        table(tmp_path, "rows.parquet", b"PAR1")

    assert "pip install pyarrow" in stopped.value.then
    assert stopped.value.exit_code == 2


PYARROW = """
class ArrowException(Exception):
    pass
"""

PARQUET = """
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from pyarrow import ArrowException

class ParquetFile:
    def __init__(self, path):
        if Path(path).read_bytes() != b"PAR1":
            raise ArrowException("canary")
        self.schema_arrow = SimpleNamespace(names=["id", "born"])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def iter_batches(self):
        for number in (1, 2):
            rows = [{"id": number, "born": date(2000, 1, number)}]
            yield SimpleNamespace(to_pylist=lambda rows=rows: rows)
"""


def test_parquet_is_read_by_pyarrow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Parquet file's rows come batch by batch; the parts of pyarrow that are used stand here."""
    package = tmp_path / "pyarrow"
    package.mkdir()
    (package / "__init__.py").write_text(PYARROW)
    (package / "parquet.py").write_text(PARQUET)
    for name in ("pyarrow", "pyarrow.parquet"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.syspath_prepend(tmp_path)

    read = table(tmp_path, "rows.parquet", b"PAR1")

    assert read.rows == [{"id": 1, "born": "2000-01-01"}, {"id": 2, "born": "2000-01-02"}]
    with pytest.raises(Stop, match="It is not a Parquet file") as stopped:
        table(tmp_path, "rows.parquet", b"nothing")
    assert "canary" not in str(stopped.value)


def test_a_json_file_is_a_list_of_rows_or_one(tmp_path: Path) -> None:
    """An object alone is one row; columns are those of all rows."""
    assert table(tmp_path, "rows.json", '\ufeff{"id": 1}').rows == [{"id": 1}]

    read = table(tmp_path, "rows.json", '[{"id": 1}, {"id": 2, "x": null}]')

    assert read.columns == ["id", "x"]
    assert read.rows == [{"id": 1}, {"id": 2, "x": None}]


@pytest.mark.parametrize("content", [b"7", b"[7]", b"[", b'[{"id": "\xff"}]', b"[" * 100_000])
def test_what_is_no_list_of_objects_is_told(tmp_path: Path, content: bytes) -> None:
    """A file that holds anything else cannot be read, and its content is not quoted."""
    with pytest.raises(Stop) as stopped:
        table(tmp_path, "rows.json", content)

    assert stopped.value.why.startswith("It is no list of JSON objects: ")
