"""Exceptions that nobody foresaw: logged under a reference, their text kept back."""

import secrets

import structlog

from destination.errors import Code, NoAnswer

log = structlog.get_logger()


def caught(error: BaseException) -> str:
    """
    What to show for a bug: a reference that stands in the log too, beside where it happened.

    The exception's own text is in neither: it may quote a row or a secret.
    """
    reference = secrets.token_hex(4)
    log.error("bug.caught", reference=reference, error=type(error).__name__, at=_places(error))
    return f"internal error, ref {reference}"


def bug(error: BaseException) -> NoAnswer:
    """The error of a record at which an exception was raised that nobody foresaw."""
    return NoAnswer(f"{caught(error)}; may have been delivered", code=Code.INTERNAL)


def _places(error: BaseException) -> list[str]:
    """The innermost places the exception passed: file, line and function, no values."""
    traceback, places = error.__traceback__, []
    while traceback is not None:
        code = traceback.tb_frame.f_code
        name = code.co_filename.rsplit("/", 1)[-1]
        places.append(f"{name}:{traceback.tb_lineno} {code.co_name}")
        traceback = traceback.tb_next
    return places[-8:]
