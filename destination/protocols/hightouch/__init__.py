"""
Hightouch's custom destination: its nine methods in our words, and back.

The shapes are those of its documentation; where callers differ from it (``identifierMapping``
as an object, ``behavior`` with a configuration, typed mapping entries), both are taken.
"""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress

from destination.errors import ConfigError
from destination.instance import Instance
from destination.model import Field, Operation
from destination.protocols.envelope import InvalidParams
from destination.protocols.hightouch.configuration import JSON, read_sync, sync_of
from destination.protocols.hightouch.rows import read_rows, rejected_rows
from destination.protocols.hightouch.shapes import (
    BehaviorResult,
    Choice,
    Configured,
    FieldsResult,
    ModesResult,
    ObjectsResult,
    OptionsResult,
    RejectedResult,
    Rows,
    ValidateResult,
)
from destination.protocols.openrpc import described
from destination.protocols.rpc import Call, Method, NoParams
from destination.raw import ParseError
from destination.unread import TooManyRows

FORM_SECONDS = 5.0
"""A person waits for the form; a vendor that is slower than this is reported instead."""


async def _list_objects(call: Call, _: Choice) -> JSON:
    """What rows can be synced to; null where there is no choice."""
    objects = await _instance(call).objects()
    return {
        "objects": [_shown(each.id, each.label, each.description) for each in objects if each.id]
        or None
    }


async def _list_modes(call: Call, choice: Choice) -> JSON:
    """The ways to sync an object."""
    modes = await _instance(call).modes(choice.object)
    return {"modes": [_shown(mode.id, mode.label, mode.description) for mode in modes] or None}


async def _list_fields(call: Call, choice: Choice) -> JSON:
    """The fields to map, with their types."""
    fields = await _instance(call).fields(choice.object, choice.mode)
    return {"fields": [_field(field) for field in fields] or None}


def _field(field: Field) -> JSON:
    shown = _shown(field.id, field.label, field.description) | {"type": field.type}
    return shown | {name: True for name in ("required", "identifier") if getattr(field, name)}


async def _list_options(call: Call, choice: Choice) -> JSON:
    """The form of a sync, as JSON Schema with a uiSchema for react-jsonschema-form."""
    form = await _instance(call).form(choice.object, choice.mode)
    return {"options": {"schema": form[0], "uiSchema": form[1]} if form else None}


def _shown(id: str | None, label: str, description: str) -> JSON:
    shown = {"id": id, "label": label or id}
    return shown | ({"description": description} if description else {})


async def _validate(call: Call, params: Configured) -> JSON:
    """What would keep a configuration from working, in sentences; none when nothing."""
    try:
        sync = read_sync(params.configuration or {}, params.columns)
    except ConfigError as error:
        return {"errors": [error.message]}
    return {"errors": await _instance(call).validate(sync)}


async def _behavior(call: Call, params: Configured) -> JSON:
    """How rows should be sent: in what batches, and of which operations."""
    sync = None if params.configuration is None else read_sync(params.configuration)
    behavior = await _instance(call).behavior(sync)
    return {
        "batchSize": behavior.batch_size,
        "operations": {str(name): sent for name, sent in behavior.operations.items()},
        "skipInitialRun": behavior.skip_initial_run,
    }


def _send(operation: Operation) -> Callable[[Call, Rows], Awaitable[JSON]]:
    async def send(call: Call, params: Rows) -> JSON:
        sync = sync_of(params.configuration, params.idColumn)
        rows = read_rows(params.rows, sync.id_column, sync.mapping.columns, call.rows_left)
        try:
            report = await _instance(call).deliver(sync, operation, rows, call.deadline)
        except TooManyRows as error:
            raise InvalidParams(
                f"Invalid params: {error.count} rows; this call may bring {call.rows_left} more"
            ) from None
        finally:
            with suppress(ParseError, TooManyRows):
                call.rows_left -= len(rows)
        return {"rejectedRows": rejected_rows(report.rejections, rows)}

    send.__doc__ = f"Rows to {operation}; the answer names those that were not delivered, and why."
    return send


async def _discover(call: Call, _: NoParams) -> JSON:
    """This document: every method with the shapes of its params and its result."""
    return described(SERVED, "A Hightouch custom destination")


METHODS: Mapping[str, Method] = {
    "list_objects": Method(Choice, _list_objects, ObjectsResult, FORM_SECONDS),
    "list_modes": Method(Choice, _list_modes, ModesResult, FORM_SECONDS),
    "list_fields": Method(Choice, _list_fields, FieldsResult, FORM_SECONDS),
    "list_options": Method(Choice, _list_options, OptionsResult, FORM_SECONDS),
    "validate": Method(Configured, _validate, ValidateResult, FORM_SECONDS),
    "behavior": Method(Configured, _behavior, BehaviorResult, FORM_SECONDS),
} | {
    str(each): Method(Rows, _send(each), RejectedResult, notifiable=False, unread="rows")
    for each in Operation
}
"""Hightouch's nine."""

SERVED: Mapping[str, Method] = {**METHODS, "rpc.discover": Method(NoParams, _discover, JSON)}
"""All methods: Hightouch's, and OpenRPC's own for finding out about them."""


def _instance(call: Call) -> Instance:
    instance: Instance = call.target
    return instance
