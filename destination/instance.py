"""One configured destination: every question that a front end may ask of it."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import httpx

from destination.errors import (
    Code,
    ConfigError,
    DestinationError,
    FatalError,
    NoAnswer,
    RowError,
    UnavailableError,
)
from destination.mapping import Plan
from destination.model import (
    Batch,
    Field,
    Mode,
    Object,
    Operation,
    Rejection,
    Report,
    Row,
)
from destination.plugin import Destination
from destination.run import Run, mapped
from destination.schema import form_schema, option_problems, option_values, parse_options
from destination.sync import Sync, choose_mode, choose_object, mapping_problems
from destination.tuning import Tuning
from destination.vendor.client import VendorClient
from destination.vendor.limiter import Limiter
from destination.vendor.transport import AiohttpTransport, no_cookies

Form = tuple[dict[str, Any], dict[str, Any]]
"""A JSON Schema and a uiSchema."""

FORM_CONNECTIONS = 10
"""Connections beside those that deliver: a delivery that has its permit never waits for one."""

DESCRIBED_FOR = 60.0
"""Seconds that the vendor's objects, fields and choices are remembered while rows are sent."""

MANY_DESCRIBED = 100
"""Objects and modes remembered at most; their names come from callers."""

RESERVE = 3.0
"""Seconds of the deadline that ``behavior`` does not plan to use."""


@dataclass(frozen=True, slots=True)
class Behavior:
    """How a platform should send the rows of a sync."""

    batch_size: int
    operations: Mapping[Operation, bool]
    skip_initial_run: bool


@dataclass(frozen=True, slots=True)
class _Described:
    object: Object
    mode: Mode
    fields: Sequence[Field]
    form: Form | None
    expires: float


