"""
What every destination must pass, whatever its vendor.

A test module says which kind, which sync and which rows, and inherits the rest::

    class TestContract(DestinationContract):
        kind = "webhook"
        configuration = {"mode": "mirror", "identifierMapping": [{"from": "email", "to": "email"}]}
        required = "email"

        def rows(self, count: int) -> list[dict[str, Any]]:
            return [{"id": n, "email": f"p{n}@example.org"} for n in range(count)]

The destination delivers to its stand-in over real sockets, in virtual time.
"""

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar

import jsonschema
import msgspec
from structlog.testing import capture_logs

from destination import registry
from destination.app import make_instance
from destination.deadline import Deadline
from destination.instance import Instance
from destination.listen import listening
from destination.metrics import Metrics
from destination.model import Operation
from destination.protocols import hightouch, rpc
from destination.settings import Server
from destination.state.sqlite import SqliteStore
from destination.testing.clock import run_virtually
from destination.testing.meddler import Meddler, lost

T = TypeVar("T")

CANARY = "canary9f2c7e"
"""Stands in every value of some rows, and must stand nowhere else afterwards."""


@dataclass
class Subject:
    """A destination that is open, what stands between it and its vendor, and its counters."""

    instance: Instance
    between: Meddler
    metrics: Metrics
    configuration: Mapping[str, Any]

    async def call(
        self, method: str, rows: Sequence[Mapping[str, Any]], **configuration: Any
    ) -> dict[str, Any]:
        """The response object of one call with rows, whose ids are in the column ``id``."""
        chosen = {**self.configuration, **configuration}
        return await self.ask(method, configuration=chosen, rows=rows, idColumn="id")

    async def ask(self, method: str, **params: Any) -> dict[str, Any]:
        """The response object of one call."""
        request = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        call = rpc.Call(self.instance, Deadline(25), 10_000)
        answer = await rpc.answer(hightouch.SERVED, msgspec.json.encode(request), call)
        assert answer is not None
        decoded: dict[str, Any] = msgspec.json.decode(answer)
        return decoded


def rejected(answer: Mapping[str, Any]) -> dict[Any, str]:
    """The reason for each rejected id of a call that had a result."""
    assert "result" in answer, answer
    return {each["id"]: each["reason"] for each in answer["result"]["rejectedRows"]}


