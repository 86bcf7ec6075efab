"""A destination whose requests are declared: for each verb one, sent for each record or batch."""

import asyncio
from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

import httpx

from destination.deadline import ABOUT, give_way
from destination.errors import DestinationError, FatalError, RefusedError, TargetError
from destination.fingerprint import event_id
from destination.model import Batch, Limits, Mode, Operation, Record, Rejection
from destination.plugin import Destination, OptionsT, SettingsT
from destination.singly import each
from destination.spec.answer import ToldError
from destination.spec.prepared import Payload, Prepared
from destination.spec.request import LARGEST_ARRAY, Request
from destination.spec.results import refusals, refused_row
from destination.spec.selection import Selection, consents, group_of
from destination.spec.writer import Writer
from destination.template import Condition
from destination.vendor.answers import MAX_ANSWER
from destination.vendor.signing import REQUEST_ID

LONG_ANSWER = 8 * 2**20
"""The most bytes of an answer that are read where it tells of each row."""

PREPARED = "prepared"
"""The request extension with the declaration that a request was made from."""


@dataclass(frozen=True, slots=True)
class Declared:
    """
    What a destination is made of.

    Args:
        requests: By verb.
        modes: All there are.
        settings: What templates see as ``settings``.
        limits: Beside what the requests say of batches.
        identified: The id of each request is signed.
    """

    requests: Mapping[str, Request]
    modes: Sequence[Mode]
    selection: Selection = field(default_factory=Selection)
    settings: Mapping[str, Any] = field(default_factory=dict, repr=False)
    limits: Limits = field(default_factory=Limits)
    identified: bool = False


class HttpDestination(Destination[SettingsT, OptionsT]):
    """Rows as HTTP requests that are declared; a subclass says which by ``declared``."""

    def declared(self) -> Declared:
        """What this destination is made of; asked once."""
        raise NotImplementedError

    @cached_property
    def _declared(self) -> Declared:
        return self.declared()

    @cached_property
    def _prepared(self) -> Mapping[str, Prepared]:
        return {verb: Prepared(request) for verb, request in self._declared.requests.items()}

    @property
    def longest_answer(self) -> int:
        """What a ``Connection`` must be ready to read: answers may tell of each row."""
        told = any(one.answer.rows is not None for one in self._declared.requests.values())
        return LONG_ANSWER if told else MAX_ANSWER

    _asker: Writer | None = None
    """What filters of the call before saw; the next row is most often of the same call."""

    @cached_property
    def _condition(self) -> Condition | None:
        source = self._declared.selection.filter
        return Condition.parse(source) if source else None

    def limits_for(self, mode: str | None, options: OptionsT | None) -> Limits:
        """The declared limits, with the batches that the mode's requests take."""
        declared = self._declared
        modes = [each for each in declared.modes if mode is None or each.id == mode]
        verbs = {each.verb(operation) for each in modes for operation in Operation}
        requests = [one for verb, one in declared.requests.items() if verb in verbs]
        arrays = [request for request in requests if request.batching == "array"]
        harmless = bool(requests) and all(request.idempotent for request in requests)
        return replace(
            declared.limits,
            batch_size=min((each.most for each in arrays), default=1),
            largest_batch=min((each.batch_size or LARGEST_ARRAY for each in arrays), default=None),
            remember=0.0 if harmless else declared.limits.remember,
        )

    def classify(self, response: httpx.Response) -> DestinationError | None:
        """What the declaration says of the answer's status."""
        prepared: Prepared | None = response.request.extensions.get(PREPARED)
        if prepared is None:
            return None
        return prepared.answer.error(response, one_address=prepared.batched)

    def wanted(self, record: Record, batch: Batch[OptionsT]) -> bool:
        """Rows without consent, or outside of the filter, are not sent; removals always are."""
        if batch.operation is Operation.REMOVE:
            return True
        if not consents(self._declared.selection, record.fields):
            return False
        if self._condition is None:
            return True
        if self._asker is None or self._asker.batch is not batch:
            self._asker = self._writer(batch, self._condition.columns)
        return self._condition.holds(self._asker.values(record), now=self._asker.now)

    def group(self, record: Record, options: OptionsT) -> Hashable | None:
        """Records that agree in the field by which they are grouped."""
        return group_of(self._declared.selection, record.fields)

    async def deliver(self, batch: Batch[OptionsT]) -> Sequence[Rejection]:
        """One request for each payload, or for all of them; the answer may refuse some."""
        writer = self._writer(batch)
        payloads, rejections = await writer.payloads()
        if not payloads:
            return rejections
        try:
            if writer.prepared.batched or len(payloads) == 1:
                return [*rejections, *await self._send(writer, payloads)]
            return [*rejections, *await self._singly(writer, payloads)]
        except (FatalError, TargetError, RefusedError):
            raise
        except DestinationError as error:
            sent = (record for payload in payloads for record in payload.records)
            return [*rejections, *(record.reject(error) for record in sent)]

    def _writer(self, batch: Batch[OptionsT], names: Collection[str] | None = None) -> Writer:
        declared, now = self._declared, datetime.now(UTC)
        prepared = self._prepared[batch.verb]
        return Writer(batch, prepared, declared.selection, declared.settings, now, names)

    async def _singly(self, writer: Writer, payloads: Sequence[Payload]) -> list[Rejection]:
        """A request for each payload, where the mode's other requests take batches."""
        first = {payload.records[0].position: payload for payload in payloads}

        async def act(record: Record) -> None:
            for rejection in await self._send(writer, [first[record.position]]):
                raise rejection.error

        refused = await each((payload.records[0] for payload in payloads), act)
        return [
            record.reject(rejection.error)
            for rejection in refused
            for record in first[rejection.position].records
        ]

    async def _send(self, writer: Writer, payloads: Sequence[Payload]) -> list[Rejection]:
        prepared, outgoing = writer.prepared, writer.outgoing(payloads)
        records = [record for payload in payloads for record in payload.records]
        ABOUT.set([record.position for record in records])
        extensions: dict[str, Any] = {PREPARED: prepared}
        if self._declared.identified:
            extensions[REQUEST_ID] = event_id(writer.batch, records)
        try:
            response = await self.http.request(
                outgoing.method,
                outgoing.url,
                content=outgoing.content,
                headers=outgoing.headers,
                extensions=extensions,
                repeatable=prepared.request.idempotent or None,
                verdict="status" if prepared.answer.rows is None else "body",
                accept=prepared.answer.accepted,
            )
        except ToldError as error:
            raise error.about(records[0]) if len(records) == 1 else error from None
        if prepared.answer.rows is None:
            return []
        sent = [payload.records for payload in payloads]
        turn, rejections = asyncio.get_running_loop().time(), list[Rejection]()
        for position, words in refusals(prepared.answer.rows, response, sent).items():
            rejections += [record.reject(refused_row(words, record)) for record in sent[position]]
            turn = await give_way(turn)
        return rejections