class Instance:
    """
    A destination under a name, with its client and its limits.

    It is an asynchronous context manager: connections exist inside it only.

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
        self._deadline = deadline
        self._max_rows = max_rows
        self._stack = AsyncExitStack()
        self._known: dict[tuple[str | None, str | None], _Described] = {}

    async def __aenter__(self) -> Self:
        connection = self.plugin.connection()
        limits = self._tuning.applied(self.plugin.limits_for(None, None))
        http = httpx.AsyncClient(
            transport=AiohttpTransport(
                connections=limits.concurrency + FORM_CONNECTIONS,
                public_only=not self._tuning.allow_private_networks,
            ),
            base_url=self._tuning.base_url or connection.base_url,
            auth=connection.auth,
            headers={
                "Accept-Encoding": "identity",
                "User-Agent": "destination",
                **connection.headers,
            },
            cookies=no_cookies(),
            follow_redirects=False,
            trust_env=False,
            event_hooks={"request": [self._guard]},
        )
        await self._stack.enter_async_context(http)
        self._permits = asyncio.Semaphore(limits.concurrency)
        self.plugin.http = VendorClient(
            http,
            limiter=Limiter(limits.rate),
            classify=self.plugin.classify,
            timeout=self._tuning.timeout,
            attempts=self._tuning.attempts or limits.attempts,
        )
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._stack.aclose()

    async def _guard(self, request: httpx.Request) -> None:
        if request.url.scheme != "https" and not self._tuning.allow_private_networks:
            raise ConfigError(
                "only https is allowed; allow_private_networks = true permits plain http"
            )

    async def check(self) -> None:
        """Raise DestinationError when the vendor does not accept the settings."""
        await self.plugin.check()

    async def objects(self) -> Sequence[Object]:
        """What rows can be synced to; one object without an id where there is no choice."""
        return await self.plugin.discover()

    async def modes(self, object: str | None) -> Sequence[Mode]:
        """The modes of an object, empty while none is chosen among several."""
        chosen = await self._object(object)
        return chosen.modes if chosen else ()

    async def fields(self, object: str | None, mode: str | None) -> Sequence[Field]:
        """The fields to map, asked of the vendor anew; empty while no object is chosen."""
        chosen = await self._object(object)
        if chosen is None:
            return ()
        if mode is not None:
            choose_mode(chosen, mode)
        return await self.plugin.fields(chosen, mode)

    async def form(self, object: str | None, mode: str | None) -> Form | None:
        """The options form, None when there is nothing to ask."""
        chosen = await self._object(object)
        if chosen is None:
            return None
        return form_schema(self.plugin.options_model, await self.plugin.form(chosen, mode))

    async def _object(self, id: str | None) -> Object | None:
        objects = await self.plugin.discover()
        if id is None and len(objects) > 1:
            return None
        return choose_object(objects, id)

    async def validate(self, sync: Sync) -> list[str]:
        """What would keep this sync from working, in sentences for a marketer; [] when nothing."""
        try:
            object = choose_object(await self.plugin.discover(), sync.object)
            mode = choose_mode(object, sync.mode)
        except ConfigError as error:
            return [error.message]
        problems = list(mapping_problems(sync, object, await self.plugin.fields(object, mode.id)))
        form = await self.form(object.id, mode.id)
        values = option_values(form[0], sync.configuration) if form else {}
        problems += option_problems(form[0], values) if form else ()
        if not problems:
            problems += await self._own_problems(sync, values)
        return problems

    async def _own_problems(self, sync: Sync, values: Mapping[str, Any]) -> list[str]:
        try:
            options = parse_options(self.plugin.options_model, values)
        except ConfigError as error:
            return [error.message]
        return list(await self.plugin.validate(sync, options))

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
            min(self._call_size(mode) for mode in modes),
            {each: any(mode.verb(each) for mode in modes) for each in Operation},
            all(mode.skip_initial_run for mode in modes),
        )

    def _call_size(self, mode: Mode) -> int:
        """No more rows than can be delivered well within the deadline."""
        limits = self._tuning.applied(self.plugin.limits_for(mode.id, None))
        seconds = max(self._deadline - RESERVE, 1.0)
        rounds = max(1, int(seconds / limits.latency))
        batches = limits.concurrency * rounds
        if limits.rate is not None:
            batches = min(batches, int(limits.rate.per_second * seconds))
        return max(1, min(self._max_rows, batches * limits.batch_size))

    async def deliver(
        self, sync: Sync, operation: Operation, rows: Sequence[Row], deadline: float
    ) -> Report:
        """
        Deliver rows and report those that were not.

        Args:
            deadline: When the answer must be out, on the event loop's clock.

        Raises:
            FatalError: A person must act; no row was or may have been delivered.
        """
        if not rows:
            return Report(0)
        try:
            async with asyncio.timeout_at(deadline):
                plan, batch = await self._plan(sync, operation)
        except FatalError:
            raise
        except (TimeoutError, NoAnswer):
            return _all_rejected(
                rows, UnavailableError("not sent: the vendor did not say what its fields are")
            )
        except DestinationError as error:
            return _all_rejected(rows, error)
        records, rejections = await mapped(plan, rows, deadline)
        limits = self._tuning.applied(self.plugin.limits_for(batch.mode, batch.options))
        run = Run(self.plugin, batch, limits, self._permits, deadline)
        rejections += await run.deliver(records)
        return Report(len(rows), tuple(sorted(rejections, key=lambda each: each.position)))

    async def _plan(self, sync: Sync, operation: Operation) -> tuple[Plan, Batch[Any]]:
        if not self.active:
            raise ConfigError("this destination is switched off (active = false)")
        described = await self._described(sync.object, sync.mode)
        mode, form = described.mode, described.form
        verb = mode.verb(operation)
        if verb is None:
            raise RowError(
                f'mode "{mode.id}" does not send rows to {operation}', code=Code.NOT_SUPPORTED
            )
        values = option_values(form[0], sync.configuration) if form else {}
        if form and (problems := list(option_problems(form[0], values))):
            raise ConfigError(" ".join(problems))
        options = parse_options(self.plugin.options_model, values)
        plan = Plan(sync.mapping, described.fields, operation)
        return plan, Batch(described.object.id, mode.id, operation, verb, options, ())

    async def _described(self, object_id: str | None, mode_id: str | None) -> _Described:
        """What the vendor says of an object and mode, remembered between the calls of a run."""
        now = asyncio.get_running_loop().time()
        known = self._known.get((object_id, mode_id))
        if known is not None and now < known.expires:
            return known
        object = choose_object(await self.plugin.discover(), object_id)
        mode = choose_mode(object, mode_id)
        form = form_schema(self.plugin.options_model, await self.plugin.form(object, mode.id))
        fields = await self.plugin.fields(object, mode.id)
        if len(self._known) >= MANY_DESCRIBED:
            self._known.clear()
        described = _Described(object, mode, fields, form, now + DESCRIBED_FOR)
        self._known[object_id, mode_id] = described
        return described


def _all_rejected(rows: Sequence[Row], error: DestinationError) -> Report:
    return Report(len(rows), tuple(Rejection(row.position, error) for row in rows))
