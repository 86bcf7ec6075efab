"""What is remembered of a delivery, in a file and in memory, by one process and by several."""

import asyncio
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    rule,
    run_state_machine_as_test,
)

from destination.state.sqlite import CHUNK, SLICES, SqliteStore
from destination.state.store import Claim, Outcome, Standing, StoreError

HOURS = 3600.0
V1, V2 = Claim(b"k" * 16, b"1" * 16), Claim(b"k" * 16, b"2" * 16)
SEND, DELIVERED, UNKNOWN, BUSY = Standing
OUTCOMES = [each for each in Outcome if each is not Outcome.UNDER_WAY]


class Clock:
    """A wall clock and the time that passes, each moved by hand."""

    def __init__(self) -> None:
        self.wall, self.passed = 1e9, 0.0

    def move(self, seconds: float) -> None:
        self.wall += seconds
        self.passed += seconds


@asynccontextmanager
async def store(path: Path | None, clock: Clock | None = None) -> AsyncIterator[SqliteStore]:
    """A store that is open for the block."""
    if clock is None:
        made = SqliteStore(path)
    else:
        made = SqliteStore(path, now=lambda: clock.wall, passing=lambda: clock.passed)
    async with made:
        yield made


@pytest.fixture(params=["file", "memory"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path | None:
    return tmp_path / "state.db" if request.param == "file" else None


async def stands(opened: SqliteStore, *claims: Claim, hold: bool = False) -> list[Standing]:
    return await opened.claim(claims, remember=HOURS, hold=hold)


async def settle(opened: SqliteStore, claim: Claim, outcome: Outcome) -> None:
    await opened.settle([(claim, outcome)], remember=HOURS)


class TestOutcomes:
    """Of each row the latest outcome is known."""

    async def test_the_same_is_delivered_once(self, path):
        """What was delivered stands as delivered, and other content of the row does not."""
        async with store(path) as opened:
            assert await stands(opened, V1) == [SEND]
            await settle(opened, V1, Outcome.DELIVERED)

            assert await stands(opened, V1) == [DELIVERED]
            assert await stands(opened, V2) == [SEND]

    async def test_only_the_latest_outcome_counts(self, path):
        """Content that came, went and comes again is sent again."""
        async with store(path) as opened:
            for each in (V1, V2, V1):
                assert await stands(opened, each) == [SEND]
                await settle(opened, each, Outcome.DELIVERED)

    async def test_what_was_not_sent_leaves_what_was_known(self, path):
        """After a newer version was refused, the older one is still known to have arrived."""
        async with store(path) as opened:
            await stands(opened, V1)
            await settle(opened, V1, Outcome.DELIVERED)
            assert await stands(opened, V2) == [SEND]
            await settle(opened, V2, Outcome.NOT_SENT)

            assert await stands(opened, V1) == [DELIVERED]
            assert await stands(opened, V2) == [SEND]

    async def test_an_unknown_outcome_of_newer_content_ends_what_was_known(self, path):
        """When v2 may have arrived, v1 is sent again: the vendor may no longer hold it."""
        async with store(path) as opened:
            await stands(opened, V1)
            await settle(opened, V1, Outcome.DELIVERED)
            await stands(opened, V2)
            await settle(opened, V2, Outcome.UNKNOWN)

            assert await stands(opened, V1) == [SEND]

    @pytest.mark.parametrize(("hold", "stand"), [(False, SEND), (True, UNKNOWN)])
    async def test_what_may_have_arrived_is_sent_again_or_held(self, path, hold, stand):
        """The same content after an unknown outcome is sent, or held where the operator says so."""
        async with store(path) as opened:
            await stands(opened, V1)
            await settle(opened, V1, Outcome.UNKNOWN)

            assert await stands(opened, V1, hold=hold) == [stand]
            assert await stands(opened, V2, hold=hold) == [SEND]

    async def test_held_content_stays_held_when_other_content_is_not_sent(self, path):
        """A newer version that did not go out leaves the older one's outcome unknown."""
        async with store(path) as opened:
            await stands(opened, V1)
            await settle(opened, V1, Outcome.UNKNOWN)
            await stands(opened, V2, hold=True)
            await settle(opened, V2, Outcome.NOT_SENT)

            assert await stands(opened, V1, hold=True) == [UNKNOWN]

    async def test_a_claim_that_never_went_out_is_no_reason_to_hold(self, path):
        """Where rows are held, one that was claimed and not yet sent is free after a kill."""
        async with store(path) as opened:
            assert await stands(opened, V1, hold=True) == [SEND]
            assert await stands(opened, V1, hold=True) == [SEND]

            await settle(opened, V1, Outcome.UNDER_WAY)
            assert await stands(opened, V1, hold=True) == [UNKNOWN]

    async def test_many_rows_are_one_step(self, path):
        """A call of any size is claimed and settled at once, row by row in its order."""
        claims = [Claim(n.to_bytes(16, "big"), b"c") for n in range(2 * CHUNK + 7)]
        async with store(path) as opened:
            assert await stands(opened, *claims) == [SEND] * len(claims)
            await opened.settle([(each, Outcome.DELIVERED) for each in claims[::2]], remember=HOURS)

            expected = [DELIVERED if n % 2 == 0 else SEND for n in range(len(claims))]
            assert await stands(opened, *claims) == expected


class TestTime:
    """An outcome counts for so long, by a clock that nobody can set back."""

    async def test_an_outcome_ends(self, path):
        """When its time is over a delivery no longer stands against the row."""
        clock = Clock()
        async with store(path, clock) as opened:
            await stands(opened, V1)
            await settle(opened, V1, Outcome.DELIVERED)
            clock.move(HOURS - 1)
            assert await stands(opened, V1) == [DELIVERED]
            clock.move(2)
            assert await stands(opened, V1) == [SEND]

    @pytest.mark.parametrize("step", [-86_400.0, 86_400.0])
    async def test_a_wall_clock_that_is_set_changes_nothing(self, path, step):
        """A day forward or back on the wall neither ends an outcome nor makes it last."""
        clock = Clock()
        async with store(path, clock) as opened:
            await stands(opened, V1)
            await settle(opened, V1, Outcome.DELIVERED)
            clock.wall += step
            assert await stands(opened, V1) == [DELIVERED]
            clock.move(HOURS + 1)
            assert await stands(opened, V1) == [SEND]

    async def test_what_no_longer_counts_is_removed(self, tmp_path):
        """The file does not grow for ever: claims sweep out what has ended, part by part."""
        clock, path = Clock(), tmp_path / "state.db"
        keys = [bytes([n]) * 16 for n in range(0, 256, 5)]
        async with store(path, clock) as opened:
            claims = [Claim(key, b"c") for key in keys]
            await stands(opened, *claims)
            await opened.settle([(each, Outcome.DELIVERED) for each in claims], remember=HOURS)
            clock.move(HOURS + 1)
            for _ in range(SLICES):
                await stands(opened, V1)

        with sqlite3.connect(path) as db:
            assert db.execute("SELECT count(*) FROM deliveries").fetchone() == (1,)
        db.close()


class TestProcesses:
    """Several processes share a file."""

    async def test_a_row_that_another_process_sends_is_busy(self, tmp_path):
        """Only one of two stores on a file has a claim, until it is settled."""
        path = tmp_path / "state.db"
        async with store(path) as one, store(path) as two:
            assert await stands(one, V1) == [SEND]
            assert await stands(two, V1) == [BUSY]
            assert await stands(two, V2) == [BUSY]
            await settle(one, V1, Outcome.DELIVERED)
            assert await stands(two, V1) == [DELIVERED]

    @pytest.mark.parametrize(("hold", "stand"), [(False, SEND), (True, UNKNOWN)])
    async def test_a_claim_outlives_its_process_as_unknown(self, tmp_path, hold, stand):
        """What a process was sending when it was killed may have arrived; nobody waits for it."""
        path = tmp_path / "state.db"
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", CLAIMING, path, stdout=subprocess.PIPE
        )
        assert process.stdout is not None
        assert await process.stdout.readline() == b"claimed\n"
        async with store(path) as opened:
            assert await stands(opened, V1) == [BUSY]
            process.kill()
            await process.wait()

            assert await stands(opened, V1, hold=hold) == [stand]
        assert marks(tmp_path) == []

    async def test_the_dead_leave_no_files(self, tmp_path):
        """The files that say who is alive go with the processes."""
        path = tmp_path / "state.db"
        async with store(path) as opened:
            await stands(opened, V1)
            assert len(marks(tmp_path)) == 1

        assert marks(tmp_path) == []

    async def test_the_marks_of_the_killed_are_removed(self, tmp_path):
        """A process that was killed and that nobody asks after leaves its mark until the next."""
        (tmp_path / "state.db-alive-0123").touch()
        async with store(tmp_path / "state.db"):
            [mark] = marks(tmp_path)

        assert mark.name != "state.db-alive-0123"

    async def test_a_restart_remembers(self, tmp_path):
        """A file holds what was delivered, and the key of all hashes, for the next process."""
        path = tmp_path / "state.db"
        async with store(path) as opened:
            secret = await opened.secret()
            await stands(opened, V1)
            await settle(opened, V1, Outcome.DELIVERED)

        async with store(path) as opened:
            assert await opened.secret() == secret
            assert await stands(opened, V1) == [DELIVERED]
        assert len(secret) == 32

    async def test_only_the_owner_can_read_the_file(self, tmp_path):
        """The file is made for nobody else to read."""
        async with store(tmp_path / "state.db"):
            assert (tmp_path / "state.db").stat().st_mode & 0o077 == 0


def marks(folder: Path) -> list[Path]:
    """The files that say which processes are alive."""
    return list(folder.glob("state.db-alive-*"))


CLAIMING = f"""
import asyncio, sys
from pathlib import Path
from destination.state.sqlite import SqliteStore
from destination.state.store import Claim

async def main():
    async with SqliteStore(Path(sys.argv[1])) as store:
        await store.claim([Claim({V1.key!r}, {V1.content!r})], remember=3600, hold=False)
        print("claimed", flush=True)
        await asyncio.sleep(3600)

asyncio.run(main())
"""


class TestFailure:
    """A store that cannot be used says so, and only so."""

    async def test_a_folder_that_is_not_there(self, tmp_path):
        """Opening a store where there can be none raises StoreError."""
        with pytest.raises(StoreError):
            async with store(tmp_path / "nowhere" / "state.db"):
                pass

    async def test_a_file_that_is_something_else(self, tmp_path):
        """A file that is no database is left as it is."""
        (tmp_path / "state.db").write_bytes(b"not a database, but quite long enough" * 100)
        with pytest.raises(StoreError, match="not a database"):
            async with store(tmp_path / "state.db"):
                pass
        assert (tmp_path / "state.db").read_bytes().startswith(b"not a database")

    async def test_a_file_of_another_version(self, tmp_path):
        """A file whose tables another version made is left as it is."""
        path = tmp_path / "state.db"
        with sqlite3.connect(path) as db:
            db.execute("PRAGMA user_version = 99")
        db.close()

        with pytest.raises(StoreError, match="another version"):
            async with store(path):
                pass

    async def test_a_step_that_fails_leaves_nothing_half_done(self, tmp_path):
        """A claim that cannot be written is not written in part; afterwards the store works."""
        path = tmp_path / "state.db"
        claims = [Claim(n.to_bytes(16, "big"), b"c") for n in range(50)]
        async with store(path) as opened:
            assert await stands(opened, V1) == [SEND]
            other = sqlite3.connect(path, isolation_level=None)
            other.execute("BEGIN EXCLUSIVE")
            with pytest.raises(StoreError):
                await stands(opened, *claims)
            other.execute("ROLLBACK")
            other.close()

            assert await stands(opened, *claims) == [SEND] * 50


class Deliveries(RuleBasedStateMachine):
    """The store against a model of it: what a vendor that never forgets would have seen."""

    keys = st.sampled_from([b"a" * 16, b"b" * 16])
    contents = st.sampled_from([b"1" * 16, b"2" * 16, b"3" * 16])

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.store = SqliteStore(None)
        self.runner.run(self.store.__aenter__())
        self.latest: dict[bytes, tuple[bytes, Outcome]] = {}

    @rule(key=keys, content=contents, outcome=st.sampled_from(OUTCOMES), hold=st.booleans())
    def deliver(self, key: bytes, content: bytes, outcome: Outcome, hold: bool) -> None:
        claim, known = Claim(key, content), self.latest.get(key)
        [standing] = self.runner.run(stands(self.store, claim, hold=hold))

        if known == (content, Outcome.DELIVERED):
            assert standing is DELIVERED
        elif known == (content, Outcome.UNKNOWN) and hold:
            assert standing is UNKNOWN
        else:
            assert standing is SEND
            self.runner.run(settle(self.store, claim, outcome))
            if outcome is not Outcome.NOT_SENT:
                self.latest[key] = (content, outcome)

    @rule(key=keys, content=contents, hold=st.booleans())
    def claim_and_never_settle(self, key: bytes, content: bytes, hold: bool) -> None:
        [standing] = self.runner.run(stands(self.store, Claim(key, content), hold=hold))
        if standing is SEND and not hold:
            self.latest[key] = (content, Outcome.UNKNOWN)

    @invariant()
    def nothing_is_busy(self) -> None:
        """One process never waits for itself."""
        probe = Claim(b"a" * 16, b"probe")
        [standing] = self.runner.run(stands(self.store, probe))
        self.runner.run(settle(self.store, probe, Outcome.NOT_SENT))
        assert standing is SEND

    def teardown(self) -> None:
        self.runner.run(self.store.__aexit__())
        self.runner.close()


def test_whatever_happens_the_latest_outcome_is_known() -> None:
    """The store knows of each row what a model of it knows, in any order of events."""
    steps = settings(max_examples=60, stateful_step_count=20, deadline=None)
    run_state_machine_as_test(Deliveries, settings=steps)
