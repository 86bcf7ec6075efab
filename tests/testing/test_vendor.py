"""A scripted vendor does each step on the wire, logs it first, and leaves no process."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from email.utils import mktime_tz, parsedate_tz

import aiohttp
import msgspec
import pytest

from destination.testing.journal import Arrival
from destination.testing.script import Chance, Play, Rate, Script, Step
from destination.testing.vendor import Vendor
from destination.testing.vendor_server import digest

TAKEN = Step(200)


@pytest.fixture(scope="module")
def process(tmp_path_factory):
    """One vendor for all tests here."""
    vendor = Vendor(tmp_path_factory.mktemp("vendor") / "log")
    vendor.start()
    yield vendor
    vendor.stop()


@pytest.fixture
def vendor(process):
    """The vendor without a past."""
    process.script(Script())
    os.truncate(process.log, 0)
    return process


@pytest.fixture
async def http():
    """A client that asks once."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(5)) as session:
        yield session


def row(id, **fields):
    """A row as the webhook destination sends it."""
    return {"operation": "upsert", "id": id, "fields": fields}


async def send(http, vendor, *ids, **options):
    """The status for rows: an object for one of them, an array for more."""
    rows = [row(id) for id in ids]
    async with http.post(
        vendor.url, json=rows if len(rows) > 1 else rows[0], allow_redirects=False, **options
    ) as answer:
        return answer.status


def statuses(play, *rows, times=1):
    """What a play decides for the same rows, again and again."""
    return [play.decide(rows).step.status for _ in range(times)]


async def test_a_request_is_logged(vendor, http):
    """A line holds what arrived: when, on which connection, which rows, and what became of it."""
    before = time.monotonic()
    await send(http, vendor, 7, "eight", headers={"Idempotency-Key": "once"})
    async with http.request("OPTIONS", f"{vendor.url}/some/path?a=b") as answer:
        assert answer.status == 200
    first, second = vendor.arrivals()

    assert before < first.at < second.at < time.monotonic()
    assert first == Arrival(
        at=first.at,
        connection=first.connection,
        method="POST",
        path="/",
        ids=(7, "eight"),
        contents=(digest(row(7)), digest(row("eight"))),
        taken=True,
        answer="200",
        key="once",
    )
    assert (second.path, second.ids, second.key) == ("/some/path?a=b", (), None)
    assert second.connection == first.connection


async def test_ids_keep_their_digits(vendor, http):
    """Ids of any size and kind come back from the log as they were, or as JSON."""
    ids = [2**70, "é", 1.5, None, True, "\ud800"]
    await send(http, vendor, *ids)

    [arrival] = vendor.arrivals()
    assert arrival.ids == (2**70, "é", 1.5, "null", "true", '"\\ud800"')


def test_a_digest_is_of_the_value():
    """The order of members does not matter to a digest, their values do."""
    assert digest({"a": 1, "b": [2]}) == digest({"b": [2], "a": 1}) != digest({"a": 1, "b": [3]})


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 422, 500, 501, 502, 503, 504])
async def test_a_status(vendor, http, status):
    """A status is answered, with a body of JSON, and the request is not taken."""
    await vendor.play(Script(default=(Step(status), Step(status, taken=True), TAKEN)))
    async with http.post(vendor.url, json=row("a")) as answer:
        assert await answer.json() == {"error": f"scripted {status}"}
        assert answer.status == status
    assert [await send(http, vendor, "a"), await send(http, vendor, "a")] == [status, 200]

    seen = [(arrival.taken, arrival.answer) for arrival in vendor.arrivals()]
    assert seen == [(False, str(status)), (True, str(status)), (True, "200")]


async def test_headers_and_body_are_as_written(vendor, http):
    """A step's body and headers are sent as they are; None leaves a usual header out."""
    headers = {"X-One": "é ü", "Content-Type": "text/plain", "Date": None}
    await vendor.play(Script(default=(Step(207, headers=headers, body="not {json"),)))
    async with http.post(vendor.url, json=row("a")) as answer:
        assert (answer.status, await answer.text()) == (207, "not {json")
        assert answer.headers["X-One"] == "é ü"
        assert answer.headers.getall("Content-Type") == ["text/plain"]
        assert "Date" not in answer.headers


