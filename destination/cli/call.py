"""``destination call``."""

import asyncio
import json
import os
import shlex
import sys
from pathlib import Path
from typing import Any

import click

from destination.cli import FAILED, UNREACHABLE, Stop
from destination.cli.caller import Caller, Unreachable
from destination.cli.options import header_option
from destination.cli.options import headers as headers_to_send
from destination.cli.text import json_text


@click.command("call")
@click.argument("name")
@click.argument("method")
@click.argument("params", default="{}", metavar="[JSON]")
@click.option(
    "--url", default="http://127.0.0.1:8000", show_default=True, help="Where the server is."
)
@header_option
@click.option("--curl", is_flag=True, help="Print the curl line instead of calling.")
def call_command(
    name: str, method: str, params: str, url: str, headers: tuple[str, ...], *, curl: bool
) -> None:
    """
    Make one JSON-RPC call to a running server.

    Prints the response. NAME is the destination, METHOD one of Hightouch's nine (list_objects, add,
    …), JSON the params: text, @FILE, or - for standard input. DESTINATION_TOKEN is sent as the
    secret when it is set. Exits 1 when the response is an error or rejects rows.

    \b
      destination call crm list_fields '{"mode": "upsert"}'
      destination call crm add @request.json --curl
    """  # noqa: D301 - click reads it as a mark
    address = f"{url.rstrip('/')}/hightouch/{name}"
    sent = headers_to_send(headers, os.environ.get("DESTINATION_TOKEN"))
    given = _params(params)
    if curl:
        click.echo(
            _curl(address, sent, {"jsonrpc": "2.0", "id": "1", "method": method, "params": given})
        )
        return
    try:
        response = asyncio.run(_call(address, sent, method, given))
    except Unreachable as error:
        raise Stop("The call failed.", str(error), error.advice, UNREACHABLE) from None
    click.echo(json_text(response))
    result = response.get("result")
    rejected = isinstance(result, dict) and result.get("rejectedRows")
    sys.exit(FAILED if "error" in response or rejected else 0)


async def _call(url: str, headers: dict[str, str], method: str, params: Any) -> dict[str, Any]:
    async with Caller(url, headers) as caller:
        return await caller.send(method, params)


def _params(given: str) -> Any:
    try:
        if given == "-":
            return json.load(sys.stdin)
        return json.loads(Path(given[1:]).read_text("utf-8") if given.startswith("@") else given)
    except OSError as error:
        raise Stop(
            "The params cannot be read.", f"{given[1:]}: {error.strerror}.", "Name another file."
        ) from None
    except ValueError as error:
        raise Stop(
            "The params are not JSON.", f"{error}.", "Write them as one JSON object, or as @FILE."
        ) from None


def _curl(url: str, headers: dict[str, str], body: dict[str, Any]) -> str:
    """The line to paste; the secret stays a variable, so that it is in no history."""
    shown = [
        '-H "Authorization: Bearer $DESTINATION_TOKEN"'
        if name == "Authorization" and value.startswith("Bearer ")
        else f"-H {shlex.quote(f'{name}: {value}')}"
        for name, value in headers.items()
    ]
    content = shlex.quote(json.dumps(body, ensure_ascii=False))
    return " ".join(
        [
            "curl",
            "-sS",
            shlex.quote(url),
            "-H 'Content-Type: application/json'",
            *shown,
            "--data-binary",
            content,
        ]
    )
