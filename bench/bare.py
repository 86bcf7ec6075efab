"""
A bare server for what cannot be left out of a call: the body is taken, the mapped columns of its
rows are decoded, and each becomes a record. Nothing is checked, coerced, limited or reported.

Run as a process of its own: it prints its port.
"""

import asyncio
import gc
from typing import Any

import msgspec
from aiohttp import web

from bench.processes import end_of_input
from bench.rows import MAPPED
from destination import Record


class Row(msgspec.Struct):
    """Its id and its mapped columns; others are passed over."""

    id: int
    email: Any
    first_name: Any
    last_name: Any
    lifetime_value: Any
    signed_up: Any


class Params(msgspec.Struct):
    """Of what they are, only the rows."""

    rows: list[Row]


class Call(msgspec.Struct):
    """A JSON-RPC request."""

    id: msgspec.Raw
    params: Params


_call = msgspec.json.Decoder(Call)


async def answered(request: web.Request) -> web.Response:
    """Every row is accepted."""
    body = bytearray()
    async for piece in request.content.iter_any():
        body += piece
    call = _call.decode(body)
    records = [
        Record(position, row.id, {name: getattr(row, name) for name in MAPPED}, {})
        for position, row in enumerate(call.params.rows)
    ]
    rejected = records[len(call.params.rows) :]
    result = {"rejectedRows": rejected}
    answer = msgspec.json.encode({"jsonrpc": "2.0", "id": call.id, "result": result})
    return web.Response(body=answer, content_type="application/json")


async def main() -> None:
    """Serve until whoever started this has ended it."""
    app = web.Application()
    app.router.add_post("/", answered)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
    print(runner.addresses[0][1], flush=True)
    await end_of_input()
    await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(main())
