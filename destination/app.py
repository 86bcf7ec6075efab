"""The composition root: settings become destinations, destinations become routes."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from typing import Any

import structlog
from aiohttp import web
from pydantic import ValidationError

from destination import registry
from destination.errors import ConfigError
from destination.instance import Instance
from destination.protocols import hightouch, rpc
from destination.settings import Server, Settings, explained
from destination.sync import unknown
from destination.tuning import Tuning
from destination.web import Refusal, Secrets, invite_later, middlewares, read_json

log = structlog.get_logger()

ROW_ALLOWANCE = 32 * 1024
"""Bytes of the largest body that ``behavior`` plans for each row."""

INSTANCES = web.AppKey("instances", dict[str, Instance])

PREFIX = "/hightouch"


def build(settings: Settings) -> web.Application:
    """
    The application, ready to be run; connections are made when it starts.

    Raises:
        ConfigError: A destination's settings are wrong; all that are, not only the first.
    """
    instances = make_instances(settings)
    app = web.Application(middlewares=middlewares(Secrets(settings.secrets)))
    app[INSTANCES] = instances
    app.cleanup_ctx.append(_opened)
    for path in (f"{PREFIX}/{{name}}", f"{PREFIX}/{{name}}/", "/"):
        app.router.add_post(path, _rpc(settings.server), expect_handler=invite_later)
    app.router.add_get("/", _index)
    app.router.add_get("/healthz", _alive)
    app.router.add_get("/readyz", _alive)
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


def make_instance(name: str, values: Mapping[str, Any], server: Server) -> Instance:
    """One destination from its table of settings; raises ConfigError naming what is wrong."""
    where = f"destinations.{name}"
    kind = values.get("kind")
    if not isinstance(kind, str):
        raise ConfigError(f"{where}.kind: is missing. There is: {', '.join(registry.kinds())}.")
    try:
        plugin = registry.load(kind)
    except ConfigError as error:
        raise ConfigError(f"{where}: {error.message}") from None
    own = plugin.settings_model.model_fields
    known = [*own, *Tuning.model_fields, "kind"]
    problems = [f"{where}: {unknown('Setting', key, known)}" for key in values if key not in known]
    tuned = {key: value for key, value in values.items() if key in Tuning.model_fields}
    try:
        settings = plugin.settings_model.model_validate(
            {key: value for key, value in values.items() if key in own}
        )
        tuning = Tuning.model_validate(tuned)
    except ValidationError as error:
        problems += [f"{where}.{line}" for line in explained(error, plugin.settings_model)]
    if problems:
        raise ConfigError("\n".join(problems))
    max_rows = min(server.max_rows, max(1, server.max_body // ROW_ALLOWANCE))
    return Instance(name, plugin(settings), tuning, deadline=server.deadline, max_rows=max_rows)


async def _opened(app: web.Application) -> AsyncIterator[None]:
    async with AsyncExitStack() as stack:
        for instance in app[INSTANCES].values():
            await stack.enter_async_context(instance)
        yield


def _rpc(server: Server) -> Any:
    async def handle(request: web.Request) -> web.Response:
        deadline = asyncio.get_running_loop().time() + server.deadline
        instance = _chosen(request)
        body = await read_json(request, server.max_body)
        call = rpc.Call(instance, deadline, server.max_rows)
        with structlog.contextvars.bound_contextvars(destination=instance.name):
            answer = await rpc.answer(hightouch.METHODS, body, call)
        if answer is None:
            return web.Response(status=204)
        return web.Response(body=answer, content_type="application/json")

    return handle


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
