"""The oracle passes what is correct and catches each defect by its rule; first in servers."""

import asyncio
import base64
import html
import json
from collections.abc import Mapping
from itertools import count
from typing import Any
from urllib.parse import quote, urlencode

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st
from testing import broken_servers
from testing.broken_servers import SECRET, Server, SmallVendor, called, on_loopback
from testing.broken_servers import content as digest

from destination.errors import Code
from destination.testing.clock import run_virtually
from destination.testing.journal import Arrival, Exchange
from destination.testing.oracle import Violation, bisected, judge, leaks, persistent

STEPS: Mapping[Any, list[str]] = {
    4: ["400"],
    "5": ["429:2", "200"],
    6: ["lost", "200"],
    **{id: ["503"] for id in range(100, 130)},
}
ROWS = [{"id": id, "name": f"name of {id}"} for id in (1, "2", 3, 10**30, 1.5, *STEPS)]
CHANGED = [{**row, "name": "changed"} for row in ROWS]
BROKEN = [
    defect
    for defect in vars(broken_servers).values()
    if isinstance(defect, type) and issubclass(defect, Server) and defect is not Server
]


async def verdict(kind: type[Server]) -> list[Violation]:
    """What the oracle says of a server that got the same call twice, and then other content."""
    vendor = SmallVendor(STEPS)
    exchanges = []
    async with (
        on_loopback(vendor.take) as vendor_url,
        aiohttp.ClientSession() as outbound,
        aiohttp.ClientSession() as caller,
    ):
        server = kind(vendor_url, outbound)
        async with on_loopback(server.handle) as url:
            for method, rows in (("add", ROWS), ("add", ROWS), ("change", CHANGED)):
                exchanges.append(await called(caller, url, method, rows))
                await asyncio.sleep(30)
            await asyncio.gather(*server.tasks)
    texts = {"an answer": "".join(each.text for each in exchanges), "the log": "".join(server.log)}
    return judge(exchanges, vendor.arrivals, content=digest) + leaks(texts, [SECRET])


def test_a_correct_server_passes():
    """A server that keeps every promise, of a vendor that refuses, pauses and fails, is passed."""
    assert run_virtually(verdict(Server)) == []


@pytest.mark.parametrize("kind", BROKEN, ids=lambda kind: kind.__name__)
def test_a_broken_server_is_caught(kind: type[Server]):
    """Each defect shows as violations of the promises that it breaks, and of no others."""
    found = run_virtually(verdict(kind))

    assert {each.rule for each in found} == set(kind.breaks.split()), found


def call(
    *ids: Any,
    at: float = 0,
    seconds: float | None = 1,
    rejected: Mapping[Any, str] | None = None,
    entries: Any = None,
    version: str = "v1",
    deadline: float = 5,
    **answer: Any,
) -> Exchange:
    """A call of rows and, by default, its result; ``answer`` replaces that."""
    if entries is None:
        entries = [{"id": id, "reason": reason} for id, reason in (rejected or {}).items()]
    rows = [{"id": id, "v": version} for id in ids]
    answered = None if seconds is None else at + seconds
    given = answer or {"result": {"rejectedRows": entries}}
    told = None if answered is None or "text" in answer else given
    return Exchange("add", rows, "id", at, answered, 200 if answered else 0, told, deadline)


connections = count(1)


def came(
    *ids: Any, at: float = 0.5, answer: str = "200", version: str = "v1", **more: Any
) -> Arrival:
    """A request that the vendor got; it took it if it said so or does so in ``more``."""
    taken = more.pop("taken", answer == "200")
    contents = tuple(f"add {version}" for _ in ids)
    return Arrival(at, next(connections), "POST", "/", ids, contents, taken, answer, **more)


def of_row(method: str, row: Mapping[str, Any]) -> str:
    return f"{method} {row['v']}"


UNKNOWN = "OUTCOME_UNKNOWN: no answer; may have been delivered"
REFUSED = "VENDOR_REJECTED: the vendor refused it"
BUSY = "RATE_LIMITED: not sent: the vendor asked for a pause"
FAILED = {"error": {"code": -32001, "message": "no"}}

