"""The conformance cases of the envelope: JSON-RPC 2.0 as the server speaks it, on a real socket."""

import json
from typing import Any

import msgspec
import pytest

PEOPLE = "/hightouch/people"
MAX_BATCH = 10
NAMES = [
    "list_objects", "list_modes", "list_fields", "list_options", "validate", "behavior",
    "add", "change", "remove",
]  # fmt: skip
CONFIGURATION: dict[str, Any] = {
    "object": "user",
    "mode": "mirror",
    "identifierMapping": [{"from": "email", "to": "email"}],
    "mappings": [{"from": "email", "to": "first_name"}],
}
HUGE = pytest.param(b"9" * 10_000, id="huge")


class _Answer(msgspec.Struct, forbid_unknown_fields=True):
    jsonrpc: str
    id: msgspec.Raw
    result: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    error: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


class Answer:
    """One response object, of which the id is kept byte for byte."""

    def __init__(self, body: bytes) -> None:
        answer = msgspec.json.decode(body, type=_Answer)
        assert answer.jsonrpc == "2.0"
        assert (answer.result is msgspec.UNSET) != (answer.error is msgspec.UNSET)
        self.id = bytes(answer.id)
        self.result = _decoded(answer.result)
        self.error = _decoded(answer.error)
        self.code = None if self.error is None else self.error["code"]


def _decoded(raw: Any) -> Any:
    return None if raw is msgspec.UNSET else msgspec.json.decode(raw)


async def answers(served: Any, body: bytes) -> list[Answer]:
    """The members of the array that a batch is answered with."""
    response = await served.post(body)
    assert response.status == 200
    return [
        Answer(each) for each in msgspec.json.decode(await response.read(), type=list[msgspec.Raw])
    ]


async def answer(served: Any, body: bytes, path: str = PEOPLE) -> Answer:
    """The one response object to a body."""
    response = await served.post(body, path)
    assert response.status == 200
    assert response.content_type == "application/json"
    return Answer(await response.read())


def call(method: str = "list_objects", *, id: bytes = b"1", params: Any = ...) -> bytes:
    """A request whose id stands in it as it is given."""
    members = {"jsonrpc": "2.0", "method": method, "id": msgspec.Raw(id)}
    if params is not ...:
        members["params"] = params
    return msgspec.json.encode(members)


def send(rows: Any, **configuration: Any) -> dict[str, Any]:
    """The params of ``add``, ``change`` and ``remove``."""
    return {"idColumn": "email", "configuration": CONFIGURATION | configuration, "rows": rows}


def asked(served: Any) -> list[str]:
    """Grows by one whenever the destination is asked for its objects."""
    plugin, calls = served.plugin(), []

    async def discover() -> Any:
        calls.append("discover")
        return plugin.objects

    plugin.discover = discover
    return calls


# Ids --------------------------------------------------------------------------------------------


async def echoed(served: Any, id: bytes) -> None:
    """The id comes back byte for byte with a result, with an error, and in a batch."""
    assert (await answer(served, call(id=id))).id == id
    assert (await answer(served, call("unknown", id=id))).id == id
    assert (await answer(served, call("add", id=id, params=3))).id == id
    assert [each.id for each in await answers(served, b"[%s]" % call(id=id))] == [id]


async def test_e01_text_id(served: Any) -> None:
    """An id that is text comes back."""
    await echoed(served, b'"abc-1"')


async def test_e02_id_zero(served: Any) -> None:
    """The id 0 is an id, and comes back."""
    await echoed(served, b"0")


async def test_e03_empty_id(served: Any) -> None:
    """Empty text is an id, and comes back."""
    await echoed(served, b'""')


@pytest.mark.parametrize("id", [b"1.5", b"1.50", b"-0", b"-0.0", b"1e2", b"1E+2", b"1e400"])
async def test_e04_fractional_id(served: Any, id: bytes) -> None:
    """A number comes back with the digits it was written with."""
    await echoed(served, id)


@pytest.mark.parametrize("id", [b"123456789012345678901234567890", b"-" + b"9" * 30, HUGE])
async def test_e05_huge_id(served: Any, id: bytes) -> None:
    """A whole number of 30 digits, or of 10,000, comes back exactly."""
    await echoed(served, id)


