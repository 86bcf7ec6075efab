"""What the server lists for its form: read into shapes, and remembered for other cases."""

from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

import msgspec

from destination.cli.conform.server import INTERNAL_ERROR, METHOD_NOT_FOUND, Reply, Server
from destination.cli.conform.verdict import Level, NotJudged, Unmet, require

OBJECTS, MODES = 3, 5
"""How many of a server's objects, and of an object's modes, are looked at."""

NOWHERE = "destination_conform_nowhere"
"""An object, a mode or a field that no server has."""

ShapeT = TypeVar("ShapeT", bound=msgspec.Struct)


class Choice(msgspec.Struct):
    """An object or a mode."""

    id: str
    label: str
    description: str | None = None


class Objects(msgspec.Struct):
    """The result of ``list_objects``."""

    objects: list[Choice] | None


class Modes(msgspec.Struct):
    """The result of ``list_modes``."""

    modes: list[Choice] | None


class Field(msgspec.Struct):
    """One field; what other cases judge may be anything here."""

    id: str
    label: str
    type: Any = None
    required: Any = None
    identifier: Any = None


class Fields(msgspec.Struct):
    """The result of ``list_fields``."""

    fields: list[Field] | None


class Form(msgspec.Struct):
    """A JSON Schema, and how to show it."""

    schema: dict[str, Any]
    uiSchema: dict[str, Any] | None = None  # noqa: N815 - the wire's name


class Options(msgspec.Struct):
    """The result of ``list_options``."""

    options: Form | None


class Errors(msgspec.Struct):
    """The result of ``validate``."""

    errors: list[str]


class Operations(msgspec.Struct):
    """Which methods are called with rows."""

    add: bool
    change: bool
    remove: bool


class Behavior(msgspec.Struct):
    """The result of ``behavior``."""

    batchSize: int  # noqa: N815 - the wire's name
    operations: Operations
    skipInitialRun: bool  # noqa: N815


def shaped(reply: Reply, shape: type[ShapeT], level: Level | None = None) -> ShapeT:
    """The result in its documented shape; raises Unmet when it has another."""
    what = ", ".join(msgspec.structs.fields(shape)[index].name for index in range(_count(shape)))
    require(reply.answer, f"a result with {what}", holds=reply.code is None, level=level)
    try:
        return msgspec.convert(reply.result, shape)
    except msgspec.ValidationError as error:
        raise Unmet(reply.answer, f"a result with {what}: {error}", level) from None


def _count(shape: type[msgspec.Struct]) -> int:
    return len(msgspec.structs.fields(shape))


async def listed(
    server: Server, method: str, params: Mapping[str, Any], shape: type[ShapeT]
) -> tuple[ShapeT, Reply]:
    """What a method lists. Raises NotJudged where the server does not have it, else as above."""
    reply = await server.ask(method, params)
    if reply.code == METHOD_NOT_FOUND:
        raise NotJudged(f"The server does not implement {method}, which Hightouch allows.")
    return shaped(reply, shape), reply


async def objects(server: Server) -> list[Choice]:
    """The objects, none where they cannot be read."""
    try:
        return (await listed(server, "list_objects", {}, Objects))[0].objects or []
    except (Unmet, NotJudged):
        return []


async def modes(server: Server, object: str | None) -> list[Choice]:
    """The modes of an object, none where they cannot be read."""
    try:
        return (await listed(server, "list_modes", choice(object), Modes))[0].modes or []
    except (Unmet, NotJudged):
        return []


async def choices(server: Server) -> list[dict[str, str]]:
    """The params that name each object with each of its modes, as the form asks with them."""
    ids: list[str | None] = [each.id for each in (await objects(server))[:OBJECTS]]
    found = []
    for object in ids or [None]:
        named: list[str | None] = [each.id for each in (await modes(server, object))[:MODES]]
        found += [choice(object, mode) for mode in named or [None]]
    return found


def choice(object: str | None, mode: str | None = None) -> dict[str, str]:
    """Params of the form: what is not chosen is left out."""
    return {
        name: value for name, value in (("object", object), ("mode", mode)) if value is not None
    }


async def every(server: Server, method: str, shape: type[ShapeT]) -> list[tuple[ShapeT, Reply]]:
    """What a method lists for each choice."""
    return [await listed(server, method, each, shape) for each in await choices(server)]


async def configuration(server: Server) -> dict[str, Any]:
    """That which was given, else the first object and mode that the server lists."""
    given = server.given.configuration
    return dict(given if given is not None else (await choices(server))[0])


async def chosen(server: Server) -> dict[str, str]:
    """The object and the mode of the configuration."""
    whole = await configuration(server)
    named = (whole.get(name) for name in ("object", "mode"))
    return choice(*(value if isinstance(value, str) else None for value in named))


async def fields(server: Server) -> list[Field]:
    """The fields of the configuration's object and mode, none where they cannot be read."""
    try:
        return (await listed(server, "list_fields", await chosen(server), Fields))[0].fields or []
    except (Unmet, NotJudged):
        return []


def entries(configuration: Mapping[str, Any], *names: str) -> Iterator[dict[str, Any]]:
    """The mapping entries under these names, one object taken as a list of one."""
    for name in names:
        value = configuration.get(name)
        for entry in value if isinstance(value, list) else [value]:
            if isinstance(entry, dict):
                yield entry


def readable(reply: Reply, shape: type[ShapeT]) -> None:
    """Raise Unmet unless it is a result of the shape, or an error that says what is wrong."""
    if reply.code is None:
        shaped(reply, shape)
    else:
        expected = "a result, or an error other than -32603 that says what is wrong"
        told = reply.code != INTERNAL_ERROR and bool(reply.message.strip())
        require(reply.answer, expected, holds=told)
