"""The tests of a spec file: its records are delivered to nobody, and what was sent is compared."""

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest
from typing import Any
from urllib.parse import parse_qsl

import httpx
import msgspec
from pydantic import ValidationError

from destination.deadline import Deadline
from destination.errors import ConfigError, FatalError
from destination.instance import Instance
from destination.mapping import Column, Entry, FieldMapping
from destination.metrics import Metrics
from destination.model import Object, Rejection, Row
from destination.problems import explained
from destination.spec.declarations import ExpectedRequest, Reply, Trial
from destination.spec.kinds import SpecDestination
from destination.state.sqlite import SqliteStore
from destination.sync import Sync, unknown
from destination.tuning import Tuning
from destination.vendor.auth import ERRAND

ANY = "*"
"""What an expected text is that stands for any value."""

_NOTHING: Any = object()

ID = "id"
"""The column of a record that is its row's id, and a field only where one is called so."""

SECONDS = 25.0
TUNING = Tuning(attempts=1, concurrency=1, rate=1e6, burst=1_000_000, remember=0.0)
"""One after another and at once: a test shows what is sent, not how patiently."""


async def differences(kind: type[SpecDestination], trial: Trial) -> list[str]:
    """What is not as the test says, a sentence each; nothing when it passes."""
    vendor = _Vendor(trial.replies)
    try:
        rejections, failure = await _delivered(kind, trial, vendor)
    except ConfigError as error:
        return [error.message]
    return [
        *_of_records(kind, trial),
        *_of_requests(trial.requests, vendor.requests),
        *_of_rejections(trial, rejections),
        *_of_error(trial.error, failure),
    ]


async def _delivered(
    kind: type[SpecDestination], trial: Trial, vendor: "_Vendor"
) -> tuple[Sequence[Rejection], FatalError | None]:
    """What became of the records, and why the call failed as a whole if it did."""
    try:
        plugin = kind(kind.settings_model.model_validate(trial.settings))
    except ValidationError as error:
        told = "; ".join(explained(error, kind.settings_model))
        raise ConfigError(f"settings: {told}") from None
    instance = Instance("trial", plugin, TUNING, deadline=SECONDS, max_rows=10_000)
    async with (
        SqliteStore(None) as store,
        instance.opened(store, Metrics().of("trial"), between=lambda _: vendor),
    ):
        deadline = Deadline(SECONDS)
        try:
            report = await instance.deliver(
                _sync(kind, trial), trial.operation, _rows(trial), deadline
            )
        except FatalError as error:
            return (), error
    return report.rejections, None


def _sync(kind: type[SpecDestination], trial: Trial) -> Sync:
    """Every field of the records is mapped from the column of its name."""
    fields = {field.id: field for object in _objects(kind, trial) for field in object.fields}
    names = dict.fromkeys(name for record in trial.records for name in record)
    entries = tuple(
        Entry(name, Column(name), name in fields and fields[name].identifier)
        for name in names
        if name in fields or name != ID
    )
    return Sync(trial.object, trial.mode, FieldMapping(entries), trial.options, id_column=ID)


def _objects(kind: type[SpecDestination], trial: Trial) -> list[Object]:
    """The object that the rows go to; all, where the test does not say which."""
    return [one for one in kind.objects if trial.object in (None, one.id)]


def _rows(trial: Trial) -> list[Row]:
    return [
        Row(position, record.get(ID, position + 1), record)
        for position, record in enumerate(trial.records)
    ]


class _Vendor(httpx.AsyncBaseTransport):
    """Answers what the test says, keeps what it was sent, and gives a token to who asks."""

    def __init__(self, replies: Sequence[Reply]) -> None:
        self._replies = list(replies) or [Reply(body={})]
        self.requests: list[httpx.Request] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.extensions.get(ERRAND):
            return _response(Reply(body={"access_token": "token", "expires_in": 3600}))
        await request.aread()
        self.requests.append(request)
        return _response(self._replies[min(len(self.requests), len(self._replies)) - 1])


