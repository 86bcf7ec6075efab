"""The composition root: settings become destinations, destinations become routes."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from typing import Any

import structlog
from aiohttp import web
from pydantic import ValidationError

from destination import registry
from destination.admission import Admission
from destination.errors import ConfigError
from destination.instance import Instance
from destination.metrics import CONTENT_TYPE, Metrics
from destination.plugin import Destination
from destination.problems import explained
from destination.protocols import hightouch, rpc
from destination.settings import Server, Settings
from destination.state import store_at
from destination.state.fallback import FallbackStore
from destination.state.store import StoreError
from destination.strict import shapes
from destination.sync import unknown
from destination.tuning import Tuning
from destination.web import Refusal, Secrets, invite_later, middlewares, read_json

log = structlog.get_logger()

ROW_ALLOWANCE = 32 * 1024
"""Bytes of the largest body that ``behavior`` plans for each row."""

INSTANCES = web.AppKey("instances", dict[str, Instance])
STORE = web.AppKey("store", FallbackStore)
METRICS = web.AppKey("metrics", Metrics)
ADMISSION = web.AppKey("admission", Admission)

PREFIX = "/hightouch"


def build(settings: Settings) -> web.Application:
    """
    The application, ready to be run; connections are made when it starts.

    Raises:
        ConfigError: A destination's settings are wrong; all that are, not only the first.
    """
    metrics = Metrics()
    store = store_at(settings.state_url, metrics.degraded.inc)
    app = web.Application(middlewares=middlewares(Secrets(settings.secrets)))
    app[INSTANCES] = make_instances(settings)
    app[STORE], app[METRICS] = store, metrics
    app[ADMISSION] = Admission(
        calls=settings.server.max_calls, destinations=len(app[INSTANCES]), metrics=metrics
    )
    app.cleanup_ctx.append(_opened)
    for path in (f"{PREFIX}/{{name}}", f"{PREFIX}/{{name}}/", "/"):
        app.router.add_post(path, _rpc(settings.server), expect_handler=invite_later)
    app.router.add_get("/", _index)
    app.router.add_get("/healthz", _alive)
    app.router.add_get("/readyz", _ready)
    app.router.add_get("/metrics", _metrics)
    return app


def make_instances(settings: Settings) -> dict[str, Instance]:
    """All configured destinations by name; raises ConfigError with every problem found."""
    instances, problems = {}, []
    for name, values in settings.destinations.items():
        try:
            instances[name] = make_instance(name, values, settings.server)
        except ConfigError as error:
            problems.append(error.message)
    if problems:
        raise ConfigError("\n".join(problems))
    return instances


def make_instance(name: str, values: Mapping[str, Any], server: Server, **tuned: Any) -> Instance:
    """
    One destination from its table of settings; raises ConfigError naming what is wrong.

    Args:
        tuned: Settings of ``Tuning`` in place of the operator's.
    """
    where = f"destinations.{name}"
    plugin = _plugin(values, where)
    settings, tuning = _parsed(plugin, values, where)
    max_rows = min(server.max_rows, max(1, server.max_body // ROW_ALLOWANCE))
    try:
        made = plugin(settings)
    except ConfigError as error:
        raise _at(where, error) from None
    tuning = tuning.model_copy(update=tuned)
    return Instance(name, made, tuning, deadline=server.deadline, max_rows=max_rows)


def _plugin(values: Mapping[str, Any], where: str) -> type[Destination[Any, Any]]:
    kind = values.get("kind")
    if not isinstance(kind, str):
        kinds = ", ".join([*registry.kinds(), registry.SPEC])
        raise ConfigError(f"{where}.kind: is missing. There is: {kinds}.")
    try:
        return registry.chosen(kind, values)
    except ConfigError as error:
        raise _at(where, error) from None


def _parsed(
    plugin: type[Destination[Any, Any]], values: Mapping[str, Any], where: str
) -> tuple[Any, Tuning]:
    """A destination's own settings, and those that every kind takes; some are both."""
    own = dict.fromkeys(key for each in shapes(plugin.settings_model) for key in each.model_fields)
    known = [*own, *Tuning.model_fields, "kind"]
    known.append(registry.SPEC if values["kind"] == registry.SPEC else registry.MODULE)
    problems = [f"{where}: {unknown('Setting', key, known)}" for key in values if key not in known]
    parsed = list[Any]()
    for model, keys in ((plugin.settings_model, own), (Tuning, Tuning.model_fields)):
        try:
            chosen = {key: value for key, value in values.items() if key in keys}
            parsed.append(model.model_validate(chosen))
        except ValidationError as error:
            problems += explained(error, model, where)
    if problems:
        raise ConfigError("\n".join(dict.fromkeys(problems)))
    settings, tuning = parsed
    return settings, tuning


def _at(where: str, error: ConfigError) -> ConfigError:
    return ConfigError("\n".join(f"{where}: {line}" for line in error.message.splitlines()))


async def _opened(app: web.Application) -> AsyncIterator[None]:
    async with AsyncExitStack() as stack:
        await _open_store(stack, app[STORE])
        for instance in app[INSTANCES].values():
            await stack.enter_async_context(
                instance.opened(app[STORE], app[METRICS].of(instance.name))
            )
        yield


async def _open_store(stack: AsyncExitStack, store: FallbackStore) -> None:
    try:
        await stack.enter_async_context(store)
    except StoreError as error:
        raise ConfigError(f"STATE_URL: the store cannot be opened ({error})") from None


def _rpc(server: Server) -> Any:
    async def handle(request: web.Request) -> web.Response:
        instance = _chosen(request)
        admission = request.app[ADMISSION]
        with (
            structlog.contextvars.bound_contextvars(destination=instance.name),
            admission.call(instance.name, server.deadline) as opened,
        ):
            body = await read_json(request, server.max_body, opened.deadline, opened.hold)
            call = rpc.Call(instance, opened.deadline, server.max_rows)
            answer = await rpc.answer(hightouch.SERVED, body, call)
        response = web.Response(status=204) if answer is None else _json(answer)
        if admission.draining:
            response.force_close()
        return response

    return handle


def _json(body: bytes) -> web.Response:
    return web.Response(body=body, content_type="application/json")


def _chosen(request: web.Request) -> Instance:
    instances = request.app[INSTANCES]
    name = request.match_info.get("name")
    if name is None and len(instances) == 1:
        return next(iter(instances.values()))
    if name not in instances:
        raise Refusal(404, "Not found: there is no destination of this name")
    return instances[name]


async def _index(request: web.Request) -> web.Response:
    return web.json_response(
        {
            "destinations": [
                {"name": each.name, "kind": each.kind, "url": f"{PREFIX}/{each.name}"}
                for each in request.app[INSTANCES].values()
            ]
        }
    )


async def _alive(_: web.Request) -> web.Response:
    return web.json_response({"status": "ok"})


async def _ready(request: web.Request) -> web.Response:
    """Whether calls are taken; a store that fails is told and does not matter to that."""
    draining = request.app[ADMISSION].draining
    state = "degraded" if request.app[STORE].degraded else "ok"
    status = {"status": "draining" if draining else "ok", "state": state}
    return web.json_response(status, status=503 if draining else 200)


async def _metrics(request: web.Request) -> web.Response:
    return web.Response(body=request.app[METRICS].text(), headers={"Content-Type": CONTENT_TYPE})
