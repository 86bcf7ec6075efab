"""The rows that were not accepted, in a file with their reasons."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from destination.cli import FAILED, Stop
from destination.cli.rows import Row
from destination.cli.sync.files import write_whole
from destination.cli.sync.report import Report


def save_rejected(report: Report, path: Path) -> None:
    """
    Write the rows that were not accepted with their reasons, for the owner alone.

    JSON Lines by suffix, CSV otherwise, whose first two columns are ``rejected_operation`` and
    ``rejected_reason``. Raises Stop.
    """
    write = _as_json_lines if path.suffix.lower() in (".jsonl", ".ndjson") else _as_csv
    try:
        write_whole(path, write(list(report.refused())))
    except OSError as error:
        raise Stop(
            "The rejected rows cannot be written.",
            f"{path}: {error.strerror}",
            "Name another file; the run itself was carried out.",
            FAILED,
        ) from None


def _as_json_lines(refused: Sequence[tuple[str, str, Row]]) -> bytes:
    return msgspec.json.Encoder().encode_lines(
        {"operation": operation, "reason": reason, "row": row} for operation, reason, row in refused
    )


def _as_csv(refused: Sequence[tuple[str, str, Row]]) -> bytes:
    columns: dict[str, None] = {}
    for _, _, row in refused:
        columns |= dict.fromkeys(row)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["rejected_operation", "rejected_reason", *columns])
    for operation, reason, row in refused:
        # A reason is the server's text: a spreadsheet must not take it for a formula.
        harmless = f"'{reason}" if reason[:1] in "=+-@" else reason
        writer.writerow([operation, harmless, *(_cell(row.get(name)) for name in columns)])
    return text.getvalue().encode("utf-8")


def _cell(value: Any) -> str:
    if value is None or isinstance(value, str):
        return value or ""
    return msgspec.json.encode(value).decode()
