"""What can be configured. `carboy.config.load_settings` reads it from config.yaml and the environment.

Every default stands in config.yaml and nowhere else, so that no key has two.
"""

import re
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, ClassVar, Literal, Self

from cronsim import CronSim, CronSimError
from email_validator import validate_email
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    SecretStr,
    ValidationInfo,
    field_validator,
    model_validator,
)

from carboy.config.database_urls import parse_url
from carboy.config.encryption_keys import parse_keys
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

PUBLIC_URL = re.compile(rf"{ORIGIN.pattern}(/[A-Za-z0-9._~-]+)*")
"""An origin, and below it the path where a proxy serves the application, if any."""

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
    trusted_hops: int = Field(ge=0)
    public_url: str | None
    event_heartbeat_seconds: Seconds
    event_stream_seconds: Seconds
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

    @field_validator("public_url")
    @classmethod
    def _is_an_address_to_append_paths_to(cls, url: str | None) -> str | None:
        if url is not None and not PUBLIC_URL.fullmatch(url):
            raise ValueError(f"{url!r} is no address such as https://app.example.org, without a slash at its end")
        return url


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


QUEUE = re.compile(r"([a-z][a-z0-9_-]*):([1-9][0-9]*)")


class JobSettings(Section):
    embedded: bool | None
    queues: tuple[str, ...] = Field(min_length=1)
    lease_seconds: Seconds
    poll_seconds: Seconds
    grace_seconds: SecondsOrNone
    unknown_seconds: SecondsOrNone
    keep_done_hours: int = Field(ge=0)
    keep_dead_days: int = Field(ge=0)

    @field_validator("queues")
    @classmethod
    def _have_names_and_numbers(cls, queues: tuple[str, ...]) -> tuple[str, ...]:
        for queue in queues:
            if not QUEUE.fullmatch(queue):
                raise ValueError(f"{queue!r} is no name and number such as default:10")
        return queues

    @property
    def room(self) -> dict[str, int]:
        """How many jobs of each queue a process runs at once."""
        return {name: int(number) for name, _, number in (queue.partition(":") for queue in self.queues)}

    @property
    def keep_done(self) -> timedelta:
        """How long jobs are kept once they are done."""
        return timedelta(hours=self.keep_done_hours)

    @property
    def keep_dead(self) -> timedelta:
        """How long dead and cancelled jobs are kept."""
        return timedelta(days=self.keep_dead_days)


class RetentionSettings(Section):
    schedule: str | None
    batch_rows: int = Field(gt=0, le=10_000)

    @field_validator("schedule")
    @classmethod
    def _is_a_cron_expression(cls, schedule: str | None) -> str | None:
        if schedule is not None:
            try:
                next(CronSim(schedule, datetime(2026, 1, 1, tzinfo=UTC)))
            except (CronSimError, StopIteration):
                raise ValueError(f"{schedule!r} is no cron expression such as */10 * * * *") from None
        return schedule


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


class MetricsSettings(Section):
    port: int | None = Field(gt=0, le=65535)
    host: str


class TracingSettings(Section):
    endpoint: str | None
    service: str = Field(min_length=1)
    sample_ratio: float = Field(ge=0, le=1)

    @field_validator("endpoint")
    @classmethod
    def _is_an_address_to_append_paths_to(cls, endpoint: str | None) -> str | None:
        if endpoint is not None and not PUBLIC_URL.fullmatch(endpoint):
            raise ValueError(f"{endpoint!r} is no address such as http://collector:4318, without a slash at its end")
        return endpoint


DSN = re.compile(r"https?://[^@/\s]+@[^@/\s]+/([^@/\s]+/)*[0-9]+")
"""Where Sentry takes reports: a public key, a host, and the number of a project."""


class SentrySettings(Section):
    dsn: SecretStr | None
    release: str | None

    @field_validator("dsn")
    @classmethod
    def _is_a_dsn(cls, dsn: SecretStr | None) -> SecretStr | None:
        if dsn is not None and not DSN.fullmatch(dsn.get_secret_value()):
            raise ValueError("this is no DSN such as https://key@sentry.example.org/1")
        return dsn


MIN_SECRET_LENGTH = 32
"""Characters of a secret key."""


class SecuritySettings(Section):
    secret_key: SecretStr = Field(min_length=MIN_SECRET_LENGTH)
    breached_passwords: bool
    encryption_keys: SecretStr | None

    @field_validator("encryption_keys")
    @classmethod
    def _are_keys(cls, keys: SecretStr | None) -> SecretStr | None:
        if keys is not None:
            parse_keys(keys.get_secret_value())
        return keys


