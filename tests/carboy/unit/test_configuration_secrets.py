"""Secrets: real ones where real users depend on them, and never in anything that is shown."""

import secrets
import traceback
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path

import pytest
from dependency_injector import providers
from flask import Flask
from support.configuration import CLIENTS, HTTP, JOBS, LIMITS, MAIL, METRICS, PASSWORDS, RETENTION, SENTRY, TRACING

from carboy.config import SettingsError, masked
from carboy.config.settings import Settings
from carboy.testing import override
from containers import Container

Load = Callable[..., Settings]
ProblemsOf = Callable[..., list[str]]

SECRET = "Zq7Secret"
KEY = "CARBOY_SECURITY__SECRET_KEY"
URL = "CARBOY_DATABASE__URL"


@pytest.fixture(params=["staging", "production"])
def deployed(request: pytest.FixtureRequest, production: dict[str, str]) -> dict[str, str]:
    return production | {"CARBOY_ENV": request.param}


def document(*, key: str = "null", url: str = "null") -> str:
    return f"""\
    defaults:
      http: {HTTP}
      passwords: {PASSWORDS}
      limits: {LIMITS}
      metrics: {METRICS}
      tracing: {TRACING}
      sentry: {SENTRY}
      mail: {MAIL}
      database:
        {{url: {url}, pool_size: 1, acquire_timeout: 0.8,
         statement_timeout: 10.0, require_migrated: true}}
      jobs: {JOBS}
      retention: {RETENTION}
      logging: {{level: INFO, format: json}}
      clients: {CLIENTS}
      security: {{secret_key: {key}, breached_passwords: false}}
    profiles: {{}}
    """


def test_real_secrets_from_the_environment_are_accepted(load: Load, deployed: dict[str, str]) -> None:
    assert load(document(), **deployed).security.secret_key.get_secret_value() == deployed[KEY]


def test_real_secrets_from_the_env_file_are_accepted(load: Load, deployed: dict[str, str]) -> None:
    lines = "\n".join(f"{name}={deployed.pop(name)}" for name in (KEY, URL))
    assert load(document(), dotenv=lines, **deployed).source_of("security.secret_key") == f"{KEY} in carboy.env"


def test_missing_secrets_are_all_named(problems_of: ProblemsOf, deployed: dict[str, str]) -> None:
    assert problems_of(document(), CARBOY_ENV=deployed["CARBOY_ENV"]) == [
        f"database.url: missing; set {URL}.",
        f"security.secret_key: missing; set {KEY}.",
    ]


@pytest.mark.parametrize("file_name", ["config.yaml", "settings.yml"])
def test_a_secret_in_the_file_is_refused(problems_of: ProblemsOf, file_name: str, deployed: dict[str, str]) -> None:
    text = document(key="real" * 10, url="postgresql+asyncpg://u:p@h/d")
    assert problems_of(text, file_name=file_name, CARBOY_ENV=deployed["CARBOY_ENV"]) == [
        f"database.url: a secret must not stand in a file (from {file_name}, defaults); set {URL}.",
        f"security.secret_key: a secret must not stand in a file (from {file_name}, defaults); set {KEY}.",
    ]


@pytest.mark.parametrize(
    "sample",
    [
        "sample-key-for-development-only-not-a-secret",
        "this-is-an-EXAMPLE-key-that-is-long-enough",
        "changeme-changeme-changeme-changeme-changeme",
        "please-change-me-please-please-please-please",
        "your-secret-key-of-at-least-32-characters-xx",
    ],
)
def test_a_sample_is_refused(problems_of: ProblemsOf, deployed: dict[str, str], sample: str) -> None:
    assert problems_of(document(), **deployed | {KEY: sample}) == [
        f"security.secret_key: this is a sample, not a secret (from {KEY})."
    ]


