"""The operator's file with the environment above it: read, and still to be understood."""

import json
import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from destination.errors import ConfigError
from destination.sync import unknown

DEFAULT_FILE = Path("destinations.toml")

_REFERENCE = re.compile(r"\$?\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}")


def read(path: Path | None = None) -> dict[str, Any]:
    """
    What file and environment say, still to be understood: ``server`` and ``destinations``.

    Raises:
        ConfigError: It cannot be read; all that keeps it from being read, line by line.
    """
    return _merged(_merged(_file(path), _nested(os.environ)), _whole(os.environ))


def _file(path: Path | None) -> dict[str, Any]:
    chosen = path or (Path(given) if (given := os.environ.get("DESTINATION_CONFIG")) else None)
    if chosen is None:
        if not DEFAULT_FILE.exists():
            return {}
        chosen = DEFAULT_FILE
    try:
        document = tomllib.loads(chosen.read_text("utf-8-sig"))
    except OSError as error:
        raise ConfigError(f"{chosen}: cannot be read: {error.strerror}") from None
    except ValueError as error:  # numbers that are too long raise a bare one
        raise ConfigError(f"{chosen}: is not TOML: {error}") from None
    except RecursionError:
        raise ConfigError(f"{chosen}: is nested too deeply") from None
    known = ("server", "destinations")
    problems = [
        f"{chosen}: {unknown('Setting', key, known)}" for key in document if key not in known
    ]
    try:
        expanded: dict[str, Any] = expand(document, os.environ)
    except ConfigError as error:
        problems += error.message.splitlines()
    if problems:
        raise ConfigError("\n".join(problems))
    return _with_files(expanded, chosen.parent)


def _with_files(document: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Spec files and modules are named as seen from the file that names them."""
    destinations = document.get("destinations", {})
    for values in destinations.values() if isinstance(destinations, dict) else ():
        for name in ("spec", "module") if isinstance(values, dict) else ():
            if isinstance(file := values.get(name), str) and file:
                values[name] = str(folder / file)
    return document


def _nested(environment: Mapping[str, str]) -> dict[str, Any]:
    """``DESTINATIONS__CRM__URL`` and the like; a value that starts as JSON does may be JSON."""
    nested: dict[str, Any] = {}
    for name in sorted(environment):
        top, *path = name.lower().split("__")
        if top not in {"destinations", "server"} or not path:
            continue
        level = nested.setdefault(top, {})
        for part in path[:-1]:
            level = level.setdefault(part, {})
            if not isinstance(level, dict):
                raise ConfigError(f"{name}: is set below another variable that has a value")
        level[path[-1]] = _leaf(name, environment[name])
    return nested


def _whole(environment: Mapping[str, str]) -> dict[str, Any]:
    """``DESTINATIONS`` or ``SERVER``, where one is set whole."""
    whole: dict[str, Any] = {}
    for name in environment:
        if name.lower() in {"destinations", "server"}:
            told = _json(environment[name])
            if not isinstance(told, dict):
                raise ConfigError(f"{name}: it must be a JSON object")
            whole[name.lower()] = told
    return whole


def _leaf(name: str, text: str) -> Any:
    if text[:1] not in {"{", "["}:
        return text
    if (told := _json(text)) is not None:
        return told
    if "{{" in text:
        return text  # a template that gives JSON
    raise ConfigError(f"{name}: starts like JSON and is not")


def _json(text: str) -> Any:
    """What the JSON says; None for what is none."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        under = merged.get(key)
        if isinstance(value, Mapping) and isinstance(under, Mapping):
            value = _merged(under, value)
        merged[key] = value
    return merged


def expand(value: Any, environment: Mapping[str, str]) -> Any:
    """
    ``${NAME}`` and ``${NAME:-default}`` in every string, from the environment.

    ``$${`` is a literal ``${``.

    Raises:
        ConfigError: Each name that is not set, with the place that needs it.
    """
    missing = list[str]()
    expanded = _expanded(value, environment, "", missing)
    if missing:
        raise ConfigError("\n".join(missing))
    return expanded


def _expanded(value: Any, environment: Mapping[str, str], where: str, missing: list[str]) -> Any:
    if isinstance(value, Mapping):
        return {
            key: _expanded(inner, environment, f"{where}.{key}" if where else key, missing)
            for key, inner in value.items()
        }
    if isinstance(value, list):
        return [
            _expanded(inner, environment, f"{where}[{place}]", missing)
            for place, inner in enumerate(value)
        ]
    if not isinstance(value, str):
        return value

    def replaced(match: re.Match[str]) -> str:
        if match[0].startswith("$$"):
            return match[0][1:]
        found: str | None = environment.get(match[1], match[2])
        if found is None:
            missing.append(f"{where}: the environment variable {match[1]} is not set")
        return found or ""

    return _REFERENCE.sub(replaced, value)
