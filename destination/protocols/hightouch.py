"""
Hightouch's custom destination: its nine methods in our words, and back.

The shapes are those of its documentation; where callers differ from it (``identifierMapping``
as an object, ``behavior`` with a configuration, typed mapping entries), both are taken.
"""

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from typing import Any

import msgspec
import structlog

from destination.errors import Code, ConfigError, RowError
from destination.instance import Instance, Row
from destination.mapping import Column, Entry, FieldMapping, Rendered, Source, Static, Unresolved
from destination.model import Field, Operation, Rejection
from destination.protocols.rpc import Call, InvalidParams, Method
from destination.schema import RESERVED
from destination.sync import Sync
from destination.template import Template

log = structlog.get_logger()

FORM_SECONDS = 5.0
"""A person waits for the form; a vendor that is slower than this is reported instead."""

MAX_ROW = 256 * 1024
"""Bytes of one row; a longer one is rejected alone."""

MAX_DEPTH = 64
"""How deep a row or a configuration may nest."""

JSON = dict[str, Any]


class _Choice(msgspec.Struct):
    object: str | None = None
    mode: str | None = None


class _Configured(msgspec.Struct):
    configuration: dict[str, Any] | None = None
    columns: list[str] | None = None


class _Rows(msgspec.Struct):
    rows: list[msgspec.Raw]
    idColumn: str | None = None  # noqa: N815 - the wire's name
    configuration: dict[str, Any] | None = None


async def _list_objects(call: Call, _: _Choice) -> JSON:
    objects = await _instance(call).objects()
    return {
        "objects": [_shown(each.id, each.label, each.description) for each in objects if each.id]
        or None
    }


async def _list_modes(call: Call, choice: _Choice) -> JSON:
    modes = await _instance(call).modes(choice.object)
    return {"modes": [_shown(mode.id, mode.label, mode.description) for mode in modes] or None}


async def _list_fields(call: Call, choice: _Choice) -> JSON:
    fields = await _instance(call).fields(choice.object, choice.mode)
    return {"fields": [_field(field) for field in fields] or None}


def _field(field: Field) -> JSON:
    shown = _shown(field.id, field.label, field.description) | {"type": field.type}
    return shown | {name: True for name in ("required", "identifier") if getattr(field, name)}


async def _list_options(call: Call, choice: _Choice) -> JSON:
    form = await _instance(call).form(choice.object, choice.mode)
    return {"options": {"schema": form[0], "uiSchema": form[1]} if form else None}


def _shown(id: str | None, label: str, description: str) -> JSON:
    shown = {"id": id, "label": label or id}
    return shown | ({"description": description} if description else {})


async def _validate(call: Call, params: _Configured) -> JSON:
    sync, problems = _try_sync(params)
    if sync is not None:
        problems += await _instance(call).validate(sync)
    return {"errors": problems}


async def _behavior(call: Call, params: _Configured) -> JSON:
    sync = None if params.configuration is None else _sync(params.configuration)
    behavior = await _instance(call).behavior(sync)
    return {
        "batchSize": behavior.batch_size,
        "operations": {str(name): sent for name, sent in behavior.operations.items()},
        "skipInitialRun": behavior.skip_initial_run,
    }


def _send(operation: Operation) -> Callable[[Call, _Rows], Awaitable[JSON]]:
    async def send(call: Call, params: _Rows) -> JSON:
        raw = params.rows
        if len(raw) > call.max_rows:
            raise InvalidParams(
                f"Invalid params: {len(raw)} rows; this server takes {call.max_rows} at once"
            )
        sync = _sync(params.configuration or {})
        rows, ids = _read_rows(raw, params.idColumn or _identifier(sync.mapping))
        report = await _instance(call).deliver(sync, operation, rows, call.deadline)
        rejected = _rejected_rows(report.rejections, rows, ids)
        log.info(
            "rows.answered",
            operation=str(operation),
            rows=report.rows,
            accepted=report.delivered,
            rejected=len(report.rejections),
            reasons=_counts(report.rejections),
        )
        return {"rejectedRows": rejected}

    return send


METHODS: Mapping[str, Method] = {
    "list_objects": Method(_Choice, _list_objects, FORM_SECONDS),
    "list_modes": Method(_Choice, _list_modes, FORM_SECONDS),
    "list_fields": Method(_Choice, _list_fields, FORM_SECONDS),
    "list_options": Method(_Choice, _list_options, FORM_SECONDS),
    "validate": Method(_Configured, _validate, FORM_SECONDS),
    "behavior": Method(_Configured, _behavior, FORM_SECONDS),
} | {str(each): Method(_Rows, _send(each), notifiable=False) for each in Operation}


def _instance(call: Call) -> Instance:
    instance: Instance = call.target
    return instance


# The configuration -----------------------------------------------------------------------------


def _try_sync(params: _Configured) -> tuple[Sync | None, list[str]]:
    try:
        return _sync(params.configuration or {}, params.columns), []
    except ConfigError as error:
        return None, [error.message]


def _sync(configuration: JSON, columns: Iterable[str] | None = None) -> Sync:
    """The configuration in neutral words. Raises ConfigError when parts have wrong types."""
    if _depth(configuration) > MAX_DEPTH:
        raise ConfigError(f"The configuration is nested more than {MAX_DEPTH} deep.")
    return Sync(
        _text(configuration, "object"),
        _text(configuration, "mode"),
        FieldMapping(tuple(_entries(configuration))),
        {
            name: value
            for name, value in configuration.items()
            if name not in RESERVED - {"options"}
        },
        None if columns is None else frozenset(columns),
    )


def _text(configuration: JSON, name: str) -> str | None:
    value = configuration.get(name)
    if value is not None and not isinstance(value, str):
        raise ConfigError(f'"{name}" must be text.')
    return value or None


