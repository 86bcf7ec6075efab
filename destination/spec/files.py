"""Spec files: TOML, JSON or YAML, read into a document."""

import json
import tomllib
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


def read(path: Path) -> Document:
    """
    The document in a file.

    Raises:
        ConfigError: It cannot be read or is wrong: every problem on a line, after the file's name
            and the path in the file.
    """
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        told = error.strerror if isinstance(error, OSError) else "it is not text in UTF-8"
        raise ConfigError(f"{path}: cannot be read: {told}") from None
    if len(text) > LARGEST:
        raise ConfigError(f"{path}: is larger than {LARGEST // 1024} kB")
    content = _parsed(path, text)
    if _count(content) > MOST_VALUES:
        raise ConfigError(f"{path}: has more than {MOST_VALUES:,} values")
    try:
        return Document.model_validate(content)
    except ValidationError as error:
        lines = explained(error, Document)
        raise ConfigError("\n".join(f"{path.name}: {line}" for line in lines)) from None


def file_schema() -> dict[str, Any]:
    """The JSON Schema of a spec file."""
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Delivery spec"}
    return {**Document.model_json_schema(), **schema}


def _parsed(path: Path, text: str) -> Any:
    """What the file says, by the end of its name."""
    try:
        match path.suffix.lower():
            case ".toml":
                return tomllib.loads(text)
            case ".json":
                return json.loads(text)
            case ".yaml" | ".yml":
                return yaml.safe_load(text)
    except (tomllib.TOMLDecodeError, json.JSONDecodeError) as error:
        raise ConfigError(f"{path.name}: {error}") from None
    except yaml.YAMLError as error:
        told = " ".join(str(error).split())
        raise ConfigError(f"{path.name}: is not YAML: {told}") from None
    except RecursionError:
        raise ConfigError(f"{path.name}: is nested too deeply") from None
    raise ConfigError(f"{path.name}: a spec file's name ends in {', '.join(SUFFIXES)}")


def _count(value: Any) -> int:
    """How many values there are, each as often as it is referred to; counting ends at the limit."""
    count, pending = 0, [value]
    while pending and count <= MOST_VALUES:
        item = pending.pop()
        count += 1
        if isinstance(item, dict):
            pending += item.values()
        elif isinstance(item, list):
            pending += item
    return count
