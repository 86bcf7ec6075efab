"""
Every byte string that is sent to the server is answered in strict JSON, or with nothing.

What is generated runs from noise to requests that deliver rows. No answer may be an internal
error: that would be a case nobody thought of.
"""

import gzip
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, event, given, note, settings
from hypothesis import strategies as st

from destination.app import INSTANCES
from destination.deadline import Deadline
from destination.protocols import hightouch, rpc


def examples(count: int) -> settings:
    """The same examples in every run, as many as given."""
    return settings(
        max_examples=count,
        derandomize=True,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )


# Valid requests ---------------------------------------------------------------------------------

CONFIGURATION: dict[str, Any] = {
    "object": "user",
    "mode": "mirror",
    "identifierMapping": [{"from": "email", "to": "email"}],
    "mappings": [
        {"from": "first", "to": "first_name"},
        {"type": "standard", "from": "last", "to": "last_name"},
        {"from": "born", "to": "born"},
        {"from": "ltv", "to": "ltv"},
        {"type": "static", "value": "free", "to": "plan"},
    ],
    "customMappings": [
        {"type": "template", "template": "{{ row.first | upcase }} {{ last }}", "to": "name"},
        {"type": "variable", "variable": "sync-id", "to": "sync"},
    ],
    "channel": "dev",
    "message": "{% if first %}{{ first | default: 'x' }}{% endif %}",
    "archiveOnRemove": True,
}
PLAIN = CONFIGURATION | {"customMappings": []}
ROWS = [
    {"email": "a@x.org", "first": "Ada", "last": "é😀", "born": "1815-12-10", "ltv": 12.5, "n": 1},
    {"email": "b@x.org", "first": "Bo", "last": None, "born": None, "ltv": 10**30, "n": [1, {}]},
    {"email": "no address", "first": "\0", "ltv": "12,5", "n": {"deep": [[[]]]}},
]
VALID = [
    {"method": "list_objects"},
    {"method": "list_modes", "params": {"object": "user"}},
    {"method": "list_fields", "params": {"object": "user", "mode": "upsert"}},
    {"method": "list_options", "params": [{"object": "user", "mode": "insert"}]},
    {"method": "validate", "params": {"configuration": PLAIN, "columns": ["email", "first"]}},
    {"method": "validate", "params": {"configuration": CONFIGURATION}},
    {"method": "behavior", "params": {"configuration": CONFIGURATION}},
    {"method": "behavior"},
    {"method": "add", "params": {"idColumn": "email", "configuration": PLAIN, "rows": ROWS}},
    {"method": "change", "params": {"configuration": CONFIGURATION, "rows": ROWS}},
    {"method": "remove", "params": {"idColumn": "n", "configuration": PLAIN, "rows": ROWS[:1]}},
]
SEEDS = [msgspec.json.encode({"jsonrpc": "2.0", "id": 1} | request) for request in VALID]
SEEDS.append(b"[%s]" % b",".join(SEEDS[:9]))
SEEDS.append(msgspec.json.encode({"jsonrpc": "2.0"} | VALID[8]))

# Noise around what is valid ---------------------------------------------------------------------

TOKENS = [
    b"{", b"}", b"[", b"]", b",", b":", b'"', b"\\", b"\\u", b"\\ud800", b"\\udc00", b"\\u0000",
    b"\xff", b"\xed\xa0\x80", b"\xef\xbb\xbf", b"\0", b"\n", b" ", b"-", b"0", b".", b"e", b"1e400",
    b"1" * 40, b"9" * 5000, b"NaN", b"Infinity", b"null", b"true", b"[]", b"{}", b'""', b"[" * 500,
    b"[" * 5000, b'{"a":' * 300, b'"id":', b'"method":', b'"rows":', b'"id":1,', b"[[]],", b"null,",
    b"{{", b"{%", b"}}", b"%}", b"|", b"{{ row", b"/*", b"'",
]  # fmt: skip
WORDS = [
    "", "email", "first", "first_name", "id", "user", "organization", "upsert", "mirror", "insert",
    "general", "a@x.org", "0", "1.5", "true", "2024-01-31", "{{ first }}", "{% if %}", "a.b", "a",
    "{{ row.x | date: '%Y' }}", "free", "\0", '"', "\\", "é😀", "static", "template",
]  # fmt: skip
ODD = [
    b"0", b"-0", b"1.50", b"1e2", b"1e400", b"-1e-999", b"1" * 30, b"9" * 4300, b"9" * 4301,
    rb'"\ud800"', rb'"a\udfffb"', rb'"\u0000"', b"[" * 100 + b"]" * 100, b"null", b"true", b"false",
]  # fmt: skip


def damaged(random: Random) -> bytes:
    """A valid request after some bytes were changed, added, doubled or lost."""
    body = random.choice(SEEDS)
    for _ in range(random.randint(1, 3)):
        at = random.randrange(len(body) + 1)
        before, after, token = body[:at], body[at:], random.choice(TOKENS)
        match random.choice(["flip", "insert", "replace", "cut", "drop", "double"]):
            case "flip":
                body = before + bytes(byte ^ 1 << random.randrange(8) for byte in after[:1])
                body += after[1:]
            case "insert":
                body = before + token + after
            case "replace":
                body = before + token + after[len(token) :]
            case "cut":
                body = before
            case "drop":
                body = before + after[random.randint(1, 8) :]
            case "double":
                body = before + after[: random.randint(1, 40)] + after
    return body