@pytest.mark.parametrize(
    ("weak", "reason"),
    [
        ("a" * 32, "it has fewer than 8 different characters"),
        ("0" * 16 + "1" * 16, "it has fewer than 8 different characters"),
        ("passwordpasswordpasswordpassword", "it has fewer than 8 different characters"),
        (" " * 32, "it begins or ends with a blank, which is hardly meant"),
        ("\t" * 40, "it begins or ends with a blank, which is hardly meant"),
        ("Zq7-not-in-any-message-Zq7-not-in-any\n", "it begins or ends with a blank, which is hardly meant"),
        ("12345678" * 4, "it repeats itself"),
        ("0123456789abcdef" * 2, "it repeats itself"),
    ],
)
def test_a_secret_that_is_easy_to_guess_is_refused(
    problems_of: ProblemsOf, deployed: dict[str, str], weak: str, reason: str
) -> None:
    assert problems_of(document(), **deployed | {KEY: weak}) == [f"security.secret_key: {reason} (from {KEY})."]


def test_keys_from_common_generators_are_accepted(load: Load, deployed: dict[str, str]) -> None:
    for make in (secrets.token_urlsafe, secrets.token_hex, lambda size: b64encode(secrets.token_bytes(size)).decode()):
        for _ in range(20):
            key = make(32)
            assert load(document(), **deployed | {KEY: key}).security.secret_key.get_secret_value() == key


@pytest.mark.parametrize("short", ["", "x" * 31])
def test_a_short_secret_is_refused_everywhere(problems_of: ProblemsOf, deployed: dict[str, str], short: str) -> None:
    for environment in (deployed["CARBOY_ENV"], "development"):
        [problem] = problems_of(document(), **deployed | {KEY: short, "CARBOY_ENV": environment})
        assert problem.startswith("security.secret_key: ")
        assert problem.endswith(f" (from {KEY}).")


@pytest.mark.parametrize(
    "variables",
    [
        {KEY: SECRET},
        {URL: SECRET},
        {URL: f"{SECRET}//u@h"},
        {URL: f"mysql://u:{SECRET}@h/d"},
        {URL: f"postgresql+asyncpg://u:{SECRET}@h:port/d"},
        {URL: f"postgresql+asyncpg://u:x/{SECRET}"},
        {"CARBOY_LOGGING__LEVEL": SECRET},
        {"CARBOY_DATABASE__POOL_SIZE": SECRET},
        {"CARBOY_DATABASE__URI": SECRET},
        {"CARBOY_DATABASE_URL": SECRET},
    ],
)
def test_no_error_message_shows_a_value(load: Load, variables: dict[str, str]) -> None:
    with pytest.raises(SettingsError) as raised:
        load(**variables)
    assert SECRET not in "".join(traceback.format_exception(raised.value))


@pytest.mark.parametrize(
    "line",
    [
        f"security: {{secret_key: *{SECRET}}}",
        f'security: {{secret_key: "{SECRET}\\q"}}',
        f"security: {{secret_key: !{SECRET} x}}",
        f"security: {{secret_key: @{SECRET}}}",
        f"security: {{secret_key: {SECRET}",
        f"security: {{secret_key: [{SECRET}]}}",
        f"security: {SECRET}",
    ],
)
def test_no_error_message_shows_a_line_of_the_file(load: Load, line: str) -> None:
    with pytest.raises(SettingsError) as raised:
        load(f"defaults: {{}}\nprofiles:\n  development:\n    {line}\n")
    assert SECRET not in "".join(traceback.format_exception(raised.value))


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql+asyncpg://u:{}@h:5432/d?ssl=require", "postgresql+asyncpg://u:********@h:5432/d"),
        ("postgresql+asyncpg://u:{}:x/y@h/d", "postgresql+asyncpg://u:********@h/d"),
        ("postgresql+asyncpg://:{}@h/d", "postgresql+asyncpg://:********@h/d"),
        ("postgresql+asyncpg://u@h/d?password={}", "postgresql+asyncpg://u@h/d"),
        ("postgresql+asyncpg://h/d", "postgresql+asyncpg://h/d"),
        ("sqlite+aiosqlite:////srv/carboy.db", "sqlite+aiosqlite:////srv/carboy.db"),
        # Where it is not plain which part is the password, nothing is shown.
        ("postgresql+asyncpg://u:a@{}@h/d", "********"),
        ("postgresql+asyncpg://u:{}?x@h/d", "********"),
        ("postgresql+asyncpg://u:x?{}@h/d", "********"),
        ("postgresql+asyncpg://u@tenant:{}@h/d", "********"),
        ("postgresql+asyncpg://u@h:5432/d?password=a@{}", "********"),
        ("postgresql+asyncpg://u:x?@{}@h/d", "********"),
    ],
)
def test_of_a_database_url_neither_password_nor_query_is_shown(load: Load, url: str, shown: str) -> None:
    settings = load(**{URL: url.format(SECRET)})
    assert masked("database.url", settings.database.url) == shown
    assert SECRET not in repr(settings) + str(settings) + settings.model_dump_json()


