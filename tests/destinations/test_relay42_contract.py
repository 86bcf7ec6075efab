"""Relay42 passes what every destination must, by either delivery."""

from typing import Any, ClassVar

from destination.testing.contract import DestinationContract
from destinations.sandbox.relay42 import FACT, SEGMENT


class TestPayloads(DestinationContract):
    """Each row is a payload to an endpoint."""

    kind = "relay42"
    required = "key"
    configuration: ClassVar = {
        "object": "audience_segment",
        "mode": "mirror",
        "identifierMapping": [{"from": "key", "to": "partnerIds"}],
        "customMappings": [{"from": "city", "to": "audienceVariables.city"}],
        "partnerNumber": 2001,
        "partnerAudienceId": SEGMENT,
    }

    def rows(self, count: int) -> list[dict[str, Any]]:
        return [{"id": n, "key": f"key{n}", "city": f"Ulm{n}"} for n in range(count)]


class TestProfiles(TestPayloads):
    """Rows of one profile are one payload; the endpoint takes the same twice without harm."""

    settings: ClassVar = {"idempotent": True}
    harmless = True
    configuration: ClassVar = TestPayloads.configuration | {
        "mappings": [{"from": "profile", "to": "profileId"}]
    }

    def rows(self, count: int) -> list[dict[str, Any]]:
        return [{**row, "profile": f"profile{row['id']}"} for row in super().rows(count)]


class TestFacts(TestPayloads):
    """Each row is a fact, for an access token."""

    stand_in: ClassVar = {"delivery": "facts"}
    harmless = True
    configuration: ClassVar = {
        **{
            name: value
            for name, value in TestPayloads.configuration.items()
            if name != "partnerAudienceId"
        },
        "factName": FACT,
    }


class TestFactsByKey(TestFacts):
    """The same for an API key."""

    stand_in: ClassVar = {"delivery": "facts", "by_key": True}
