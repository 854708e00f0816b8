"""What can be configured. `carboy.config.load_settings` reads it from config.yaml and the environment.

Every default stands in config.yaml and nowhere else, so that no key has two.
"""

import re
from enum import StrEnum
from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, SecretStr, ValidationInfo, field_validator

from carboy.config.database_urls import parse_url
from carboy.config.keys import options_of


class Environment(StrEnum):
    DEVELOPMENT = "development"
    TESTING = "testing"
    STAGING = "staging"
    PRODUCTION = "production"

    @property
    def is_deployed(self) -> bool:
        """Whether real users depend on it, so that secrets must be secret."""
        return self in {Environment.STAGING, Environment.PRODUCTION}


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    @field_validator("*", mode="before")
    @classmethod
    def _is_boolean_only_where_wanted(cls, value: object, info: ValidationInfo) -> object:
        # YAML reads yes and on as booleans, which pydantic would take for the number one.
        if isinstance(value, bool) and bool not in options_of(cls.model_fields[str(info.field_name)].annotation):
            raise ValueError("YAML reads this as a boolean; put it in quotes")
        return value


ORIGIN = re.compile(
    r"(?!http:.*:80$|https:.*:443$)https?://([a-z0-9_-]+(\.[a-z0-9_-]+)*|\[[0-9a-f:.]+\])(:[1-9][0-9]{0,4})?"
)
"""A scheme, a host and a port that is not the scheme's own, as a browser writes them (RFC 6454 section 6.2)."""

Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]
SecondsOrNone = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class HttpSettings(Section):
    max_body_bytes: int = Field(gt=0)
    spool_bytes: int = Field(ge=0)
    body_memory_bytes: int = Field(ge=0)
    body_bytes_per_second: int = Field(gt=0)
    body_stall_seconds: Seconds
    run_on: Literal["auto", "view", "worker"]
    view_threads: int = Field(gt=0)
    stream_threads: int = Field(ge=0)
    idempotency_hours: int = Field(gt=0, le=8760)
    require_if_match: bool
    special_use_domains: bool
    docs: bool
    compress_min_bytes: int = Field(ge=0)
    cors_origins: tuple[str, ...]
    drain_seconds: SecondsOrNone
    stop_seconds: SecondsOrNone

    @field_validator("cors_origins")
    @classmethod
    def _are_as_browsers_send_them(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        # Anything else would never be equal to the Origin of a request, and the operator would look for the reason.
        for origin in origins:
            if not ORIGIN.fullmatch(origin):
                raise ValueError(
                    f"{origin!r} is no exact origin such as https://app.example.org or http://localhost:3000"
                )
        return origins


class DatabaseSettings(Section):
    url: SecretStr
    pool_size: int = Field(gt=0)
    acquire_timeout: Seconds
    statement_timeout: Seconds
    require_migrated: bool

    @field_validator("url")
    @classmethod
    def _names_a_supported_database(cls, url: SecretStr) -> SecretStr:
        parse_url(url.get_secret_value())
        return url


class LoggingSettings(Section):
    level: Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"]
    format: Literal["json", "console"]

    @field_validator("level", mode="before")
    @classmethod
    def _in_capitals(cls, level: object) -> object:
        return level.upper() if isinstance(level, str) else level


class ClientSettings(Section):
    connect_timeout: Seconds
    read_timeout: Seconds
    total_timeout: Seconds
    attempts: int = Field(gt=0)
    retry_after_max: SecondsOrNone
    max_calls: int = Field(gt=0)
    breaker_failures: int = Field(gt=0)
    breaker_open_seconds: Seconds
    max_answer_bytes: int = Field(gt=0)
    user_agent: str = Field(pattern=r"^[!-~]+( [!-~]+)*$")


MIN_SECRET_LENGTH = 32
"""Characters of a secret key."""


class SecuritySettings(Section):
    secret_key: SecretStr = Field(min_length=MIN_SECRET_LENGTH)
    breached_passwords: bool


class Settings(Section):
    """The kit's sections. An application adds its own in a class that extends this one.

    A section extends `Section` and may hold others. What may be None may be left out: a value, or a section whole.
    """

    variable_prefix: ClassVar[str] = "CARBOY_"
    """What the names of all variables begin with."""

    environment: Environment
    http: HttpSettings
    database: DatabaseSettings
    logging: LoggingSettings
    clients: ClientSettings
    security: SecuritySettings

    _sources: dict[str, str] = PrivateAttr(default_factory=dict)

    def source_of(self, key: str) -> str:
        """Return where the value of a dotted key, such as ``database.url``, comes from."""
        return self._sources.get(key, "set nowhere")
