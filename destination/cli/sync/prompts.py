"""A sync's configuration, asked for choice by choice from what the server lists."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click
import msgspec

from destination.cli.sync.form import CHOOSE, ask_options, numbered, typed_line
from destination.cli.sync.listing import Choice, Field, Listing, chosen
from destination.cli.text import shown
from destination.sync import unknown

NONE = "-"
"""What is typed for no field."""


def ask_configuration(listing: Listing, columns: Sequence[str], id_column: str) -> dict[str, Any]:
    """
    The configuration that a person makes on the terminal, as Hightouch's form would.

    Raises:
        Stop: The server cannot be reached, or fails.
        click.Abort: The person does not want to go on.
    """
    object = _pick("Object", listing.objects())
    mode = _pick("Mode", listing.modes(object))
    mapping = _Mapping(listing.fields(object, mode), columns, id_column).asked()
    return chosen(object, mode) | mapping | ask_options(listing.options(object, mode))


def offer_to_save(configuration: Mapping[str, Any]) -> Path | None:
    """Write it to a file if the person names one."""
    name = typed_line("Save these choices for --sync-config as (Enter: do not save)", "")
    if not name:
        return None
    path = Path(name)
    if path.exists() and not click.confirm(f"{path} exists. Write over it?", err=True):
        return None
    try:
        path.write_bytes(msgspec.json.format(msgspec.json.encode(configuration)) + b"\n")
    except OSError as error:
        click.echo(f"  {path} cannot be written: {error.strerror}", err=True)
        return offer_to_save(configuration)
    return path


def _pick(what: str, choices: Sequence[Choice]) -> str | None:
    """The id of the choice; the only one is not asked for."""
    if not choices:
        return None
    if len(choices) == 1:
        click.echo(f"{what}: {shown(choices[0].label or choices[0].id)}", err=True)
        return choices[0].id
    click.echo(f"{what}:", err=True)
    texts = ((each.label or shown(each.id), each.description) for each in choices)
    numbered(": ".join(filter(None, text)) for text in texts)
    ids = [each.id for each in choices]
    while True:
        typed = typed_line(CHOOSE, "1")
        if typed in ids:
            return typed
        if typed.isascii() and typed.isdigit() and 0 < int(typed) <= len(ids):
            return ids[int(typed) - 1]
        click.echo(f"  Type a number from 1 to {len(ids)}.", err=True)


class _Mapping:
    """Which column goes to which field."""

    def __init__(self, fields: Sequence[Field], columns: Sequence[str], id_column: str) -> None:
        self._fields = {field.id: field for field in fields}
        self._columns = columns
        self._id_column = id_column
        self._mappings: list[dict[str, str]] = []
        self._custom: list[dict[str, str]] = []

    def asked(self) -> dict[str, Any]:
        if not self._fields:
            return {"identifierMapping": [], "mappings": [], "customMappings": []}
        click.echo("Fields:", err=True)
        width = min(30, max(len(id) for id in self._fields))
        for field in self._fields.values():
            about = ", ".join(filter(None, (field.type, *_marks(field))))
            label = f"{field.label} " if field.label != field.id else ""
            click.echo(f"  {shown(field.id, 80):<{width}}  {label}({about})", err=True)
        matched = self._ask_identifier()
        click.echo(f"For each column type a field, or {NONE} for none.", err=True)
        for column in self._columns:
            self._ask_field(column, matched)
        self._ask_required()
        return {
            "identifierMapping": matched,
            "mappings": self._mappings,
            "customMappings": self._custom,
        }

    def _ask_identifier(self) -> list[dict[str, str]]:
        """One column to one field; a required identifier stands among the mappings as well."""
        identifiers = [each for each in self._fields.values() if each.identifier]
        choices = [Choice(each.id, each.label, "") for each in identifiers]
        id = _pick("Records are matched by", choices)
        if id is None:
            return []
        column = self._ask_column(f"Column for {shown(id, 80)}", self._guess_column(id))
        entry = {"from": column, "to": id}
        if self._fields[id].required:
            self._mappings.append(dict(entry))
        return [entry]

    def _ask_field(self, column: str, matched: Sequence[Mapping[str, str]]) -> None:
        taken = {each["to"] for each in (*self._mappings, *self._custom, *matched)}
        here = any(each["from"] == column for each in (*self._mappings, *matched))
        default = NONE if here else self._guess_field(column, taken)
        while True:
            typed = typed_line(f"  {shown(column, 80)}", default)
            if typed == NONE:
                return
            entry = {"from": column, "to": typed}
            if typed in taken:
                click.echo("    A column goes there already.", err=True)
            elif typed in self._fields:
                self._mappings.append(entry)
                return
            elif self._is_custom(typed):
                self._custom.append(entry)
                return

    def _is_custom(self, typed: str) -> bool:
        click.echo(f"    {unknown('Field', typed, list(self._fields))}", err=True)
        return click.confirm("    Send it as a field of your own?", err=True)

    def _ask_required(self) -> None:
        for field in self._fields.values():
            mapped = {each["to"] for each in self._mappings}
            if field.required and field.id not in mapped:
                click.echo(f'Field "{field.label}" is required.', err=True)
                column = self._ask_column(f"Column for {shown(field.id, 80)}", "")
                self._mappings.append({"from": column, "to": field.id})

    def _ask_column(self, text: str, default: str) -> str:
        while True:
            typed = typed_line(text, default)
            if typed in self._columns:
                return typed
            click.echo(f"  {unknown('Column', typed, self._columns)}", err=True)

    def _guess_column(self, id: str) -> str:
        """The column of the same name, or else of a part of it, or else the rows' own id."""
        same = [each for each in self._columns if self._guess_field(each, set()) == id]
        part = [each for each in self._columns if len(each) > 2 and _letters(each) in _letters(id)]
        return (*same, *part, self._id_column)[0]

    def _guess_field(self, column: str, taken: set[str]) -> str:
        for field in self._fields.values():
            names = {_letters(field.id), _letters(field.label)}
            if _letters(column) in names and field.id not in taken:
                return field.id
        return NONE


def _marks(field: Field) -> list[str]:
    marks = {"required": field.required, "identifier": field.identifier}
    return [mark for mark, there in marks.items() if there]


def _letters(name: str) -> str:
    return re.sub(r"[\W_]", "", name).casefold()