@pytest.mark.parametrize(
    "id", ['"日本 é 😀"'.encode(), rb'"\u65e5\ud83d\ude00"', rb'"\"\\\/\n\u0000"', b'"\x7f"']
)
async def test_e06_unicode_id(served: Any, id: bytes) -> None:
    """Text beyond ASCII comes back with its escapes as they were."""
    await echoed(served, id)


async def test_e07_null_id_is_answered(served: Any) -> None:
    """A request whose id is null is not a notification: it is answered, with null."""
    await echoed(served, b"null")


async def test_e08_notification_runs_and_gets_204(served: Any) -> None:
    """A request without an id runs, and gets 204 with no body."""
    calls = asked(served)

    response = await served.post({"jsonrpc": "2.0", "method": "list_objects"})

    assert (response.status, await response.read()) == (204, b"")
    assert len(calls) == 1


@pytest.mark.parametrize("body", [{"method": "unknown"}, {"method": "list_fields", "params": 3}])
async def test_e08_wrong_notification_gets_204(served: Any, body: dict[str, Any]) -> None:
    """A notification that fails is not answered either."""
    response = await served.post({"jsonrpc": "2.0"} | body)

    assert (response.status, await response.read()) == (204, b"")


@pytest.mark.parametrize("method", ["add", "change", "remove"])
async def test_e08_notification_sends_no_rows(served: Any, method: str) -> None:
    """Rows whose outcome could not be told to anybody are not sent."""
    params = send([{"email": "a@x.org"}])

    response = await served.post({"jsonrpc": "2.0", "method": method, "params": params})

    assert response.status == 204
    assert served.plugin().batches == []


@pytest.mark.parametrize("id", [b"true", b"false", b"{}", b'{"a":1}', b"[]", b"[1]"])
async def test_e09_id_of_another_type_is_invalid(served: Any, id: bytes) -> None:
    """An id that is a boolean, an object or an array is -32600, with id null."""
    calls = asked(served)

    refused = await answer(served, call(id=id))

    assert (refused.code, refused.id) == (-32600, b"null")
    assert calls == []


# Members ----------------------------------------------------------------------------------------


async def test_e10_missing_version_is_invalid(served: Any) -> None:
    """A request without "jsonrpc" is -32600, with its id."""
    refused = await answer(served, b'{"id":"7","method":"list_objects"}')

    assert (refused.code, refused.id) == (-32600, b'"7"')


@pytest.mark.parametrize("version", [b"2.0", b"2", b'"2"', b'"1.0"', b"null", b'["2.0"]'])
async def test_e11_other_version_is_invalid(served: Any, version: bytes) -> None:
    """Only the text "2.0" is the version: the number 2.0 is -32600."""
    body = b'{"jsonrpc":%s,"id":7,"method":"list_objects"}' % version

    refused = await answer(served, body)

    assert (refused.code, refused.id) == (-32600, b"7")


@pytest.mark.parametrize("method", [b"1", b"null", b"[]", b'{"a":"b"}', b"true"])
async def test_e12_method_that_is_not_text_is_invalid(served: Any, method: bytes) -> None:
    """A method that is not text is -32600, with the id where that can be read."""
    body = b'{"jsonrpc":"2.0","method":%s,"id":%s}'

    readable = await answer(served, body % (method, b'"7"'))
    unreadable = await answer(served, body % (method, b"[7]"))
    missing = await answer(served, b'{"jsonrpc":"2.0","id":"7"}')

    assert (readable.code, readable.id) == (-32600, b'"7"')
    assert (unreadable.code, unreadable.id) == (-32600, b"null")
    assert (missing.code, missing.id) == (-32600, b'"7"')


@pytest.mark.parametrize("method", ["list_object", "LIST_OBJECTS", " add", "add\0", "", "é"])
async def test_e13_unknown_method_is_not_found(served: Any, method: str) -> None:
    """A method that does not exist is -32601, with the names of those that do."""
    refused = await answer(served, call(method))

    assert refused.code == -32601
    assert refused.error["data"] == {"methods": sorted(NAMES)}


