"""The description of methods by OpenRPC 1.3, made from the types that they are declared with."""

import importlib.metadata
import inspect
from collections.abc import Mapping
from typing import Any

import msgspec

from destination.protocols import rpc
from destination.protocols.rpc import Method

ERRORS = {
    rpc.INVALID_PARAMS: "Invalid params",
    rpc.INTERNAL_ERROR: "Internal error",
    rpc.AUTH_ERROR: "The vendor refused the credentials",
    rpc.CONFIG_ERROR: "Settings or configuration are wrong",
    rpc.UNAVAILABLE_ERROR: "The vendor did not answer",
}


def described(methods: Mapping[str, Method], title: str) -> dict[str, Any]:
    """The OpenRPC document of these methods."""
    shapes = [shape for method in methods.values() for shape in (method.params, method.result)]
    schemas, components = msgspec.json.schema_components(
        shapes, ref_template="#/components/schemas/{name}"
    )
    parts = iter(schemas)
    return {
        "openrpc": "1.3.2",
        "info": {"title": title, "version": importlib.metadata.version("destination")},
        "methods": [
            _method(name, method, components, next(parts), next(parts))
            for name, method in methods.items()
        ],
        "components": {
            "schemas": components,
            "errors": {
                _key(code): {"code": code, "message": message} for code, message in ERRORS.items()
            },
        },
    }


def _method(
    name: str, method: Method, components: Mapping[str, Any], params: Any, result: Any
) -> dict[str, Any]:
    shape = components[params["$ref"].rpartition("/")[2]]
    return {
        "name": name,
        "summary": inspect.getdoc(method.handle) or "",
        "paramStructure": "by-name",
        "params": [
            {"name": param, "required": param in shape.get("required", ()), "schema": schema}
            for param, schema in shape["properties"].items()
        ],
        "result": {"name": "result", "schema": result},
        "errors": [{"$ref": f"#/components/errors/{_key(code)}"} for code in ERRORS],
    }


def _key(code: int) -> str:
    return f"E{-code}"
