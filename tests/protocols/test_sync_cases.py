"""The conformance cases of group S: rows on their way, and what is said of them."""

import asyncio
import itertools
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest
import raw_server
from structlog.testing import capture_logs

import destination as ht
from destination.listen import listening
from destinations.sandbox.webhook import StandIn

INVALID_PARAMS, CONFIG_ERROR, AUTH_ERROR = -32602, -32002, -32001

DOCUMENTED = b"""{
"idColumn": "user_email",
"configuration": {
"object": "user",
"mode": "upsert",
"identifierMapping": [{ "from": "user_email", "to": "email" }],
"mappings": [
{ "from": "user_fn", "to": "first_name" },
{ "from": "user_ln", "to": "last_name" }
],
"customMappings": [{ "from": "user_ltv", "to": "ltv" }],
"archiveOnRemove": true
},
"rows": [
{
"user_email": "ernest@hightouch.io",
"user_fn": "Ernest",
"user_ln": "Cheng",
"user_ltv": 0
},
{
"user_email": "tejas@hightouch.io",
"user_fn": "Tejas",
"user_ln": "Manohar",
"user_ltv": 10
}
]
}"""
"""The sample request of Hightouch's documentation, but for the comment that JSON does not have."""

ERNEST = {"email": "ernest@hightouch.io", "first_name": "Ernest", "last_name": "Cheng", "ltv": 0}
TEJAS = {"email": "tejas@hightouch.io", "first_name": "Tejas", "last_name": "Manohar", "ltv": 10}

REASON = re.compile(r"[A-Z]+(_[A-Z]+)*: \S.{0,300}")

CONFIGURATION = {
    "object": "user",
    "mode": "mirror",
    "identifierMapping": [{"from": "email", "to": "email"}],
    "mappings": [{"from": "name", "to": "first_name"}],
}


def person(id: Any, **columns: Any) -> dict[str, Any]:
    """A row that the kind ``people`` takes."""
    return {"id": id, "email": f"{hash(str(id)) % 10**6}@example.com", "name": "A", **columns}


def sync(*rows: Any, id_column: str | None = "id", **configuration: Any) -> dict[str, Any]:
    """The params of add, change and remove."""
    params = {"configuration": CONFIGURATION | configuration, "rows": list(rows)}
    return params | ({"idColumn": id_column} if id_column else {})


async def rejected(served: Any, method: str, params: Any, **kwargs: Any) -> dict[Any, str]:
    """The reasons by id; each id once."""
    listed = (await served.result(method, params, **kwargs))["rejectedRows"]
    reasons = {each["id"]: each["reason"] for each in listed}
    assert len(reasons) == len(listed)
    assert all(each.keys() == {"id", "reason"} for each in listed)
    return reasons


def envelope(method: str, params: bytes, id: bytes = b'"1"') -> bytes:
    """A request whose params are sent byte for byte."""
    return b'{"jsonrpc":"2.0","id":%s,"method":"%s","params":%s}' % (id, method.encode(), params)


@asynccontextmanager
async def receiver(serve: Any, **settings: Any) -> AsyncIterator[tuple[Any, Any]]:
    """A server whose destination ``hook`` delivers to the stand-in, and what the latter holds."""
    stand_in = StandIn(token="r" * 20)
    async with listening(stand_in.app(), "127.0.0.1", 0, grace=1) as url:
        served = await serve(
            {"people": {"kind": "people"}, "hook": stand_in.settings(url) | settings}
        )

        async def show(what: str) -> Any:
            headers = {"Authorization": f"Bearer {stand_in.token}"}
            async with served.http.get(f"{url}/_sandbox/{what}", headers=headers) as answer:
                return msgspec.json.decode(await answer.read())

        yield served, show


HOOK = "/hightouch/hook"


async def test_s1_behavior_without_params_answers_for_all_modes(served):
    """Without a configuration the operations are those of all modes together."""
    for params in (..., {}, None, []):
        behavior = await served.result("behavior", params)
        assert behavior["operations"] == {"add": True, "change": True, "remove": True}
        assert behavior["skipInitialRun"] is False


@pytest.mark.parametrize(
    ("mode", "operations", "skipped"),
    [
        ("upsert", {"add": True, "change": True, "remove": False}, False),
        ("mirror", {"add": True, "change": True, "remove": True}, False),
        ("insert", {"add": True, "change": False, "remove": False}, True),
    ],
)
async def test_s2_behavior_is_that_of_the_configured_mode(served, mode, operations, skipped):
    """With a configuration the operations are those that its mode sends."""
    behavior = await served.result("behavior", {"configuration": {"object": "user", "mode": mode}})

    assert behavior["operations"] == operations
    assert behavior["skipInitialRun"] is skipped


async def test_s2_behavior_of_an_unknown_mode_is_an_error(served):
    """A mode that does not exist cannot behave."""
    answer = await served.rpc("behavior", {"configuration": {"object": "user", "mode": "x"}})

    assert answer["error"]["code"] == CONFIG_ERROR


