"""Every error has a code and a place where it is treated, and every reason can be shown."""

import asyncio
import inspect
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from support import a_call

import destination as ht
from destination import errors
from destination.deadline import Deadline
from destination.errors import REASON_LENGTH, Code, DestinationError, FatalError, reason
from destination.model import Batch, Limits, Record, Rejection
from destination.protocols import rpc
from destination.testing.clock import run_virtually

ROOT = Path(__file__).parents[1]


def tree(cls: type[DestinationError] = DestinationError) -> Iterator[type[DestinationError]]:
    """The class and all below it in its module; others only name more precisely what one is."""
    yield cls
    for child in cls.__subclasses__():
        if child.__module__ == errors.__name__:
            yield from tree(child)


EVERY = sorted(set(tree()), key=lambda cls: cls.__name__)


@pytest.mark.parametrize("cls", EVERY)
def test_every_error_has_a_code(cls):
    """An error made of a message alone has a code of the closed list and says so."""
    error = cls("what happened")

    assert isinstance(error.code, Code)
    assert error.reason == f"{error.code}: what happened"
    assert error.retry_after is None
    assert str(error) == "what happened"


@pytest.mark.parametrize("cls", EVERY)
def test_an_error_takes_another_code(cls):
    """The code can be said where the class's own is too general."""
    assert cls("x", code=Code.TLS_ERROR, retry_after=3).reason == "TLS_ERROR: x"


def test_what_may_work_later_says_so():
    """Only errors of a vendor that did not take the request, or did not answer, are retryable."""
    assert {cls.__name__ for cls in EVERY if cls.retryable} == {
        "UnavailableError",
        "RateLimited",
        "NoAnswer",
        "CircuitOpen",
    }


def test_the_tree_is_drawn_as_it_is():
    """The drawing at the top of the module shows every class under its parent."""
    drawing = inspect.getdoc(errors) or ""
    drawn: dict[str, int] = {}
    for line in drawing.splitlines():
        if match := re.match(r"\W*([A-Z]\w+(?:Error|Limited|Answer|Open))\s{2,}", line):
            drawn[match[1]] = match.start(1)

    assert drawn.keys() == {cls.__name__ for cls in EVERY}
    for cls in EVERY:
        depth = len(cls.__mro__) - len(DestinationError.__mro__)
        assert drawn[cls.__name__] - drawn["DestinationError"] == 3 * depth


class Failing(ht.Destination[ht.NoOptions, ht.NoOptions]):
    """A destination that fails in one way."""

    kind = "failing"

    def __init__(self, error: Exception) -> None:
        super().__init__(ht.NoOptions())
        self.error = error

    async def deliver(self, batch: Batch[ht.NoOptions]) -> Iterable[Rejection]:
        if batch.records[0].id == "fine":
            return ()
        raise self.error


@pytest.mark.parametrize("cls", EVERY)
def test_a_run_treats_every_error(cls):
    """Whatever a destination raises of the tree is that record's reason, and no bug."""

    async def scenario() -> tuple[Rejection, ...]:
        plugin = Failing(cls("what happened"))
        run = a_call(plugin, Limits(concurrency=1), asyncio.Semaphore(1), 1000)
        return await run.deliver([Record(0, "fine", {}, {}), Record(1, "bad", {}, {})])

    [rejection] = run_virtually(scenario())

    assert rejection.position == 1
    assert type(rejection.error) is cls
    assert rejection.error.message == "what happened"


@pytest.mark.parametrize("cls", [cls for cls in EVERY if issubclass(cls, FatalError)])
def test_a_run_lets_fatal_errors_out(cls):
    """Where nothing was delivered a fatal error is the call's, not a row's."""

    async def scenario() -> None:
        run = a_call(Failing(cls("no")), Limits(), asyncio.Semaphore(1), 1000)
        await run.deliver([Record(0, "bad", {}, {})])

    with pytest.raises(cls):
        run_virtually(scenario())


@pytest.mark.parametrize("cls", EVERY)
def test_a_call_treats_every_error(cls):
    """An error that ends a method is a JSON-RPC error with its reason, its code in the data."""

    async def fail(call: rpc.Call, params: Any) -> Any:
        raise cls("what happened")

    async def scenario() -> Any:
        methods = {"fail": rpc.Method(rpc.NoParams, fail)}
        call = rpc.Call(None, Deadline(10), rows_left=1)
        body = b'{"jsonrpc":"2.0","id":1,"method":"fail"}'
        return msgspec.json.decode(await rpc.answer(methods, body, call) or b"")

    error = run_virtually(scenario())["error"]

    expected = (
        rpc.AUTH_ERROR
        if issubclass(cls, ht.AuthError)
        else rpc.CONFIG_ERROR
        if issubclass(cls, FatalError)
        else rpc.UNAVAILABLE_ERROR
    )
    assert error["code"] == expected
    assert error["message"] == cls("what happened").reason
    assert error["data"] == {"code": cls.default_code}


def test_every_code_is_explained():
    """The page on reasons has a line for each code, and for no other."""
    page = (ROOT / "docs" / "reasons.md").read_text("utf-8")

    assert re.findall(r"^\| `([A-Z_]+)` \|", page, re.MULTILINE) == [str(code) for code in Code]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "INTERNAL: plain"),
        ("two\nlines\r\n\tand  spaces ", "INTERNAL: two lines and spaces"),
        ("nul\x00 bell\x07 escape\x1b[31m", "INTERNAL: nul bell escape [31m"),
        ("next\x85line \u2028 \u2029 separators", "INTERNAL: next line separators"),
        ("right\u202eto\u2066left", "INTERNAL: right to left"),
        ("lone \ud800 surrogate", "INTERNAL: lone surrogate"),
        ("名前 Zoë 👩‍👩‍👧", "INTERNAL: 名前 Zoë 👩‍👩‍👧"),
        ("", "INTERNAL:"),
    ],
)
def test_a_reason_is_one_printable_line(text, shown):
    """Whatever a message holds, the reason is one line that any log and any table can show."""
    made = reason(Code.INTERNAL, text)

    assert made == shown
    assert len(made.splitlines()) == 1
    made.encode("utf-8")


@pytest.mark.parametrize("length", [280, 290, 291, 1000, 100_000])
def test_a_reason_is_at_most_300_characters(length):
    """A long message is cut, and one that is cut ends in an ellipsis."""
    made = reason(Code.INTERNAL, "x" * length)

    assert len(made) == min(length + len("INTERNAL: "), REASON_LENGTH)
    assert made.endswith("…") == (length + len("INTERNAL: ") > REASON_LENGTH)
