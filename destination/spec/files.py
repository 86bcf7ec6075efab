"""Spec files: TOML, JSON or YAML, read into a document."""

import json
import math
import re
import tomllib
from collections.abc import Iterable
from datetime import date, time
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from destination.errors import ConfigError
from destination.problems import explained
from destination.spec.document import Document

SUFFIXES = (".toml", ".json", ".yaml", ".yml")

LARGEST = 1024 * 1024
"""Bytes of a file at most."""

MOST_VALUES = 20_000
"""Values in a file at most; YAML's anchors could make many of few."""

DEEPEST = 64
"""How many tables and lists of a file may stand inside each other."""

_WORDS = {"": None, "~": None, "null": None, "true": True, "false": False}
_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")


def read(path: Path) -> Document:
    """
    The document in a file.

    Raises:
        ConfigError: It cannot be read or is wrong: every problem on a line, after the file's name
            and the path in the file.
    """
    text = _text(path)
    try:
        content = _Values().of(_parsed(path.suffix.lower(), text))
        if not isinstance(content, dict):
            raise ConfigError("is not a table of names and values")
        return Document.model_validate(content)
    except ValidationError as error:
        problems = explained(error, Document)
    except ConfigError as error:
        problems = [error.message]
    raise ConfigError("\n".join(f"{path.name}: {problem}" for problem in problems))


def file_schema() -> dict[str, Any]:
    """The JSON Schema of a spec file, by which editors complete one."""
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Spec file"}
    return {**schema, **Document.model_json_schema(), "title": "Spec file"}


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST + 1)
        if len(content) > LARGEST:
            raise ConfigError(f"{path}: is larger than {LARGEST // 1024:,} kB")
        return content.decode("utf-8-sig")
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: cannot be read: it is not text in UTF-8") from None


def _parsed(suffix: str, text: str) -> Any:
    """What the parser of a format makes of a text. Raises ConfigError."""
    try:
        match suffix:
            case ".toml":
                return tomllib.loads(text)
            case ".json":
                return json.loads(text, object_pairs_hook=_once)
            case ".yaml" | ".yml":
                return yaml.compose(text, yaml.BaseLoader)
    except ValueError as error:
        raise ConfigError(f"is not {suffix[1:].upper()}: {error}") from None
    except yaml.YAMLError as error:
        raise ConfigError(f"is not YAML: {_told(error)}") from None
    except RecursionError:
        raise ConfigError("is nested too deeply") from None
    raise ConfigError(f"a spec file's name ends in {', '.join(SUFFIXES)}")


def _told(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
    return where + str(getattr(error, "problem", None) or "it cannot be read")


class _Values:
    """Makes plain values of what a parser gave: the same of each format, and not too many."""

    def __init__(self) -> None:
        self._count = 0

    def of(self, item: Any, level: int = 0) -> Any:
        """The value; a date is text as it was written. Raises ConfigError."""
        self._count += 1
        if self._count > MOST_VALUES:
            raise ConfigError(f"has more than {MOST_VALUES:,} values")
        if level > DEEPEST:
            raise ConfigError("is nested too deeply")
        match item:
            case dict():
                return {name: self.of(value, level + 1) for name, value in item.items()}
            case yaml.MappingNode():
                return _once((_key(key), self.of(each, level + 1)) for key, each in item.value)
            case list():
                return [self.of(value, level + 1) for value in item]
            case yaml.SequenceNode():
                return [self.of(value, level + 1) for value in item.value]
        return _scalar(item)


def _scalar(item: Any) -> Any:
    if isinstance(item, yaml.ScalarNode):
        return _of_yaml(item)
    if isinstance(item, date | time):
        return item.isoformat()
    if isinstance(item, float) and not math.isfinite(item):
        raise ConfigError("has a number that is not finite")
    return item


def _of_yaml(node: yaml.ScalarNode) -> Any:
    """YAML 1.2's JSON schema: ``no`` and ``2026-01-31`` are text, and 012 is no octal number."""
    if node.style is not None or not (node.value in _WORDS or _NUMBER.fullmatch(node.value)):
        return node.value
    if node.value in _WORDS:
        return _WORDS[node.value]
    try:
        return _scalar(json.loads(node.value))
    except ValueError:
        raise ConfigError(f"line {node.start_mark.line + 1}: a number is too long") from None


def _key(node: yaml.Node) -> str:
    """A key is text as it is written, so that a status is one."""
    if not isinstance(node, yaml.ScalarNode):
        raise ConfigError(f"line {node.start_mark.line + 1}: a key must be text")
    return str(node.value)


def _once(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """An object in which no name stands twice."""
    members: dict[str, Any] = {}
    for name, value in pairs:
        if name in members:
            raise ConfigError(f'"{name[:80]}" stands twice in one table')
        members[name] = value
    return members
