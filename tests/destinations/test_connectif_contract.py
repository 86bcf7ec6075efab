"""Connectif passes what every destination must, by both transports."""

from collections.abc import AsyncIterator
from typing import Any, ClassVar

import httpx

from destination.testing.contract import DestinationContract, Subject, rejected
from destination.testing.meddler import Meddle
from destinations.sandbox.connectif.events import CUSTOMER, LEFT, PERSON, REMOVED


class Broken(httpx.AsyncByteStream):
    """A body that ends too early."""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield b"{"
        raise httpx.ReadError("the connection broke")


def broken_off(status: int) -> Meddle:
    """Every answer has this status and half a body."""

    async def meddle(request: httpx.Request, pass_on: Any) -> httpx.Response:
        return httpx.Response(status, stream=Broken())

    return meddle


class TestApi(DestinationContract):
    """Events go to the public API."""

    kind = "connectif"
    required = "email"
    doubtful: ClassVar = ["OUTCOME_UNKNOWN"]
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

    def test_created_is_a_yes_whatever_becomes_of_the_rest(self) -> None:
        """An answer that breaks off after 201 has said it all; after 200 it has not."""

        async def scenario(subject: Subject) -> list[dict[Any, str]]:
            await subject.call("add", self.rows(1))
            outcomes = []
            for status, wanted in ((201, self.rows(2)[1:]), (200, self.rows(3)[2:])):
                subject.between.meddle = broken_off(status)
                outcomes.append(rejected(await subject.call("add", wanted)))
            return outcomes

        created, other = self.play(scenario)
        assert created == {}
        assert [reason.partition(":")[0] for reason in other.values()] == self.doubtful


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
    doubtful: ClassVar = []
    configuration: ClassVar = TestApi.configuration | {"object": CUSTOMER, "removalAlias": LEFT}
