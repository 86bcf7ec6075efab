"""One destination, looked at from its settings to its vendor; and a spec file by itself."""

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from pathlib import Path
from typing import Any

from destination.app import make_instance
from destination.bugs import caught
from destination.cli.check.finding import Finding, Group, Level, each_failed, failed, ok, warning
from destination.cli.check.form import bare, forms
from destination.cli.check.speed import speed
from destination.cli.check.vendor import clock, vendor
from destination.cli.check.watch import Seen, Watched
from destination.cli.text import counted
from destination.errors import ConfigError, DestinationError
from destination.instance import Instance
from destination.metrics import Metrics
from destination.model import Object
from destination.plugin import Destination
from destination.settings import Server
from destination.spec.kinds import SpecDestination
from destination.spec.kinds import load as load_spec
from destination.spec.trials import differences
from destination.state.sqlite import SqliteStore

SECONDS = 20.0
"""How long one destination may take."""


async def configured(name: str, values: Mapping[str, Any], server: Server) -> Group:
    """What there is to say of a destination, however long its vendor takes."""
    found = list[Finding]()
    try:
        async with asyncio.timeout(SECONDS):
            await _look(name, values, server, found)
    except TimeoutError:
        says = f"the vendor did not answer all that was asked within {SECONDS:.0f} s; check again"
        found.append(failed("reachability", says))
    return Group(name, str(values.get("kind", "")), found)


async def file(path: Path) -> Group:
    """What there is to say of a spec file without the vendor."""
    try:
        kind = load_spec(path)
    except ConfigError as error:
        return Group(path.name, "spec", each_failed("settings", error.message))
    found = [ok("settings", "the file is understood"), *await _tests(kind), *bare(kind)]
    return Group(path.name, kind.kind, found)


async def _look(name: str, values: Mapping[str, Any], server: Server, found: list[Finding]) -> None:
    """Add what is found as soon as it is."""
    try:
        made = make_instance(name, values, server)
    except ConfigError as error:
        found += each_failed("settings", error.message)
        return
    except Exception as error:  # noqa: BLE001 - one broken kind must not hide the others' checks
        found.append(failed("settings", caught(error)))
        return
    found.append(
        ok("settings", "understood")
        if made.active
        else warning("settings", "active = false: rows are refused; remove it to deliver them")
    )
    if isinstance(made.plugin, SpecDestination):
        found += await _step("tests", _tests(type(made.plugin)))
    found += await _step("settings", _opened(made, found))


async def _opened(made: Instance, found: list[Finding]) -> list[Finding]:
    """What can only be said with a connection, and with it."""
    seen = Seen()
    meter = Metrics().of(made.name)
    async with (
        SqliteStore(None) as store,
        made.opened(store, meter, between=lambda inner: Watched(inner, seen)) as instance,
    ):
        asked = await _step("credentials", vendor(instance, seen))
        found += [*asked, *clock(instance, seen)]
        let_in = all(each.level is not Level.FAILED for each in asked)
        objects = list[Object]()
        shown = _forms(instance, objects) if let_in else _bare(type(instance.plugin))
        found += await _step("form", shown)
        modes = {mode.id: mode for object in objects for mode in object.modes} or [None]
        limits = [instance.limits(mode) for mode in modes]
    return speed(limits, instance.deadline, instance.max_rows)


async def _forms(instance: Instance, objects: list[Object]) -> Sequence[Finding]:
    """Of the objects that are listed, which are kept."""
    objects += await instance.objects()
    return await forms(instance, objects)


async def _bare(plugin: type[Destination[Any, Any]]) -> Sequence[Finding]:
    return bare(plugin)


async def _tests(kind: type[SpecDestination]) -> list[Finding]:
    """A spec file's own."""
    tests = kind.document.tests
    if not tests:
        return [warning("tests", "the file has no tests: add some, so that it can be trusted")]
    found = [
        failed("tests", f"{test.name}: {each}")
        for test in tests
        for each in await differences(kind, test)
    ]
    return found or [ok("tests", f"{counted(len(tests), 'test')} passed")]


async def _step(subject: str, work: Awaitable[Sequence[Finding]]) -> Sequence[Finding]:
    """What a step finds, or why it could not."""
    try:
        return await work
    except ConfigError as error:
        return each_failed(subject, error.message)
    except DestinationError as error:
        return [failed(subject, error.reason)]
    except Exception as error:  # noqa: BLE001 - one broken kind must not hide the others' checks
        return [failed(subject, caught(error))]
