"""Group C: the objects, modes and fields that the form shows."""

from collections.abc import Sequence

from destination.cli.conform.case import Case
from destination.cli.conform.form import (
    NOWHERE,
    OBJECTS,
    Choice,
    Field,
    Fields,
    Modes,
    Objects,
    choice,
    every,
    listed,
    objects,
    readable,
)
from destination.cli.conform.server import INTERNAL_ERROR, Reply, Server
from destination.cli.conform.verdict import MUST, SHOULD, NotJudged, require
from destination.model import FieldType

NO_OBJECTS = "The server has no objects."


async def _objects(server: Server) -> None:
    await listed(server, "list_objects", {}, Objects)


async def _no_objects(server: Server) -> None:
    shown, _ = await listed(server, "list_objects", {}, Objects)
    if shown.objects:
        raise NotJudged("The server has objects.")


async def _unique(server: Server) -> None:
    shown, reply = await listed(server, "list_objects", {}, Objects)
    _distinct(shown.objects, reply)
    for each in await _objects_or_none(server):
        modes, reply = await listed(server, "list_modes", choice(each), Modes)
        _distinct(modes.modes, reply)
    for fields, reply in await every(server, "list_fields", Fields):
        _distinct(fields.fields, reply)


def _distinct(shown: Sequence[Choice | Field] | None, reply: Reply) -> None:
    ids = [each.id for each in shown or ()]
    require(reply.answer, "ids that differ", holds=len(ids) == len(set(ids)))


async def _objects_or_none(server: Server) -> Sequence[str | None]:
    """What list_modes is asked with."""
    return [each.id for each in (await objects(server))[:OBJECTS]] or [None]


async def _modes(server: Server) -> None:
    found = await objects(server)
    if not found:
        raise NotJudged(NO_OBJECTS)
    for each in found[:OBJECTS]:
        await listed(server, "list_modes", choice(each.id), Modes)


async def _modes_alone(server: Server) -> None:
    if await objects(server):
        readable(await server.ask("list_modes", {}), Modes)
    else:
        await listed(server, "list_modes", {}, Modes)


async def _unknown_object(server: Server) -> None:
    if not await objects(server):
        raise NotJudged(NO_OBJECTS)
    for method in ("list_modes", "list_fields"):
        reply = await server.ask(method, {"object": NOWHERE})
        told = reply.code not in (None, INTERNAL_ERROR) and bool(reply.message.strip())
        require(reply.answer, "an error that says what is wrong", holds=told)


async def _no_modes(server: Server) -> None:
    for object in await _objects_or_none(server):
        shown, _ = await listed(server, "list_modes", choice(object), Modes)
        if not shown.modes:
            return
    raise NotJudged("The server has modes.")


async def _fields(server: Server) -> None:
    await every(server, "list_fields", Fields)


async def _fields_alone(server: Server) -> None:
    readable(await server.ask("list_fields", {}), Fields)


async def _types(server: Server) -> None:
    for shown, reply in await every(server, "list_fields", Fields):
        for field in shown.fields or ():
            known = field.type is None or field.type in tuple(FieldType)
            expected = f'a type of {", ".join(FieldType)} for the field "{field.id}"'
            require(reply.answer, expected, holds=known)


async def _marks(server: Server) -> None:
    for shown, reply in await every(server, "list_fields", Fields):
        for field in shown.fields or ():
            marks = (field.required, field.identifier)
            holds = all(mark is None or isinstance(mark, bool) for mark in marks)
            require(reply.answer, "required and identifier as true or false", holds=holds)


async def _identifier(server: Server) -> None:
    for shown, reply in await every(server, "list_fields", Fields):
        found = any(field.identifier is True for field in shown.fields or ())
        require(reply.answer, "an identifier", holds=found or not shown.fields)


CASES = (
    Case(
        "C1",
        "list_objects answers with a list of objects, each with id and label, or with null.",
        MUST,
        "The form's first choice is made of it; in another shape it stays empty.",
        _objects,
    ),
    Case(
        "C2",
        "Where there are no objects, list_objects answers with null or an empty list.",
        MUST,
        "Hightouch then goes on to the modes without asking for an object.",
        _no_objects,
    ),
    Case(
        "C3",
        "In no list an id comes twice.",
        MUST,
        "Of two choices with one id, one cannot be chosen.",
        _unique,
    ),
    Case(
        "C4",
        "list_modes answers for each object with its modes, or with null.",
        MUST,
        "It is called as soon as an object is chosen.",
        _modes,
    ),
    Case(
        "C5",
        "list_modes without an object is answered, or refused with a reason.",
        MUST,
        "The object is absent where there is none to choose, and while none is chosen yet.",
        _modes_alone,
    ),
    Case(
        "C6",
        "An unknown object is an error that says so.",
        SHOULD,
        "Objects are deleted at the vendor; an empty list would look as if it had no fields.",
        _unknown_object,
    ),
    Case(
        "C7",
        "Where there are no modes, list_modes answers with null or an empty list.",
        MUST,
        "Hightouch then goes on to the fields without asking for a mode.",
        _no_modes,
    ),
    Case(
        "C8",
        "list_fields answers for each object and mode with fields that have id and label, or null.",
        MUST,
        "The mapping is made of it.",
        _fields,
    ),
    Case(
        "C9",
        "list_fields with neither object nor mode is answered, or refused with a reason.",
        SHOULD,
        "Both are absent where there is nothing to choose; an internal error helps nobody.",
        _fields_alone,
    ),
    Case(
        "C10",
        "A field's type is one of Hightouch's eleven, in upper case.",
        MUST,
        "It knows no other.",
        _types,
    ),
    Case(
        "C11",
        "required and identifier are true or false, and a field may be both.",
        MUST,
        'The text "false" is true in JavaScript.',
        _marks,
    ),
    Case(
        "C12",
        "Where there are fields, one at least is an identifier.",
        SHOULD,
        "Without one the form has nothing to match records by.",
        _identifier,
    ),
)
