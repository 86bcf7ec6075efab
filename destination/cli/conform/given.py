"""What the person who runs the cases gives: secrets, a sync's configuration, sample rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from destination.cli import Stop
from destination.cli.rows import Row
from destination.cli.rows.sources import read_table

ROWS = 3
"""How many of the sample rows are used."""


@dataclass(frozen=True, slots=True)
class Given:
    """
    What cases may use.

    Args:
        headers: Sent with each request, credentials among them.
        second: The same with another secret that is valid too, where there is one.
        configuration: Of a sync; without it no rows are written.
        rows: At most three, good ones.
        id_column: The rows' primary key.
    """

    headers: Mapping[str, str] = field(repr=False)
    second: Mapping[str, str] | None = field(default=None, repr=False)
    configuration: Mapping[str, Any] | None = field(default=None, repr=False)
    rows: Sequence[Row] = field(default=(), repr=False)
    id_column: str = ""


def sample(path: Path, query: str | None, id_column: str | None) -> tuple[Sequence[Row], str]:
    """
    The first rows of a file, and the column that they are known by: the named one, else the first.

    Raises:
        Stop: It cannot be read, has no rows, or a row has no value in that column.
    """
    table = read_table(path, query, ROWS)
    rows = table.rows
    if not rows or not table.columns:
        raise Stop("There are no sample rows.", f"{path} has none.", "Name another file.")
    column = id_column or table.columns[0]
    for number, row in enumerate(rows, 1):
        if row.get(column) is None:
            raise Stop(
                "The sample rows cannot be used.",
                f'Row {number} has no value in the id column "{column}".',
                "Name the column that every row is known by: --id COLUMN",
            )
    return rows, column
