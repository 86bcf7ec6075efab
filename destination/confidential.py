"""Which texts in settings are credentials."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import parse_qsl, unquote

from pydantic import AnyUrl, BaseModel, SecretBytes, SecretStr

LONG_PATH = 16
"""The path of an address may be a credential when it has so many characters."""

_NAMED = re.compile(
    r"token|secret|passw|signature|credential|cookie|authoriz|api[-_]?key"
    r"|(?:^|[^a-z])(?:key|sig|auth|pwd)(?:$|[^a-z])",
    re.IGNORECASE,
)
_ADDRESS = re.compile(
    r"\s*[a-z][a-z0-9+.-]*://(?:([^/?#@]*)@)?([^/?#]*)([^?]*)\??(.*)", re.I | re.S
)
_TEMPLATE = re.compile(r"\{[{%].*?[%}]\}", re.DOTALL)


def names_secret(name: str) -> bool:
    """Whether what goes by this name, such as a header or a parameter, is a credential."""
    return bool(_NAMED.search(name))


def secrets_in(settings: Any) -> Iterator[str]:
    """
    Every secret in settings.

    These are the hidden values, and those in tables and queries whose names say what they are.
    """
    for name, value in _leaves(settings):
        if isinstance(value, SecretStr | SecretBytes):
            hidden = value.get_secret_value()
            yield from told_by(hidden if isinstance(hidden, str) else hidden.decode("latin-1"))
        elif names_secret(name):
            yield from _literal(value)
        elif address := _ADDRESS.fullmatch(value):
            for parameter, text in parse_qsl(address[4]):
                if names_secret(parameter):
                    yield from _literal(text)


def told_by(secret: str) -> Iterable[str]:
    """What is secret in it: of an address its password, else what stands behind the host."""
    address = _ADDRESS.fullmatch(secret)
    if address is None:
        return (secret,)
    login, host, path, query = address.groups()
    password = (login or "").partition(":")[2]
    parts = (password, unquote(password)) if password else (path.strip("/"), query)
    return tuple(filter(None, parts)) or (host,)


def paths_in(settings: Any) -> Iterator[str]:
    """Every long path of an address in settings: it may be a credential, as a webhook's is."""
    for _, value in _leaves(settings):
        if isinstance(value, str) and (address := _ADDRESS.fullmatch(value)):
            parts = (part.strip("/ ") for part in _TEMPLATE.split(address[3]))
            yield from (part for part in parts if len(part) >= LONG_PATH)


def _leaves(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Every text, hidden or not; one of a table with its name."""
    match value:
        case str() | SecretStr() | SecretBytes():
            yield name, value
        case AnyUrl():
            yield name, str(value)
        case _:
            for key, inner in _inside(value, name):
                yield from _leaves(inner, key)


def _inside(value: Any, name: str) -> Iterable[tuple[str, Any]]:
    match value:
        case BaseModel():
            return (("", inner) for _, inner in value)
        case Mapping():
            return ((str(key), inner) for key, inner in value.items())
        case list() | tuple() | set() | frozenset():
            return ((name, inner) for inner in value)
    return ()


def _literal(text: str) -> Iterator[str]:
    """A value that is written out, and comes of no row."""
    if not _TEMPLATE.search(text):
        yield text.split(" ", 1)[-1]  # of a header the scheme is none
