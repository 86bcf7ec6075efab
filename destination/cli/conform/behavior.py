"""Group S: ``behavior``, by which a run is planned."""

from destination.cli.conform.case import Case
from destination.cli.conform.form import (
    Behavior,
    choices,
    configuration,
    shaped,
)
from destination.cli.conform.server import Reply, Server
from destination.cli.conform.verdict import MUST, require


def behaved(reply: Reply) -> Behavior:
    """The result of ``behavior``; raises Unmet when it is none."""
    behavior = shaped(reply, Behavior)
    require(reply.answer, "a batchSize of 1 or more", holds=behavior.batchSize >= 1)
    return behavior


async def _behavior(server: Server) -> None:
    expected = "a result, without a configuration too"
    reply = await server.usual()
    require(reply.answer, expected, holds=reply.code is None)


async def _per_mode(server: Server) -> None:
    whole = await configuration(server)
    for each in await choices(server):
        reply = await server.ask("behavior", {"configuration": whole | each})
        shaped(reply, Behavior)


async def _whole(server: Server) -> None:
    for asked in ({}, {"configuration": await configuration(server)}):
        reply = await server.ask("behavior", asked)
        if reply.code is None:
            behaved(reply)


CASES = (
    Case(
        "S1",
        "behavior is answered when there is no configuration.",
        MUST,
        'It is documented as a method with "no request body".',
        _behavior,
    ),
    Case(
        "S2",
        "behavior takes a configuration, and is answered for each mode.",
        MUST,
        "Hightouch's own examples read one there; what a mode sends is to be told by it.",
        _per_mode,
    ),
    Case(
        "S3",
        "behavior tells batchSize, the three operations and skipInitialRun, all of them.",
        MUST,
        "The run is planned by them: one that is missing is taken for something.",
        _whole,
    ),
)
