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


class TestEvents(TestSingleRows):
    """Rows are events, of which a table makes what the receiver takes."""

    settings: ClassVar = {
        "payload": "event",
        "template": {
            "operation": "{{ operation }}",
            "id": "{{ row_id }}",
            "fields": "{{ traits }}",
        },
    }


class TestTemplates(TestSingleRows):
    """A template gives the payload, and others the address and a header."""

    settings: ClassVar = {
        "template": '{"operation": "{{operation}}", "id": {{row_id}}, "fields": {{fields}}}',
        "query": {"email": "{{ email }}"},
        "headers": {"X-Id": "{{ event_id }}"},
        "filter": "row_id >= 0",
    }


class TestResults(TestSingleRows):
    """Arrays are members of an object, and the answer tells of each row."""

    stand_in: ClassVar = {"results": True, "wrapper": "people"}


class TestOperations(TestSingleRows):
    """Each operation has a request of its own; removals go singly, the others in arrays."""

    settings: ClassVar = {
        "batching": "array",
        "operations": {"change": {"method": "PUT"}, "remove": {"batching": "none"}},
    }
