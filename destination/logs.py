"""Logs: one JSON object a line, or colours on a terminal. Rows, bodies and secrets never go in."""

import logging
import sys
from typing import Any

import msgspec
import structlog

from destination.log_writer import LogWriter

QUIET = ("httpx", "httpcore", "aiohttp.access", "aiohttp.client", "jsonrpcserver")
"""Loggers that would write URLs, exceptions or values."""


def configure(*, level: str, format: str, file: LogWriter | None = None) -> None:
    """
    Write to the file, or to standard error, from now on.

    Args:
        level: A level's name, such as ``info``.
        format: ``json``, ``console``, or ``auto``: console on a terminal.
    """
    out: Any = file or sys.stderr or LogWriter(None)
    console = format == "console" or (format == "auto" and out.isatty())
    number = logging.getLevelNamesMapping()[level.upper()]
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    renderer: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer()
        if console
        else structlog.processors.JSONRenderer(serializer=_json)
    )
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.WriteLoggerFactory(file=out),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(out)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, _without_exception],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    logging.basicConfig(handlers=[handler], level=number, force=True)
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)


def _json(event: Any, **_: Any) -> str:
    return msgspec.json.encode(event, enc_hook=str).decode()


def _without_exception(
    _: Any, __: str, event: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    """A library's traceback may quote what it was working on; its type is enough."""
    record: logging.LogRecord | None = event.get("_record")
    event.pop("exc_info", None)
    event.pop("stack_info", None)
    if record is not None and record.exc_info:
        error = record.exc_info[0]
        record.exc_info = record.exc_text = None
        event["error"] = error.__name__ if error else "unknown"
    return event