OWASP_MEMORY_KIB, OWASP_ITERATIONS = 19456, 2
"""The least that argon2id is to cost (OWASP Password Storage Cheat Sheet); other pairs of that sheet cost the same."""


class PasswordSettings(Section):
    memory_kib: int = Field(ge=8)
    iterations: int = Field(ge=1)
    parallelism: int = Field(ge=1)
    threads: int = Field(gt=0)
    queue: int = Field(ge=0)
    min_length: int = Field(ge=8)
    min_length_with_second_factor: int = Field(ge=8)
    max_length: int = Field(ge=64, le=4096)
    min_score: int = Field(ge=0, le=4)
    own_words: tuple[str, ...]

    @model_validator(mode="after")
    def _has_memory_for_each_lane(self) -> Self:
        if self.memory_kib < 8 * self.parallelism:
            raise ValueError("memory_kib must be at least 8 for each lane of parallelism (RFC 9106 section 3.1)")
        return self


class LimitSettings(Section):
    enabled: bool
    redis_url: SecretStr | None
    rates: tuple[str, ...]


class MailSettings(Section):
    transport: Literal["smtp", "files", "memory"] | None
    sender: str | None
    host: str | None
    port: int = Field(gt=0, le=65535)
    security: Literal["starttls", "tls", "none"]
    user: str | None
    password: SecretStr | None
    connect_seconds: Seconds
    total_seconds: Seconds
    folder: Path

    @field_validator("sender")
    @classmethod
    def _is_an_address(cls, sender: str | None) -> str | None:
        if sender is not None:
            validate_email(sender, allow_display_name=True, check_deliverability=False)
        return sender

    @model_validator(mode="after")
    def _has_all_that_its_transport_needs(self) -> Self:
        if self.transport is not None and self.sender is None:
            raise ValueError("a sender is missing")
        if self.transport == "smtp" and self.host is None:
            raise ValueError("the host of the mail server is missing")
        if (self.user is None) != (self.password is None):
            raise ValueError("user and password go together")
        if self.password is not None and self.security == "none":
            raise ValueError("a password is not sent without TLS; set security to starttls or tls")
        return self


class Settings(Section):
    """The kit's sections. An application adds its own in a class that extends this one.

    A section extends `Section` and may hold others. What may be None may be left out: a value, or a section whole.
    """

    variable_prefix: ClassVar[str] = "CARBOY_"
    """What the names of all variables begin with."""

    environment: Environment
    http: HttpSettings
    database: DatabaseSettings
    jobs: JobSettings
    retention: RetentionSettings
    logging: LoggingSettings
    clients: ClientSettings
    metrics: MetricsSettings
    tracing: TracingSettings
    sentry: SentrySettings
    security: SecuritySettings
    passwords: PasswordSettings
    limits: LimitSettings
    mail: MailSettings

    _sources: dict[str, str] = PrivateAttr(default_factory=dict)

    @field_validator("passwords")
    @classmethod
    def _cost_enough_where_deployed(cls, passwords: PasswordSettings, info: ValidationInfo) -> PasswordSettings:
        environment = info.data.get("environment")
        cost = passwords.memory_kib * passwords.iterations
        if environment is not None and environment.is_deployed and cost < OWASP_MEMORY_KIB * OWASP_ITERATIONS:
            raise ValueError(
                f"memory_kib times iterations must be at least {OWASP_MEMORY_KIB * OWASP_ITERATIONS}, or a stolen"
                " database is guessed too fast"
            )
        return passwords

    @field_validator("mail")
    @classmethod
    def _reaches_people_who_depend_on_it(cls, mail: MailSettings, info: ValidationInfo) -> MailSettings:
        # What is wrong itself is not there, and is told by itself.
        environment, http = info.data.get("environment"), info.data.get("http")
        if mail.transport is None or environment is None or not environment.is_deployed:
            return mail
        if environment is Environment.PRODUCTION and mail.transport != "smtp":
            raise ValueError(
                f"{mail.transport} reaches nobody; the transport of production is smtp, or null for no mail"
            )
        if http is not None and http.public_url is None:
            raise ValueError("links in mails begin with http.public_url, which is missing")
        return mail

    def source_of(self, key: str) -> str:
        """Return where the value of a dotted key, such as ``database.url``, comes from."""
        return self._sources.get(key, "set nowhere")
