"""The operator's settings, of what the file and the environment say."""

import re
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
from destination.settings_file import read
from destination.strict import Size

SHORTEST_SECRET = 32

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$", max_length=64)]


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


def understood(document: Mapping[str, Any]) -> Settings:
    """The settings in what was read; raises ConfigError as ``load`` does."""
    try:
        return Settings(**document)
    except ValidationError as error:
        lines = [
            _VARIABLE.sub(lambda name: name[0].upper(), one) for one in explained(error, Settings)
        ]
        raise ConfigError("\n".join(lines)) from None


_VARIABLE = re.compile(r"^(host|port|state_url|log_level|log_format)(?=:)")
"""How a problem starts with what is a variable of the environment, and of no file."""