# ruff: noqa: S101 - a contract is asserted
class DestinationContract:
    """
    Tests that a destination inherits.

    Args:
        kind: The stand-in's, and so the kind's, unless ``configured`` says otherwise; not needed
            where ``vendor`` makes a stand-in of your own.
        configuration: A whole sync, valid: object, mode, mappings and options. Its mode sends
            rows to add.
        settings: More of the operator's settings, beside the stand-in's own.
        stand_in: How the stand-in is made, where it can be made in several ways.
        required: A column without whose value a row cannot be delivered; "" where there is none.
        harmless: A request whose answer was lost may be sent again.
    """

    kind: ClassVar[str]
    configuration: ClassVar[Mapping[str, Any]]
    settings: ClassVar[Mapping[str, Any]] = {}
    stand_in: ClassVar[Mapping[str, Any]] = {}
    required: ClassVar[str] = ""
    harmless: ClassVar[bool] = False

    def rows(self, count: int) -> list[dict[str, Any]]:
        """So many valid rows with ids of their own in the column ``id``."""
        raise NotImplementedError

    def configured(self, told: Mapping[str, Any]) -> dict[str, Any]:
        """What the operator configures, from what the stand-in says for the kind of its name."""
        return {**told, **self.settings}

    def vendor(self, **how: Any) -> Any:
        """The stand-in: ``app()`` and ``settings(base_url)``; made with a token if one is given."""
        return registry.stand_in(self.kind)(**self.stand_in, **how)

    def play(self, scenario: Callable[[Subject], Awaitable[T]], **settings: Any) -> T:
        """Run a scenario with a destination and its stand-in, in virtual time."""

        async def run() -> T:
            async with AsyncExitStack() as stack:
                return await scenario(await self._subject(stack, settings))

        return run_virtually(run())

    async def _subject(self, stack: AsyncExitStack, settings: Mapping[str, Any]) -> Subject:
        stand_in = self.vendor()
        url = await stack.enter_async_context(listening(stand_in.app(), "127.0.0.1", 0, grace=0.1))
        values = {**self.configured(stand_in.settings(url)), **settings}
        instance = make_instance("subject", values, Server())
        store = await stack.enter_async_context(SqliteStore(None))
        metrics, between = Metrics(), Meddler()
        opened = instance.opened(store, metrics.of("subject"), between=between)
        await stack.enter_async_context(opened)
        return Subject(instance, between, metrics, self.configuration)

    def test_a_valid_sync_is_valid(self) -> None:
        """``validate`` has nothing to say about the sync that these tests use."""

        async def scenario(subject: Subject) -> Any:
            return await subject.ask("validate", configuration=subject.configuration)

        assert self.play(scenario)["result"] == {"errors": []}

    def test_the_form_is_a_schema(self) -> None:
        """The options form is a valid JSON Schema, as what renders it expects."""

        async def scenario(subject: Subject) -> Any:
            chosen = {name: subject.configuration.get(name) for name in ("object", "mode")}
            return await subject.ask("list_options", **chosen)

        if options := self.play(scenario)["result"]["options"]:
            jsonschema.Draft7Validator.check_schema(options["schema"])

    def test_every_operation_is_delivered_or_refused_by_row(self) -> None:
        """Each mode delivers what it says it sends, and rejects every row of what it does not."""

        async def scenario(subject: Subject) -> None:
            modes = await subject.instance.modes(subject.configuration.get("object"))
            for mode in modes:
                for operation in Operation:
                    answer = await subject.call(operation, self.rows(3), mode=mode.id)
                    if mode.verb(operation):
                        assert rejected(answer) == {}, (mode.id, operation)
                    else:
                        codes = {each.partition(":")[0] for each in rejected(answer).values()}
                        assert codes == {"NOT_SUPPORTED"}
                        assert len(rejected(answer)) == 3

        self.play(scenario)

    def test_secrets_are_hidden(self) -> None:
        """No secret setting shows in what is printed of the settings or of the destination."""
        stand_in = self.vendor(token=f"secret-{CANARY}-us1")
        values = self.configured(stand_in.settings("http://127.0.0.1:9"))
        plugin = make_instance("subject", values, Server()).plugin

        assert CANARY in json.dumps(values)
        assert CANARY not in f"{plugin.settings!r} {plugin.settings} {vars(plugin)} {plugin!r}"

    def test_a_row_without_its_required_value_is_rejected_alone(self) -> None:
        """An empty required value rejects its row by the field's name, and no neighbour."""
        if not self.required:
            return
        rows = self.rows(5)
        rows[2][self.required] = ""

        async def scenario(subject: Subject) -> Any:
            return await subject.call("add", rows)

        reasons = rejected(self.play(scenario))
        assert list(reasons) == [rows[2]["id"]]
        assert reasons[rows[2]["id"]].startswith("INVALID_ROW: ")

    def test_refused_credentials_stop_the_call(self) -> None:
        """When the vendor answers 401 the call fails, and hardly more is sent."""

        async def scenario(subject: Subject) -> tuple[Any, int]:
            await subject.call("add", self.rows(1))
            subject.between.answer(401)
            sent = len(subject.between.requests)
            answer = await subject.call("add", self.rows(61)[1:])
            return answer, len(subject.between.requests) - sent

        answer, requests = self.play(scenario, batch_size=1)
        assert answer["error"]["code"] == rpc.AUTH_ERROR
        assert requests <= 20

    def test_a_429_is_waited_for_and_counted(self) -> None:
        """After 429 with Retry-After nothing goes out before the wait is over; then rows do."""

        async def scenario(subject: Subject) -> tuple[Any, list[float], str]:
            await subject.call("add", self.rows(1))
            subject.between.answer(429, {"Retry-After": "3"}, times=1)
            sent = len(subject.between.times)
            answer = await subject.call("add", self.rows(2)[1:])
            return answer, subject.between.times[sent:], subject.metrics.text().decode()

        answer, times, metrics = self.play(scenario)
        assert rejected(answer) == {}
        assert 3 <= times[1] - times[0] <= 3.4
        assert 'outcome="RATE_LIMITED"} 1.0' in metrics

    def test_a_lost_answer_is_repeated_only_where_that_is_harmless(self) -> None:
        """A row whose answer was lost may have arrived: it is resent only where that is safe."""

        async def scenario(subject: Subject) -> tuple[Any, int]:
            await subject.call("add", self.rows(1))
            subject.between.meddle = lost
            sent = len(subject.between.requests)
            answer = await subject.call("add", self.rows(2)[1:])
            return answer, len(subject.between.requests) - sent

        answer, requests = self.play(scenario)
        [reason] = rejected(answer).values()
        assert reason.startswith("OUTCOME_UNKNOWN: ")
        assert "may have been delivered" in reason
        assert (requests > 1) is self.harmless

    def test_versions_of_one_row_each_have_an_outcome(self) -> None:
        """The same row twice in a call is delivered in order, or rejected with a reason."""
        [row] = self.rows(1)

        async def scenario(subject: Subject) -> Any:
            return await subject.call("add", [row, row])

        reasons = rejected(self.play(scenario))
        assert set(reasons) <= {row["id"]}

    def test_nothing_of_a_row_is_told(self) -> None:
        """Whatever the vendor answers, no value of a row stands in a reason or in the log."""
        rows = [
            {name: f"{CANARY}{value}" if name != "id" else value for name, value in row.items()}
            for row in self.rows(4)
        ]
        told: list[Any] = []

        async def scenario(subject: Subject) -> None:
            await subject.call("add", self.rows(1))
            for status in (200, 400, 404, 422, 500, 503):
                subject.between.echo(status)
                told.append(await subject.call("add", rows))
            subject.between.meddle = None
            told.append(await subject.call("add", rows))

        with capture_logs() as logs:
            self.play(scenario)

        assert CANARY not in json.dumps(told)
        assert CANARY not in str(logs)