@pytest.mark.parametrize("text", ["2", "3600", "-1", "nan", "1e999", "soon", ""])
async def test_any_retry_after(vendor, http, text):
    """Retry-After is any text."""
    await vendor.play(Script(default=(Step(429, retry_after=text),)))
    async with http.post(vendor.url, json=row("a")) as answer:
        assert (answer.status, answer.headers["Retry-After"]) == (429, text)


async def test_dates_of_a_skewed_clock(vendor, http):
    """A Retry-After date is on the clock of the answer's Date, which may be wrong."""
    await vendor.play(Script(default=(Step(429, retry_date=5, skew=-86_400),)))
    async with http.post(vendor.url, json=row("a")) as answer:
        date, until = (
            mktime_tz(parsedate_tz(answer.headers[name])) for name in ("Date", "Retry-After")
        )
    assert until - date == 5
    assert abs(date + 86_400 - time.time()) < 5


async def test_redirects(vendor, http):
    """A redirect says where to."""
    step = Step(307, headers={"Location": "http://169.254.169.254/"})
    await vendor.play(Script(default=(step,)))
    async with http.post(vendor.url, json=row("a"), allow_redirects=False) as answer:
        assert (answer.status, answer.headers["Location"]) == (307, "http://169.254.169.254/")


async def test_no_body_where_there_is_none(vendor, http):
    """204 and the answer to HEAD have no body, and the connection is good for more."""
    await vendor.play(Script(default=(Step(204), TAKEN)))
    assert await send(http, vendor, "a") == 204
    async with http.head(vendor.url) as answer:
        assert answer.status == 200
    assert await send(http, vendor, "a") == 200
    assert len({arrival.connection for arrival in vendor.arrivals()}) == 1


async def test_a_delay(vendor, http):
    """What is delayed is logged and taken at once, and answered later."""
    await vendor.play(Script(default=(Step(delay=0.05),)))
    started = time.monotonic()
    assert await send(http, vendor, "a") == 200

    [arrival] = vendor.arrivals()
    assert arrival.at - started < 0.04
    assert time.monotonic() - started >= 0.05


@pytest.mark.parametrize("taken", [True, False])
@pytest.mark.parametrize("do", ["reset", "close", "hang"])
async def test_no_answer(vendor, http, do, taken):
    """Instead of an answer comes a reset, an end, or nothing; the request is taken or not."""
    await vendor.play(Script(default=(Step(do=do, taken=taken), TAKEN)))
    expected = {
        "reset": aiohttp.ClientOSError,
        "close": aiohttp.ServerDisconnectedError,
        "hang": TimeoutError,
    }[do]
    with pytest.raises(expected):
        await send(http, vendor, "a", timeout=aiohttp.ClientTimeout(0.05 if do == "hang" else 5))
    assert await send(http, vendor, "a") == 200

    seen = [(arrival.answer, arrival.taken) for arrival in vendor.arrivals()]
    assert seen == [(do, taken), ("200", True)]


async def test_some_rows_are_rejected(vendor, http):
    """Rejected rows stand under errors, and in a line of their own; the others are taken."""
    await vendor.play(Script(rows={"b": (Step(do="reject"),)}))
    async with http.post(vendor.url, json=[row("a"), row("b"), row("c")]) as answer:
        assert answer.status == 200
        body = await answer.json()
    assert body == {"taken": 2, "errors": [{"id": "b", "reason": "rejected"}]}
    await send(http, vendor, "b")

    good, bad, alone = vendor.arrivals()
    assert (good.ids, good.taken, good.answer) == (("a", "c"), True, "200")
    assert (bad.ids, bad.taken, bad.answer) == (("b",), False, "reject")
    assert (good.at, good.connection) == (bad.at, bad.connection)
    assert (alone.ids, alone.taken, alone.answer) == (("b",), False, "reject")


