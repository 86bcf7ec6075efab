"""From the name of a kind to its class, and to its stand-in. Only what is asked for is imported."""

import importlib
import importlib.metadata
import importlib.util
import pkgutil
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
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

MODULE = "module"
"""The setting of any other kind that names the Python file which holds its class."""

PYTHON = ".py"
"""How the name of such a file ends."""


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
            loaded = _imported(f'Kind "{kind}"', point.load)
            return _checked(f'Kind "{kind}"', [loaded], kind)
    if kind not in _modules(PACKAGE):
        raise ConfigError(unknown("Kind", kind, kinds()))
    name = f'Kind "{kind}"'
    module = _imported(name, lambda: importlib.import_module(f"{PACKAGE}.{kind}"))
    return _checked(name, _own(module), kind)


def read(path: Path) -> type[Destination[Any, Any]]:
    """
    The class in a Python file, which is run; a package is named by its ``__init__.py``.

    Its folder is not searched for what it imports, and each call runs it anew.

    Raises:
        ConfigError: There is no such file, or it is broken; the message says which.
    """
    name = str(path.absolute())  # no other module's, so that json.py is not taken for json
    found = importlib.util.spec_from_file_location(name, path)
    if path.suffix != PYTHON or found is None or found.loader is None:
        raise ConfigError(f"{path}: is not a Python file: its name must end in {PYTHON}")
    if not path.is_file():
        raise ConfigError(f"{path}: there is no such file")
    module, loader = importlib.util.module_from_spec(found), found.loader
    sys.modules[name] = module  # its annotations are looked up there
    try:
        _imported(str(path), lambda: loader.exec_module(module))
    except ConfigError:
        del sys.modules[name]
        raise
    return _checked(str(path), _own(module))


def chosen(kind: str, values: Mapping[str, Any]) -> type[Destination[Any, Any]]:
    """
    The class that a destination's settings ask for.

    It is that of a spec file for ``spec``, else that in the file ``module`` or of the kind's name.

    Raises:
        ConfigError: There is no such kind or file, or it is broken.
    """
    if kind == SPEC:
        return spec.load(
            _file(SPEC, values, 'a spec file is missing: name it, as in spec = "acme.toml"')
        )
    if MODULE not in values:
        return load(kind)
    path = _file(MODULE, values, 'module: name a Python file, as in module = "acme.py"')
    loaded = read(path)
    if loaded.kind != kind:
        raise ConfigError(f'{path}: its class is of kind "{loaded.kind}", not "{kind}"')
    return loaded


def _file(setting: str, values: Mapping[str, Any], missing: str) -> Path:
    file = values.get(setting)
    if not isinstance(file, str) or not file or "\0" in file:
        raise ConfigError(missing)
    return Path(file)


def _own(module: ModuleType) -> list[Any]:
    """What a module defines itself."""
    every = vars(module).values()
    return [each for each in every if getattr(each, "__module__", None) == module.__name__]


def stand_in(kind: str) -> Any:
    """The stand-in class of a kind: ``app()`` and ``settings(base_url)``."""
    if kind not in _modules(STAND_INS):
        raise ConfigError(unknown("Stand-in", kind, stand_ins()))
    return importlib.import_module(f"{STAND_INS}.{kind}").StandIn


def _checked(
    name: str, candidates: list[Any], kind: str | None = None
) -> type[Destination[Any, Any]]:
    classes = [
        each for each in candidates if isinstance(each, type) and issubclass(each, Destination)
    ]
    if len(classes) != 1:
        raise ConfigError(
            f"{name}: its module must define exactly one subclass of Destination, "
            f"not {len(classes)}."
        )
    said = getattr(classes[0], "kind", None)
    if not isinstance(said, str) or said != (kind or said):
        raise ConfigError(f'{name}: its class must say kind = "{kind or "…"}".')
    return classes[0]


def _imported(name: str, load: Any) -> Any:
    try:
        return load()
    except (Exception, SystemExit) as error:  # a script that is taken for a kind may want to end
        raise ConfigError(f"{name} cannot be loaded: {type(error).__name__}: {error}") from error


def _modules(package: str) -> list[str]:
    found = importlib.import_module(package)
    return [
        module.name for module in pkgutil.iter_modules(found.__path__) if module.name != "sandbox"
    ]


def _entry_points() -> importlib.metadata.EntryPoints:
    return importlib.metadata.entry_points(group=ENTRY_POINTS)