@pytest.mark.parametrize("name", ["people", "bare", "hook"])
async def test_s3_behavior_has_all_its_keys(serve, name):
    """The batch size is at least one, and every operation is true or false."""
    served = await serve(
        {
            "people": {"kind": "people"},
            "bare": {"kind": "bare"},
            "hook": {"kind": "webhook", "url": "https://example.com"},
        }
    )

    behavior = await served.result("behavior", {}, path=f"/hightouch/{name}")

    assert behavior.keys() == {"batchSize", "operations", "skipInitialRun"}
    assert type(behavior["batchSize"]) is int
    assert behavior["batchSize"] >= 1
    assert [type(sent) for sent in behavior["operations"].values()] == [bool, bool, bool]
    assert type(behavior["skipInitialRun"]) is bool


@pytest.mark.parametrize(
    ("rate", "deadline", "most"), [(1, 25.0, 22), (2, 10.0, 14), (0.1, 5.0, 1)]
)
async def test_s3_the_batch_size_is_what_the_rate_can_deliver(serve, rate, deadline, most):
    """A slow vendor is sent no more rows at once than fit well into the deadline."""
    settings = {"kind": "people", "rate": rate, "batch_size": 1}
    served = await serve({"people": settings}, server={"deadline": deadline})

    behavior = await served.result("behavior", {"configuration": {"object": "user"}})

    assert behavior["batchSize"] == most


async def test_s4_the_documented_request_is_accepted(served):
    """The documentation's ``add`` goes through as it stands, and is taken whole."""
    response = await served.post(envelope("add", DOCUMENTED))

    assert await response.read() == b'{"jsonrpc":"2.0","result":{"rejectedRows":[]},"id":"1"}'
    assert served.plugin().holds == {
        "ernest@hightouch.io": ERNEST,
        "tejas@hightouch.io": TEJAS,
    }


async def test_s4_the_documented_request_reaches_a_receiver(serve):
    """The same request through a webhook leaves both people with the receiver."""
    async with receiver(serve) as (served, show):
        response = await served.post(envelope("add", DOCUMENTED), HOOK)

        assert (await response.json(content_type=None))["result"] == {"rejectedRows": []}
        held = sorted((await show("rows"))["rows"], key=lambda row: row["id"])
        assert held == [
            {"id": "ernest@hightouch.io", "fields": ERNEST},
            {"id": "tejas@hightouch.io", "fields": TEJAS},
        ]


@pytest.mark.parametrize("operation", ["change", "remove"])
async def test_s4_the_documented_rows_change_and_go(serve, operation):
    """The documented rows through the other two methods, in a mode that sends them."""
    async with receiver(serve) as (served, show):
        params = msgspec.json.decode(DOCUMENTED)
        params["configuration"]["mode"] = "mirror"
        await served.result("add", params, path=HOOK)
        params["rows"] = [params["rows"][0] | {"user_ltv": 99}]

        assert await rejected(served, operation, params, path=HOOK) == {}

        held = {row["id"]: row["fields"]["ltv"] for row in (await show("rows"))["rows"]}
        ernest = {"ernest@hightouch.io": 99} if operation == "change" else {}
        assert held == ernest | {"tejas@hightouch.io": 10}


@pytest.mark.parametrize(
    "mapping",
    [
        pytest.param({"from": "email", "to": "email"}, id="s5-object"),
        pytest.param([{"from": "email", "to": "email"}], id="s6-array"),
        pytest.param([{"type": "standard", "from": "email", "to": "email"}], id="s6-typed"),
    ],
)
async def test_s5_s6_the_identifier_mapping_is_an_object_or_an_array(served, mapping):
    """Both shapes of ``identifierMapping`` that are seen mean the same."""
    params = sync(person(1, email="a@b.c"), identifierMapping=mapping)

    assert await rejected(served, "add", params) == {}
    assert served.plugin().holds == {1: {"email": "a@b.c", "first_name": "A"}}


@pytest.mark.parametrize("absent", [pytest.param(False, id="s7"), pytest.param(True, id="s8")])
async def test_s7_s8_the_identifier_mapping_is_null_or_absent(served, absent):
    """Without an identifier mapping rows are known by their id column."""
    mappings = [{"from": "email", "to": "email"}, {"from": "name", "to": "first_name"}]
    params = sync(person(1, email="a@b.c"), mappings=mappings, identifierMapping=None)
    if absent:
        del params["configuration"]["identifierMapping"]

    assert await rejected(served, "add", params) == {}
    assert served.plugin().holds == {1: {"email": "a@b.c", "first_name": "A"}}


@pytest.mark.parametrize("configuration", [{}, {"identifierMapping": None, "mappings": None}, None])
async def test_s7_s8_nothing_is_mapped_at_all(serve, configuration):
    """A receiver that needs no fields gets the row's id, with or without a configuration."""
    async with receiver(serve, fields=[]) as (served, show):
        params = {"idColumn": "id", "configuration": configuration, "rows": [{"id": 7, "x": 1}]}

        assert await rejected(served, "add", params, path=HOOK) == {}

        assert (await show("rows"))["rows"] == [{"id": 7, "fields": {}}]