@pytest.mark.parametrize(
    "method",
    [
        "toString",
        "__class__",
        "__missing__",
        "__init__",
        "keys",
        "rpc.x",
        "rpc.describe",
        "METHODS",
    ],
)
async def test_e14_what_objects_inherit_is_not_found(served: Any, method: str) -> None:
    """Names that every object has, or that JSON-RPC reserves, are -32601 like any other."""
    assert (await answer(served, call(method))).code == -32601


# Params -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("params", [..., {}, None, [], [{}], [None]])
@pytest.mark.parametrize("method", ["list_objects", "list_modes", "validate", "behavior"])
async def test_e15_params_may_be_missing(served: Any, method: str, params: Any) -> None:
    """Params that are absent, empty or null are all the same: none."""
    assert (await answer(served, call(method, params=params))).error is None


@pytest.mark.parametrize(
    "params", [b" null", b"{ }", b"[ ]", b"[ { } ]", b" [null ] ", b"\n\t[\r\n]"]
)
async def test_e15_blanks_in_params_do_not_matter(served: Any, params: bytes) -> None:
    """Blanks around and inside empty params change nothing."""
    body = b'{"jsonrpc":"2.0","id":1,"method":"list_objects","params":%s}' % params

    assert (await answer(served, body)).error is None


async def test_e16_one_object_in_an_array_is_unwrapped(served: Any) -> None:
    """Params that are an array of one object are that object."""
    named = await answer(served, call("list_modes", params={"object": "organization"}))
    wrapped = await answer(served, call("list_modes", params=[{"object": "organization"}]))

    assert [mode["id"] for mode in wrapped.result["modes"]] == ["upsert"]
    assert wrapped.result == named.result


@pytest.mark.parametrize(
    "params", [3, "x", True, 1.5, [3], ["user"], [[]], [[{}]], ["user", "upsert"], [{}, {}]]
)
@pytest.mark.parametrize("method", NAMES)
async def test_e17_positional_params_are_invalid(served: Any, method: str, params: Any) -> None:
    """Scalar and positional params are -32602 for every method, with the id."""
    refused = await answer(served, call(method, params=params))

    assert (refused.code, refused.id) == (-32602, b"1")


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("list_modes", {"object": 3}),
        ("list_fields", {"mode": ["upsert"]}),
        ("validate", {"configuration": []}),
        ("behavior", {"configuration": "x"}),
        ("add", {}),
        ("add", {"rows": None}),
        ("add", {"rows": {}}),
        ("change", {"rows": [], "configuration": 1}),
        ("remove", {"rows": [], "idColumn": 1}),
    ],
)
async def test_e17_params_of_other_types_are_invalid(served: Any, method: str, params: Any) -> None:
    """A param of another type than its own is -32602."""
    assert (await answer(served, call(method, params=params))).code == -32602


async def test_e18_unknown_params_are_ignored(served: Any) -> None:
    """Params that this server does not know change nothing."""
    params = {"object": "organization"}

    plain = await answer(served, call("list_modes", params=params))
    more = await answer(served, call("list_modes", params=params | {"x": [1], "syncId": None}))

    assert more.result == plain.result


async def test_e19_unknown_members_are_ignored(served: Any) -> None:
    """Members of the envelope that JSON-RPC does not know change nothing."""
    body = b'{"x":[{}],"jsonrpc":"2.0","id":1,"method":"list_objects","meta":{"id":2},"result":3}'

    answered = await answer(served, body)

    assert (answered.error, answered.id) == (None, b"1")


async def test_e19_of_repeated_members_the_last_counts(served: Any) -> None:
    """Of members with the same name the last one counts."""
    body = b'{"jsonrpc":"2.0","id":1,"id":2,"method":"nothing","method":"list_objects"}'

    answered = await answer(served, body)

    assert (answered.error, answered.id) == (None, b"2")


# Broken documents -------------------------------------------------------------------------------

