"""The transcripts in ``examples/transcripts`` are what a server started with --sandbox answers."""

import json
import re
from pathlib import Path

import pytest
from support import Serve

from destination.cli.sandbox import stand_ins
from destination.protocols.hightouch import METHODS

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "examples" / "transcripts"


def test_there_is_a_transcript_of_each_method() -> None:
    """Each of the nine methods has a request and a response, and nothing else lies there."""
    names = {f"{method}.{part}.json" for method in METHODS for part in ("request", "response")}

    assert {path.name for path in FOLDER.iterdir()} == names


async def test_the_transcripts_replay(serve: Serve) -> None:
    """Sent in the order of a sync, each request gets its response, byte for byte but for layout."""
    async with stand_ins() as reached:
        served = await serve({"webhook": reached["webhook"].settings})
        for method in METHODS:
            request = (FOLDER / f"{method}.request.json").read_bytes()
            response = await served.post(request, "/hightouch/webhook")
            expected = (FOLDER / f"{method}.response.json").read_text("utf-8")
            answered = json.loads(await response.read())
            assert json.dumps(answered, indent=2, ensure_ascii=False) + "\n" == expected, method


@pytest.mark.parametrize("method", METHODS)
def test_the_docs_show_each_transcript(method: str) -> None:
    """``docs/protocol.md`` shows each request and each response as the files have them."""
    page = (ROOT / "docs" / "protocol.md").read_text("utf-8")
    shown = [json.loads(block) for block in re.findall(r"```json\n(.*?)```", page, re.DOTALL)]
    for part in ("request", "response"):
        assert json.loads((FOLDER / f"{method}.{part}.json").read_text("utf-8")) in shown