@pytest.mark.parametrize("value", [[], None, ...])
async def test_s9_custom_mappings_are_empty_null_or_absent(served, value):
    """Nothing custom is nothing custom, however it is said."""
    custom = {} if value is ... else {"customMappings": value}

    assert await rejected(served, "add", sync(person(1), **custom)) == {}


async def test_s9_custom_mappings_add_fields(served):
    """A custom field arrives beside the declared ones, nested where its name has dots."""
    custom = [{"from": "shoe", "to": "shoe.size"}, {"from": "x", "to": "x"}]

    await served.result("add", sync(person(1, shoe=43, x=None), customMappings=custom))

    fields = served.plugin().holds[1]
    assert fields["shoe"] == {"size": 43}
    assert fields["x"] is None


async def test_s10_entries_without_from_are_resolved(served):
    """A fixed value and a template need no column."""
    entries = [
        {"to": "first_name", "type": "static", "value": "Fixed"},
        {"to": "last_name", "type": "template", "template": "{{ name | upcase }}!"},
        {"to": "tier", "type": "static", "value": {"level": 3}},
    ]

    assert await rejected(served, "add", sync(person(1, name="ann"), mappings=entries)) == {}

    fields = served.plugin().holds[1]
    assert fields["first_name"] == "Fixed"
    assert fields["last_name"] == "ANN!"
    assert fields["tier"] == {"level": 3}


@pytest.mark.parametrize(
    "entry",
    [
        {"to": "last_name"},
        {"to": "last_name", "from": None},
        {"to": "last_name", "type": "variable", "variable": "sync-id"},
        {"to": "last_name", "type": "hologram", "from": "name"},
        {"to": "last_name", "type": "template", "template": "{{ name"},
    ],
)
async def test_s10_an_entry_that_cannot_be_resolved_rejects_the_rows(served, entry):
    """Every row is rejected with one stable reason that names the field; nothing is sent."""
    mappings = [*CONFIGURATION["mappings"], entry]

    reasons = await rejected(served, "add", sync(person(1), person(2), mappings=mappings))

    assert reasons.keys() == {1, 2}
    assert len(set(reasons.values())) == 1
    assert reasons[1].startswith('CONFIG_INVALID: Field "last_name": ')
    assert served.plugin().batches == []


async def test_s11_one_bad_row_harms_no_other(serve):
    """A row the mapping refuses and one the vendor refuses are named; the others are written."""
    served = await serve({"people": {"kind": "people", "refuse": ["no"]}})
    mappings = [*CONFIGURATION["mappings"], {"from": "born", "to": "born"}]
    rows = [
        person("a", born="2001-02-03"),
        person("bad date", born="yesterday"),
        person("no"),
        person("bad mail", email="nobody"),
        person("z"),
    ]

    reasons = await rejected(served, "add", sync(*rows, mappings=mappings))

    assert list(reasons) == ["bad date", "no", "bad mail"]
    assert reasons["bad date"].startswith("INVALID_ROW: born: ")
    assert reasons["no"] == "VENDOR_REJECTED: the vendor refused it"
    assert reasons["bad mail"].startswith("INVALID_ROW: email: ")
    assert served.plugin().holds.keys() == {"a", "z"}


@pytest.mark.parametrize("escape", [rb"\ud800", rb"\uDFFF", rb"\\\ud83d x", rb"\ude00\ud83d"])
async def test_s11_a_row_that_cannot_be_decoded_is_rejected_alone(served, escape):
    """A lone surrogate, which no text may hold, costs its own row only, be it in its very id."""
    rows = (
        rb'{"id":"a","email":"a@b.c","name":"\ud83d\ude00"},'
        rb'{"id":"bad","email":"a@b.c","name":"%b"},'
        rb'{"id":"%b","email":"a@b.c","name":"A"},'
        rb'{"id":"z","email":"z@b.c","name":"\\ud800"}'
    ) % (escape, escape)
    params = msgspec.json.encode(sync("row")).replace(b'"row"', rows)

    answer = await (await served.post(envelope("add", params))).read()

    assert b'{"id":"bad","reason":"INVALID_ROW: ' in answer
    assert b'{"id":"%b","reason":"INVALID_ROW: ' % escape in answer
    assert answer.count(b'"reason"') == 2
    holds = served.plugin().holds
    assert {id: fields["first_name"] for id, fields in holds.items()} == {"a": "😀", "z": r"\ud800"}


async def test_s11_a_row_that_is_too_long_or_too_deep_is_rejected_alone(served):
    """Rows beyond the limits of one row cost nobody else anything."""
    deep: Any = 1
    for _ in range(100):
        deep = [deep]
    rows = [person("long", x="x" * 300_000), person("deep", name=deep), person("fine")]

    reasons = await rejected(served, "add", sync(*rows))

    assert reasons == {
        "long": "TOO_LARGE: the row is longer than 256 KiB",
        "deep": "INVALID_ROW: the row is nested more than 64 deep",
    }
    assert served.plugin().holds.keys() == {"fine"}


