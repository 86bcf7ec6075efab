"""The webhook passes what every destination must."""

from typing import Any, ClassVar

from destination.testing.contract import DestinationContract


class TestSingleRows(DestinationContract):
    """Each row is a request."""

    kind = "webhook"
    configuration: ClassVar = {
        "mode": "mirror",
        "identifierMapping": [{"from": "email", "to": "email"}],
        "mappings": [{"from": "first", "to": "first_name"}],
    }
    required = "email"

    def rows(self, count: int) -> list[dict[str, Any]]:
        return [
            {"id": n, "email": f"person{n}@example.org", "first": f"Name {n}"} for n in range(count)
        ]


class TestArrays(TestSingleRows):
    """Rows go in arrays, to a receiver that takes the same twice without harm."""

    settings: ClassVar = {"batching": "array", "idempotent": True}
    harmless = True