def _response(reply: Reply) -> httpx.Response:
    if reply.body is None or isinstance(reply.body, str):
        body, headers = reply.body or "", reply.headers
    else:
        body, headers = json.dumps(reply.body), {"Content-Type": "application/json"} | reply.headers
    stream = httpx.ByteStream(body.encode())
    return httpx.Response(reply.status, headers=headers, stream=stream)


def _of_records(kind: type[SpecDestination], trial: Trial) -> Iterator[str]:
    """Names that are no field's, where no others can be mapped: the test would not see them."""
    objects = _objects(kind, trial)
    known = [field.id for object in objects for field in object.fields]
    if not any(object.custom_fields for object in objects):
        names = {name for record in trial.records for name in record} - {ID, *known}
        yield from (f"records: {unknown('Field', name, known)}" for name in sorted(names))


def _of_requests(
    expected: Sequence[ExpectedRequest], sent: Sequence[httpx.Request]
) -> Iterator[str]:
    if len(expected) != len(sent):
        yield f"{len(sent)} requests were sent, {len(expected)} are expected"
    for number, (want, have) in enumerate(zip(expected, sent, strict=False), 1):
        parts: list[tuple[str, Any, Any]] = [
            ("method", want.method, have.method),
            ("url", want.url, str(have.url)),
            ("body", _NOTHING if want.body is None else want.body, _body(have)),
            *(
                (f"header {name}", value, have.headers.get(name, _NOTHING))
                for name, value in want.headers.items()
            ),
        ]
        for part, wanted, given in parts:
            for place, this, that in _unlike(wanted, given):
                where = f"{part} at {place}" if place else part
                yield f"request {number}: its {where} is {_shown(that)}, expected {_shown(this)}"


def _of_rejections(trial: Trial, rejections: Sequence[Rejection]) -> Iterator[str]:
    rows = _rows(trial)
    reasons = {str(rows[each.position].id): each.error.reason for each in rejections}
    for id in {**reasons, **trial.rejections}:
        reason, wanted = reasons.get(id), trial.rejections.get(id)
        if wanted is None:
            yield f"row {id} was rejected: {reason}"
        elif reason is None:
            yield f"row {id} was not rejected, expected: {wanted}"
        elif not reason.startswith(wanted):
            yield f"row {id} was rejected with {reason}, expected: {wanted}"


def _of_error(wanted: str | None, failure: FatalError | None) -> Iterator[str]:
    if failure and not (wanted and failure.reason.startswith(wanted)):
        yield f"the call failed with {failure.reason}" + (f", expected: {wanted}" if wanted else "")
    if wanted and not failure:
        yield f"the call did not fail, expected: {wanted}"


def _body(request: httpx.Request) -> Any:
    """JSON as it is, a form's parameters by name, anything else as text."""
    if not request.content:
        return _NOTHING
    if request.headers.get("Content-Type", "").startswith("application/x-www-form-urlencoded"):
        pairs = parse_qsl(request.content.decode(), keep_blank_values=True)
        names = dict.fromkeys(name for name, _ in pairs)
        lists = {name: [value for key, value in pairs if key == name] for name in names}
        return {name: values[0] if len(values) == 1 else values for name, values in lists.items()}
    try:
        return msgspec.json.decode(request.content)
    except msgspec.DecodeError:
        return request.content.decode(errors="replace")


def _unlike(expected: Any, given: Any, place: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Where two values of JSON differ, as a JSON Pointer, and what stands there in each."""
    if isinstance(expected, Mapping) and isinstance(given, Mapping):
        for name in {**expected, **given}:
            wanted, had = expected.get(name, _NOTHING), given.get(name, _NOTHING)
            yield from _unlike(wanted, had, f"{place}/{name}")
    elif isinstance(expected, list) and isinstance(given, list):
        for number, (wanted, had) in enumerate(zip_longest(expected, given, fillvalue=_NOTHING)):
            yield from _unlike(wanted, had, f"{place}/{number}")
    elif expected == ANY and given is not _NOTHING:
        return
    elif isinstance(expected, bool) is not isinstance(given, bool) or expected != given:
        yield place, expected, given


def _shown(value: Any) -> str:
    return "nothing" if value is _NOTHING else json.dumps(value, ensure_ascii=False)