BROKEN = [
    b"{", b"[", b"{]", b'{"jsonrpc":"2.0","id":1,"method":"list_objects"', b'{"a":1,}', b"[1,]",
    b"{'a':1}", b"{a:1}", b'{"a" 1}', b"nul", b"hello", b'"open', b'{"id":1}{"id":2}', b"[] []",
    b"// no\n{}", b"+1", b"01", b".5", b"1.", b"-", b'"\\x"', b'"\\u12"', b'"a\nb"', b"\x0b{}",
    b"\0", b"{}\0", b'[{"jsonrpc":"2.0","id":1,"method":"list_objects"},{]',
]  # fmt: skip


@pytest.mark.parametrize("body", BROKEN)
async def test_e20_broken_json_is_a_parse_error(served: Any, body: bytes) -> None:
    """A body that is not JSON is -32700 with id null, and nothing of it is run."""
    calls = asked(served)

    refused = await answer(served, body)

    assert (refused.code, refused.id) == (-32700, b"null")
    assert calls == []


@pytest.mark.parametrize("body", [b"", b" ", b"\r\n\t", b"\xef\xbb\xbf"])
async def test_e21_empty_body_is_a_parse_error(served: Any, body: bytes) -> None:
    """A body without a document is -32700 with id null."""
    refused = await answer(served, body)

    assert (refused.code, refused.id) == (-32700, b"null")


@pytest.mark.parametrize("body", [b"null", b"3", b'"x"', b"true", b"1e400", HUGE, b" {} "])
async def test_e22_other_documents_are_invalid(served: Any, body: bytes) -> None:
    """A document that is no request, such as a number, is -32600 with id null."""
    refused = await answer(served, body)

    assert (refused.code, refused.id) == (-32600, b"null")


# Batches ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("body", [b"[]", b" [ ] "])
async def test_e23_empty_batch_is_one_error(served: Any, body: bytes) -> None:
    """An empty array is one -32600, not an array."""
    refused = await answer(served, body)

    assert (refused.code, refused.id) == (-32600, b"null")


async def test_e24_batch_of_nonsense_is_an_error_each(served: Any) -> None:
    """An array of numbers is answered with an array of as many -32600."""
    refused = await answers(served, b"[1,2]")

    assert [(each.code, each.id) for each in refused] == [(-32600, b"null")] * 2
    assert len(await answers(served, b"[1]")) == 1


async def test_e25_members_of_a_batch_are_answered_each(served: Any) -> None:
    """In a mixed array the good requests run, the bad ones fail, and notifications are silent."""
    calls = asked(served)
    members = [
        call(id=b'"a"'),
        b"1",
        call("unknown", id=b"2"),
        b'{"jsonrpc":"2.0","method":"list_objects"}',
        b'{"jsonrpc":"1.0","id":3,"method":"list_objects"}',
        call("add", id=b"4", params=5),
        call(id=b"1.50"),
    ]

    answered = await answers(served, b"[%s]" % b" , ".join(members))

    assert [(each.id, each.code) for each in answered] == [
        (b'"a"', None),
        (b"null", -32600),
        (b"2", -32601),
        (b"3", -32600),
        (b"4", -32602),
        (b"1.50", None),
    ]
    assert len(calls) == 3


async def test_e25_batch_of_one_is_answered_with_an_array(served: Any) -> None:
    """An array of one request is answered with an array of one response."""
    answered = await answers(served, b"[%s]" % call(id=b"9"))

    assert [(each.id, each.code) for each in answered] == [(b"9", None)]


async def test_e25_batch_delivers_rows(served: Any) -> None:
    """Several calls that bring rows may share one array, and each has its own outcome."""
    served.plugin().settings.refuse.append("b@x.org")
    members = [
        call("add", id=b"1", params=send([{"email": "a@x.org"}, {"email": "b@x.org"}])),
        call("remove", id=b"2", params=send([{"email": "a@x.org"}])),
        call("add", id=b"3", params=send([{"email": "c@x.org"}])),
    ]

    first, second, third = await answers(served, b"[%s]" % b",".join(members))

    assert [each["id"] for each in first.result["rejectedRows"]] == ["b@x.org"]
    assert second.result == third.result == {"rejectedRows": []}
    assert list(served.plugin().holds) == ["c@x.org"]


