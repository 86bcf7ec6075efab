"""What a sync means to a destination: which verb, which fields, which options."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

from msgspec.structs import replace

from destination.errors import Code, ConfigError, RowError
from destination.mapping import Plan
from destination.model import Batch, Field, Form, Mode, Object, Operation
from destination.plugin import Destination
from destination.schema import form_schema, option_problems, option_values, parse_options
from destination.sync import Sync, choose_mode, choose_object

DESCRIBED_FOR = 60.0
"""Seconds that the vendor's objects, fields and choices are remembered while rows are sent."""

MANY_DESCRIBED = 100
"""Objects and modes remembered at most; their names come from callers."""


@dataclass(frozen=True, slots=True)
class _Described:
    object: Object
    mode: Mode
    fields: Sequence[Field]
    form: tuple[dict[str, Any], dict[str, Any]] | None
    expires: float


@dataclass(frozen=True, slots=True)
class _Made:
    of: _Described
    plan: Plan
    batch: Batch[Any]


class Planner:
    """Makes plans, and keeps them and what the vendor says there is between the calls of a run."""

    def __init__(self, plugin: Destination[Any, Any]) -> None:
        self._plugin = plugin
        self._known: dict[tuple[str | None, str | None], _Described] = {}
        self._made: WeakKeyDictionary[Sync, dict[Operation, _Made]] = WeakKeyDictionary()

    async def plan(self, sync: Sync, operation: Operation) -> tuple[Plan, Batch[Any]]:
        """
        The mapping, and the batch without records, of one operation.

        Raises:
            ConfigError: The sync names what does not exist, or its options are wrong.
            RowError: Its mode does not send this operation.
            DestinationError: The vendor did not say what there is.
        """
        described = await self._described(sync.object, sync.mode)
        made = self._made.setdefault(sync, {})
        if (last := made.get(operation)) is None or last.of is not described:
            last = made[operation] = self._make(described, sync, operation)
        # The options are a copy: what a destination does to them does not outlast the call.
        return last.plan, replace(last.batch, options=last.batch.options.model_copy(deep=True))

    def _make(self, described: _Described, sync: Sync, operation: Operation) -> _Made:
        mode, form = described.mode, described.form
        verb = mode.verb(operation)
        if verb is None:
            raise RowError(
                f'mode "{mode.id}" does not send rows to {operation}', code=Code.NOT_SUPPORTED
            )
        values = option_values(form[0], sync.configuration) if form else {}
        if form and (problems := list(option_problems(form[0], values))):
            raise ConfigError(" ".join(problems))
        options = parse_options(self._plugin.options_model, values)
        fields = self._plugin.fields_for(described.fields, options)
        plan = Plan(sync.mapping, fields, operation)
        batch = Batch(described.object.id, mode.id, operation, verb, options, (), sync.id_column)
        return _Made(described, plan, batch)

    async def _described(self, object_id: str | None, mode_id: str | None) -> _Described:
        """What the vendor says of an object and mode, remembered between the calls of a run."""
        now = asyncio.get_running_loop().time()
        known = self._known.get((object_id, mode_id))
        if known is not None and now < known.expires:
            return known
        object = choose_object(await self._plugin.discover(), object_id)
        mode = choose_mode(object, mode_id)
        asked = self._plugin.closed_choices
        choices = await self._plugin.form(object, mode.id) if asked else Form()
        form = form_schema(self._plugin.options_model, choices)
        fields = await self._plugin.fields(object, mode.id)
        if len(self._known) >= MANY_DESCRIBED:
            self._known.clear()
        described = _Described(object, mode, fields, form, now + DESCRIBED_FOR)
        self._known[object_id, mode_id] = described
        return described
