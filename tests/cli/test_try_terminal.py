"""``destination try`` at a terminal: its colours, and Ctrl-C."""

import asyncio
import json
from pathlib import Path

from aiohttp import web
from echo import Echo, Sent, echoing
from terminal import Terminal

ANN, BEN = "id=1 email=ann@example.com", "id=2 email=ben@example.com"


def settings(echo: Echo) -> str:
    """A webhook that sends there one row after another."""
    hook = {"kind": "webhook", "url": f"{echo.url}/rows", "allow_private_networks": True}
    return json.dumps({"crm": hook | {"concurrency": 1}})


async def test_a_dry_run_on_a_terminal(tmp_path: Path) -> None:
    """What a person sees has the request, and the row's outcome."""

    def person() -> tuple[int, str]:
        with Terminal(
            tmp_path, "try", "crm", "--row", ANN, DESTINATIONS=settings(echo)
        ) as terminal:
            return terminal.ends(), terminal.text

    async with echoing() as echo:
        code, text = await asyncio.to_thread(person)

    assert code == 0
    for part in ("Request 1 · row 1\n", '    "id": "1",\n', "  → not sent\n", "│ would be sent"):
        assert part in text


async def test_ctrl_c_stops_and_tells_what_is_known(tmp_path: Path) -> None:
    """A row whose request is under way may have been delivered; one that waits was not sent."""
    asked, over = asyncio.Event(), asyncio.Event()

    async def silent(_: web.Request) -> web.Response:
        asked.set()
        await over.wait()
        return web.Response()

    async with echoing() as echo:
        echo.pause = silent
        with Terminal(
            tmp_path,
            *("try", "crm", "--send", "--row", ANN, "--row", BEN),
            DESTINATIONS=settings(echo),
        ) as terminal:
            await asyncio.wait_for(asked.wait(), 30)
            terminal.presses_ctrl_c()
            code = await asyncio.to_thread(terminal.ends)
            text = terminal.text
        over.set()

    assert code == 130
    assert "→ interrupted before it was answered" in text
    assert "│ 1   │ interrupted: may have been delivered │ 1        │" in text
    assert "│ 2   │ interrupted: not sent                │          │" in text
    assert "Error: The try was interrupted." in text
    assert "Traceback" not in text


async def test_the_exit_code_says_whether_rows_were_rejected(tmp_path: Path) -> None:
    """A vendor that refuses makes it 1."""

    def refused(_: Sent) -> web.Response:
        return web.Response(status=422)

    def person() -> tuple[int, str]:
        with Terminal(
            tmp_path, "try", "crm", "--send", "--row", ANN, DESTINATIONS=settings(echo)
        ) as terminal:
            return terminal.ends(), terminal.text

    async with echoing(refused) as echo:
        code, text = await asyncio.to_thread(person)

    assert code == 1
    assert "→ 422 Unprocessable" in text
    assert "rejected: VENDOR_REJECTED: the vendor answered 422" in text