def _entries(configuration: JSON) -> Iterator[Entry]:
    """All mapping entries; of two for one field the later one counts, as they are merged here."""
    for name in ("identifierMapping", "mappings", "customMappings"):
        value = configuration.get(name) or []
        for entry in value if isinstance(value, list) else [value]:
            if (
                not isinstance(entry, dict)
                or not isinstance(entry.get("to"), str)
                or not entry["to"]
            ):
                raise ConfigError(f'"{name}" must be a list of entries with "from" and "to".')
            yield Entry(entry["to"], _source(entry), identifier=name == "identifierMapping")


def _source(entry: JSON) -> Source:
    match entry:
        case {"type": "template", "template": str(source)}:
            return _template(entry["to"], source)
        case {"type": "static", "value": value}:
            return Static(value)
        case {"type": "standard" | None, "from": str(column)} if column:
            return Column(column)
        case {"from": str(column)} if column and "type" not in entry:
            return Column(column)
        case {"type": "variable"}:
            return Unresolved(
                f'Field "{entry["to"]}": this server does not know the sync\'s variables. '
                "Map a column or a fixed value instead."
            )
        case _:
            return Unresolved(
                f'Field "{entry["to"]}": this kind of mapping is not known here. '
                "Map a column, a fixed value or a template."
            )


def _template(to: str, source: str) -> Source:
    try:
        return Rendered(Template.parse(source))
    except ConfigError as error:
        return Unresolved(f'Field "{to}": the template does not parse: {error.message}')


def _identifier(mapping: FieldMapping) -> str | None:
    """The column that rows are matched by, which serves where the caller names no id column."""
    for entry in mapping.entries:
        if entry.identifier and isinstance(entry.source, Column):
            return entry.source.name
    return None


# The rows --------------------------------------------------------------------------------------

_row = msgspec.json.Decoder(dict[str, Any])


def _read_rows(raw: list[msgspec.Raw], id_column: str | None) -> tuple[list[Row], "_Ids"]:
    """
    The rows, each decoded alone so that one that cannot be read harms no other.

    Raises:
        InvalidParams: No id column, or a row without a usable id: its outcome could not be
            reported. Nothing has been sent.
    """
    if not raw:
        return [], _Ids("", [])
    if not id_column:
        raise InvalidParams("Invalid params: idColumn is missing and no identifier is mapped")
    ids = _Ids(id_column, raw)
    return [_read_row(position, one, ids) for position, one in enumerate(raw)], ids


def _read_row(position: int, raw: msgspec.Raw, ids: "_Ids") -> Row:
    try:
        columns: JSON | RowError = _row.decode(raw)
        id = columns.get(ids.column) if isinstance(columns, dict) else None
    except (ValueError, RecursionError):
        columns = RowError("the row cannot be read: not an object, or text that is not Unicode")
        id = ids.raw(position).decode("utf-8", "replace")
    text = bytes(raw)
    if len(text) > MAX_ROW:
        columns = RowError(f"the row is longer than {MAX_ROW // 1024} KiB", code=Code.TOO_LARGE)
    elif text.count(b"[") + text.count(b"{") > MAX_DEPTH and _depth(columns) > MAX_DEPTH:
        columns = RowError(f"the row is nested more than {MAX_DEPTH} deep")
    if isinstance(id, bool) or not isinstance(id, str | int | float):
        raise InvalidParams(f"Invalid params: row {position} has no usable id in the idColumn")
    return Row(position, id, columns)


def _depth(value: Any) -> int:
    """How many arrays and objects stand inside each other."""
    level, depth = [value], 0
    while level := [each for each in level if isinstance(each, dict | list)]:
        depth += 1
        level = [
            inner for each in level for inner in (each.values() if isinstance(each, dict) else each)
        ]
    return depth


class _Ids:
    """The rows' ids as the caller wrote them, found only for the few rows that are rejected."""

    def __init__(self, column: str, rows: list[msgspec.Raw]) -> None:
        self.column = column
        self._rows = rows
        self._decoder: Any = None

    def raw(self, position: int) -> bytes:
        """The id's JSON text; raises InvalidParams when the row has none."""
        if self._decoder is None:
            self._decoder = _id_decoder(self.column)
        try:
            found = self._decoder.decode(self._rows[position])
            id = bytes(found[self.column] if isinstance(found, dict) else found.id)
        except (ValueError, KeyError, RecursionError):
            id = b"null"
        if id[:1] not in b'"-0123456789':
            raise InvalidParams(f"Invalid params: row {position} has no usable id in the idColumn")
        return id


def _id_decoder(column: str) -> Any:
    """Reads one column and passes over the others, where a struct can have a field of its name."""
    if any(character in '"\\' or character < " " for character in column):
        return msgspec.json.Decoder(dict[str, msgspec.Raw])
    struct = msgspec.defstruct("Id", [("id", msgspec.Raw)], rename={"id": column})
    return msgspec.json.Decoder(struct)


def _rejected_rows(rejections: Iterable[Rejection], rows: list[Row], ids: _Ids) -> list[JSON]:
    """Each rejected id once, with its first reason, in the order of the rows."""
    rejected: dict[tuple[type, Any], JSON] = {}
    for rejection in rejections:
        id = rows[rejection.position].id
        if (type(id), id) not in rejected:
            written = msgspec.Raw(ids.raw(rejection.position))
            rejected[type(id), id] = {"id": written, "reason": rejection.error.reason}
    return list(rejected.values())


def _counts(rejections: Iterable[Rejection]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for rejection in rejections:
        code = str(rejection.error.code)
        counts[code] = counts.get(code, 0) + 1
    return counts
