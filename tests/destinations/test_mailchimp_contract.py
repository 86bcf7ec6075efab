"""Mailchimp passes what every destination must."""

from typing import Any, ClassVar

from destination.testing.contract import DestinationContract
from destinations.sandbox.mailchimp import NEWSLETTER


class TestKept(DestinationContract):
    """Contacts that exist keep their status."""

    kind = "mailchimp"
    harmless = True
    required = "email"
    configuration: ClassVar = {
        "object": NEWSLETTER,
        "mode": "mirror",
        "identifierMapping": [{"from": "email", "to": "email_address"}],
        "mappings": [{"from": "first", "to": "FNAME"}, {"from": "city", "to": "CITY"}],
    }

    def rows(self, count: int) -> list[dict[str, Any]]:
        return [
            {"id": n, "email": f"person{n}@example.org", "first": f"Ann{n}", "city": "Ulm"}
            for n in range(count)
        ]


class TestOverwritten(TestKept):
    """Contacts that exist get the form's status, and its tags."""

    configuration: ClassVar = TestKept.configuration | {
        "existingStatus": "overwrite",
        "tags": ["customers"],
    }


class TestInserted(TestKept):
    """Contacts are added only: what may have been is not added again."""

    harmless = False
    configuration: ClassVar = TestKept.configuration | {"mode": "insert"}