KEPT: dict[str, tuple[list[Exchange], list[Arrival]]] = {
    "nothing happened": ([], []),
    "taken and acknowledged": ([call(1, "2")], [came(1), came("2")]),
    "several rows in a request": ([call(1, 2)], [came(1, 2)]),
    "requests without rows are nobody's": ([call(1)], [came(at=77), came(1)]),
    "an id of thirty digits": ([call(10**30)], [came(10**30)]),
    "7, 7.0 and text are three rows": ([call(7, 7.0, "7")], [came(7), came(7.0), came("7")]),
    "refused and rejected": ([call(1, rejected={1: REFUSED})], [came(1, answer="400")]),
    "not sent and rejected": ([call(1, rejected={1: BUSY})], []),
    "the call failed before anything was sent": ([call(1, **FAILED)], []),
    "the call failed while another delivered": ([call(1, **FAILED), call(1)], [came(1)]),
    "remembered": ([call(1), call(1, at=2)], [came(1)]),
    "two at once are one effect": ([call(1), call(1)], [came(1)]),
    "other content is sent": (
        [call(1), call(1, at=2, version="v2")],
        [came(1), came(1, at=2.5, version="v2")],
    ),
    "there and back again": (
        [call(1), call(1, at=2, version="v2"), call(1, at=4)],
        [came(1), came(1, at=2.5, version="v2"), came(1, at=4.5)],
    ),
    "there, refused, and back again": (
        [call(1), call(1, at=2, version="v2", rejected={1: REFUSED}), call(1, at=4)],
        [came(1), came(1, at=2.5, version="v2", answer="400"), came(1, at=4.5)],
    ),
    "taken, answer lost, sent again": (
        [call(1, rejected={1: UNKNOWN}), call(1, at=2)],
        [came(1, answer="reset", taken=True), came(1, at=2.5)],
    ),
    "taken and denied is not the server's fault": (
        [call(1)],
        [came(1, answer="503", taken=True), came(1, at=0.7)],
    ),
    "read a little after a doubtful outcome": ([call(1, rejected={1: UNKNOWN})], [came(1, at=1.4)]),
    "the same row twice in a call": (
        [call(1, 1, rejected={1: REFUSED})],
        [came(1), came(1, at=0.6, answer="400")],
    ),
    "just in time": ([call(1, seconds=5.5)], [came(1)]),
    "a pause was kept": ([call(1, seconds=4)], [came(1, answer="429", wait=2), came(1, at=2.6)]),
    "others were under way when a pause began": (
        [call(1, 2, rejected={1: BUSY})],
        [came(1, answer="429", wait=2), came(2, at=0.9)],
    ),
    "three retries are always allowed": (
        [call(*range(6), rejected=dict.fromkeys(range(3, 6), BUSY))],
        [*(came(id, at=0.1, answer="503") for id in range(6)), *(came(id) for id in range(3))],
    ),
    "a batch in halves is not retried": (
        [call(*range(8), rejected={0: REFUSED})],
        [came(*range(size), at=1 - size / 10, answer="400") for size in (8, 4, 2, 1)]
        + [came(1), came(2, 3), came(4, 5, 6, 7)],
    ),
}