async def test_s11_what_nobody_reads_may_be_deep(served):
    """A row is not rejected for a column that is not mapped, whatever its neighbours are like."""
    deep: Any = 1
    for _ in range(100):
        deep = [deep]
    rows = [person("deep", x=deep), person("fine")]

    assert await rejected(served, "add", sync(*rows)) == {}
    assert await rejected(served, "add", sync(*rows, person("bad", email="no"))) == {
        "bad": "INVALID_ROW: email: expected an email address"
    }


@pytest.mark.parametrize(
    "id",
    [
        pytest.param(b"7", id="s12-int"),
        pytest.param(b"-0", id="s12-minus-zero"),
        pytest.param(b"9007199254740993", id="s13-beyond-2-to-the-53"),
        pytest.param(b"18446744073709551617", id="s13-beyond-2-to-the-64"),
        pytest.param(b"123456789012345678901234567890", id="s13-thirty-digits"),
        pytest.param(b"1.50", id="s12-decimal"),
        pytest.param(b"1E2", id="s12-exponent"),
        pytest.param(b"0.1234567890123456789", id="s13-many-decimals"),
        pytest.param(b'"  two  spaces "', id="s14-spaces"),
        pytest.param('"Zoë Å 名前 👩‍👩‍👧 \u202e"'.encode(), id="s14-unicode"),
        pytest.param(rb'"\u00e9 \"quoted\" \\ \/ \n"', id="s14-escapes"),
        pytest.param(b'""', id="s14-empty"),
        pytest.param(b'"7"', id="s14-digits"),
    ],
)
async def test_s12_s13_s14_ids_are_echoed_byte_for_byte(served, id):
    """A rejected row's id comes back as the caller wrote it, digits, escapes and all."""
    row = b'{"name":"A","email":"nobody","id":%s}' % id
    params = msgspec.json.encode(sync("row")).replace(b'"row"', row)

    answer = await (await served.post(envelope("add", params))).read()

    start = b'{"jsonrpc":"2.0","result":{"rejectedRows":[{"id":' + id + b',"reason":"INVALID_ROW'
    assert answer.startswith(start)


async def test_s15_s16_rejected_ids_are_sent_ids_and_come_once(served):
    """Two rows of one id that both fail are one rejection; 7 and "7" are different ids."""
    rows = [person(id, email="nobody") for id in (7, "7", 7, "a", "a")] + [person("fine")]

    listed = (await served.result("add", sync(*rows)))["rejectedRows"]

    assert [each["id"] for each in listed] == [7, "7", "a"]


@pytest.mark.parametrize("method", ["add", "change", "remove"])
async def test_s17_no_rows_is_nothing_rejected(served, method):
    """An empty call succeeds and sends nothing, whatever else is missing."""
    for params in (sync(), {"rows": []}, {"rows": [], "idColumn": None, "configuration": None}):
        assert await served.result(method, params) == {"rejectedRows": []}

    assert served.plugin().batches == []


async def test_s18_rows_of_one_id_go_in_order(served):
    """Of several versions of a row in one call the last is what the vendor keeps."""
    rows = [person(id, name=f"{id}{version}") for version in range(5) for id in range(20)]

    assert await rejected(served, "add", sync(*rows)) == {}

    plugin = served.plugin()
    assert {id: fields["first_name"] for id, fields in plugin.holds.items()} == {
        id: f"{id}4" for id in range(20)
    }
    sent = list(itertools.chain.from_iterable(plugin.batches))
    assert sorted(sent) == sorted(list(range(20)) * 5)
    assert all(len(set(batch)) == len(batch) for batch in plugin.batches)


async def test_s19_null_is_passed_on_where_the_field_is_optional(served):
    """An explicit null is a value: it empties the field."""
    mappings = [*CONFIGURATION["mappings"], {"from": "born", "to": "born"}]

    assert await rejected(served, "add", sync(person(1, born=None), mappings=mappings)) == {}
    assert served.plugin().holds[1]["born"] is None


async def test_s20_a_missing_column_is_not_given(served):
    """A column that a row does not have is left out, unless the field is required."""
    mappings = [{"from": "born", "to": "born"}, {"from": "name", "to": "first_name"}]
    nameless = {"id": 2, "email": "a@b.c", "born": "2001-02-03"}

    reasons = await rejected(served, "add", sync(person(1), nameless, mappings=mappings))

    assert reasons == {2: 'INVALID_ROW: first_name: required, but column "name" is not in the row'}
    assert "born" not in served.plugin().holds[1]


async def test_s20_a_null_in_a_required_field_rejects_the_row(served):
    """A required field that is empty costs its row."""
    reasons = await rejected(served, "add", sync(person(1, name=None), person(2, name="")))

    assert set(reasons.values()) == {
        'INVALID_ROW: first_name: required, but column "name" is empty'
    }


