"""What is done for every record of a batch harms only the record at which it fails."""

import asyncio

from structlog.testing import capture_logs

from destination import RateLimited, Record, RowError, each
from destination.deadline import ABOUT
from destination.errors import NoAnswer
from destination.testing.clock import run_virtually

RECORDS = [Record(position, position, {}, {}) for position in range(4)]


def test_an_error_is_its_records():
    """A record at which an error is raised is rejected with it, and no other."""

    async def act(record):
        await asyncio.sleep(1)
        if record.position == 1:
            raise RowError("no")
        if record.position == 3:
            raise RateLimited("later")

    async def scenario():
        return await each(RECORDS, act), asyncio.get_running_loop().time()

    rejections, seconds = run_virtually(scenario())

    assert [(one.position, one.error.message) for one in rejections] == [(1, "no"), (3, "later")]
    assert seconds == 1


def test_a_bug_is_its_records():
    """An exception that nobody foresaw costs its record only, and keeps its text to itself."""

    async def act(record):
        if record.position == 2:
            raise KeyError("hunter2")

    with capture_logs() as logs:
        [rejection] = run_virtually(each(RECORDS, act))

    assert rejection.position == 2
    assert isinstance(rejection.error, NoAnswer)
    assert "hunter2" not in rejection.error.reason + str(logs)


def test_each_knows_what_it_is_about():
    """What is done for a record, and what that does in turn, is about its row alone."""
    about = {}

    async def act(record):
        await asyncio.create_task(ask(record))

    async def ask(record):
        about[record.position] = list(ABOUT.get())

    run_virtually(each(RECORDS, act))

    assert about == {position: [position] for position in range(4)}
