"""What the person who runs the cases gives: secrets, a sync's configuration, sample rows."""

import csv
import itertools
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Row = Mapping[str, Any]

ROWS = 3
"""How many of the sample rows are used."""


class Unusable(Exception):
    """What was given cannot be used; the message says why."""


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


def read_configuration(path: Path) -> Mapping[str, Any]:
    """A JSON object. Raises Unusable."""
    try:
        configuration = _json(path.read_text("utf-8-sig"))
    except OSError as error:
        raise Unusable(f"{path}: {error.strerror}") from None
    except (ValueError, RecursionError):
        raise Unusable(f"{path}: it is not JSON") from None
    if not isinstance(configuration, dict):
        raise Unusable(f"{path}: a configuration is a JSON object")
    return configuration


def read_rows(path: Path) -> Sequence[Row]:
    """The first rows of a CSV file, or of JSON Lines. Raises Unusable."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as lines:
            read = _csv(lines) if path.suffix.lower() == ".csv" else _json_lines(lines)
            rows = list(itertools.islice(read, ROWS))
    except OSError as error:
        raise Unusable(f"{path}: {error.strerror}") from None
    except (csv.Error, ValueError, RecursionError):
        raise Unusable(f"{path}: it is neither CSV nor one JSON object on each line") from None
    if not rows or not rows[0]:
        raise Unusable(f"{path}: it has no rows")
    return rows


def _csv(lines: Iterable[str]) -> Iterator[Row]:
    """An empty cell is null, as in a query's result."""
    for row in csv.DictReader(lines, restkey=""):
        yield {name: cell or None for name, cell in row.items() if name}


def _json_lines(lines: Iterable[str]) -> Iterator[Row]:
    for line in filter(str.strip, lines):
        row = _json(line)
        if not isinstance(row, dict):
            raise ValueError("a row is an object")
        yield row


def id_column(rows: Sequence[Row], named: str | None) -> str:
    """The named column, else the first. Raises Unusable when a row has no value in it."""
    column = named or next(iter(rows[0]))
    for number, row in enumerate(rows, 1):
        if row.get(column) is None:
            raise Unusable(f'row {number} has no value in the id column "{column}"')
    return column


def _json(text: str) -> Any:
    """A document that can be written again as it is; raises ValueError."""

    def refuse(constant: str) -> Any:
        raise ValueError(constant)

    document = json.loads(text, parse_constant=refuse)
    json.dumps(document, ensure_ascii=False).encode()  # a lone surrogate cannot be
    return document
