"""A spec file passes what every destination must: this one describes the sandbox's receiver."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from destination.testing.contract import DestinationContract
from destination.testing.specs import spec_tests

FILE = Path(__file__).with_name("receiver.toml")

test_receiver = spec_tests(FILE)


class TestSingleRows(DestinationContract):
    """Each row is a request."""

    kind = "webhook"
    configuration: ClassVar = {
        "object": "person",
        "mode": "mirror",
        "identifierMapping": [{"from": "email", "to": "email"}],
        "mappings": [{"from": "first", "to": "first_name"}],
    }
    required = "email"

    def configured(self, told: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "kind": "spec",
            "spec": str(FILE),
            "endpoint": told["url"].removesuffix("/rows"),
            "token": told["auth"]["token"],
            "allow_private_networks": True,
        }

    def rows(self, count: int) -> list[dict[str, Any]]:
        return [
            {"id": n, "email": f"person{n}@example.org", "first": f"Name {n}"} for n in range(count)
        ]


class TestArrays(TestSingleRows):
    """Rows go in arrays, to a receiver that takes the same twice without harm."""

    configuration: ClassVar = {**TestSingleRows.configuration, "object": "people", "mode": None}
    harmless = True
