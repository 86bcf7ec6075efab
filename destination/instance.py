"""One configured destination: every question that a front end may ask of it."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any, Self

import httpx
import structlog
from pydantic import BaseModel

from destination.confidential import paths_in, secrets_in
from destination.deadline import Deadline, give_way
from destination.deliveries import Deliveries, all_rejected
from destination.errors import ConfigError, FatalError
from destination.masking import Mask, masked
from destination.metrics import ACCEPTED, SKIPPED, SUPPRESSED, Meter
from destination.model import (
    Checked,
    Field,
    Limits,
    Mode,
    Object,
    Operation,
    Rejection,
    Report,
    Row,
)
from destination.model import Form as BareForm
from destination.notes import Notes
from destination.pace import rows_of_call
from destination.plugin import Destination
from destination.schema import form_schema, option_problems, option_values, parse_options
from destination.state.store import Store
from destination.sync import Sync, choose_mode, choose_object, mapping_problems
from destination.tuning import Tuning
from destination.vendor.auth import held_by
from destination.vendor.session import Between, opened

log = structlog.get_logger()

Form = tuple[dict[str, Any], dict[str, Any]]
"""A JSON Schema and a uiSchema."""


@dataclass(frozen=True, slots=True)
class Behavior:
    """How a platform should send the rows of a sync."""

    batch_size: int
    operations: Mapping[Operation, bool]
    skip_initial_run: bool


class Instance:
    """
    A destination under a name: its settings, and once it is opened its client and its limits.

    Args:
        deadline: Seconds that a call may take.
        max_rows: The most rows a platform should send in one call.
    """

    def __init__(
        self,
        name: str,
        plugin: Destination[Any, Any],
        tuning: Tuning,
        *,
        deadline: float,
        max_rows: int,
    ) -> None:
        self.name = name
        self.plugin = plugin
        self.kind = plugin.kind
        self.active = tuning.active
        self._tuning = tuning
        self.deadline = deadline
        self.max_rows = max_rows
        self._configured = cache(lambda: tuple(secrets_in(plugin.settings)))
        self.mask = Mask(self.secrets, paths_in(plugin.settings))
        self.auth: httpx.Auth | None = None
        """The way of being let in, once it is opened."""

    @asynccontextmanager
    async def opened(
        self, store: Store, meter: Meter, *, between: Between | None = None
    ) -> AsyncIterator[Self]:
        """
        Ready to serve inside the block, where its connections exist.

        Args:
            store: Where deliveries are remembered; it is open already.
            between: What a test puts before the transport.
        """
        plugin, tuning, secret = self.plugin, self._tuning, await store.secret()
        plugin.notes = Notes(store, secret, self.name)
        self._meter = meter
        self._deliveries = Deliveries(self.name, plugin, tuning, self.limits, store, secret)
        connection, classify = plugin.connection(), plugin.classify
        self.auth = connection.auth
        async with opened(connection, tuning, self.limits(), classify, meter, between) as client:
            self.plugin.http = client
            yield self

    @masked
    async def check(self) -> Checked:
        """What the vendor says of the settings; raises DestinationError when it refuses them."""
        told = await self.plugin.check()
        checked = told if isinstance(told, Checked) else Checked(told or "")
        warnings = tuple(map(self.mask.text, checked.warnings))
        return Checked(self.mask.text(checked.says), warnings)

    @masked
    async def objects(self) -> Sequence[Object]:
        """What rows can be synced to; one object without an id where there is no choice."""
        return await self.plugin.discover()

    @masked
    async def modes(self, object: str | None) -> Sequence[Mode]:
        """The modes of an object, empty while none is chosen among several."""
        chosen = await self._object(object)
        return chosen.modes if chosen else ()

    @masked
    async def fields(self, object: str | None, mode: str | None) -> Sequence[Field]:
        """The fields to map, asked of the vendor anew; empty while no object is chosen."""
        chosen = await self._object(object)
        if chosen is None:
            return ()
        if mode is not None:
            choose_mode(chosen, mode)
        return await self.plugin.fields(chosen, mode)

    @masked
    async def form(self, object: str | None, mode: str | None) -> Form | None:
        """The options form, None when there is nothing to ask."""
        chosen = await self._object(object)
        if chosen is None:
            return None
        return form_schema(self.plugin.options_model, await self.plugin.form(chosen, mode))

    def secrets(self) -> Iterable[str]:
        """The credentials of the settings, and those that were obtained with them."""
        return (*self._configured(), *held_by(self.auth))

    async def _object(self, id: str | None) -> Object | None:
        objects = await self.plugin.discover()
        if id is None and len(objects) > 1:
            return None
        return choose_object(objects, id)

    @masked
    async def validate(self, sync: Sync) -> list[str]:
        """What would keep this sync from working, in sentences for a marketer; [] when nothing."""
        return [self.mask.text(problem) for problem in await self._problems(sync)]

    async def _problems(self, sync: Sync) -> list[str]:
        try:
            object = choose_object(await self.plugin.discover(), sync.object)
            mode = choose_mode(object, sync.mode)
        except ConfigError as error:
            return [error.message]
        fields = await self.plugin.fields(object, mode.id)
        form = await self.form(object.id, mode.id)
        values = option_values(form[0], sync.configuration) if form else {}
        unfit = list(option_problems(form[0], values)) if form else []
        try:
            options = None if unfit else parse_options(self.plugin.options_model, values)
        except ConfigError as error:
            options, unfit = None, [error.message]
        if options is not None:
            fields = self.plugin.fields_for(fields, options)
        problems = [*mapping_problems(sync, object, fields), *unfit]
        if options is not None and not problems:
            problems += await self.plugin.validate(sync, options)
        return problems

    @masked
    async def behavior(self, sync: Sync | None) -> Behavior:
        """How to send: of the sync's mode, or of all modes together where no sync is given."""
        objects = await self.plugin.discover()
        if sync is None or (sync.object is None and len(objects) > 1):
            modes = [mode for object in objects for mode in object.modes]
        else:
            modes = [choose_mode(choose_object(objects, sync.object), sync.mode)]
        if not modes:
            raise ConfigError("There is nothing to sync to yet: the vendor has no objects.")
        return Behavior(
            min(self._call_size(mode, self._options(sync)) for mode in modes),
            {each: any(mode.verb(each) for mode in modes) for each in Operation},
            all(mode.skip_initial_run for mode in modes),
        )

    def _options(self, sync: Sync | None) -> BaseModel | None:
        """The sync's options, where there is one and they can be understood."""
        form = form_schema(self.plugin.options_model, BareForm())
        if sync is None or form is None:
            return None
        try:
            values = option_values(form[0], sync.configuration)
            return parse_options(self.plugin.options_model, values)
        except ConfigError:
            return None

    def _call_size(self, mode: Mode, options: BaseModel | None) -> int:
        """No more rows than can be delivered well within the deadline; whole batches of them."""
        return rows_of_call(self.limits(mode.id, options), self.deadline, self.max_rows)

    def limits(self, mode: str | None = None, options: BaseModel | None = None) -> Limits:
        """How fast the vendor is called: the kind's word, with the operator's in its place."""
        return self._tuning.applied(self.plugin.limits_for(mode, options))

    @masked
    async def deliver(
        self, sync: Sync, operation: Operation, rows: Sequence[Row], deadline: Deadline
    ) -> Report:
        """
        Deliver rows and report those that were not. The log and the metrics say so too.

        Args:
            deadline: When the answer must be out.

        Raises:
            FatalError: A person must act; no row was or may have been delivered.
        """
        started = asyncio.get_running_loop().time()
        try:
            report = await self._deliveries.report(sync, operation, rows, deadline)
        except FatalError as error:
            self._tell(operation, all_rejected(rows, error), started)
            raise
        await self._mask(report.rejections)
        self._tell(operation, report, started)
        return report

    async def _mask(self, rejections: Sequence[Rejection]) -> None:
        turn = asyncio.get_running_loop().time()
        for error in {id(each.error): each.error for each in rejections}.values():
            self.mask.error(error)
            turn = await give_way(turn)

    def _tell(self, operation: Operation, report: Report, started: float) -> None:
        seconds = asyncio.get_running_loop().time() - started
        reasons = Counter(str(each.error.code) for each in report.rejections)
        sent = {
            ACCEPTED: report.delivered - report.suppressed,
            SUPPRESSED: report.suppressed,
            SKIPPED: len(report.skipped),
        }
        self._meter.call(operation, {**sent, **reasons}, seconds)
        log.info(
            "rows.answered",
            operation=str(operation),
            rows=report.rows,
            **sent,
            rejected=len(report.rejections),
            reasons=dict(reasons),
            attempts=report.attempts,
            ms=round(seconds * 1000, 1),
        )
