"""Connectif passes what every destination must, by both transports."""

from typing import Any, ClassVar

from destination.testing.contract import DestinationContract
from destinations.sandbox.connectif.events import CUSTOMER, LEFT, PERSON, REMOVED


class TestApi(DestinationContract):
    """Events go to the public API."""

    kind = "connectif"
    required = "email"
    configuration: ClassVar = {
        "object": PERSON,
        "mode": "send_all",
        "createContact": True,
        "removalAlias": REMOVED,
        "identifierMapping": [{"from": "email", "to": "email"}],
        "mappings": [{"from": "first", "to": "first_name"}, {"from": "city", "to": "city"}],
    }

    def rows(self, count: int) -> list[dict[str, Any]]:
        return [
            {"id": n, "email": f"person{n}@example.org", "first": f"Ann{n}", "city": "Ulm"}
            for n in range(count)
        ]


class TestTypedAlias(TestApi):
    """Events are not listed: aliases are typed, and both events take what is mapped."""

    settings: ClassVar = {"integrations": []}
    configuration: ClassVar = TestApi.configuration | {
        "object": None,
        "eventAlias": PERSON,
        "mappings": [],
        "customMappings": [{"from": "city", "to": "city"}],
    }


class TestWebhook(TestApi):
    """Events go to the store's webhooks."""

    settings: ClassVar = {"transport": "webhook"}
    configuration: ClassVar = TestApi.configuration | {"object": CUSTOMER, "removalAlias": LEFT}
