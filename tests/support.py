"""What tests share besides fixtures: kinds made for tests, and a running server."""

import asyncio
import io
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
import msgspec
from pydantic import BaseModel, Field

import destination as ht
from destination.app import INSTANCES
from destination.call import Call
from destination.deadline import DELIVERY, Deadline, Delivery
from destination.instance import Instance
from destination.memory import Memory, NoMemory
from destination.metrics import Metrics
from destination.model import Batch
from destination.order import Order
from destination.run import Run
from destination.state.sqlite import SqliteStore

SECRET = "s" * 40
BEARER = {"Authorization": f"Bearer {SECRET}"}


class PeopleSettings(BaseModel):
    """What the vendor made for tests is told to do."""

    refuse: list[str] = []
    fail: str = ""


class PeopleOptions(BaseModel):
    """One of each sort of option."""

    channel: str = Field("general", title="Channel")
    message: ht.TemplateText = ""
    archive_on_remove: bool = Field(False, alias="archiveOnRemove")


class PeopleOptionsRequired(BaseModel):
    """An option that must be given."""

    audience: str = Field(title="Audience key")


MODES = (
    ht.Mode("upsert", "Upsert", "upsert", "upsert", description="Adds and updates."),
    ht.Mode("mirror", "Mirror", "upsert", "upsert", "delete"),
    ht.Mode("insert", "Insert", "insert", skip_initial_run=True),
)
EMAIL = ht.Field("email", "E-mail", ht.FieldType.EMAIL, identifier=True, required=True)
USER = ht.Object(
    "user",
    "User",
    MODES,
    (
        EMAIL,
        ht.Field("first_name", "First name", required=True),
        ht.Field("last_name", "Last name"),
        ht.Field("born", "Born", ht.FieldType.DATE),
        ht.Field("ltv", "Lifetime value", ht.FieldType.NUMBER),
        ht.Field("plan", "Plan", ht.FieldType.ENUM, choices=("free", "paid")),
    ),
    "A user.",
    custom_fields=True,
)
ORGANIZATION = ht.Object("organization", "Organization", MODES[:1], (EMAIL,))


class People(ht.Destination[PeopleSettings, PeopleOptions]):
    """A vendor in memory that keeps what it is sent; it has objects, modes, fields and options."""

    kind = "people"
    label = "People"
    objects = (USER, ORGANIZATION)
    limits = ht.Limits(batch_size=2, concurrency=3)

    def __init__(self, settings: PeopleSettings) -> None:
        super().__init__(settings)
        self.holds: dict[Any, Any] = {}
        self.batches: list[list[Any]] = []
        self.extra_fields: list[ht.Field] = []
        self.on_deliver: Callable[[Any], Awaitable[Iterable[ht.Rejection]]] | None = None
        self.error: Exception | None = None

    async def fields(self, object: ht.Object, mode: str | None) -> list[ht.Field]:
        if self.error:
            raise self.error
        return [*object.fields, *self.extra_fields]

    async def form(self, object: ht.Object, mode: str | None) -> ht.Form:
        return ht.Form(choices={"channel": {"general": "#general", "dev": "#dev"}})

    async def validate(self, sync: ht.Sync, options: PeopleOptions) -> list[str]:
        names = {entry.to for entry in sync.mapping.entries}
        if "first_name" in names and "last_name" not in names:
            return ["If first name is mapped, last name must also be mapped."]
        return []

    async def deliver(self, batch: ht.Batch[PeopleOptions]) -> Iterable[ht.Rejection]:
        self.batches.append([record.id for record in batch.records])
        if self.on_deliver is not None:
            return await self.on_deliver(batch)
        rejections = []
        for record in batch.records:
            if record.id in self.settings.refuse:
                rejections.append(record.reject(ht.RefusedError("the vendor refused it")))
            elif batch.verb == "delete":
                self.holds.pop(record.id, None)
            else:
                self.holds[record.id] = record.fields
        return rejections


class Bare(ht.Destination[PeopleSettings, ht.NoOptions]):
    """A destination without objects, modes to choose, fields or options."""

    kind = "bare"
    objects = (ht.Object(modes=(ht.Mode("send", add="post"),), custom_fields=True),)

    async def deliver(self, batch: ht.Batch[ht.NoOptions]) -> Iterable[ht.Rejection]:
        return ()


class Strict(ht.Destination[PeopleSettings, PeopleOptionsRequired]):
    """A destination with a closed field list and a required option."""

    kind = "strict"
    objects = (ht.Object("user", "User", MODES[:1], USER.fields),)

    async def deliver(self, batch: ht.Batch[PeopleOptionsRequired]) -> Iterable[ht.Rejection]:
        return ()


@dataclass
class Served:
    """A running server and a client that knows the secret."""

    url: str
    app: Any
    http: aiohttp.ClientSession

    def plugin(self, name: str = "people") -> Any:
        """The destination object behind a name."""
        return self.app[INSTANCES][name].plugin

    async def post(
        self, body: Any, path: str = "/hightouch/people", **kwargs: Any
    ) -> aiohttp.ClientResponse:
        """POST bytes as they are, anything else as JSON."""
        encoded = body if isinstance(body, bytes) else msgspec.json.encode(body)
        data = io.BytesIO(encoded) if len(encoded) > 2**20 else encoded  # or aiohttp warns
        headers = {"Content-Type": "application/json", **BEARER, **kwargs.pop("headers", {})}
        headers = {name: value for name, value in headers.items() if value is not None}
        return await self.http.post(self.url + path, data=data, headers=headers, **kwargs)

    async def rpc(
        self, method: str, params: Any = ..., *, path: str = "/hightouch/people"
    ) -> dict[str, Any]:
        """The response object of one call."""
        request = {"jsonrpc": "2.0", "id": "1", "method": method}
        response = await self.post(request if params is ... else request | {"params": params}, path)
        assert response.status == 200
        decoded: dict[str, Any] = msgspec.json.decode(await response.read())
        return decoded

    async def result(
        self, method: str, params: Any = ..., *, path: str = "/hightouch/people"
    ) -> Any:
        """The result of one call that must succeed."""
        response = await self.rpc(method, params, path=path)
        assert "error" not in response, response
        return response["result"]


def within(seconds: float, lane: str = "") -> None:
    """What follows in this task belongs to a call of so many seconds."""
    DELIVERY.set(Delivery(Deadline(seconds), lane))


def a_call(
    plugin: ht.Destination[Any, Any],
    limits: ht.Limits,
    permits: asyncio.Semaphore,
    seconds: float,
    *,
    order: Order | None = None,
    memory: Memory | NoMemory | None = None,
) -> Call:
    """A call that begins now, on its own unless it shares order or memory with others."""
    batch = Batch(None, "upsert", ht.Operation.ADD, "add", ht.NoOptions(), ())
    deadline, remembered = Deadline(seconds), memory or NoMemory()
    run = Run(plugin, batch, limits, permits, deadline, remembered)
    return Call(run, deadline, scope="sync", order=order or Order(), memory=remembered)


@asynccontextmanager
async def opened(instance: Instance) -> AsyncIterator[Instance]:
    """An instance as the server opens it, with a memory of its own."""
    async with SqliteStore(None) as store, instance.opened(store, Metrics().of(instance.name)):
        yield instance


Serve = Callable[..., Awaitable[Served]]