async def test_e26_batch_of_notifications_gets_204(served: Any) -> None:
    """An array of notifications runs them all, and gets 204 with no body."""
    calls = asked(served)

    response = await served.post([{"jsonrpc": "2.0", "method": "list_objects"}] * 3)

    assert (response.status, await response.read()) == (204, b"")
    assert len(calls) == 3


async def test_e27_array_inside_a_batch_is_invalid(served: Any) -> None:
    """An array in an array is -32600 for that member alone."""
    inner = call(id=b"1")

    nested, good = await answers(served, b"[[%s],%s]" % (inner, inner))

    assert (nested.code, nested.id) == (-32600, b"null")
    assert (good.code, good.id) == (None, b"1")


async def test_e28_batch_over_the_cap_is_one_error(served: Any) -> None:
    """An array of more than ten is one -32600 and nothing of it is run; ten are served."""
    calls = asked(served)

    refused = await answer(served, b"[%s]" % b",".join([call()] * (MAX_BATCH + 1)))

    assert (refused.code, refused.id) == (-32600, b"null")
    assert calls == []
    assert len(await answers(served, b"[%s]" % b",".join([call()] * MAX_BATCH))) == MAX_BATCH


# Answers ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", [*NAMES, "unknown"])
@pytest.mark.parametrize("params", [..., {"configuration": CONFIGURATION, "rows": []}, {"rows": 1}])
async def test_e29_result_and_error_are_never_together(
    served: Any, method: str, params: Any
) -> None:
    """A response has a result or an error, and besides only the version and the id."""
    body = await (await served.post(call(method, params=params))).json()

    assert body.keys() in ({"jsonrpc", "id", "result"}, {"jsonrpc", "id", "error"})


async def test_e30_exception_in_a_handler_shows_nothing(served: Any, logged: Any) -> None:
    """An unforeseen exception is -32603 with a reference; its text is in no answer and no log."""
    served.plugin().error = RuntimeError("password=hunter2 for a@x.org")

    response = await served.post(call("list_fields", params={"object": "user"}))
    body = await response.read()
    failed = Answer(body)

    assert (failed.code, failed.id) == (-32603, b"1")
    assert b"hunter2" not in body
    assert "data" not in failed.error
    reference = failed.error["message"].partition("ref ")[2][:8]
    assert f'"reference":"{reference}"' in logged()
    assert '"error":"RuntimeError"' in logged()
    assert "support.py" in logged()
    assert "hunter2" not in logged()
    assert "x.org" not in logged()


class _Shy(Exception):
    """An exception that cannot even be shown."""

    def __str__(self) -> str:
        raise ValueError("hunter2")

    __repr__ = __str__