async def test_a_poison_row_refuses_its_batch(vendor, http):
    """Any request that holds a row whose step refuses is refused whole; others are taken."""
    await vendor.play(Script(rows={"3": (Step(400),)}))
    answers = [await send(http, vendor, *ids) for ids in ((1, 2, 3, 4), (1, 2), (3, 4), (3,), (4,))]
    assert answers == [400, 200, 400, 400, 200]
    assert [arrival.taken for arrival in vendor.arrivals()] == [each == 200 for each in answers]


def test_each_row_goes_through_its_steps():
    """A row takes the next step of its own list or of the default one; the last one repeats."""
    play = Play(Script(default=(Step(503), TAKEN), rows={"a": (Step(429), Step(500), Step(201))}))
    assert statuses(play, "a", times=4) == [429, 500, 201, 201]
    assert statuses(play, "b", times=3) == [503, 200, 200]
    assert statuses(play, "c") == [503]


def test_every_row_of_a_request_counts():
    """A row's steps pass with every request that carries it, whatever decides about that."""
    play = Play(Script(rows={"a": (Step(500), Step(501), TAKEN), "b": (Step(400), Step(404))}))
    assert statuses(play, "a", "b") == [500]
    assert statuses(play, "b", "a") == [404]
    assert statuses(play, "x", "a") == [200]
    unnamed = Play(Script(default=(Step(503), TAKEN)))
    assert [*statuses(unnamed, "x", "y"), *statuses(unnamed, "y")] == [503, 200]


def test_requests_without_rows_have_their_own_steps():
    """Requests that carry no row use up no row's step; each method and path counts for itself."""
    play = Play(Script(default=(Step(503),), others=(Step(401), TAKEN)))
    decided = [play.decide((), other).step.status for other in ("GET /", "GET /", "OPTIONS /")]
    assert decided == [401, 200, 401]
    assert Play(Script(default=(Step(503),))).decide((), "GET /").step.status == 200


def test_chances_replay_from_their_seed():
    """The same seed draws the same for a row's same attempt, in any order; another does not."""
    steps = (Chance(3, TAKEN), Chance(1, Step(503)), Chance(1, Step(do="reset")))
    rows = [str(number) for number in range(300)]

    def drawn(seed, order):
        play = Play(Script(chances=steps, seed=seed))
        return {(row, n): play.decide([row]).step.name for n in range(2) for row in order}

    first = drawn(1, rows)
    assert first == drawn(1, rows[::-1]) != drawn(2, rows)
    shares = [list(first.values()).count(name) for name in ("200", "503", "reset")]
    assert shares == [pytest.approx(share, abs=45) for share in (360, 120, 120)]
    assert any(first[row, 0] != first[row, 1] for row in rows)


def test_named_rows_take_no_chances():
    """A row's own list comes before what is drawn."""
    play = Play(Script(rows={"a": (TAKEN,)}, chances=(Chance(1, Step(503)),)))
    assert statuses(play, "a", "b") == [503]
    assert statuses(play, "a") == [200]


def test_a_rate_limits_each_second():
    """So many requests pass in a second, after a pause as many as the burst, the rest get 429."""
    now = [100.0]
    play = Play(
        Script(default=(Step(201), TAKEN), rate=Rate(2, burst=3, retry_after="7")),
        clock=lambda: now[0],
    )
    assert statuses(play, "a", times=4) == [201, 200, 200, 429]
    now[0] += 1.1
    assert statuses(play, "b", times=3) == [201, 200, 429]
    now[0] += 60
    assert statuses(play, "b", times=4) == [200, 200, 200, 429]
    excess = play.decide(["c"]).step
    assert (excess.retry_after, excess.takes) == ("7", False)
    now[0] += 1
    assert statuses(play, "c") == [201]


async def test_a_rate_on_the_wire(vendor, http):
    """What is beyond the rate is answered 429 with Retry-After, logged, and not taken."""
    await vendor.play(Script(rate=Rate(1)))
    answers = sorted([await send(http, vendor, each) for each in "abc"])
    assert answers[-1] == 429
    assert [a.taken for a in vendor.arrivals()] == [a.answer == "200" for a in vendor.arrivals()]