def test_a_secret_that_looks_like_a_url_is_not_shown_as_one(load: Load) -> None:
    settings = load(**{KEY: f"https://{SECRET}/{'x' * 32}"})
    assert masked("security.secret_key", settings.security.secret_key) == "********"


def test_config_show_prints_each_setting_with_its_source(
    load: Load, container: Container, app: Flask, tmp_path: Path
) -> None:
    lines = "CARBOY_LOGGING__LEVEL=ERROR\nCARBOY_HTTP__CORS_ORIGINS='https://a.org, https://b.org'"
    settings = load(dotenv=lines, **{URL: f"postgresql+asyncpg://u:{SECRET}@h/d"})
    with override(container, settings=providers.Object(settings)):
        result = app.test_cli_runner().invoke(args=["config", "show"])
    assert result.exit_code == 0
    assert [line.split(maxsplit=2) for line in result.output.splitlines() if line] == [
        ["environment:", "development"],
        ["http.max_body_bytes", "1000", "# config.yaml, defaults"],
        ["http.spool_bytes", "500", "# config.yaml, defaults"],
        ["http.body_memory_bytes", "5000", "# config.yaml, defaults"],
        ["http.body_bytes_per_second", "500", "# config.yaml, defaults"],
        ["http.body_stall_seconds", "10.0", "# config.yaml, defaults"],
        ["http.run_on", "auto", "# config.yaml, defaults"],
        ["http.view_threads", "4", "# config.yaml, defaults"],
        ["http.stream_threads", "4", "# config.yaml, defaults"],
        ["http.idempotency_hours", "24", "# config.yaml, defaults"],
        ["http.require_if_match", "False", "# config.yaml, defaults"],
        ["http.special_use_domains", "False", "# config.yaml, defaults"],
        ["http.docs", "True", "# config.yaml, defaults"],
        ["http.compress_min_bytes", "0", "# config.yaml, defaults"],
        ["http.cors_origins", "https://a.org,https://b.org", "# CARBOY_HTTP__CORS_ORIGINS in carboy.env"],
        ["http.trusted_hops", "0", "# config.yaml, defaults"],
        ["http.public_url", "null", "# config.yaml, defaults"],
        ["http.event_heartbeat_seconds", "15.0", "# config.yaml, defaults"],
        ["http.event_stream_seconds", "900.0", "# config.yaml, defaults"],
        ["http.drain_seconds", "0.0", "# config.yaml, defaults"],
        ["http.stop_seconds", "0.0", "# config.yaml, defaults"],
        ["database.url", "postgresql+asyncpg://u:********@h/d", f"# {URL}"],
        ["database.pool_size", "10", "# config.yaml, defaults"],
        ["database.acquire_timeout", "0.8", "# config.yaml, defaults"],
        ["database.statement_timeout", "10.0", "# config.yaml, defaults"],
        ["database.require_migrated", "True", "# config.yaml, defaults"],
        ["jobs.embedded", "False", "# config.yaml, defaults"],
        ["jobs.queues", "default:10", "# config.yaml, defaults"],
        ["jobs.lease_seconds", "60.0", "# config.yaml, defaults"],
        ["jobs.poll_seconds", "1.0", "# config.yaml, defaults"],
        ["jobs.grace_seconds", "10.0", "# config.yaml, defaults"],
        ["jobs.unknown_seconds", "600.0", "# config.yaml, defaults"],
        ["jobs.keep_done_hours", "24", "# config.yaml, defaults"],
        ["jobs.keep_dead_days", "30", "# config.yaml, defaults"],
        ["retention.schedule", "null", "# config.yaml, defaults"],
        ["retention.batch_rows", "500", "# config.yaml, defaults"],
        ["logging.level", "ERROR", "# CARBOY_LOGGING__LEVEL in carboy.env"],
        ["logging.format", "json", "# config.yaml, defaults"],
        ["clients.connect_timeout", "1.0", "# config.yaml, defaults"],
        ["clients.read_timeout", "1.0", "# config.yaml, defaults"],
        ["clients.total_timeout", "5.0", "# config.yaml, defaults"],
        ["clients.attempts", "3", "# config.yaml, defaults"],
        ["clients.retry_after_max", "1.0", "# config.yaml, defaults"],
        ["clients.max_calls", "3", "# config.yaml, defaults"],
        ["clients.breaker_failures", "3", "# config.yaml, defaults"],
        ["clients.breaker_open_seconds", "5.0", "# config.yaml, defaults"],
        ["clients.max_answer_bytes", "1000", "# config.yaml, defaults"],
        ["clients.user_agent", "tests", "# config.yaml, defaults"],
        ["metrics.port", "null", "# config.yaml, defaults"],
        ["metrics.host", "127.0.0.1", "# config.yaml, defaults"],
        ["tracing.endpoint", "null", "# config.yaml, defaults"],
        ["tracing.service", "tests", "# config.yaml, defaults"],
        ["tracing.sample_ratio", "1.0", "# config.yaml, defaults"],
        ["sentry.dsn", "null", "# config.yaml, defaults"],
        ["sentry.release", "null", "# config.yaml, defaults"],
        ["security.secret_key", "********", "# config.yaml, development"],
        ["security.breached_passwords", "False", "# config.yaml, defaults"],
        ["security.encryption_keys", "null", "# set nowhere"],
        ["passwords.memory_kib", "19456", "# config.yaml, defaults"],
        ["passwords.iterations", "2", "# config.yaml, defaults"],
        ["passwords.parallelism", "1", "# config.yaml, defaults"],
        ["passwords.threads", "2", "# config.yaml, defaults"],
        ["passwords.queue", "40", "# config.yaml, defaults"],
        ["passwords.min_length", "15", "# config.yaml, defaults"],
        ["passwords.min_length_with_second_factor", "8", "# config.yaml, defaults"],
        ["passwords.max_length", "256", "# config.yaml, defaults"],
        ["passwords.min_score", "3", "# config.yaml, defaults"],
        ["passwords.own_words", "acme", "# config.yaml, defaults"],
        ["limits.enabled", "True", "# config.yaml, defaults"],
        ["limits.redis_url", "null", "# config.yaml, defaults"],
        ["limits.rates", "login=5/minute", "# config.yaml, defaults"],
        ["mail.transport", "null", "# config.yaml, defaults"],
        ["mail.sender", "null", "# config.yaml, defaults"],
        ["mail.host", "null", "# config.yaml, defaults"],
        ["mail.port", "587", "# config.yaml, defaults"],
        ["mail.security", "starttls", "# config.yaml, defaults"],
        ["mail.user", "null", "# config.yaml, defaults"],
        ["mail.password", "null", "# config.yaml, defaults"],
        ["mail.connect_seconds", "10.0", "# config.yaml, defaults"],
        ["mail.total_seconds", "60.0", "# config.yaml, defaults"],
        ["mail.folder", str(tmp_path / "var" / "mail"), "# config.yaml, defaults"],
    ]
    assert len({line.index("#") for line in result.output.splitlines() if "#" in line}) == 1


def test_hashes_that_are_cheaper_than_owasp_wants_are_refused(load: Load, deployed: dict[str, str]) -> None:
    with pytest.raises(SettingsError, match="passwords: memory_kib times iterations must be at least 38912"):
        load(document(), **deployed, CARBOY_PASSWORDS__MEMORY_KIB="64")
    load(document(), **deployed, CARBOY_PASSWORDS__MEMORY_KIB="38912", CARBOY_PASSWORDS__ITERATIONS="1")


def test_a_malformed_key_of_encryption_is_refused_without_being_shown(load: Load, deployed: dict[str, str]) -> None:
    with pytest.raises(SettingsError) as raised:
        load(document(), **deployed, CARBOY_SECURITY__ENCRYPTION_KEYS="2026:tooshortforakey")
    assert "security.encryption_keys: each key must be" in str(raised.value)
    assert "tooshortforakey" not in str(raised.value)
