"""Options that several commands take, and what is made of their values."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click
import msgspec

from destination.cli import Stop

FILE = click.Path(dir_okay=False, path_type=Path)

query_option = click.option("--query", help="The SQL query that gives the rows, of a SQLite file.")
header_option = click.option(
    "--header",
    "-H",
    "headers",
    multiple=True,
    metavar="NAME:VALUE",
    help="A header to send, such as the secret; repeatable.",
)

_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


def sync_configuration(text: str) -> Mapping[str, Any]:
    """A sync's configuration, of JSON or in a file of it. Raises Stop."""
    if text.lstrip().startswith("{"):
        what, content = "The sync's configuration", text.encode("utf-8", "replace")
    else:
        what, content = text, _content(Path(text))
    try:
        return msgspec.json.decode(content.removeprefix(b"\xef\xbb\xbf"), type=dict[str, Any])
    except (ValueError, RecursionError) as error:
        raise Stop(
            f"{what} cannot be read.",
            f"It is not a JSON object: {error}",
            "Write the sync's configuration as JSON, or name a file of it.",
        ) from None


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        why = error.strerror or ""
    raise Stop(f"{path} cannot be read.", f"{why}.", "Name another file.")


def headers(given: Sequence[str], token: str | None) -> dict[str, str]:
    """
    The headers to send, from ``NAME: VALUE`` each; the token as bearer unless one is given.

    Raises:
        Stop: One cannot be sent; the message does not show its value.
    """
    sent = {}
    for header in given:
        name, colon, value = (part.strip() for part in header.partition(":"))
        if not colon or not _HEADER_NAME.fullmatch(name):
            raise _unsendable("A header has no name that can be sent.")
        if not value.isascii() or not value.isprintable():
            raise _unsendable(f"The value of header {name} has characters that cannot be sent.")
        sent[name] = value
    secret = (token or "").split(",")[0].strip()
    if not secret.isascii() or not secret.isprintable():
        raise _unsendable("The token has characters that cannot be sent.")
    if secret and not any(name.lower() == "authorization" for name in sent):
        sent["Authorization"] = f"Bearer {secret}"
    return sent


def _unsendable(why: str) -> Stop:
    return Stop("The headers cannot be sent.", why, "Write each as 'NAME: VALUE'.")


def unusable(why: str) -> Stop:
    """What to say of a URL that cannot be called."""
    return Stop(
        "The URL cannot be called.", why, "Write it as in: http://127.0.0.1:8000/hightouch/crm"
    )