async def test_a_script_is_replaced_while_running(vendor, http):
    """A new script begins anew, and its arrival is not logged; a false one is refused."""
    script = Script(default=(Step(503), TAKEN))
    for _ in range(2):
        await vendor.play(script)
        assert await send(http, vendor, "a") == 503
    with pytest.raises(ValueError, match="status"):
        await vendor.play(Script(default=(Step(99),)))
    with pytest.raises(ValueError, match="length >= 1"):
        await vendor.play(Script(rows={"a": ()}))
    assert await send(http, vendor, "a") == 200
    assert len(vendor.arrivals()) == 3


async def test_a_script_is_small_json(vendor, http):
    """A script can be put by hand, in a few words."""
    script = {"rows": {"7": [{"status": 429, "retry_after": "2"}, {"do": "hang", "taken": True}]}}
    async with http.put(f"{vendor.url}/_script", data=json.dumps(script)) as answer:
        assert answer.status == 200
    assert await send(http, vendor, 7) == 429
    assert msgspec.json.decode(msgspec.json.encode(Script())) == {}


async def test_what_is_no_request(vendor):
    """What cannot be read is not logged; what is not HTTP is answered 400."""
    host, port = vendor.url.removeprefix("http://").split(":")
    cut = b"POST / HTTP/1.1\r\nContent-Length: 99\r\n\r\n{"
    for sent, answered in ((b"nonsense\r\n\r\n", b"HTTP/1.1 400"), (cut, b"")):
        reader, writer = await asyncio.open_connection(host, port)
        writer.write(sent)
        writer.write_eof()
        assert (await reader.read())[:12] == answered
        writer.close()
        await writer.wait_closed()
    assert vendor.arrivals() == []


async def test_chunked_requests(vendor, http):
    """A body that comes in chunks is read as any other."""

    async def pieces():
        yield b'{"id": '
        yield b'"a"}'

    async with http.post(vendor.url, data=pieces()) as answer:
        assert answer.status == 200
    assert [arrival.ids for arrival in vendor.arrivals()] == [("a",)]


async def test_a_kill_loses_nothing(tmp_path, http):
    """What was received is in the log after a kill; a restart goes on with it, on the same port."""
    async with Vendor(tmp_path / "log") as vendor:
        url = vendor.url
        await vendor.play(Script(default=(Step(do="hang", taken=True),)))
        sending = asyncio.create_task(send(http, vendor, "a"))
        while not vendor.arrivals():  # noqa: ASYNC110 - another process brings it about
            await asyncio.sleep(0.005)
        vendor.stop()
        with pytest.raises(aiohttp.ClientError):
            await sending
        await asyncio.to_thread(vendor.start)
        assert vendor.url == url
        assert await send(http, vendor, "b") == 200

    assert [(arrival.ids, arrival.taken) for arrival in vendor.arrivals()] == [
        (("a",), True),
        (("b",), True),
    ]
    with pytest.raises(RuntimeError):
        _ = vendor.pid


def test_it_ends_with_its_starter_and_with_a_signal(tmp_path):
    """The process ends by itself when its standard input does, or when it is told to."""
    (tmp_path / "script").write_text('{"default": [{"status": 503}]}')
    command = [sys.executable, "-m", "destination.testing.vendor", "--log", str(tmp_path / "log")]
    command += ["--attached", "--script", str(tmp_path / "script")]
    for told in (lambda p: p.stdin.close(), lambda p: p.send_signal(signal.SIGTERM)):
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            try:
                assert process.stdout.readline().startswith(b"http://127.0.0.1:")
                told(process)
                assert process.wait(5) == 0
            finally:
                process.kill()


def test_a_failed_start_is_an_error(tmp_path):
    """A vendor that cannot start raises, and leaves no process."""
    vendor = Vendor(tmp_path / "missing" / "log")
    with pytest.raises(RuntimeError, match="did not start"):
        vendor.start()
    with pytest.raises(RuntimeError, match="not running"):
        _ = vendor.pid