def altered(random: Random) -> bytes:
    """A valid request after some of its values were replaced, added or lost: it still is JSON."""
    top = [msgspec.json.decode(random.choice(SEEDS))]
    for _ in range(random.randint(1, 3)):
        holder, key = random.choice(list(within(top)))
        match random.choice(["replace", "replace", "replace", "drop", "add", "rename"]):
            case "replace":
                holder[key] = value(random)
            case "drop" if holder is not top:
                del holder[key]
            case "add" if isinstance(holder, list):
                holder.insert(key, value(random))
            case "add":
                holder[random.choice(WORDS)] = value(random)
            case "rename" if isinstance(holder, dict):
                holder[random.choice(WORDS)] = holder.pop(key)
    return msgspec.json.encode(top[0])


def within(holder: Any) -> Iterator[tuple[Any, Any]]:
    """Every place where a value stands, as the object or array and the key or index in it."""
    for key in list(holder) if isinstance(holder, dict) else range(len(holder)):
        yield holder, key
        if isinstance(holder[key], dict | list):
            yield from within(holder[key])


def value(random: Random) -> Any:
    """Any value that JSON has."""
    match random.choice(["word", "word", "odd", "odd", "number", "text", "list", "object"]):
        case "word":
            return random.choice(WORDS)
        case "odd":
            return msgspec.Raw(random.choice(ODD))
        case "number":
            return random.choice([random.randint(-9, 9), random.getrandbits(70), random.random()])
        case "text":
            return "".join(map(chr, random.choices(range(0xD800), k=random.randrange(9))))
        case "list":
            return [value(random) for _ in range(random.randrange(3))]
        case _:
            return {random.choice(WORDS): value(random) for _ in range(random.randrange(3))}


def tens(make: Callable[[Random], bytes]) -> st.SearchStrategy[list[bytes]]:
    """Ten at once, since a test of hypothesis costs more than an answer of the server."""
    return st.integers(0, 2**32).map(Random).map(lambda each: [make(each) for _ in range(10)])


words = st.sampled_from(WORDS) | st.text(max_size=5)
documents = st.recursive(
    st.none()
    | st.booleans()
    | words
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from([msgspec.Raw(odd) for odd in ODD]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(words, inner, max_size=4),
    max_leaves=12,
).map(msgspec.json.encode)

# The property -----------------------------------------------------------------------------------


@pytest.fixture
def wanted(strict: Callable[[bytes], Any]) -> Callable[[bytes | None], None]:
    """Check that an answer is none, or strict JSON of the shape that JSON-RPC wants."""

    def check_one(answer: Any) -> None:
        assert answer.keys() in ({"jsonrpc", "id", "result"}, {"jsonrpc", "id", "error"})
        assert answer["jsonrpc"] == "2.0"
        assert not isinstance(answer["id"], dict | list | bool)
        if "error" not in answer:
            event("result")
            for rejected in (answer["result"] or {}).get("rejectedRows", ()):
                event("rejected row")
                assert not isinstance(rejected["id"], dict | list | bool | None)
                assert not rejected["reason"].startswith("INTERNAL")
            return
        error = answer["error"]
        event(f"error {error['code']}")
        assert error.keys() <= {"code", "message", "data"}
        assert error["code"] in {"-32700", "-32600", "-32601", "-32602", "-32001", "-32002"}
        assert isinstance(error["message"], str)

    def check(body: bytes | None) -> None:
        if body is None:
            event("nothing")
            return
        document = strict(body)
        for answer in document if isinstance(document, list) else [document]:
            check_one(answer)
        assert document != []

    return check


@pytest.fixture
def ask(served: Any) -> Callable[[bytes], Any]:
    """Give a body to the protocol as the server does, for the destination made for tests."""
    instance = served.app[INSTANCES]["people"]

    async def ask(body: bytes) -> bytes | None:
        call = rpc.Call(instance, Deadline(25), 10_000)
        return await rpc.answer(hightouch.METHODS, body, call)

    return ask


@examples(1500)
@given(body=st.binary(max_size=60))
async def test_noise_is_answered(ask: Any, wanted: Any, body: bytes) -> None:
    """Random bytes get an error in strict JSON."""
    wanted(await ask(body))


@examples(1000)
@given(body=documents)
async def test_documents_are_answered(ask: Any, wanted: Any, body: bytes) -> None:
    """Any JSON document gets an answer in strict JSON."""
    wanted(await ask(body))


@examples(1200)
@given(bodies=tens(damaged))
async def test_damaged_requests_are_answered(ask: Any, wanted: Any, bodies: list[bytes]) -> None:
    """Valid requests with some bytes changed, added or lost get an answer in strict JSON."""
    for body in bodies:
        note(f"{body!r}")
        wanted(await ask(body))


@examples(500)
@given(bodies=tens(altered))
async def test_requests_are_answered(ask: Any, wanted: Any, bodies: list[bytes]) -> None:
    """Requests of all methods with any values in any place get an answer in strict JSON."""
    for body in bodies:
        note(f"{body!r}")
        wanted(await ask(body))


@examples(120)
@given(bodies=tens(damaged) | tens(altered), encoding=st.sampled_from(["", "gzip", "deflate"]))
async def test_server_answers_everything(
    served: Any, wanted: Any, bodies: list[bytes], encoding: str
) -> None:
    """On a socket the answer is 200 in strict JSON, 204 without a body, or 400 for bad gzip."""
    for position, body in enumerate(bodies):
        note(f"{body!r}")
        good = encoding == "gzip" and position % 2
        sent = gzip.compress(body, mtime=0) if good else body
        headers = {"Content-Encoding": encoding} if encoding else {}

        response = await served.post(sent, headers=headers)
        answer = await response.read()

        assert response.status in ({200, 204} if good or not encoding else {400})
        assert response.content_type == "application/json" or response.status == 204
        assert (answer == b"") is (response.status == 204)
        wanted(answer or None)