BROKEN_HISTORIES: dict[str, tuple[str, list[Exchange], list[Arrival]]] = {
    "acknowledged, never sent": ("D1", [call(1)], []),
    "acknowledged, refused": ("D1", [call(1)], [came(1, answer="400")]),
    "acknowledged, another type was sent": ("D1 D5", [call(7)], [came("7")]),
    "acknowledged, other content was sent": ("D1 D5", [call(1)], [came(1, version="v2")]),
    "acknowledged, though it has been overwritten": (
        "D1",
        [call(1), call(1, at=2, version="v2"), call(1, at=4)],
        [came(1), came(1, at=2.5, version="v2")],
    ),
    "failed as a whole after delivering": ("D1", [call(1, **FAILED)], [came(1)]),
    "neither result nor error": ("D1", [call(1, id="1")], []),
    "both": ("D1", [call(1, result={"rejectedRows": []}, **FAILED)], []),
    "no JSON": ("D1", [call(1, text="oops")], []),
    "no list": ("D2", [call(1, result={})], [came(1)]),
    "no object": ("D2 D11", [call(1, entries=["1"])], [came(1)]),
    "no id": ("D2", [call(1, entries=[{"reason": REFUSED}])], [came(1)]),
    "a row without id is let pass": ("D2", [call(1, None)], [came(1)]),
    "a truth value is no id": ("D2", [call(1, True)], [came(1)]),
    "a stranger's id": ("D2", [call(1, rejected={2: REFUSED})], [came(1)]),
    "an id as text": ("D1 D2", [call(7, rejected={"7": REFUSED})], [came(7, answer="400")]),
    "an id as a fraction": ("D2", [call(7, rejected={7.0: REFUSED})], [came(7)]),
    "rejected twice": ("D2", [call(1, entries=[{"id": 1, "reason": BUSY}] * 2)], []),
    "late": ("D4", [call(1, seconds=5.6)], [came(1)]),
    "never answered": ("D4", [call(1, seconds=None)], [came(1)]),
    "sent after a definite answer": ("D5", [call(1, rejected={1: BUSY})], [came(1, at=1.1)]),
    "sent long after a doubtful one": ("D5", [call(1, rejected={1: UNKNOWN})], [came(1, at=1.6)]),
    "sent before the call": ("D5", [call(1, at=9)], [came(1, at=8)]),
    "sent without a call": ("D5", [], [came(1)]),
    "sent twice": ("D6", [call(1)], [came(1), came(1, at=0.6)]),
    "sent again though remembered": ("D6", [call(1), call(1, at=2)], [came(1), came(1, at=2.5)]),
    "sent twice for one doubt too few": (
        "D6",
        [call(1, rejected={1: UNKNOWN}), call(1, at=2), call(1, at=4)],
        [came(1, answer="reset", taken=True), came(1, at=2.5), came(1, at=4.5)],
    ),
    "taken but reported as not sent": ("D11", [call(1, rejected={1: BUSY})], [came(1)]),
    "tried again within the pause": (
        "R3",
        [call(1, seconds=4)],
        [came(1, answer="429", wait=2), came(1, at=0.51)],
    ),
    "others sent within the pause": (
        "R3",
        [call(1, 2, seconds=4, rejected={1: BUSY})],
        [came(1, answer="429", wait=2), came(2, at=1.7)],
    ),
    "too many retries": (
        "R4",
        [call(*range(10))],
        [*(came(id, at=0.1, answer="503") for id in range(10)), *(came(id) for id in range(10))],
    ),
}


@pytest.mark.parametrize(("exchanges", "arrivals"), KEPT.values(), ids=KEPT)
def test_a_kept_promise_is_not_held_against_a_server(
    exchanges: list[Exchange], arrivals: list[Arrival]
):
    """A history without fault yields no violation, with and without knowledge of contents."""
    assert judge(exchanges, arrivals, content=of_row) == []
    assert judge(exchanges, arrivals) == []


@pytest.mark.parametrize(
    ("rules", "exchanges", "arrivals"), BROKEN_HISTORIES.values(), ids=BROKEN_HISTORIES
)
def test_a_broken_promise_is_named(rules: str, exchanges: list[Exchange], arrivals: list[Arrival]):
    """A history with a fault yields violations of just the rules that it breaks."""
    found = judge(exchanges, arrivals, content=of_row)

    assert {each.rule for each in found} == set(rules.split()), found


@pytest.mark.parametrize(
    "reason",
    [
        None,
        "no code",
        "REFUSED: unknown code",
        "VENDOR_REJECTED:no blank",
        "VENDOR_REJECTED: ",
        "VENDOR_REJECTED: two\nlines",
        "VENDOR_REJECTED: two\u2028lines",
        "VENDOR_REJECTED: line\r",
        "vendor_rejected: small",
        " VENDOR_REJECTED: blank",
        "VENDOR_REJECTED: " + "x" * 284,
    ],
)
def test_a_reason_has_its_form(reason: Any):
    """A reason that is not one line, CODE: text, of a known code and 300 characters is a fault."""
    found = judge([call(1, entries=[{"id": 1, "reason": reason}])], [])

    assert [each.rule for each in found] == ["D11"]


