"""What is wrong in a configuration is said at start, by key and source, all of it at once."""

from collections.abc import Callable
from pathlib import Path
from textwrap import indent

import pytest
from support.configuration import CLIENTS, HTTP, JOBS, LIMITS, MAIL, METRICS, PASSWORDS, RETENTION, SENTRY, TRACING

from carboy.config import SettingsError, load_settings
from carboy.config.settings import Settings

Load = Callable[..., Settings]
ProblemsOf = Callable[..., list[str]]


def with_profile(text: str) -> str:
    """Return a whole configuration whose development profile is this text."""
    return (
        f"""\
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
profiles:
  development:
"""
        + indent(text, "    ")
        + "\n"
    )


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("database: {pool_sise: 3}", "database.pool_sise"),
        ("http: {pool_size: 3}", "http.pool_size"),
        ("security: {key: 3}", "security.key"),
        ("logging: {levels: null}", "logging.levels"),
        ("databases: {pool_size: 3}", "databases.pool_size"),
        ("databases: {}", "databases"),
        ("databases: null", "databases"),
        ("pool_size: 3", "pool_size"),
        ("environment: production", "environment"),
        ("5: 3", "5"),
        ("database: {pool_size: {nested: 3}}", "database.pool_size.nested"),
    ],
)
def test_an_unknown_key_in_the_file_is_an_error(problems_of: ProblemsOf, text: str, key: str) -> None:
    assert problems_of(with_profile(text)) == [f"{key}: unknown key (from config.yaml, development)."]


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("CARBOY_DATABASE__POOL_SISE", "database.pool_sise"),
        ("CARBOY_DATABASES__POOL_SIZE", "databases.pool_size"),
        ("CARBOY_DATABASE__POOL_SIZE__X", "database.pool_size.x"),
        ("CARBOY__POOL_SIZE", "_pool_size"),
    ],
)
def test_an_unknown_key_in_a_variable_is_an_error(problems_of: ProblemsOf, name: str, key: str) -> None:
    assert problems_of(**{name: "3"}) == [f"{key}: unknown key (from {name})."]
    assert problems_of(dotenv=f"{name}=3") == [f"{key}: unknown key (from {name} in carboy.env)."]


def test_a_variable_with_one_underscore_too_few_is_an_error(problems_of: ProblemsOf) -> None:
    assert problems_of(CARBOY_DATABASE_URL="x") == [
        "CARBOY_DATABASE_URL: unknown; the variable is CARBOY_DATABASE__URL."
    ]


@pytest.mark.parametrize(
    ("section", "name", "value"),
    [
        ("database", "pool_size", "many"),
        ("database", "pool_size", "1.5"),
        ("database", "pool_size", "0"),
        ("database", "pool_size", "-1"),
        ("database", "acquire_timeout", "0"),
        ("database", "acquire_timeout", ".inf"),
        ("database", "statement_timeout", "soon"),
        ("http", "spool_bytes", "-1"),
        ("http", "body_memory_bytes", "-1"),
        ("http", "body_bytes_per_second", "0"),
        ("http", "body_stall_seconds", "0"),
        ("http", "max_body_bytes", "0"),
        ("http", "view_threads", "[4]"),
        ("http", "idempotency_hours", "0"),
        ("http", "idempotency_hours", "8761"),
        ("http", "compress_min_bytes", "-1"),
        ("http", "compress_min_bytes", "some"),
        ("logging", "level", "LOUD"),
        ("tracing", "endpoint", "collector:4318"),
        ("tracing", "endpoint", "http://collector:4318/"),
        ("tracing", "service", "''"),
        ("tracing", "sample_ratio", "1.1"),
        ("sentry", "dsn", "https://sentry.example.org/1"),
        ("logging", "format", "xml"),
        ("database", "url", "not a url"),
        ("database", "url", "mysql://u:p@h/d"),
        ("database", "url", "postgresql+psycopg2://u:p@h/d"),
        ("database", "url", "postgresql+asyncpg://u:p@h:port/d"),
        ("database", "url", "'sqlite+aiosqlite:///:memory:'"),
        ("database", "url", "'sqlite+aiosqlite://'"),
        ("security", "secret_key", "short"),
    ],
)
def test_a_value_of_the_wrong_type_or_out_of_range_is_an_error(
    problems_of: ProblemsOf, section: str, name: str, value: str
) -> None:
    [from_file] = problems_of(with_profile(f"{section}: {{{name}: {value}}}"))
    assert from_file.startswith(f"{section}.{name}: ")
    assert from_file.endswith(" (from config.yaml, development).")
    variable = f"CARBOY_{section}__{name}".upper()
    [from_variable] = problems_of(with_profile("{}"), **{variable: value.strip("'").replace(".inf", "inf")})
    assert from_variable.startswith(f"{section}.{name}: ")
    assert from_variable.endswith(f" (from {variable}).")


