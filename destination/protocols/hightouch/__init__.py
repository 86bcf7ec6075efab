"""
Hightouch's custom destination: its nine methods in our words, and back.

The shapes are those of its documentation; where callers differ from it (``identifierMapping``
as an object, ``behavior`` with a configuration, typed mapping entries), both are taken.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any

import msgspec

from destination.errors import ConfigError
from destination.instance import Instance
from destination.model import Field, Operation
from destination.protocols.hightouch.configuration import JSON, identifier_column, read_sync
from destination.protocols.hightouch.rows import read_rows, rejected_rows
from destination.protocols.rpc import Call, InvalidParams, Method

FORM_SECONDS = 5.0
"""A person waits for the form; a vendor that is slower than this is reported instead."""


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
    try:
        sync = read_sync(params.configuration or {}, params.columns)
    except ConfigError as error:
        return {"errors": [error.message]}
    return {"errors": await _instance(call).validate(sync)}


async def _behavior(call: Call, params: _Configured) -> JSON:
    sync = None if params.configuration is None else read_sync(params.configuration)
    behavior = await _instance(call).behavior(sync)
    return {
        "batchSize": behavior.batch_size,
        "operations": {str(name): sent for name, sent in behavior.operations.items()},
        "skipInitialRun": behavior.skip_initial_run,
    }


def _send(operation: Operation) -> Callable[[Call, _Rows], Awaitable[JSON]]:
    async def send(call: Call, params: _Rows) -> JSON:
        raw = params.rows
        if len(raw) > call.rows_left:
            raise InvalidParams(
                f"Invalid params: {len(raw)} rows; this call may bring {call.rows_left} more"
            )
        call.rows_left -= len(raw)
        sync = read_sync(params.configuration or {})
        id_column = params.idColumn or identifier_column(sync.mapping)
        rows, ids = read_rows(raw, id_column, sync.mapping.columns)
        sync = replace(sync, id_column=id_column or "")
        report = await _instance(call).deliver(sync, operation, rows, call.deadline)
        return {"rejectedRows": rejected_rows(report.rejections, rows, ids)}

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