@pytest.mark.parametrize(
    "error",
    [
        _Shy(),
        KeyError("hunter2"),
        AssertionError("hunter2"),
        RecursionError("hunter2"),
        TimeoutError("hunter2"),
        ExceptionGroup("hunter2", [ValueError("hunter2")]),
        UnicodeDecodeError("utf-8", b"hunter2", 0, 1, "hunter2"),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_e30_every_exception_is_answered(served: Any, logged: Any, error: Exception) -> None:
    """Whatever a handler raises, the caller gets a JSON-RPC error without its text."""
    served.plugin().error = error

    response = await served.post(call("list_fields", params={"object": "user"}))
    body = await response.read()

    assert Answer(body).code in {-32603, -32003}
    assert b"hunter2" not in body
    assert "hunter2" not in logged()


async def test_e30_exception_in_delivery_rejects_the_rows(served: Any, logged: Any) -> None:
    """A bug while rows are delivered rejects them under a reference, and shows nothing either."""

    async def broken(batch: Any) -> Any:
        raise RuntimeError("password=hunter2")

    served.plugin().on_deliver = broken

    response = await served.post(call("add", params=send([{"email": "a@x.org"}])))
    body = await response.read()
    (rejected,) = Answer(body).result["rejectedRows"]

    assert rejected["id"] == "a@x.org"
    assert rejected["reason"].startswith("INTERNAL: internal error, ref ")
    assert b"hunter2" not in body
    assert "bug.caught" in logged()
    assert "hunter2" not in logged()
    assert "x.org" not in logged()


async def test_e30_result_that_is_not_json_is_an_internal_error(served: Any) -> None:
    """A result that cannot be written as JSON is -32603 in JSON, not a page of HTTP's."""

    async def validate(sync: Any, options: Any) -> Any:
        return [object()]

    served.plugin().validate = validate
    configuration = CONFIGURATION | {"object": "organization", "mode": "upsert", "mappings": []}
    bad = call("validate", id=b"1.50", params={"configuration": configuration})

    failed = await answer(served, bad)
    good, again = await answers(served, b"[%s,%s]" % (call(), bad))

    assert (again.code, again.id, good.code) == (-32603, b"1.50", None)
    assert (failed.code, failed.id) == (-32603, b"1.50")


# Odd documents ----------------------------------------------------------------------------------


async def alive(served: Any) -> bool:
    """The server still answers calls."""
    return (await answer(served, call())).error is None


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 100_000,
        b"[" * 100_000 + b"]" * 100_000,
        b'{"a":' * 100_000,
        b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
        b'[{"a":' * 50_000,
    ],
    ids=["open-arrays", "arrays", "open-objects", "objects", "mixed"],
)
async def test_e31_deep_nesting_is_an_error(served: Any, body: bytes) -> None:
    """A body of 100,000 nested brackets gets an error, and the server lives."""
    assert (await answer(served, body)).code in {-32700, -32600}
    assert await alive(served)


def nested(depth: int) -> msgspec.Raw:
    return msgspec.Raw(b"[" * depth + b"]" * depth)


@pytest.mark.parametrize("member", ["id", "method", "params", "x"])
@pytest.mark.parametrize("depth", [100, 900, 10_000, 100_000])
async def test_e31_deep_members_are_harmless(served: Any, member: str, depth: int) -> None:
    """However deep a member of the envelope is nested, there is an answer and the server lives."""
    request = {"jsonrpc": "2.0", "id": 1, "method": "list_objects", member: nested(depth)}

    answered = await answer(served, msgspec.json.encode(request))

    assert answered.code in {-32700, -32600, -32602} or (member == "x" and depth < 10_000)
    assert await alive(served)


@pytest.mark.parametrize("depth", [65, 300, 900, 10_000, 100_000])
async def test_e31_deep_row_is_an_error_or_rejected(served: Any, depth: int) -> None:
    """A row that nests too deep is rejected alone, or its call is refused; none crashes."""
    rows = [{"email": "a@x.org", "deep": "A"}, {"email": "b@x.org", "deep": nested(depth)}]
    mapped = send(rows, mappings=[{"from": "deep", "to": "first_name"}])

    answered = await answer(served, call("add", params=mapped))

    if answered.code is None:
        assert [each["id"] for each in answered.result["rejectedRows"]] == ["b@x.org"]
        assert list(served.plugin().holds) == ["a@x.org"]
    else:
        assert depth >= 900
        assert answered.code in {-32700, -32602}
        assert served.plugin().holds == {}
    assert await alive(served)


@pytest.mark.parametrize("method", ["validate", "behavior", "add"])
@pytest.mark.parametrize("depth", [65, 900, 10_000, 100_000])
@pytest.mark.parametrize("member", ["channel", "unknown", "mappings", "options", "object"])
async def test_e31_deep_configuration_is_an_error(
    served: Any, method: str, depth: int, member: str
) -> None:
    """A configuration that nests too deep gets an answer, and no row is sent with it."""
    params = send([{"email": "a@x.org"}], **{member: nested(depth)})

    answered = await answer(served, call(method, params=params))

    assert answered.code in {-32700, -32602, -32002} or answered.result["errors"]
    assert served.plugin().holds == {}
    assert await alive(served)


@pytest.mark.parametrize("constant", [b"NaN", b"Infinity", b"-Infinity", b"nan", b"undefined"])
async def test_e32_numbers_that_are_not_json_are_a_parse_error(
    served: Any, constant: bytes
) -> None:
    """NaN and Infinity are -32700 wherever they stand, and nothing is sent."""
    for place in (b'"id":%s', b'"x":%s', b'"params":{"rows":[{"email":"a@x.org","n":%s}]}'):
        body = b'{"jsonrpc":"2.0","method":"add",%s}' % (place % constant)

        assert (await answer(served, body)).code == -32700
    assert served.plugin().batches == []