@pytest.mark.parametrize("id", [None, ..., True, [], {"a": 1}])
async def test_s21_a_row_without_an_id_fails_the_call(served, id):
    """A row whose outcome could not be reported stops the call before anything is sent."""
    row = person(id)
    if id is ...:
        del row["id"]

    error = (await served.rpc("add", sync(person(1), row)))["error"]

    assert error == {
        "code": INVALID_PARAMS,
        "message": "Invalid params: row 1 has no usable id in the idColumn",
    }
    assert served.plugin().batches == []


@pytest.mark.parametrize("row", [None, 7, "text", [1]])
async def test_s21_a_row_that_is_no_object_fails_the_call(served, row):
    """What has no columns has no id either."""
    error = (await served.rpc("add", sync(person(1), row)))["error"]

    assert error["code"] == INVALID_PARAMS
    assert "row 1" in error["message"]
    assert served.plugin().batches == []


async def test_s22_extra_columns_are_ignored(served):
    """Columns that nothing is mapped from stay behind."""
    await served.result("add", sync(person(1, email="a@b.c", secret="x", other=[1])))

    assert served.plugin().holds == {1: {"email": "a@b.c", "first_name": "A"}}


async def test_s23_nested_values_arrive_as_they_are(serve):
    """Objects, arrays, big integers and unicode reach the receiver unchanged."""
    value = {"list": [1, [2.5, None, True]], "big": 10**29 + 1, "ü": "名前 👩‍👩‍👧", "empty": {}}
    async with receiver(serve, fields=[]) as (served, show):
        mappings = [{"from": "value", "to": "deep.value"}]
        params = {"idColumn": "id", "configuration": {"mappings": mappings}}
        params["rows"] = [{"id": "a", "value": value}]

        assert await rejected(served, "add", params, path=HOOK) == {}

        assert (await show("rows"))["rows"] == [{"id": "a", "fields": {"deep": {"value": value}}}]


@pytest.mark.parametrize("remember", [24, 0])
async def test_s24_the_same_call_twice_leaves_the_same_state(serve, remember):
    """A repeated call succeeds and changes nothing, whether deliveries are remembered or not."""
    async with receiver(serve, remember=remember) as (served, show):
        rows = sync(*(person(n) for n in range(5)))
        states = []
        for _ in range(2):
            assert await rejected(served, "add", rows, path=HOOK) == {}
            states.append(await show("rows"))

    assert len(states[0]["rows"]) == 5
    assert states[0] == states[1]


async def test_s25_adding_what_is_there_updates_it(served):
    """A full resync sends every row as added: it replaces what the vendor has."""
    await served.result("add", sync(person(1, name="Old")))

    assert await rejected(served, "add", sync(person(1, name="New"))) == {}
    assert served.plugin().holds[1]["first_name"] == "New"


async def test_s26_changing_an_unknown_row_is_as_the_mode_says(served):
    """In a mode that upserts, a change of a row the vendor does not have adds it."""
    assert await rejected(served, "change", sync(person(1))) == {}
    assert served.plugin().holds.keys() == {1}

    reasons = await rejected(served, "change", sync(person(2), mode="insert"))
    assert reasons[2].startswith("NOT_SUPPORTED: ")


@pytest.mark.parametrize("times", [pytest.param(1, id="s27"), pytest.param(2, id="s28")])
async def test_s27_s28_removing_what_is_not_there_succeeds(serve, times):
    """A row that is gone is what a removal is for, the first time and the second."""
    async with receiver(serve) as (served, show):
        for path in ("/hightouch/people", HOOK):
            for _ in range(times):
                assert await rejected(served, "remove", sync(person(1)), path=path) == {}

        assert served.plugin().holds == {}
        assert (await show("rows"))["rows"] == []


async def test_s28_a_removal_needs_the_identifier_only(served):
    """A removed row whose other columns are missing or odd is removed all the same."""
    mappings = [*CONFIGURATION["mappings"], {"from": "born", "to": "born"}]
    await served.result("add", sync(person(1)))

    gone = {"id": 1, "email": "a@b.c", "born": "not a date"}
    assert await rejected(served, "remove", sync(gone, mappings=mappings)) == {}
    assert served.plugin().holds == {}


@pytest.mark.parametrize(
    ("mode", "method"), [("upsert", "remove"), ("insert", "change"), ("insert", "remove")]
)
async def test_s29_an_operation_that_is_off_is_refused(served, mode, method):
    """A mode that does not send an operation writes nothing and says so of every row."""
    reasons = await rejected(served, method, sync(person(1), person("b"), mode=mode))

    expected = f'NOT_SUPPORTED: mode "{mode}" does not send rows to {method}'
    assert reasons == {1: expected, "b": expected}
    assert served.plugin().batches == []


async def test_s30_an_outage_rejects_every_row(serve):
    """When nobody is there every row is rejected with a reason, in a result, in time."""
    hook = {"kind": "webhook", "url": raw_server.nobody(), "allow_private_networks": True}
    served = await serve({"hook": hook}, server={"deadline": 3})

    began = time.monotonic()
    reasons = await rejected(served, "add", sync(*map(person, range(20))), path=HOOK)

    assert time.monotonic() - began < 3.5
    assert set(reasons) == set(range(20))
    assert {reason.partition(":")[0] for reason in reasons.values()} <= {
        "CONNECT_FAILED",
        "CIRCUIT_OPEN",
    }


