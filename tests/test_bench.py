"""The bench's own arithmetic, its processes and its page; nothing here is timed."""

import asyncio
import itertools
import json
import re
import sys
import tomllib
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bench import accepting, contestants, parts, report, rows
from bench.__main__ import main, parser
from bench.lines import LINES, Line, figure, over
from bench.processes import Broken, Program, started
from bench.rounds import in_turn
from bench.summary import Results, Spread
from bench.trials import TRIALS
from bench.vendor import TAKEN, Connection, Counts
from destination import Batch, Operation
from destination.app import make_instances
from destination.settings import Settings


def sample(**figures: float) -> dict[str, float]:
    return figures


def line(**given: object) -> Line:
    return Line("P0", "what", "slow", **({"value": figure("a"), "wanted": 2.0} | given))


def test_a_spread_is_the_median_and_how_far_the_rounds_went() -> None:
    """Of an even number of rounds the median is between the middle two."""
    assert Spread.of([9.0, 1.0, 4.0, 2.0]) == Spread(3.0, 1.0, 9.0)


@pytest.mark.parametrize(
    ("at_most", "value", "met"),
    [(False, 2.0, True), (False, 1.99, False), (True, 2.0, True), (True, 2.01, False)],
)
def test_a_line_is_met_up_to_and_including_what_is_wanted(
    at_most: bool, value: float, met: bool
) -> None:
    """The bound itself is good enough, whichever side is the better one."""
    assert line(at_most=at_most).met(value) is met


def test_a_line_without_a_bound_is_neither_met_nor_missed() -> None:
    """What is only told is judged by nobody."""
    assert line(wanted=None).met(1.0) is None


def test_ratios_are_made_within_a_round() -> None:
    """A round in which everything was slow does not move the ratio."""
    samples = [sample(ours=200.0, theirs=100.0), sample(ours=20.0, theirs=10.0)]
    results = Results({"slow": samples})
    doubled = line(value=over("ours", "theirs"))

    assert list(results.lines([doubled])) == [(doubled, Spread(2.0, 2.0, 2.0))]
    assert results.figures("slow")["ours"] == Spread(110.0, 20.0, 200.0)


def test_what_was_not_measured_is_not_told() -> None:
    """A line whose trial has no whole round is left out, and missed by nobody."""
    results = Results({"fast": [sample(a=1.0)]})

    assert list(results.lines([line()])) == []
    assert results.missed([line()]) == []


def test_a_missed_line_is_named() -> None:
    """The median decides, not the best round."""
    results = Results({"slow": [sample(a=1.0), sample(a=1.0), sample(a=3.0)]})

    assert results.missed([line(), line(wanted=1.0)]) == ["P0"]


def test_each_round_another_contestant_is_first() -> None:
    """After as many rounds as there are contestants each has been first and last."""
    order: list[str] = []

    def turn(name: str) -> Callable[[], dict[str, float]]:
        return lambda: order.append(name) or {"rows/s": 1.0}

    turns = {name: turn(name) for name in "abc"}
    samples = [in_turn(turns, number, "", lambda _: None) for number in range(3)]

    assert order == ["a", "b", "c", "b", "c", "a", "c", "a", "b"]
    assert samples[0] == {"a, rows/s": 1.0, "b, rows/s": 1.0, "c, rows/s": 1.0}


def test_every_line_has_a_trial_and_every_measure_a_line() -> None:
    """P1 to P11 are all there, each made from a trial that exists."""
    assert list(dict.fromkeys(each.id for each in LINES)) == [f"P{n}" for n in range(1, 12)]
    assert {each.trial for each in LINES} == set(TRIALS)


def test_the_page_has_every_line_and_no_figure_but_the_runs() -> None:
    """Each line stands in the table and is explained; the text without figures has no ratio."""
    results = Results({name: [defaultdict(lambda: 2.0)] for name in TRIALS})
    page = report.page(results, {"processors": "2 × A|B"}, "make bench", 7)

    for each in LINES:
        assert f"| {each.id} | {each.what} |" in page
        assert re.search(rf"^- .*\b{each.id}\b.*\*\*:", page, re.MULTILINE)
    assert "$ make bench\n" in page
    assert "7 rounds" in page
    assert r"2 × A\|B" in page
    assert not re.search(r"\d×|\d rows/s", report.TEXT.read_text("utf-8"))


def test_json_has_every_round(tmp_path: Path) -> None:
    """What was written can be judged again: lines, bounds, and the figures of each round."""
    results = Results({"start": [{"ours, seconds": 0.5, "ours, MiB": 95.0}]})

    report.write_json(results, {"Python": "3"}, tmp_path / "bench.json")

    written = json.loads((tmp_path / "bench.json").read_text())
    assert [(each["id"], each["median"], each["met"]) for each in written["lines"]] == [
        ("P10", 0.5, True),
        ("P10", 95.0, False),
    ]
    assert written["samples"] == {"start": [{"ours, seconds": 0.5, "ours, MiB": 95.0}]}