async def test_e32_number_beyond_double_precision_rejects_its_row(served: Any) -> None:
    """A number such as 1e400 that no double can hold rejects the row it is read of."""
    rows = [{"email": "a@x.org", "n": msgspec.Raw(b"1e400")}, {"email": "b@x.org"}]
    mappings = [{"from": "n", "to": "n"}]

    answered = await answer(served, call("add", params=send(rows, customMappings=mappings)))

    assert [each["id"] for each in answered.result["rejectedRows"]] == ["a@x.org"]
    assert list(served.plugin().holds) == ["b@x.org"]


async def test_e32_a_number_that_nobody_reads_harms_no_row(served: Any) -> None:
    """In a column that is not mapped such a number does not matter, nor does the row go twice."""
    params = send([{"email": "a@x.org", "n": msgspec.Raw(b"1e400")}])

    for _ in range(2):
        assert (await answer(served, call("add", params=params))).result["rejectedRows"] == []
    assert served.plugin().batches == [["a@x.org"]]


async def test_e32_number_beyond_double_precision_in_a_configuration_is_invalid(
    served: Any,
) -> None:
    """A configuration with such a number is -32602, and nothing is sent."""
    params = send([{"email": "a@x.org"}], channel=msgspec.Raw(b"1e400"))

    assert (await answer(served, call("add", params=params))).code == -32602
    assert served.plugin().batches == []


@pytest.mark.parametrize("digits", [20, 300, 310, 4000, 4301, 10_000])
@pytest.mark.parametrize("sign", [b"", b"-"])
async def test_e33_huge_row_id_is_echoed_exactly(served: Any, digits: int, sign: bytes) -> None:
    """A row id of very many digits is rejected with all of them, or accepted."""
    id = sign + b"9" * digits
    rows = [{"n": msgspec.Raw(id), "email": "not an address"}]
    params = send(rows) | {"idColumn": "n"}

    response = await served.post(call("add", params=params))
    body = await response.read()

    assert b'{"id":%s,"reason":"INVALID_ROW: ' % id in body


@pytest.mark.parametrize("digits", [300, 310, 4000, 4301, 10_000])
@pytest.mark.parametrize("to", ["email", "first_name", "ltv", "born", "plan", "custom"])
async def test_e33_huge_number_in_a_row_costs_that_row_at_most(
    served: Any, digits: int, to: str
) -> None:
    """A number of very many digits in a row rejects no other row, and is no bug."""
    rows = [{"email": "a@x.org", "n": msgspec.Raw(b"9" * digits)}, {"email": "b@x.org", "n": 1}]
    mappings = [{"from": "email", "to": "first_name"}, {"from": "n", "to": to}]

    answered = await answer(served, call("add", params=send(rows, mappings=mappings)))

    rejected = answered.result["rejectedRows"]
    assert {each["id"] for each in rejected} <= {"a@x.org", "b@x.org"}
    assert not any("INTERNAL" in each["reason"] for each in rejected)
    if to in {"first_name", "ltv", "custom"}:
        assert "b@x.org" in served.plugin().holds
    assert len(rejected) + len(served.plugin().holds) == 2


@pytest.mark.parametrize("method", ["validate", "behavior", "add"])
@pytest.mark.parametrize("digits", [310, 4000, 10_000])
@pytest.mark.parametrize("member", ["object", "mode", "channel", "unknown", "mappings", "options"])
async def test_e33_huge_number_in_a_configuration_is_answered(
    served: Any, method: str, digits: int, member: str
) -> None:
    """A number of very many digits in a configuration gets a true answer, and is no bug."""
    params = send([{"email": "a@x.org"}], **{member: msgspec.Raw(b"9" * digits)})

    answered = await answer(served, call(method, params=params))

    assert answered.code != -32603


