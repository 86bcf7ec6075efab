"""A caller of a custom destination, as Hightouch is one."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import httpx
import msgspec

from destination.model import Operation
from destination.vendor.transport import AiohttpTransport

Row = Mapping[str, Any]


class Unreachable(Exception):
    """The server did not answer, or not with JSON-RPC; the message says which."""


class CallError(Exception):
    """The server answered with a JSON-RPC error."""

    def __init__(self, error: Mapping[str, Any]) -> None:
        super().__init__(f"{error.get('code')}: {error.get('message')}")
        self.error = error


class Caller:
    """
    JSON-RPC calls to one URL, inside ``async with``.

    Args:
        headers: Sent with each call, such as ``Authorization``.
        seconds: How long to wait for an answer.
    """

    def __init__(self, url: str, headers: Mapping[str, str], *, seconds: float = 60.0) -> None:
        self._url = url
        timeout = httpx.Timeout(seconds)
        self._http = httpx.AsyncClient(
            transport=AiohttpTransport(), headers=dict(headers), timeout=timeout, trust_env=False
        )
        self._calls = 0

    async def __aenter__(self) -> Self:
        await self._http.__aenter__()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._http.__aexit__(exc_type, exc_value, traceback)

    async def send(self, method: str, params: Any) -> dict[str, Any]:
        """
        The whole response object.

        Raises:
            Unreachable: There was no JSON-RPC answer.
        """
        self._calls += 1
        body = msgspec.json.encode(
            {"jsonrpc": "2.0", "id": str(self._calls), "method": method, "params": params}
        )
        try:
            answer = await self._http.post(
                self._url, content=body, headers={"Content-Type": "application/json"}
            )
            response = msgspec.json.decode(answer.content)
        except httpx.TransportError as error:
            raise Unreachable(f"{self._url} does not answer: {type(error).__name__}") from None
        except msgspec.DecodeError:
            raise Unreachable(
                f"{self._url} answered {answer.status_code}, not with JSON-RPC"
            ) from None
        if not isinstance(response, dict) or not {"result", "error"} & response.keys():
            raise Unreachable(f"{self._url} answered {answer.status_code}, not with JSON-RPC")
        return response

    async def call(self, method: str, params: Any) -> Any:
        """The result. Raises CallError or Unreachable."""
        response = await self.send(method, params)
        if "error" in response:
            raise CallError(response["error"])
        return response["result"]


@dataclass(frozen=True, slots=True)
class Changes:
    """What differs between two runs of a model, by its primary key."""

    added: Sequence[Row]
    changed: Sequence[Row]
    removed: Sequence[Row]

    @classmethod
    def between(cls, previous: Sequence[Row], current: Sequence[Row], id_column: str) -> Self:
        """The rows to add, change (as they are now) and remove (as they were last known)."""
        before: dict[Any, list[Row]] = {}
        for row in previous:
            before.setdefault(row[id_column], []).append(row)
        ids = {row[id_column] for row in current}
        return cls(
            [row for row in current if row[id_column] not in before],
            [
                row
                for row in current
                if row[id_column] in before and row not in before[row[id_column]]
            ],
            [rows[-1] for id, rows in before.items() if id not in ids],
        )

    def of(self, operation: Operation) -> Sequence[Row]:
        """The rows of one operation."""
        return {
            Operation.ADD: self.added,
            Operation.CHANGE: self.changed,
            Operation.REMOVE: self.removed,
        }[operation]


@dataclass(slots=True)
class Sent:
    """What became of the rows of one operation."""

    operation: Operation
    sent: int = 0
    rejected: list[dict[str, Any]] = field(default_factory=list)


async def run_sync(
    caller: Caller,
    changes: Changes,
    configuration: Mapping[str, Any],
    id_column: str,
    progress: Callable[[Operation, int], None],
) -> list[Sent]:
    """
    One run: asks ``behavior``, then sends each operation's rows in batches of the size it named.

    Operations that ``behavior`` switches off are not sent and do not appear in the result.
    """
    behavior = await caller.call("behavior", {"configuration": configuration})
    results = []
    for operation in Operation:
        if not behavior["operations"][operation]:
            continue
        rows = changes.of(operation)
        outcome = Sent(operation)
        for start in range(0, len(rows), behavior["batchSize"]):
            batch = rows[start : start + behavior["batchSize"]]
            params = {"idColumn": id_column, "configuration": configuration, "rows": batch}
            result = await caller.call(operation, params)
            outcome.sent += len(batch)
            outcome.rejected += result["rejectedRows"]
            progress(operation, len(batch))
        results.append(outcome)
    return results