async def test_s31_a_vendor_that_is_too_busy_is_waited_for_and_then_given_up(serve):
    """A 429 is tried again within the call's time, after the wait it names, and then rejected."""
    busy = b"HTTP/1.1 429 Busy\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n"
    async with raw_server.raw(busy) as vendor:
        hook = {"kind": "webhook", "url": vendor.url, "allow_private_networks": True}
        served = await serve({"hook": hook}, server={"deadline": 2.5})
        began = time.monotonic()
        reasons = await rejected(served, "add", sync(person(1)), path=HOOK)
        seconds = time.monotonic() - began

    assert 1.0 < seconds < 3.0
    assert len(vendor.heads) == 2
    assert set(reasons) == {1}
    assert reasons[1].startswith("RATE_LIMITED: ")


async def test_s32_rows_that_the_time_does_not_suffice_for_are_told(serve):
    """At the deadline what was delivered stands, what was cut off is open, the rest "not sent"."""
    served = await serve(server={"deadline": 1})
    plugin = served.plugin()

    async def slow(batch: Any) -> Any:
        await asyncio.sleep(0.3)
        plugin.holds |= {record.id: record.fields for record in batch.records}
        return ()

    plugin.on_deliver = slow
    began = time.monotonic()
    reasons = await rejected(served, "add", sync(*map(person, range(40))))

    assert time.monotonic() - began < 1.5
    assert set(reasons) == set(range(40)) - set(plugin.holds)
    assert plugin.holds
    assert set(reasons.values()) <= {
        "DEADLINE_NOT_SENT: not sent: the call's time was used up",
        "OUTCOME_UNKNOWN: no answer before the deadline; may have been delivered",
    }
    assert reasons[39].startswith("DEADLINE_NOT_SENT: ")


async def test_s33_of_a_batch_that_is_refused_whole_the_culprit_is_found(serve):
    """A vendor that refuses an array for one row's sake gets the others without it."""

    async def judge(_: Any, writer: asyncio.StreamWriter) -> None:
        status = b"400 No" if b"poison" in vendor.bodies[-1] else b"200 OK"
        writer.write(b"HTTP/1.1 %b\r\nContent-Length: 0\r\nConnection: close\r\n\r\n" % status)

    async with raw_server.raw(judge) as vendor:
        hook = {"kind": "webhook", "url": vendor.url, "allow_private_networks": True}
        served = await serve({"hook": hook | {"batching": "array", "concurrency": 1}})
        rows = [person(n, name="poison" if n == 11 else "A") for n in range(32)]
        reasons = await rejected(served, "add", sync(*rows), path=HOOK)

    assert set(reasons) == {11}
    assert reasons[11].startswith("VENDOR_REJECTED: ")
    assert len(vendor.bodies) <= 2 * 5 + 1


async def test_s34_one_row_without_prior_behavior(served):
    """The form's test button sends a single row and asks nothing before."""
    assert await served.result("add", sync(person("only"))) == {"rejectedRows": []}
    assert served.plugin().batches == [["only"]]


async def test_s35_calls_at_once_do_not_mix(served):
    """Each of twenty calls at once hears of its own rows only, by its own configuration."""
    plugin = served.plugin()
    arrived = asyncio.Event()

    async def deliver(batch: ht.Batch[Any]) -> list[ht.Rejection]:
        if len(plugin.batches) >= 3:  # as many as may run at once: different calls' batches
            arrived.set()
        await arrived.wait()
        await asyncio.sleep(0)
        assert {record.id.split("-")[0] for record in batch.records} == {batch.options.channel}
        return [
            record.reject(ht.RefusedError(f"refused by {batch.options.channel}"))
            for record in batch.records
            if record.id.endswith("1")
        ]

    plugin.on_deliver = deliver
    calls = []
    for call in range(20):
        channel = ("general", "dev")[call % 2]
        rows = [person(f"{channel}-{call}-{row}") for row in range(6)]
        calls.append(rejected(served, "add", sync(*rows, channel=channel)))

    answers = await asyncio.gather(*calls)

    for call, reasons in enumerate(answers):
        channel = ("general", "dev")[call % 2]
        assert reasons == {f"{channel}-{call}-1": f"VENDOR_REJECTED: refused by {channel}"}


class Lag:
    """The most processor time that the loop's thread spent on anything before it ticked again."""

    def __init__(self) -> None:
        self.longest = 0.0

    async def watch(self) -> None:
        """Tick every ten milliseconds, by processor time: a busy machine is no stalled loop."""
        while True:
            before = time.thread_time()
            await asyncio.sleep(0.01)
            self.longest = max(self.longest, time.thread_time() - before)


