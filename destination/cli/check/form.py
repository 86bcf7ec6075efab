"""The form that a marketer will see, as the methods of the protocol give it."""

from collections.abc import Sequence
from typing import Any

import msgspec

from destination.cli import rjsf
from destination.cli.check.finding import Finding, failed, ok, warning
from destination.cli.text import counted, shown
from destination.instance import Form, Instance
from destination.model import Form as BareForm
from destination.model import Object
from destination.plugin import Destination
from destination.schema import form_schema

OBJECTS, MODES = 3, 5
"""How many objects, and modes of each, are looked at."""


def bare(plugin: type[Destination[Any, Any]]) -> list[Finding]:
    """The form without what only the vendor knows."""
    form = form_schema(plugin.options_model, BareForm())
    return _judged([form] if form else [], "without the vendor's choices")


async def forms(instance: Instance, objects: Sequence[Object]) -> list[Finding]:
    """The form of each object and mode, and that its fields can be listed."""
    if not objects:
        says = "the vendor has nothing to sync to yet: make it there, such as an audience"
        return [warning("form", says)]
    found, fields = list[Form](), 0
    for object in objects[:OBJECTS]:
        modes: list[str | None] = [each.id for each in object.modes[:MODES]]
        for mode in modes or [None]:
            fields = max(fields, len(await instance.fields(object.id, mode)))
            if form := await instance.form(object.id, mode):
                found.append(form)
    return _judged(found, f"{counted(len(objects), 'object')}, {_some(fields, 'field')}")


def _judged(found: Sequence[Form], about: str) -> list[Finding]:
    told = dict[str, None]()
    for schema, hints in found:
        sent = msgspec.json.decode(msgspec.json.encode([schema, hints]))
        told |= dict.fromkeys(rjsf.problems(sent[0], sent[1]))
    if told:
        return [failed("form", shown(f"Hightouch cannot show it: {each}")) for each in told]
    options = max((len(rjsf.properties(schema)) for schema, _ in found), default=0)
    return [ok("form", f"{about}, {_some(options, 'option')}")]


def _some(count: int, noun: str) -> str:
    return counted(count, noun) if count else f"no {noun}s"
