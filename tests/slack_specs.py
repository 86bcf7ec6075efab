"""Slack's own description of its API, read from a folder outside, and what it says of exchanges."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jsonschema import Draft4Validator
from referencing import Registry
from referencing.jsonschema import DRAFT4

FILE = "slack_web_openapi_v2_without_examples.json"

LATER_CODES = {"ratelimited", "missing_scope", "invalid_blocks", "cannot_reply_to_message"}
"""Error codes that Slack's pages list and the description of 2021 does not know."""

LATER_FACTS = {"needed", "provided", "response_metadata"}
"""What an answer with an error may tell besides, likewise."""

_FORM = {
    "boolean": r"true|false",
    "integer": r"-?\d+",
    "number": r"-?\d+(\.\d+)?",
    "string": r"(?s).*",
}


@dataclass
class Exchange:
    """One request to the stand-in, and its answer."""

    verb: str
    path: str
    headers: dict[str, str] = field(default_factory=dict)
    query: dict[str, str] = field(default_factory=dict)
    body: Any = None
    status: int = 0
    answer: Any = None


class SlackSpec:
    """
    The description.

    Args:
        folder: Where ``VENDOR_SPECS`` says that descriptions are.
    """

    def __init__(self, folder: str) -> None:
        self._spec = _alternatives(json.loads((Path(folder) / FILE).read_text("utf-8")))
        resource = DRAFT4.create_resource(self._spec)
        self._registry: Any = Registry().with_resource("urn:slack", resource)

    def problems(self, exchange: Exchange) -> list[str]:
        """What the description has against a request or its answer; [] when nothing."""
        name = exchange.path.removeprefix("/api")
        described = self._spec["paths"].get(name, {}).get(exchange.verb.lower())
        if described is None:
            return [f"there is no {exchange.verb} {name}"]
        found = list(_request_problems(described, exchange))
        if isinstance(exchange.answer, dict):
            found += self._answer_problems(name, exchange)
        return [f"{exchange.verb} {name}: {each}" for each in found]

    def _answer_problems(self, name: str, exchange: Exchange) -> Iterator[str]:
        good = exchange.status == 200 and exchange.answer.get("ok") is True
        answer = exchange.answer
        if not good:
            answer = {name: value for name, value in answer.items() if name not in LATER_FACTS}
            if answer.get("error") in LATER_CODES:
                answer["error"] = "invalid_auth"
        place = f"paths/{name.replace('/', '~1')}/{exchange.verb.lower()}/responses"
        schema = {"$ref": f"urn:slack#/{place}/{'200' if good else 'default'}/schema"}
        for error in Draft4Validator(schema, registry=self._registry).iter_errors(answer):
            yield f"answer: {error.json_path}: {error.message[:200]}"


def _request_problems(described: dict[str, Any], exchange: Exchange) -> Iterator[str]:
    if not exchange.headers.get("Authorization", "").startswith("Bearer "):
        yield "no bearer token"
    parameters = {each["name"]: each for each in described["parameters"] if each["in"] != "header"}
    sent = {**exchange.query, **(exchange.body or {})}
    if exchange.body is not None:
        kind = exchange.headers.get("Content-Type", "").partition(";")[0]
        if kind not in described["consumes"]:
            yield f"does not take {kind}"
    yield from (f"unknown argument {name}" for name in sent.keys() - parameters.keys())
    for name, each in parameters.items():
        if name not in sent:
            if each.get("required"):
                yield f"{name} is missing"
        elif not re.fullmatch(_FORM[each["type"]], _as_in_a_form(sent[name])):
            yield f"{name} is not {each['type']}"


def _as_in_a_form(value: Any) -> str:
    """The description knows forms only: a list is JSON text there."""
    return value if isinstance(value, str) else json.dumps(value)


def _alternatives(node: Any) -> Any:
    """Where the description lists ``items`` of no array, it means any of them."""
    if isinstance(node, list):
        return [_alternatives(each) for each in node]
    if not isinstance(node, dict):
        return node
    node = {name: _alternatives(value) for name, value in node.items()}
    if isinstance(node.get("items"), list) and "type" not in node:
        node["anyOf"] = node.pop("items")
    return node
