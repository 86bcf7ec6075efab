"""The operator's settings: one file, with the environment above it."""

import json
import os
import re
import tomllib
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    StringConstraints,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from destination.errors import ConfigError
from destination.problems import explained
from destination.strict import Size
from destination.sync import unknown

DEFAULT_FILE = Path("destinations.toml")
SHORTEST_SECRET = 32

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$", max_length=64)]

_REFERENCE = re.compile(r"\$?\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}")


class Server(BaseModel):
    """How the server itself behaves."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, hide_input_in_errors=True, use_attribute_docstrings=True
    )

    deadline: Annotated[float, Field(ge=1, le=280)] = 25.0
    """Seconds; the answer to a call goes out before this."""
    max_body: Size = 32 * 1024**2
    """Bytes of a request's body, inflated."""
    max_rows: Annotated[int, Field(ge=1)] = 10_000
    """Rows in one call."""
    max_calls: Annotated[int, Field(ge=1)] = 32
    """Calls open at once; of several destinations each may have half of them."""
    drain: Annotated[float, Field(ge=1, le=300)] = 25.0
    """Seconds between the signal to stop and the end, in which open calls are answered."""


class Settings(BaseSettings):
    """Everything the operator configures; ``load`` reads it."""

    model_config = SettingsConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True)

    server: Server = Server()
    destinations: dict[Name, dict[str, Any]] = Field(default_factory=dict, repr=False)
    host: str | None = None
    port: Annotated[int, Field(ge=0, le=65535)] | None = None
    destination_token: SecretStr | None = None
    state_url: str = ""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["auto", "json", "console"] = "auto"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment beats the file, which arrives as init values."""
        return env_settings, init_settings

    @field_validator("log_level", mode="before")
    @classmethod
    def _lower(cls, value: Any) -> Any:
        return value.lower() if isinstance(value, str) else value

    @model_validator(mode="after")
    def _secrets_hold(self) -> Self:
        for position, secret in enumerate(self.secrets, 1):
            if len(secret) < SHORTEST_SECRET:
                raise ValueError(
                    f"DESTINATION_TOKEN: secret {position} has {len(secret)} characters, "
                    f"at least {SHORTEST_SECRET} are needed. Make one with: "
                    'python -c "import secrets; print(secrets.token_urlsafe(32))"'
                )
        if not self.secrets and self.address[0] not in {"127.0.0.1", "::1", "localhost"}:
            raise ValueError(
                f"DESTINATION_TOKEN is not set: without a secret the server listens on loopback "
                f"only, not on {self.address[0]}. Set DESTINATION_TOKEN to a secret of at least "
                f"{SHORTEST_SECRET} characters, and send it from Hightouch as a header: "
                "Authorization: Bearer <secret>"
            )
        return self

    @cached_property
    def secrets(self) -> tuple[str, ...]:
        """What callers must send one of; several while rotating."""
        if self.destination_token is None:
            return ()
        return tuple(each.strip() for each in self.destination_token.get_secret_value().split(","))

    @property
    def address(self) -> tuple[str, int]:
        """Where to listen: with PORT set and no HOST, on all interfaces."""
        host = self.host or ("0.0.0.0" if self.port is not None else "127.0.0.1")  # noqa: S104
        return host, 8000 if self.port is None else self.port


def load(path: Path | None = None) -> Settings:
    """
    The settings from the file and the environment.

    Args:
        path: The file; by default DESTINATION_CONFIG, else ``destinations.toml`` if it exists.

    Raises:
        ConfigError: What is wrong, under its name, never with its value.
    """
    return understood(read(path))


def read(path: Path | None = None) -> dict[str, Any]:
    """
    What file and environment say, still to be understood: ``server`` and ``destinations``.

    Raises:
        ConfigError: It cannot be read; all that keeps it from being read, line by line.
    """
    return _merged(_merged(_file(path), _nested(os.environ)), _whole(os.environ))


def understood(document: Mapping[str, Any]) -> Settings:
    """The settings in what was read; raises ConfigError as ``load`` does."""
    try:
        return Settings(**document)
    except ValidationError as error:
        raise ConfigError("\n".join(explained(error, Settings))) from None


def _file(path: Path | None) -> dict[str, Any]:
    chosen = path or (Path(given) if (given := os.environ.get("DESTINATION_CONFIG")) else None)
    if chosen is None:
        if not DEFAULT_FILE.exists():
            return {}
        chosen = DEFAULT_FILE
    try:
        document = tomllib.loads(chosen.read_text("utf-8-sig"))
    except OSError as error:
        raise ConfigError(f"{chosen}: cannot be read: {error.strerror}") from None
    except ValueError as error:  # numbers that are too long raise a bare one
        raise ConfigError(f"{chosen}: is not TOML: {error}") from None
    except RecursionError:
        raise ConfigError(f"{chosen}: is nested too deeply") from None
    known = ("server", "destinations")
    problems = [
        f"{chosen}: {unknown('Setting', key, known)}" for key in document if key not in known
    ]
    try:
        expanded: dict[str, Any] = expand(document, os.environ)
    except ConfigError as error:
        problems += error.message.splitlines()
    if problems:
        raise ConfigError("\n".join(problems))
    return _with_files(expanded, chosen.parent)


def _with_files(document: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Spec files and modules are named as seen from the file that names them."""
    destinations = document.get("destinations", {})
    for values in destinations.values() if isinstance(destinations, dict) else ():
        for name in ("spec", "module") if isinstance(values, dict) else ():
            if isinstance(file := values.get(name), str) and file:
                values[name] = str(folder / file)
    return document