def test_every_code_is_known():
    """No reason that the server can give is a fault."""
    codes = {id: f"{code}: " + "x" * (298 - len(code)) for id, code in enumerate(Code)}

    assert judge([call(*codes, rejected=codes)], []) == []


def test_a_call_may_go_unanswered_while_the_server_is_down():
    """A kill excuses the open call's silence and one more effect, but no second one."""
    killed = call(1, seconds=None)
    again, third = call(1, at=7), call(1, at=9)
    taken = [came(1), came(1, at=7.5)]

    assert judge([killed, again], taken, down=[(0.6, 3)]) == []
    assert [each.rule for each in judge([killed, again], taken, down=[(6, 6.5)])] == ["D4"]
    found = judge([killed, again, third], [*taken, came(1, at=9.5)], down=[(0.6, 3)])
    assert [each.rule for each in found] == ["D6"]


def test_without_memory_each_call_has_its_effect():
    """A destination that remembers nothing delivers each time, and must."""
    calls = [call(1), call(1, at=2)]

    assert judge(calls, [came(1), came(1, at=2.5)], memory=False) == []
    assert [each.rule for each in judge(calls, [came(1)], memory=False)] == ["D1"]


def test_a_repeatable_destination_may_try_again():
    """Effects within the allowance of each call are no duplicates; those beyond it are."""
    arrivals = [came(1, answer="reset", taken=True, at=at / 10) for at in range(1, 4)]
    calls = [call(1, rejected={1: UNKNOWN})]

    assert judge(calls, arrivals, memory=False, extra=2) == []
    assert {each.rule for each in judge(calls, arrivals, memory=False, extra=1)} == {"D6"}


def test_retries_of_a_long_wait_count_beside_what_failed():
    """Retries that waited longer than the window are measured against the attempts before."""
    ids = range(100)
    firsts = [came(id, at=1, answer="429", wait=12) for id in ids]
    again = [came(id, at=13.5) for id in range(21)]
    rejected = dict.fromkeys(range(21, 100), BUSY)
    calls = [call(*ids, seconds=24.5, deadline=25, rejected=rejected)]

    assert judge(calls, [*firsts, *again[:20], came(20, at=24)]) == []
    assert [each.rule for each in judge(calls, [*firsts, *again])] == ["R4"]


def test_rows_that_never_came_may_have_been_tried():
    """First attempts that were lost on the way count for the budget."""
    ids = range(50)
    calls = [call(*ids, rejected=dict.fromkeys(range(10, 50), "CONNECT_FAILED: not sent"))]
    firsts = [came(id, at=0.1, answer="503") for id in range(10)]

    assert judge(calls, [*firsts, *(came(id) for id in range(10))]) == []


@given(st.integers(1, 200), st.data())
def test_halving_is_within_its_bound(rows: int, data: st.DataObject):
    """Finding bad rows by halving never takes more requests than allowed."""
    poison = data.draw(st.sets(st.integers(0, rows - 1), max_size=8))

    def requests(start: int, end: int) -> int:
        if end - start == 1 or not any(start <= row < end for row in poison):
            return 1
        middle = (start + end) // 2
        return 1 + requests(start, middle) + requests(middle, end)

    assert bisected(requests(0, rows), rows, len(poison)) == []


def test_sending_one_by_one_is_not_halving():
    """One bad row among a thousand may cost 21 requests."""
    assert bisected(21, 1000, 1) == []
    assert [each.rule for each in bisected(22, 1000, 1)] == ["D3"]
    assert bisected(1, 1, 1) == bisected(1, 1000, 0) == []


def test_a_failing_vendor_is_left_alone():
    """With every attempt failing there are a fifth more attempts than rows, and ten."""
    assert persistent(130, 100) == []
    assert [each.rule for each in persistent(131, 100)] == ["R4"]


Fate = st.sampled_from(["200", "400", "lost", "untaken"])