@pytest.mark.parametrize("kind", ["people", "hook"])
async def test_s36_ten_thousand_rows_do_not_stall_the_loop(serve, kind):
    """While a call of 10,000 rows is served the loop is never held for a second."""
    async with receiver(serve, batching="array") as (served, show):
        rows = [person(n, **{f"column_{c}": f"value {c}" for c in range(8)}) for n in range(9_990)]
        rows += [person(f"bad {n}", email="nobody") for n in range(10)]
        body = msgspec.json.encode(
            {"jsonrpc": "2.0", "id": 1, "method": "add", "params": sync(*rows, object="user")}
        )
        lag = Lag()
        watch = asyncio.create_task(lag.watch())

        response = await served.post(body, f"/hightouch/{kind}")
        answer = msgspec.json.decode(await response.read())
        watch.cancel()

        ids = [each["id"] for each in answer["result"]["rejectedRows"]]
        assert ids == [f"bad {n}" for n in range(10)]
        held = served.plugin().holds if kind == "people" else (await show("rows"))["rows"]
        assert len(held) == 9_990
        assert lag.longest < 1


async def test_s36_more_rows_than_allowed_are_refused(serve):
    """A call beyond the limit is refused before anything is sent; behavior never asks for it."""
    served = await serve(server={"max_rows": 3})
    behavior = await served.result("behavior")

    error = (await served.rpc("add", sync(*(person(n) for n in range(4)))))["error"]

    assert behavior["batchSize"] <= 3
    assert error == {
        "code": INVALID_PARAMS,
        "message": "Invalid params: 4 rows; this call may bring 3 more",
    }
    assert served.plugin().batches == []


LONG = "a sentence that goes on " * 40

SECRET = "canary-7d1f0c"
"""What must never be seen outside."""


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ht.RowError("born: expected a date"), "INVALID_ROW"),
        (ht.RefusedError("the vendor\nrefused\r\n\tit\x00 \u2028 now"), "VENDOR_REJECTED"),
        (ht.RefusedError(LONG), "VENDOR_REJECTED"),
        (ht.TargetError("no such list"), "VENDOR_REJECTED"),
        (ht.RateLimited("not sent: slow down"), "RATE_LIMITED"),
        (ht.UnavailableError("not sent: could not connect"), "CONNECT_FAILED"),
        (ht.NoAnswer("no answer; may have been delivered"), "OUTCOME_UNKNOWN"),
        (ValueError(SECRET), "INTERNAL"),
        (TimeoutError(SECRET), "INTERNAL"),
        (ExceptionGroup(SECRET, [KeyError(SECRET)]), "INTERNAL"),
        (RecursionError(SECRET), "INTERNAL"),
    ],
)
async def test_s37_reasons_are_one_line_with_a_stable_code(served, error, code):
    """A reason is ``CODE: text`` on one line of at most 300 characters, and holds no secret."""

    async def deliver(batch: ht.Batch[Any]) -> list[ht.Rejection]:
        raise error

    served.plugin().on_deliver = deliver

    with capture_logs() as logged:
        reasons = await rejected(served, "add", sync(*(person(n) for n in range(5))))

    assert reasons.keys() == set(range(5))
    for reason in reasons.values():
        assert REASON.fullmatch(reason)
        assert len(reason) <= 300
        assert reason.startswith(f"{code}: ")
        assert SECRET not in reason
    assert SECRET not in str(logged)


async def test_s37_rejections_that_a_destination_returns_read_the_same(served):
    """Errors returned per record take the same form as those raised."""

    async def deliver(batch: ht.Batch[Any]) -> list[ht.Rejection]:
        return [record.reject(ht.RowError("too\nlong " * 100)) for record in batch.records]

    served.plugin().on_deliver = deliver

    [reason] = (await rejected(served, "add", sync(person(1)))).values()

    assert REASON.fullmatch(reason)
    assert reason.startswith("INVALID_ROW: too long too long")
    assert len(reason) == 300


async def test_s37_credentials_that_fail_are_a_call_error(served):
    """Where nothing was delivered and a person must act, the call fails instead of its rows."""

    async def deliver(batch: ht.Batch[Any]) -> list[ht.Rejection]:
        raise ht.AuthError("the vendor refused the credentials")

    served.plugin().on_deliver = deliver

    error = (await served.rpc("add", sync(*(person(n) for n in range(9)))))["error"]

    assert error["code"] == AUTH_ERROR
    assert error["message"] == "AUTH_FAILED: the vendor refused the credentials"


async def test_s38_without_an_id_column_the_identifier_serves(served):
    """The column that rows are matched by stands in for ``idColumn``."""
    rows = [person(1, email="a@b.c"), person(2, email="nobody")]

    reasons = await rejected(served, "add", sync(*rows, id_column=None))

    assert list(reasons) == ["nobody"]
    assert served.plugin().holds.keys() == {"a@b.c"}