def _nested(environment: Mapping[str, str]) -> dict[str, Any]:
    """``DESTINATIONS__CRM__URL`` and the like; a value that starts as JSON does may be JSON."""
    nested: dict[str, Any] = {}
    for name in sorted(environment):
        top, *path = name.lower().split("__")
        if top not in {"destinations", "server"} or not path:
            continue
        level = nested.setdefault(top, {})
        for part in path[:-1]:
            level = level.setdefault(part, {})
            if not isinstance(level, dict):
                raise ConfigError(f"{name}: is set below another variable that has a value")
        level[path[-1]] = _leaf(name, environment[name])
    return nested


def _whole(environment: Mapping[str, str]) -> dict[str, Any]:
    """``DESTINATIONS`` or ``SERVER``, where one is set whole."""
    whole: dict[str, Any] = {}
    for name in environment:
        if name.lower() in {"destinations", "server"}:
            told = _json(environment[name])
            if not isinstance(told, dict):
                raise ConfigError(f"{name}: it must be a JSON object")
            whole[name.lower()] = told
    return whole


def _leaf(name: str, text: str) -> Any:
    if text[:1] not in {"{", "["}:
        return text
    if (told := _json(text)) is not None:
        return told
    if "{{" in text:
        return text  # a template that gives JSON
    raise ConfigError(f"{name}: starts like JSON and is not")


def _json(text: str) -> Any:
    """What the JSON says; None for what is none."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        under = merged.get(key)
        if isinstance(value, Mapping) and isinstance(under, Mapping):
            value = _merged(under, value)
        merged[key] = value
    return merged


def expand(value: Any, environment: Mapping[str, str]) -> Any:
    """
    ``${NAME}`` and ``${NAME:-default}`` in every string, from the environment.

    ``$${`` is a literal ``${``.

    Raises:
        ConfigError: Each name that is not set, with the place that needs it.
    """
    missing = list[str]()
    expanded = _expanded(value, environment, "", missing)
    if missing:
        raise ConfigError("\n".join(missing))
    return expanded


def _expanded(value: Any, environment: Mapping[str, str], where: str, missing: list[str]) -> Any:
    if isinstance(value, Mapping):
        return {
            key: _expanded(inner, environment, f"{where}.{key}" if where else key, missing)
            for key, inner in value.items()
        }
    if isinstance(value, list):
        return [
            _expanded(inner, environment, f"{where}[{place}]", missing)
            for place, inner in enumerate(value)
        ]
    if not isinstance(value, str):
        return value

    def replaced(match: re.Match[str]) -> str:
        if match[0].startswith("$$"):
            return match[0][1:]
        found: str | None = environment.get(match[1], match[2])
        if found is None:
            missing.append(f"{where}: the environment variable {match[1]} is not set")
        return found or ""

    return _REFERENCE.sub(replaced, value)