def test_some_lines_can_be_chosen() -> None:
    """``--only`` takes names in any case; unless it is given there are all."""
    assert {each.id for each in parser().parse_args(["--only", "p1, P4"]).only} == {"P1", "P4"}
    assert parser().parse_args([]).only is LINES


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(["--only", "P12"], "there is no line P12"), (["--repeats", "0"], "at least 1")],
)
def test_what_cannot_be_chosen_is_said(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """An unknown line and a run without rounds are usage errors."""
    with pytest.raises(SystemExit) as exit:
        main(arguments)

    assert exit.value.code == 2
    assert said in capsys.readouterr().err


def test_help_names_every_line(capsys: pytest.CaptureFixture[str]) -> None:
    """``--help`` tells what each line measures."""
    with pytest.raises(SystemExit):
        main(["--help"])

    shown = capsys.readouterr().out
    assert all(each.what in shown for each in LINES)


def test_no_row_comes_twice() -> None:
    """Rows that were delivered already would not be sent, so each call has new ones."""
    calls = [json.loads(rows.call(3))["params"]["rows"] for _ in range(2)]

    assert len({row["id"] for row in itertools.chain(*calls)}) == 6


def test_wide_rows_have_the_same_columns_mapped() -> None:
    """Fifty columns hold the ten, and the five that are mapped stand among these."""
    narrow, wide = rows.row(1), rows.row(1, 50)

    assert (len(narrow), len(wide)) == (10, 50)
    assert narrow.items() <= wide.items()
    assert set(rows.MAPPED) <= set(narrow)


def test_the_servers_configuration_is_accepted() -> None:
    """What the bench writes is a configuration of working destinations."""
    text = contestants.webhook("crm", "http://127.0.0.1:1", "remember = 0")

    assert list(make_instances(Settings(**tomllib.loads(text)))) == ["crm"]


async def test_a_call_takes_longer_than_what_it_says_is_read_in() -> None:
    """What is told of a call's parts was measured of a call that was answered."""
    told = await parts.parts(rows=200, columns=10)

    assert 0 < told["envelope"] < told["call"]
    assert 0 < told["rows"] < told["call"]


async def test_what_accepts_everything_declares_what_is_mapped() -> None:
    """Its fields are those of the rows, typed and required, and it rejects none."""
    plugin = accepting.Accepting(accepting.Settings())
    fields = {field.id: field for field in accepting.Accepting.objects[0].fields}
    batch = Batch(None, "upsert", Operation.ADD, "upsert", accepting.NoOptions(), ())

    assert tuple(fields) == rows.MAPPED
    assert all(field.required for field in fields.values())
    assert await plugin.deliver(batch) == ()


@asynccontextmanager
async def vendor(latency: float = 0.0) -> AsyncIterator[tuple[Counts, int]]:
    counts = Counts()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(counts, latency), "127.0.0.1", 0)
    async with server:
        yield counts, server.sockets[0].getsockname()[1]


async def exchanged(port: int, *pieces: bytes) -> bytes:
    """All that comes back for these pieces."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for piece in pieces:
        writer.write(piece)
        await writer.drain()
    writer.write_eof()
    answered = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answered


def posted(body: bytes) -> bytes:
    return b"POST /rows HTTP/1.1\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)


async def test_the_vendor_takes_requests_in_any_pieces() -> None:
    """Two requests in three pieces are two requests, and every record in them counts."""
    whole = posted(b'[{"fields":{}},{"fields":{}}]') + posted(b'{"fields":{}}')
    async with vendor() as (counts, port):
        answered = await exchanged(port, whole[:20], whole[20:70], whole[70:])

    assert answered == 2 * TAKEN
    assert (counts.requests, counts.records) == (2, 3)


async def test_the_vendor_tells_what_it_took() -> None:
    """A GET is answered with the counts and does not count itself."""
    async with vendor() as (_, port):
        url = f"http://127.0.0.1:{port}"
        assert await asyncio.to_thread(contestants.Vendor(url).records) == 0
        await exchanged(port, posted(b'{"fields":{}}'))
        assert await asyncio.to_thread(contestants.Vendor(url).records) == 1


async def test_the_vendor_refuses_what_it_cannot_read() -> None:
    """A body without a length would be taken for something else; it is refused."""
    async with vendor() as (counts, port):
        told = await exchanged(port, b"POST / HTTP/1.1\r\n\r\n")

    assert told.startswith(b"HTTP/1.1 411")
    assert counts.requests == 0


ECHO = "import sys\nfor line in sys.stdin: print(line, end='', flush=True)"


def test_a_program_answers_line_by_line_and_ends_with_its_block(tmp_path: Path) -> None:
    """A line of JSON for a line of JSON; after the block there is no process."""
    with started("echo", [sys.executable, "-c", ECHO], tmp_path) as program:
        assert program.ask({"rows": 1}) == {"rows": 1}
        assert program.peak() >= program.memory() > 0

    assert program.process.returncode is not None


def test_a_program_ends_when_the_bench_is_interrupted(tmp_path: Path) -> None:
    """Ctrl-C leaves nothing behind."""
    left: list[Program] = []

    def interrupted() -> None:
        with started("echo", [sys.executable, "-c", ECHO], tmp_path) as program:
            left.append(program)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()

    assert left[0].process.returncode is not None


def test_a_program_that_fails_says_why(tmp_path: Path) -> None:
    """Its name and its last words stand in the error."""
    failing = [sys.executable, "-c", "raise SystemExit('no such vendor')"]
    with started("loop", failing, tmp_path) as program, pytest.raises(Broken) as raised:
        program.ask({})

    assert str(raised.value) == "loop ended; it said: no such vendor"


def test_the_peers_are_pinned_and_name_no_registry() -> None:
    """Both packages have exact versions, and the lock says what they are, not where from."""
    pinned = json.loads((contestants.PEERS / "package.json").read_text())["dependencies"]
    locked = json.loads((contestants.PEERS / "package-lock.json").read_text())["packages"]

    for name, version in pinned.items():
        assert locked[f"node_modules/{name}"]["version"] == version
    assert not any("resolved" in each for each in locked.values())
    assert all("integrity" in each for name, each in locked.items() if name)