ODD = ["\0", "\x1f\x7f", "\u2028", '"', "\\", "</script>", "é", "😀", "\ufeff", "\uffff", "{{", "%"]


@pytest.mark.parametrize("odd", ODD)
async def test_e33_answers_are_strict_json(served: Any, strict: Any, odd: str) -> None:
    """Whatever characters a caller uses, in whatever place, the answer is strict JSON."""
    served.plugin().settings.refuse.append(odd)
    configuration = CONFIGURATION | {
        "mode": "upsert",
        "mappings": [{"from": odd, "to": odd}, {"type": "template", "template": odd, "to": "x"}],
    }
    rows = [{odd: odd, "email": "a@x.org"}, {odd: 7, "email": odd}]
    requests = [
        {"method": odd},
        {"method": "list_modes", "params": {"object": odd}},
        {"method": "list_fields", "params": {"object": "user", "mode": odd}},
        {"method": "list_options", "params": {"object": "user", "mode": odd}},
        {"method": "validate", "params": {"configuration": configuration | {"object": odd}}},
        {"method": "validate", "params": {"configuration": configuration, "columns": [odd, "é"]}},
        {"method": "validate", "params": {"configuration": {"mode": odd, "channel": odd}}},
        {"method": "behavior", "params": {"configuration": configuration | {"mode": odd}}},
        {
            "method": "add",
            "params": {"idColumn": odd, "configuration": configuration, "rows": rows},
        },
    ]

    for request in requests:
        response = await served.post({"jsonrpc": "2.0", "id": odd} | request)
        document = strict(await response.read())
        assert response.status == 200
        assert document["id"] == odd
        assert document.get("error", {"code": "-32002"})["code"] != "-32603", document


@pytest.mark.parametrize("name", ['"', "\\", "\n", "\x00", "", "é", "😀", "id", "__class__", "a.b"])
async def test_e33_id_column_may_have_any_name(served: Any, name: str) -> None:
    """The ids of rejected rows are found in a column of any name, however it must be escaped."""
    mapping = [{"from": "email", "to": "email"}]
    rows = [{name: 10**24, "email": "no address"}, {name: "x", "email": "no address"}]
    params = send(rows, identifierMapping=mapping) | {"idColumn": name or "email"}

    answered = await answer(served, call("add", params=params))

    expected = [10**24, "x"] if name else ["no address"]
    assert [each["id"] for each in answered.result["rejectedRows"]] == expected


@pytest.mark.parametrize("column", ["é", '"', "a"])
async def test_e33_id_column_may_be_written_with_escapes(served: Any, column: str) -> None:
    """A column's name is what it means, however its characters are written in the row."""
    escaped = "".join(f"\\u{ord(character):04x}" for character in column)
    row = msgspec.Raw(b'{"%s":1.50,"email":"no address"}' % escaped.encode())
    params = send([row]) | {"idColumn": column}

    response = await served.post(call("add", params=params))

    assert b'{"id":1.50,"reason":"INVALID_ROW: ' in await response.read()


@pytest.mark.parametrize(
    "key",
    ["self", "from", "context", "call", "params", "method", "methods", "id", "cls", "__class__"],
)
@pytest.mark.parametrize("method", NAMES)
async def test_e34_params_named_like_words_of_python_are_harmless(
    served: Any, method: str, key: str
) -> None:
    """Params may have names that mean something to the server's language, and change nothing."""
    params = send([{"email": "a@x.org", key: 1}], **{key: {"x": 1}}) | {"object": "user"}

    plain = await answer(
        served, call(method, params=send([{"email": "a@x.org"}]) | {"object": "user"})
    )
    odd = await answer(served, call(method, params=params | {key: "x"}))

    assert odd.error is None
    assert odd.result == plain.result


async def test_e34_ids_and_rows_do_not_leak_between_calls(served: Any) -> None:
    """Two calls with the same id are two calls: nothing of the first is in the second."""
    first = await answer(served, call("add", params=send([{"email": "broken"}])))
    second = await answer(served, call("add", params=send([{"email": "b@x.org"}])))

    assert json.dumps(first.result).count("broken") == 1
    assert second.result == {"rejectedRows": []}