@pytest.mark.parametrize("identifier", [None, [], [{"to": "email", "type": "static", "value": 1}]])
async def test_s38_with_neither_the_call_fails(served, identifier):
    """Rows that nothing names cannot be reported, and are not sent."""
    params = sync(person(1), id_column=None, identifierMapping=identifier)

    error = (await served.rpc("add", params))["error"]

    assert error["code"] == INVALID_PARAMS
    assert "idColumn" in error["message"]
    assert served.plugin().batches == []


@pytest.mark.parametrize(
    ("configuration", "message"),
    [
        ({"object": "usr"}, 'Object "usr" does not exist. Did you mean "user"?'),
        ({"object": None}, "Choose an object: user, organization."),
        ({"mode": "upsrt"}, 'Mode "upsrt" does not exist. Did you mean "upsert"?'),
        ({"channel": "nowhere"}, 'Option "Channel" has a value that is not in its list.'),
    ],
)
async def test_s39_a_configuration_that_cannot_work_is_a_call_error(served, configuration, message):
    """Unknown objects, modes and option values fail the call, with a text that says what."""
    error = (await served.rpc("add", sync(person(1), **configuration)))["error"]

    assert error["code"] == CONFIG_ERROR
    assert error["message"] == f"CONFIG_INVALID: {message}"
    assert served.plugin().batches == []


async def test_s39_the_first_mode_serves_where_none_is_named(served):
    """An absent mode is the first one."""
    assert await rejected(served, "add", sync(person(1), mode=None)) == {}


async def test_s39_a_destination_that_is_switched_off_says_so(serve):
    """``active = false`` fails the call and sends nothing."""
    served = await serve({"people": {"kind": "people", "active": False}})

    error = (await served.rpc("add", sync(person(1))))["error"]

    assert error["code"] == CONFIG_ERROR
    assert "active = false" in error["message"]
    assert served.plugin().batches == []


async def test_s40_the_log_s_counts_add_up(serve):
    """Each call is one line whose accepted and rejected rows are those that were sent."""
    served = await serve({"people": {"kind": "people", "refuse": ["no", "nay"]}})
    rows = [person("a"), person("no"), person("b", email="nobody"), person("no"), person("nay")]

    with capture_logs() as logged:
        reasons = await rejected(served, "add", sync(*rows))

    [line] = [each for each in logged if each["event"] == "rows.answered"]
    assert len(reasons) == 3
    assert line["rows"] == len(rows) == line["accepted"] + line["rejected"]
    assert (line["accepted"], line["rejected"]) == (1, 4)
    assert line["reasons"] == {"VENDOR_REJECTED": 3, "INVALID_ROW": 1}
    assert line["operation"] == "add"
    assert sum(line["reasons"].values()) == line["rejected"]


@pytest.mark.parametrize("method", ["add", "change", "remove"])
async def test_a_notification_of_rows_sends_nothing(served, method):
    """Rows whose outcome nobody would hear are not delivered: 204, and nothing sent."""
    response = await served.post({"jsonrpc": "2.0", "method": method, "params": sync(person(1))})

    assert response.status == 204
    assert await response.read() == b""
    assert served.plugin().batches == []


@pytest.mark.parametrize(
    "params",
    [
        {},
        None,
        {"rows": None},
        {"rows": {"id": 1}},
        {"rows": "x"},
        {"rows": [{"id": 1}], "idColumn": 5},
        {"rows": [{"id": 1}], "idColumn": "id", "configuration": []},
    ],
)
async def test_params_of_another_shape_are_refused(served, params):
    """Rows that are no list, or an id column that is no name, are errors of the params."""
    error = (await served.rpc("add", params))["error"]

    assert error["code"] == INVALID_PARAMS
    assert served.plugin().batches == []


async def test_the_members_of_a_batch_share_the_row_limit(serve):
    """Two members of one array batch may together bring as many rows as one call may."""
    served = await serve(server={"max_rows": 3})
    rows = [person("a"), person("b")]
    one = {"jsonrpc": "2.0", "id": 1, "method": "add", "params": sync(*rows, object="user")}

    answers = msgspec.json.decode(await (await served.post([one, one | {"id": 2}])).read())

    assert answers[0]["result"] == {"rejectedRows": []}
    assert answers[1]["error"]["message"] == "Invalid params: 2 rows; this call may bring 1 more"


async def test_a_run_asks_the_vendor_for_its_description_once(served):
    """The calls of one run share what the vendor said of its fields; the form asks anew."""
    plugin, asked = served.plugin(), []
    original = plugin.fields

    async def fields(object, mode):
        asked.append(mode)
        return await original(object, mode)

    plugin.fields = fields
    for n in range(3):
        await served.result("add", sync(person(n), object="user"))

    assert len(asked) == 1
    await served.result("list_fields", {"object": "user"})
    assert len(asked) == 2


async def test_a_vendor_that_does_not_describe_its_fields_has_no_rows(served):
    """When asking for the fields has no answer, rows are "not sent": none was."""
    served.plugin().error = ht.NoAnswer("no answer; may have been delivered")

    reasons = await rejected(served, "add", sync(person(1), object="user"))

    assert reasons == {1: "CONNECT_FAILED: not sent: the vendor did not say what its fields are"}