@st.composite
def histories(draw: st.DrawFn) -> tuple[list[Exchange], list[Arrival]]:
    """What happens when calls reach a correct server one after the other."""
    exchanges, arrivals, memory = [], [], dict[int, str]()
    for number in range(draw(st.integers(1, 6))):
        version, rejected = draw(st.sampled_from(["v1", "v2"])), {}
        ids = draw(st.lists(st.integers(1, 4), unique=True))
        for id in ids:
            if memory.get(id) == version:
                continue
            fate = draw(Fate)
            memory[id] = version if fate == "200" else ""
            taken = fate in ("200", "lost")
            arrivals.append(came(id, at=number + 0.5, answer=fate, version=version, taken=taken))
            if fate != "200":
                rejected[id] = REFUSED if fate == "400" else UNKNOWN
        exchanges.append(call(*ids, at=number, seconds=0.9, rejected=rejected, version=version))
    return exchanges, arrivals


@given(histories(), st.data())
def test_a_history_is_judged_by_what_is_missing(
    history: tuple[list[Exchange], list[Arrival]], data: st.DataObject
):
    """Any correct history passes, and does so no longer without one acknowledged effect."""
    exchanges, arrivals = history
    assert judge(exchanges, arrivals, content=of_row) == []
    assert judge(exchanges, arrivals) == []

    acknowledged = [each for each in arrivals if each.answer == "200"]
    if acknowledged:
        lost = data.draw(st.sampled_from(acknowledged))
        kept = [each for each in arrivals if each is not lost]
        first = not any(each.ids == lost.ids and each.taken for each in kept if each.at < lost.at)
        if first:
            assert "D1" in {each.rule for each in judge(exchanges, kept, content=of_row)}
    if arrivals:
        twice = data.draw(st.sampled_from(arrivals))
        found = judge(exchanges, [*arrivals, twice], content=of_row)
        assert {each.rule for each in found} == ({"D6"} if twice.taken else set())


CANARY = 'Zoë+ß/😀 & "canary"'
ENCODED = {
    "as it is": CANARY,
    "bytes": CANARY.encode(),
    "upper case": CANARY.upper(),
    "percent": quote(CANARY),
    "all percent": "".join(f"%{byte:02X}" for byte in CANARY.encode()),
    "small percent": "".join(f"%{byte:02x}" for byte in CANARY.encode()),
    "form": urlencode({"x": CANARY}),
    "JSON": json.dumps({"x": CANARY}),
    "JSON in UTF-8": json.dumps({"x": CANARY}, ensure_ascii=False),
    "JSON with slashes": json.dumps({"x": CANARY}).replace("/", "\\/"),
    "base64": base64.b64encode(CANARY.encode()),
    "base64 of upper case": base64.b64encode(CANARY.upper().encode()),
    "base64 in a URL": quote(base64.b64encode(CANARY.encode()), safe=""),
    "base64 in JSON": json.dumps(base64.b64encode(CANARY.encode()).decode()).replace("/", "\\/"),
    "hex": CANARY.encode().hex(),
    "hex in capitals": CANARY.encode().hex().upper(),
    "HTML": html.escape(CANARY),
}


@pytest.mark.parametrize("text", ENCODED.values(), ids=ENCODED)
def test_a_canary_is_found_in_disguise(text: str | bytes):
    """However it is encoded, a planted secret is found, and told by its number."""
    [found] = leaks({"a log": text, "another": "harmless"}, ["not this one", CANARY])

    assert found.rule == "P1"
    assert found.text.startswith("canary 2 stands in a log, ")
    assert CANARY not in str(found)


@given(st.binary(), st.text(min_size=8), st.binary(), st.booleans())
def test_a_canary_is_found_at_any_alignment(
    before: bytes, canary: str, after: bytes, for_urls: bool
):
    """In base64 it does not matter what stands beside the canary."""
    encode = base64.urlsafe_b64encode if for_urls else base64.b64encode

    assert leaks({"": encode(before + canary.encode() + after)}, [canary])


def test_a_text_without_canaries_is_clean():
    """What only resembles a canary is no leak."""
    assert (
        leaks({"a": "canar", "b": b"\xff\xfe", "c": "\\ud83d%ZZ&amp"}, ["canary-1", CANARY]) == []
    )


def test_a_canary_is_not_too_short():
    """A canary that chance would find is refused."""
    with pytest.raises(ValueError, match="8 characters"):
        leaks({}, ["abcdefg"])
