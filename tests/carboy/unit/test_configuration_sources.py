"""Where a setting comes from: defaults, under the profile, under carboy.env, under the environment."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.configuration import CLIENTS, HTTP, JOBS, LIMITS, MAIL, METRICS, PASSWORDS, RETENTION, SENTRY, TRACING

from app.settings import Settings as AppSettings
from carboy.config import load_settings, walk
from carboy.config.settings import Environment, Settings
from containers import CONFIG_FILE

Load = Callable[..., Settings]

POOL = "CARBOY_DATABASE__POOL_SIZE"


def document(**profiles: Any) -> str:
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
        {{url: sqlite+aiosqlite:///a.db, pool_size: 1, acquire_timeout: 0.8,
         statement_timeout: 10.0, require_migrated: true}}
      jobs: {JOBS}
      retention: {RETENTION}
      logging: {{level: INFO, format: json}}
      clients: {CLIENTS}
      security: {{secret_key: {"k" * 32}, breached_passwords: false}}
    profiles: {profiles}
    """


def test_a_default_is_in_force_where_nothing_changes_it(load: Load) -> None:
    settings = load(document(development={}))
    assert settings.database.pool_size == 1
    assert settings.source_of("database.pool_size") == "config.yaml, defaults"


def test_a_profile_changes_a_default_and_leaves_its_neighbours(load: Load) -> None:
    settings = load(document(testing={"database": {"pool_size": 2}}), CARBOY_ENV="testing")
    assert (settings.database.pool_size, settings.database.acquire_timeout) == (2, 0.8)
    assert settings.source_of("database.pool_size") == "config.yaml, testing"
    assert settings.source_of("database.acquire_timeout") == "config.yaml, defaults"


def test_another_environments_profile_changes_nothing(load: Load) -> None:
    settings = load(document(testing={"database": {"pool_size": 2}}))
    assert settings.environment is Environment.DEVELOPMENT
    assert settings.database.pool_size == 1


def test_the_env_file_changes_a_profile(load: Load) -> None:
    settings = load(document(development={"database": {"pool_size": 2}}), dotenv=f"{POOL}=3")
    assert settings.database.pool_size == 3
    assert settings.source_of("database.pool_size") == f"{POOL} in carboy.env"


def test_the_environment_changes_the_env_file(load: Load) -> None:
    settings = load(document(development={}), dotenv=f"{POOL}=3", **{POOL: "4"})
    assert settings.database.pool_size == 4
    assert settings.source_of("database.pool_size") == POOL


def test_the_env_file_may_choose_the_profile_and_the_environment_overrules_it(load: Load) -> None:
    text = document(testing={"database": {"pool_size": 2}}, staging={})
    assert load(text, dotenv="CARBOY_ENV=testing").environment is Environment.TESTING
    assert load(text, dotenv="CARBOY_ENV=staging", CARBOY_ENV="testing").database.pool_size == 2


def test_the_env_file_is_taken_literally(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    # A password may hold what looks like a variable, and only the environment that was passed counts.
    monkeypatch.setenv("HOME", "/somewhere")
    key = "pa${HOME}ss" * 4
    settings = load(document(development={}), dotenv=f"CARBOY_SECURITY__SECRET_KEY='{key}'")
    assert settings.security.secret_key.get_secret_value() == key


@pytest.mark.parametrize(
    ("value", "origins"),
    [
        ("https://a.org", ("https://a.org",)),
        (
            "https://a.org, http://b.org:8080 ,http://[::1]:3000",
            ("https://a.org", "http://b.org:8080", "http://[::1]:3000"),
        ),
        ("", ()),
        (" ", ()),
    ],
)
def test_a_list_stands_in_a_variable_separated_by_commas(load: Load, value: str, origins: tuple[str, ...]) -> None:
    text = document(development={"http": {"cors_origins": ["https://profile.org", "http://localhost"]}})
    assert load(text).http.cors_origins == ("https://profile.org", "http://localhost")
    assert load(text, CARBOY_HTTP__CORS_ORIGINS=value).http.cors_origins == origins


@pytest.mark.parametrize("level", ["info", "Info", "INFO"])
def test_the_log_level_is_taken_in_small_letters(load: Load, level: str) -> None:
    assert load(document(development={"logging": {"level": level}})).logging.level == "INFO"
    assert load(CARBOY_LOGGING__LEVEL=level).logging.level == "INFO"


def test_an_empty_section_of_a_profile_changes_nothing(load: Load) -> None:
    for empty in ("{}", "null"):
        settings = load(document(development="DEVELOPMENT").replace("'DEVELOPMENT'", f"{{database: {empty}}}"))
        assert settings.database.pool_size == 1


def test_an_empty_profile_and_a_profile_that_is_not_there_change_nothing(load: Load) -> None:
    assert load(document(development=None).replace("None", "null")).database.pool_size == 1
    assert load(document(testing={})).database.pool_size == 1


@pytest.mark.parametrize(
    "name",
    [
        "CARBOY_SERVICE_HOST",
        "CARBOY_PORT_8000_TCP",
        "CARBOY_SERVICE_PORT_HTTP",
        "CARBOY_PORT",
        "CARBOY_ENVOY_SERVICE_HOST",
        "CARBOY_DATABASE_PORT_5432_TCP_ADDR",
        "OTHER_DATABASE__POOL_SIZE",
        "XCARBOY_DATABASE__POOL_SIZE",
    ],
)
def test_foreign_variables_such_as_those_of_kubernetes_are_ignored(load: Load, name: str) -> None:
    assert load(document(), **{name: "tcp://10.0.0.1:8000"}) == load(document())


def test_a_relative_sqlite_file_starts_at_the_folder_of_the_configuration(
    load: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    settings = load(CARBOY_DATABASE__URL="sqlite+aiosqlite:///var/x.db?cached_statements=5")
    assert settings.database.url.get_secret_value() == f"sqlite+aiosqlite:///{tmp_path}/var/x.db?cached_statements=5"
    assert settings.source_of("database.url") == "CARBOY_DATABASE__URL"


@pytest.mark.parametrize("url", ["sqlite+aiosqlite:////srv/x.db", "postgresql+asyncpg://u:p@h/relative"])
def test_an_absolute_file_and_a_server_stay_as_they_are(load: Load, url: str) -> None:
    assert load(CARBOY_DATABASE__URL=url).database.url.get_secret_value() == url


@pytest.mark.parametrize("environment", list(Environment))
def test_each_profile_of_the_shipped_configuration_loads(
    environment: Environment, production: dict[str, str], tmp_path: Path
) -> None:
    # A copy, as a developer may have a file carboy.env beside the real one.
    config_file = tmp_path / "config.yaml"
    config_file.write_text(CONFIG_FILE.read_text())
    needed = production if environment.is_deployed else {}
    settings = load_settings(AppSettings, config_file, needed | {"CARBOY_ENV": environment})
    assert settings.environment is environment
    assert {settings.source_of(key) for key, _ in walk(settings)} <= {
        "config.yaml, defaults",
        f"config.yaml, {environment}",
        "CARBOY_DATABASE__URL",
        "CARBOY_SECURITY__SECRET_KEY",
    }


def test_walk_names_every_setting_of_every_section(load: Load) -> None:
    settings = load()
    assert [key for key, _ in walk(settings)] == [
        f"{section}.{name}"
        for section, field in Settings.model_fields.items()
        if section != "environment"
        for name in getattr(field.annotation, "model_fields", {})
    ]
