"""``rpc.discover``: the methods described by OpenRPC, as they are."""

import json
import os
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT7
from support import Serve

from destination.protocols.hightouch import METHODS, SERVED
from destination.protocols.openrpc import described

TRANSCRIPTS = Path(__file__).parents[2] / "examples" / "transcripts"


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    """The document as JSON has it."""
    made: dict[str, Any] = json.loads(json.dumps(described(SERVED, "A server")))
    return made


def transcript(method: str, part: str) -> Any:
    """What was sent, or answered."""
    return json.loads((TRANSCRIPTS / f"{method}.{part}.json").read_text("utf-8"))


def checked(document: dict[str, Any], schema: dict[str, Any], value: Any) -> None:
    """The value fits a schema of the document."""
    whole = {**schema, "components": document["components"]}
    jsonschema.Draft202012Validator.check_schema(whole)
    jsonschema.validate(value, whole, cls=jsonschema.Draft202012Validator)


META_SCHEMA = os.environ.get("OPENRPC_META_SCHEMA")
"""A file with OpenRPC's meta-schema, as https://meta.open-rpc.org has it."""


@pytest.mark.skipif(META_SCHEMA is None, reason="OPENRPC_META_SCHEMA names no file")
def test_the_document_is_one_of_openrpc(document: dict[str, Any]) -> None:
    """It is valid by OpenRPC's own meta-schema, which tells one with a mistake from it."""
    meta = json.loads(Path(META_SCHEMA or "").read_text("utf-8"))
    # It refers to a meta-schema of JSON Schema that names the parts of draft 7 in its own way.
    draft7 = jsonschema.Draft7Validator.META_SCHEMA
    reference = {"JSONSchemaObject": {"properties": {"$ref": draft7["properties"]["$ref"]}}}
    own = Resource({**draft7, "definitions": draft7["definitions"] | reference}, DRAFT7)
    tools = "https://meta.json-schema.tools"
    registry = Registry[Any]().with_resources([(tools, own), (f"{tools}/", own)])
    valid = jsonschema.Draft7Validator(meta, registry=registry).is_valid

    assert valid(document)
    assert not valid({**document, "methods": [{"name": "add"}]})


async def test_a_server_describes_itself(serve: Serve, document: dict[str, Any]) -> None:
    """The method is called like any other, and names itself too."""
    served = await serve({"people": {"kind": "people"}})

    answer = await served.result("rpc.discover", {}, path="/hightouch/people")

    assert answer["methods"] == document["methods"]
    assert [method["name"] for method in answer["methods"]] == [*METHODS, "rpc.discover"]
    assert answer["openrpc"].startswith("1.3.")


@pytest.mark.parametrize("name", METHODS)
def test_transcripts_are_as_described(document: dict[str, Any], name: str) -> None:
    """What callers send and what they are answered fits the described params and results."""
    [method] = [each for each in document["methods"] if each["name"] == name]
    params = transcript(name, "request").get("params") or {}
    described = {each["name"]: each for each in method["params"]}

    assert params.keys() <= described.keys()
    assert {each["name"] for each in method["params"] if each["required"]} <= params.keys()
    for param, value in params.items():
        checked(document, described[param]["schema"], value)
    checked(document, method["result"]["schema"], transcript(name, "response")["result"])


def test_another_result_is_not_as_described(document: dict[str, Any]) -> None:
    """The descriptions are strict enough to tell a result from that of another method."""
    results = {each["name"]: each["result"]["schema"] for each in document["methods"]}

    with pytest.raises(jsonschema.ValidationError):
        checked(document, results["add"], transcript("behavior", "response")["result"])


def test_every_method_is_explained(document: dict[str, Any]) -> None:
    """Each has a sentence, and every reference leads somewhere."""
    for method in document["methods"]:
        assert method["summary"].endswith("."), method["name"]
    components = document["components"]
    for reference in json.dumps(document).split('"$ref": "#/components/')[1:]:
        kind, _, name = reference.partition('"')[0].partition("/")
        assert name in components[kind]
