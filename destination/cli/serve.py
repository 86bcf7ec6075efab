"""``destination serve``."""

import asyncio
import gc
import signal
import sys
from pathlib import Path
from typing import Any

import click
import structlog

from destination import logs
from destination.app import ADMISSION, PREFIX, build
from destination.cli import CONFIGURATION, Stop, config_option
from destination.cli.sandbox import stand_ins
from destination.errors import ConfigError
from destination.listen import listening
from destination.log_writer import unblocked
from destination.settings import Settings, load
from destination.state import IN_MEMORY

log = structlog.get_logger()


@click.command("serve")
@config_option
@click.option(
    "--sandbox",
    is_flag=True,
    help="Also start the vendors' local stand-ins, with a destination to each.",
)
def serve_command(config: str | None, *, sandbox: bool) -> None:
    """
    Run the server until SIGTERM or Ctrl-C.

    \b
    HOST, PORT           where to listen (default 127.0.0.1:8000; with PORT alone, everywhere)
    DESTINATION_TOKEN    the secret that Hightouch sends; needed to listen beyond loopback
    LOG_LEVEL            debug, info (default), warning or error
    LOG_FORMAT           json or console
    """  # noqa: D301 - click reads it as a mark
    try:
        settings = load(Path(config) if config else None)
        with unblocked(sys.stderr) as file:
            logs.configure(level=settings.log_level, format=settings.log_format, file=file)
            asyncio.run(_serve(settings, sandbox=sandbox))
    except ConfigError as error:
        raise Stop("The server cannot start.", error.message, _HINT, CONFIGURATION) from None
    except OSError as error:
        raise Stop(
            "The server cannot listen.",
            error.strerror or str(error),
            "Choose another address with HOST and PORT.",
            CONFIGURATION,
        ) from None


GRACE = 0.5
"""Seconds that connections have to end after the last call was answered; aiohttp takes it twice."""

_HINT = "Settings are explained by: destination describe KIND, and destination serve --help."


async def _serve(settings: Settings, *, sandbox: bool) -> None:
    stop = asyncio.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    async with stand_ins(sandbox) as reached:
        merged: dict[str, Any] = {name: each.settings for name, each in reached.items()}
        merged |= settings.destinations
        if not merged:
            raise ConfigError(
                "No destination is configured: write destinations.toml, set "
                "DESTINATIONS__NAME__KIND, or try with --sandbox."
            )
        settings = settings.model_copy(update={"destinations": merged})
        if sandbox and not settings.state_url:
            # Stand-ins start empty each time: what they held before must not count as delivered.
            settings = settings.model_copy(update={"state_url": IN_MEMORY})
        app = build(settings)
        # What is there now stays; a call of many rows should not have all of it looked through.
        gc.freeze()
        gc.set_threshold(50_000, 20, 50)
        host, port = settings.address
        async with listening(app, host, port, grace=GRACE) as url:
            log.info(
                "server.started",
                url=url,
                destinations={name: f"{url}{PREFIX}/{name}" for name in merged},
            )
            for each in reached.values():
                log.info(
                    "sandbox.started",
                    kind=each.kind,
                    url=each.url,
                    holds=f"{each.url}/_sandbox/rows",
                    token=each.token,
                )
            await stop.wait()
            log.info("server.stopping")
            await app[ADMISSION].drained(settings.server.drain)
    log.info("server.stopped")
