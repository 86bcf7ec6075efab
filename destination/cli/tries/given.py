"""What is to be tried: rows as they are typed or in a file, and the configuration of their sync."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from destination.cli import Stop
from destination.cli.options import sync_configuration
from destination.cli.rows import Row, Table
from destination.cli.rows.sources import read_table
from destination.cli.text import counted

ID = "id"

_ROWS = """Type one: --row '{"id": 1, "email": "ann@example.com"}', or name a file: --rows FILE"""


@dataclass(frozen=True, slots=True)
class Given:
    """
    Rows, the column they are known by, and the configuration of their sync as far as it is given.

    Args:
        notes: What the person who gave them should know.
    """

    rows: Sequence[Row] = field(repr=False)
    columns: Sequence[str]
    id_column: str
    configuration: Mapping[str, Any] | None
    notes: Sequence[str] = ()


def typed_rows(texts: Sequence[str]) -> Table:
    """The rows that were typed. Raises Stop."""
    rows = [_typed(number, text) for number, text in enumerate(texts, 1)]
    return Table(list(dict.fromkeys(name for row in rows for name in row)), rows)


def _typed(number: int, text: str) -> Row:
    if text.lstrip().startswith("{"):
        try:
            return msgspec.json.decode(text, type=dict[str, Any])
        except (ValueError, RecursionError) as error:
            raise _unreadable(number, f"It is no JSON object: {error}") from None
    try:
        text.encode()  # what is no text in UTF-8 arrives as surrogates
        pairs = [part.partition("=") for part in shlex.split(text)]
    except UnicodeEncodeError:
        raise _unreadable(number, "It is not text in UTF-8.") from None
    except ValueError as error:
        raise _unreadable(number, f"{error}.".capitalize()) from None
    if not pairs or not all(name and equals for name, equals, _ in pairs):
        raise _unreadable(number, "It is neither a JSON object nor made of NAME=VALUE.")
    return {name: value or None for name, _, value in pairs}


def _unreadable(number: int, why: str) -> Stop:
    return Stop(
        f"Row {number} cannot be read.",
        why,
        """Write it as '{"id": 1, "name": "Ann Lee"}' or as "id=1 name='Ann Lee'".""",
    )


def given(
    texts: Sequence[str],
    path: Path | None,
    query: str | None,
    *,
    limit: int,
    id_column: str | None,
    sync_config: str | None,
) -> Given | None:
    """What was given; None where no rows were. Raises Stop for what cannot be used."""
    if texts and path:
        raise Stop("Two options exclude each other.", "--row and --rows are both given.", _ROWS)
    configuration = sync_configuration(sync_config) if sync_config else None
    if not texts and not path:
        return None
    table = read_table(path, query, limit + 1) if path else typed_rows(texts)
    return made(table, limit, id_column, configuration, str(path or "What was typed"))


def made(
    table: Table,
    limit: int,
    id_column: str | None,
    configuration: Mapping[str, Any] | None,
    where: str,
) -> Given:
    """The first rows of a table, each with an id. Raises Stop."""
    rows, notes = table.rows[:limit], list[str]()
    if not rows:
        raise Stop("There are no rows.", f"{where} has none.", _ROWS)
    if len(table.rows) > limit:
        told = counted(limit, "row")
        notes.append(f"{where} has more than {told}; no others are tried (--limit).")
    column = id_column or _id_column(table.columns, configuration)
    for number, row in enumerate(rows, 1):
        if type(row.get(column)) not in (str, int, float):
            raise Stop(
                f'Row {number} has no id in the column "{column}".',
                "Hightouch sends none without: an id is text or a number.",
                "Give it one, or name the column that holds it: --id COLUMN",
            )
    return Given(rows, table.columns, column, configuration, notes)


def _id_column(columns: Sequence[str], configuration: Mapping[str, Any] | None) -> str:
    """``id``, else the column that the sync matches by, else the first."""
    if ID in columns:
        return ID
    identifier = (configuration or {}).get("identifierMapping") or ()
    entry = identifier[0] if isinstance(identifier, list) and identifier else identifier
    column = entry.get("from") if isinstance(entry, dict) else None
    return column if isinstance(column, str) and column in columns else columns[0]


def no_rows() -> Stop:
    """What to say where no rows are given."""
    return Stop("There are no rows to try.", "Neither --row nor --rows is given.", _ROWS)
