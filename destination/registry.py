"""From the name of a kind to its class, and to its stand-in. Only what is asked for is imported."""

import importlib
import importlib.metadata
import pkgutil
from pathlib import Path
from typing import Any

from destination.errors import ConfigError
from destination.plugin import Destination
from destination.spec import kinds as spec
from destination.sync import unknown

PACKAGE = "destinations"
STAND_INS = f"{PACKAGE}.sandbox"
ENTRY_POINTS = "destination.kinds"

SPEC = "spec"
"""The kind of a destination that a spec file declares; its setting ``spec`` names the file."""


def kinds() -> list[str]:
    """The names of all kinds there are, without importing any."""
    return sorted({*_modules(PACKAGE), *(point.name for point in _entry_points())})


def stand_ins() -> list[str]:
    """The kinds that have a local stand-in of their vendor."""
    return sorted(_modules(STAND_INS))


def load(kind: str) -> type[Destination[Any, Any]]:
    """
    The class of a kind.

    Raises:
        ConfigError: There is no such kind, or its module is broken; the message says which.
    """
    for point in _entry_points():
        if point.name == kind:
            loaded = _imported(kind, point.load)
            return _checked(kind, [loaded])
    if kind not in _modules(PACKAGE):
        raise ConfigError(unknown("Kind", kind, kinds()))
    module = _imported(kind, lambda: importlib.import_module(f"{PACKAGE}.{kind}"))
    own = [
        each
        for each in vars(module).values()
        if getattr(each, "__module__", None) == module.__name__
    ]
    return _checked(kind, own)


def chosen(kind: str, file: Any) -> type[Destination[Any, Any]]:
    """
    The class that a destination's settings ask for: of a kind, or, for ``spec``, of a spec file.

    Raises:
        ConfigError: There is no such kind or file, or it is broken.
    """
    if kind != SPEC:
        return load(kind)
    if not isinstance(file, str) or not file:
        raise ConfigError('a spec file is missing: name it, as in spec = "acme.toml"')
    return spec.load(Path(file))


def stand_in(kind: str) -> Any:
    """The stand-in class of a kind: ``app()`` and ``settings(base_url)``."""
    if kind not in _modules(STAND_INS):
        raise ConfigError(unknown("Stand-in", kind, stand_ins()))
    return importlib.import_module(f"{STAND_INS}.{kind}").StandIn


def _checked(kind: str, candidates: list[Any]) -> type[Destination[Any, Any]]:
    classes = [
        each for each in candidates if isinstance(each, type) and issubclass(each, Destination)
    ]
    if len(classes) != 1:
        raise ConfigError(
            f'Kind "{kind}": its module must define exactly one subclass of Destination, '
            f"not {len(classes)}."
        )
    if getattr(classes[0], "kind", None) != kind:
        raise ConfigError(f'Kind "{kind}": its class must say kind = "{kind}".')
    return classes[0]


def _imported(kind: str, load: Any) -> Any:
    try:
        return load()
    except Exception as error:
        raise ConfigError(
            f'Kind "{kind}" cannot be loaded: {type(error).__name__}: {error}'
        ) from error


def _modules(package: str) -> list[str]:
    found = importlib.import_module(package)
    return [
        module.name for module in pkgutil.iter_modules(found.__path__) if module.name != "sandbox"
    ]


def _entry_points() -> importlib.metadata.EntryPoints:
    return importlib.metadata.entry_points(group=ENTRY_POINTS)
