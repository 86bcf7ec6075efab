"""Rows as Hightouch has them of a model: read from files, databases and Parquet."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Table:
    """A model's result: its columns in order, and its rows."""

    columns: Sequence[str]
    rows: Sequence[Row]
