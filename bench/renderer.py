"""
Renders Slack messages by the path that the ``slack`` kind takes for each row.

Run as a process of its own: for each line on its standard input, with a ``template``, ``rows`` and
``times``, it renders the rows so many times and prints what that took.
"""

import json
import sys
import time
from typing import Any

from destination import Batch, Operation, Record
from destinations.slack.form import Options
from destinations.slack.messages import message


def rendered(template: str, rows: list[dict[str, Any]], times: int) -> dict[str, float]:
    """The seconds it took, and how many characters came of it."""
    options = Options(channel="C1", message=template)
    batches = [
        Batch(None, "post_added", Operation.ADD, "post", options, [Record(n, row["id"], {}, row)])
        for n, row in enumerate(rows)
    ]
    characters, began = 0, time.perf_counter()
    for _ in range(times):
        for batch in batches:
            characters += len(message(batch)["text"])
    return {"seconds": time.perf_counter() - began, "characters": characters}


if __name__ == "__main__":
    for line in sys.stdin:
        print(json.dumps(rendered(**json.loads(line))), flush=True)