@pytest.mark.parametrize(
    "origin",
    [
        "*",
        "null",
        "",
        "app.example.org",
        "https://",
        "https://*.example.org",
        "https://app.example.org/",
        "https://app.example.org/path",
        "https://app.example.org?query",
        "https://app.example.org#fragment",
        "https://user@app.example.org",
        "https://App.example.org",
        "HTTPS://app.example.org",
        "https://app.example.org:443",
        "http://app.example.org:80",
        "https://app.example.org:0",
        "https://app.example.org:",
        "https://app.example.org.",
        "https://bücher.example",
        "ftp://app.example.org",
        "https://app.example.org https://b.example.org",
        "https://app.example.org\\n",
    ],
)
def test_an_origin_that_no_browser_would_send_is_an_error(problems_of: ProblemsOf, origin: str) -> None:
    [problem] = problems_of(with_profile(f'http: {{cors_origins: ["https://a.example.org", "{origin}"]}}'))
    given = origin.replace("\\n", "\n")
    assert problem.startswith(f"http.cors_origins: {given!r} is no exact origin such as ")
    assert problem.endswith(" (from config.yaml, development).")


def test_a_wrong_origin_in_a_variable_is_an_error(problems_of: ProblemsOf) -> None:
    for value in ("*", "https://a.example.org,", "https://a.example.org;https://b.example.org", "[]"):
        [problem] = problems_of(CARBOY_HTTP__CORS_ORIGINS=value)
        assert problem.startswith("http.cors_origins: ")
        assert problem.endswith(" (from CARBOY_HTTP__CORS_ORIGINS).")


@pytest.mark.parametrize("value", ["https://a.example.org", "[5]", "[https://a.example.org, [b]]", "true", "{a: 1}"])
def test_a_list_in_the_file_that_is_none_is_an_error(problems_of: ProblemsOf, value: str) -> None:
    [problem] = problems_of(with_profile(f"http: {{cors_origins: {value}}}"))
    assert problem.startswith("http.cors_origins")
    assert problem.endswith(" (from config.yaml, development).")


@pytest.mark.parametrize("value", ["yes", "on", "true", "2026-11-23", "{}", "[]"])
def test_a_number_that_yaml_reads_as_something_else_is_an_error(problems_of: ProblemsOf, value: str) -> None:
    # YAML reads yes and on as booleans, which would pass for the number one.
    [problem] = problems_of(with_profile(f"database: {{pool_size: {value}}}"))
    assert problem.startswith("database.pool_size: ")


def test_null_unsets_a_value_and_what_sets_it_is_named(problems_of: ProblemsOf) -> None:
    assert problems_of(with_profile("database: {pool_size: null}")) == [
        "database.pool_size: missing; set CARBOY_DATABASE__POOL_SIZE."
    ]


@pytest.mark.parametrize("value", ["5", "text", "[pool_size]"])
def test_a_section_that_is_no_mapping_is_an_error(problems_of: ProblemsOf, value: str) -> None:
    wanted = ["database: must be a section of keys (from config.yaml, development)."]
    assert problems_of(with_profile(f"database: {value}")) == wanted
    # Also where others then speak of its keys.
    assert problems_of(with_profile(f"database: {value}"), CARBOY_DATABASE__POOL_SIZE="3") == wanted


def test_several_problems_are_reported_at_once(problems_of: ProblemsOf, production: dict[str, str]) -> None:
    text = with_profile("{}").replace("view_threads: 4", "view_threads: none").replace("level:", "levels:")
    problems = problems_of(text, **production | {"CARBOY_HTTP__X": "1", "CARBOY_SECURITY__SECRET_KEY": "example" * 5})
    assert [problem.partition(":")[0] for problem in problems] == [
        "logging.levels",
        "http.x",
        "http.view_threads",
        "logging.level",
        "security.secret_key",
    ]


