"""Whether requests and answers are what a vendor's OpenAPI 3.0 document describes."""

import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema

JSON = dict[str, Any]


@dataclass(frozen=True)
class Exchange:
    """A request and its answer."""

    method: str
    path: str
    query: Mapping[str, str]
    sent: bytes
    status: int
    content_type: str
    received: bytes


class Description:
    """An API description, and what in an exchange it does not describe."""

    def __init__(self, document: JSON) -> None:
        self._document = document
        self._validators: dict[str, Any] = {}
        self._operations = [
            (method.upper(), re.compile(re.sub(r"\{\w+\}", "[^/]+", path)), path, operation)
            for path, methods in document["paths"].items()
            for method, operation in methods.items()
        ]

    def problems(self, exchange: Exchange) -> Iterator[str]:
        """Sentences; none when the exchange is described."""
        for method, pattern, path, operation in self._operations:
            if method == exchange.method and pattern.fullmatch(exchange.path):
                name = f"{method} {path}"
                yield from self._query(name, operation, exchange.query)
                yield from self._request(name, operation, exchange.sent)
                yield from self._answer(name, operation, exchange)
                return
        yield f"{exchange.method} {exchange.path} is not described"

    def _query(self, name: str, operation: JSON, query: Mapping[str, str]) -> Iterator[str]:
        known = {
            one["name"]: one for one in operation.get("parameters", ()) if one["in"] == "query"
        }
        for key, value in query.items():
            if key not in known:
                yield f"{name}: there is no parameter {key}"
            elif not _PARAMETER[known[key]["schema"]["type"]](value):
                yield f"{name}: parameter {key} has the wrong type"

    def _request(self, name: str, operation: JSON, sent: bytes) -> Iterator[str]:
        body = operation.get("requestBody")
        if body is None:
            if sent:
                yield f"{name}: no request body is described"
        else:
            schema = body["content"]["application/json"]["schema"]
            yield from self._faults(f"{name} request", schema, sent)

    def _answer(self, name: str, operation: JSON, exchange: Exchange) -> Iterator[str]:
        responses = operation["responses"]
        described = responses.get(str(exchange.status)) or responses["default"]
        content = described.get("content")
        if not content:
            if exchange.received:
                yield f"{name}: {exchange.status} has no body"
        elif exchange.content_type not in content:
            yield f"{name}: {exchange.status} is not {exchange.content_type}"
        else:
            schema = content[exchange.content_type]["schema"]
            yield from self._faults(f"{name} {exchange.status}", schema, exchange.received)

    def _faults(self, name: str, schema: JSON, body: bytes) -> Iterator[str]:
        if name not in self._validators:
            rooted = {"components": self._document.get("components", {}), **schema}
            self._validators[name] = jsonschema.Draft202012Validator(rooted)
        for error in self._validators[name].iter_errors(json.loads(body)):
            yield f"{name}: {error.json_path}: {error.message[:200]}"


_PARAMETER: Mapping[str, Any] = {
    "array": lambda value: True,
    "string": lambda value: True,
    "integer": lambda value: value.isdecimal(),
    "boolean": lambda value: value in ("true", "false"),
}


def folder() -> Path | None:
    """Where the descriptions are, if ``VENDOR_SPECS`` says so."""
    named = os.environ.get("VENDOR_SPECS")
    return Path(named) if named else None


@cache
def descriptions(folder: Path, *names: str) -> tuple[Description, ...]:
    """The descriptions in these files."""
    return tuple(
        Description(_mended(json.loads((folder / name).read_text("utf-8")))) for name in names
    )


def _mended(value: Any) -> Any:
    """Without what a tool spoilt in a copy: it made every value of a merge field an object."""
    if isinstance(value, list):
        return [_mended(one) for one in value]
    if not isinstance(value, dict):
        return value
    value = {key: _mended(one) for key, one in value.items()}
    values = value.get("additionalProperties")
    if isinstance(values, dict) and "keys are merge tags" in values.get("description", ""):
        value["additionalProperties"] = {}
    return value
