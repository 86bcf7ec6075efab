"""What an operator's settings are made of: nothing unknown, single lines, hidden secrets."""

import re
from collections.abc import Sized
from typing import Annotated, Any, TypeVar, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    HttpUrl,
    RootModel,
    SecretStr,
)

_SIZE = re.compile(r"(\d+)\s*(B|KiB|MiB|GiB)?", re.IGNORECASE)
_HEADER_NAME = r"^[A-Za-z0-9!#$%&'*+.^_`|~-]+$"
_UNITS = {"b": 1, "kib": 1024, "mib": 1024**2, "gib": 1024**3}
_FRAMING = frozenset(
    {
        "connection",
        "content-length",
        "expect",
        "host",
        "keep-alive",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)


class Strict(BaseModel):
    """Settings that refuse what they do not know, and whose errors do not quote what they got."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, hide_input_in_errors=True, use_attribute_docstrings=True
    )


def shapes(model: type[BaseModel]) -> tuple[type[BaseModel], ...]:
    """What settings may look like: the model, or each of those in the union of a ``RootModel``."""
    if not issubclass(model, RootModel):
        return (model,)
    return get_args(model.model_fields["root"].annotation)


def _line(value: str) -> str:
    if not (value.isascii() and value.isprintable()):
        raise ValueError("must be one line of printable ASCII characters")
    return value


def _filled(value: str) -> str:
    if not _line(value):
        raise ValueError("must not be empty")
    return value


def _secret(value: SecretStr) -> SecretStr:
    _filled(value.get_secret_value())
    return value


def _without_userinfo(url: HttpUrl | None) -> HttpUrl | None:
    if url and (url.username or url.password):
        raise ValueError("credentials belong into auth, not into the address")
    return url


def _own_header(value: str) -> str:
    if value.lower() in _FRAMING:
        raise ValueError("is a header that the connection itself writes")
    return value


def _header_name(value: Any) -> Any:
    if isinstance(value, str) and not re.fullmatch(_HEADER_NAME, value):
        raise ValueError("is no header's name, which may hold letters, digits and hyphens")
    return value


T = TypeVar("T", bound=Sized)


def _some(value: T) -> T:
    if not value:
        raise ValueError("there must be one")
    return value


Some = AfterValidator(_some)
"""There is at least one. Pydantic's own minimum would count what cannot be read as not there."""


def _size(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    match = _SIZE.fullmatch(value.strip())
    if match is None:
        raise ValueError("must be a number of bytes, or text such as 512KiB or 32MiB")
    return int(match[1]) * _UNITS[(match[2] or "B").lower()]


Size = Annotated[int, BeforeValidator(_size, json_schema_input_type=int | str), Field(gt=0)]
"""Bytes, as a number or as text such as ``32MiB``."""

Line = Annotated[str, AfterValidator(_filled)]
"""One line of printable ASCII, not empty."""

SecretLine = Annotated[SecretStr, AfterValidator(_secret)]
"""A secret that is one line of printable ASCII, not empty."""

HeaderName = Annotated[
    str,
    BeforeValidator(_header_name),
    Field(pattern=_HEADER_NAME),
    AfterValidator(_own_header),
]
"""The name of a header, but of one that says how long a message is or where it goes."""

HeaderValue = Annotated[str, AfterValidator(_line)]
"""The value of a header; it may be empty."""

Address = Annotated[HttpUrl, AfterValidator(_without_userinfo), Field(repr=False)]
"""An absolute http or https URL without credentials; it is not shown, since its path may be one."""

OptionalAddress = Annotated[HttpUrl | None, AfterValidator(_without_userinfo), Field(repr=False)]
"""The same or None: within a union an ``Address`` would be shown."""