@pytest.mark.parametrize("name", ["CARBOY_ENVIRONMENT", "CARBOY_ENVS"])
def test_a_misspelt_choice_of_the_profile_is_an_error(problems_of: ProblemsOf, name: str) -> None:
    assert problems_of(**{name: "production"}) == [f"{name}: unknown; set CARBOY_ENV to choose the profile."]


@pytest.mark.parametrize("chosen", ["prod", "", "PRODUCTION", "defaults"])
def test_an_unknown_profile_is_an_error(problems_of: ProblemsOf, chosen: str) -> None:
    assert problems_of(CARBOY_ENV=chosen) == [
        f"CARBOY_ENV={chosen}: no such profile; it is one of development, testing, staging, production."
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "its top-level keys must be 'defaults' and 'profiles'"),
        ("[defaults, profiles]", "its top-level keys must be 'defaults' and 'profiles'"),
        ("just text", "its top-level keys must be 'defaults' and 'profiles'"),
        ("defaults: {}", "its top-level keys must be 'defaults' and 'profiles'"),
        ("defaults: {}\nprofiles: {}\nextra: {}", "its top-level keys must be 'defaults' and 'profiles'"),
        ("defaults: 5\nprofiles: {}", "defaults must be a mapping"),
        ("defaults: {}\nprofiles: 5", "profiles must be a mapping"),
        ("defaults: {}\nprofiles: {development: [1]}", "development must be a mapping"),
        ("defaults: {}\nprofiles: {prod: {}, 5: {}}", "no such profile: 5, prod"),
        ("defaults: {\nprofiles: {}", "not valid YAML"),
        ("defaults: &a {http: *a}\nprofiles: {}", "config.yaml, defaults: an alias refers to itself"),
        ("defaults: {a: *b}\nprofiles: {}", "not valid YAML (line 1)"),
        ("defaults: {a: 2026-13-45}\nprofiles: {}", "not valid YAML"),
        ("defaults: {[a]: b}\nprofiles: {}", "not valid YAML (line 1)"),
        ("defaults: {http: {}, http: {}}\nprofiles: {}", "key 'http' is given twice, the second time on line 1"),
        ("defaults: {}\nprofiles: {}\ndefaults: {}", "key 'defaults' is given twice, the second time on line 3"),
        ("defaults: {http: {a: 1,\n a: 2}}\nprofiles: {}", "key 'a' is given twice, the second time on line 2"),
    ],
)
def test_a_document_of_the_wrong_shape_is_an_error(problems_of: ProblemsOf, text: str, said: str) -> None:
    [problem] = problems_of(text)
    assert "config.yaml" in problem
    assert said in problem


def test_no_profiles_at_all_is_an_empty_mapping(problems_of: ProblemsOf) -> None:
    assert all("missing; set CARBOY_" in problem for problem in problems_of("defaults:\nprofiles:\n"))


def test_a_file_that_is_not_there_or_not_text_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"config\.yaml: cannot be read \(No such file or directory\)"):
        load_settings(Settings, tmp_path / "config.yaml", {})
    (tmp_path / "config.yaml").write_bytes(b"defaults: \xff")
    with pytest.raises(SettingsError, match=r"config\.yaml: not valid YAML"):
        load_settings(Settings, tmp_path / "config.yaml", {})


def test_an_env_file_that_is_not_text_is_an_error(load: Load, tmp_path: Path) -> None:
    (tmp_path / "carboy.env").write_bytes(b"CARBOY_ENV=\xff")
    with pytest.raises(SettingsError, match=r"carboy\.env: not valid UTF-8"):
        load()


@pytest.mark.parametrize("line", ["CARBOY_ENV production", "CARBOY_ENV='production", "=production"])
def test_a_line_of_the_env_file_that_cannot_be_read_is_an_error(problems_of: ProblemsOf, line: str) -> None:
    [problem] = problems_of(dotenv=f"# A comment\n\n{line}\n")
    assert problem.endswith("carboy.env, line 3: expected NAME=value.")


@pytest.mark.parametrize("name", ["config.yaml", "carboy.env"])
def test_a_folder_in_a_file_s_place_is_an_error(load: Load, tmp_path: Path, name: str) -> None:
    load()
    (tmp_path / name).unlink(missing_ok=True)
    (tmp_path / name).mkdir()
    with pytest.raises(SettingsError, match=rf"{name}: .*Is a directory"):
        load_settings(Settings, tmp_path / "config.yaml", {})
