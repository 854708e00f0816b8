"""Database URLs as providers hand them out: they are understood, or refused with the reason."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import certifi
import pytest

from app.settings import Settings
from carboy.config import load_settings
from carboy.config.database_urls import parse_url
from carboy.db import create_engines
from containers import CONFIG_FILE

ProblemsOf = Callable[..., list[str]]
Load = Callable[..., Settings]

URL = "CARBOY_DATABASE__URL"
SECRET = "Zq7Secret"
CA = certifi.where()


def arguments_of(query: str, servers: str = "db.example.org") -> dict[str, Any]:
    return parse_url(f"postgresql://u:p@{servers}/d?{query}").arguments


@pytest.mark.parametrize(
    ("given", "driver"),
    [
        ("postgres://u:p@h/d", "postgresql+asyncpg"),
        ("postgresql://u:p@h/d", "postgresql+asyncpg"),
        ("postgresql+asyncpg://u:p@h/d", "postgresql+asyncpg"),
        ("sqlite:////srv/a.db", "sqlite+aiosqlite"),
        ("sqlite+aiosqlite:////srv/a.db?cached_statements=5", "sqlite+aiosqlite"),
    ],
)
def test_a_url_without_a_driver_gets_the_supported_one(load: Load, given: str, driver: str) -> None:
    settings = load(**{URL: given})
    # It is shown as it was given.
    assert settings.database.url.get_secret_value() == given
    assert create_engines(settings.database).writer.url.drivername == driver


def test_a_relative_path_of_sqlite_without_a_driver_starts_at_the_folder_of_the_configuration(
    load: Load, tmp_path: Path
) -> None:
    assert load(**{URL: "sqlite:///var/a.db"}).database.url.get_secret_value() == f"sqlite:///{tmp_path}/var/a.db"


def test_the_folder_of_the_configuration_may_have_any_name(tmp_path: Path) -> None:
    folder = tmp_path / "a 50%25 ?#@ folder"
    folder.mkdir()
    config_file = folder / "config.yaml"
    config_file.write_text(CONFIG_FILE.read_text())
    settings = load_settings(Settings, config_file, {URL: "sqlite:///var/a.db"})
    assert create_engines(settings.database).writer.url.database == f"{folder}/var/a.db"


@pytest.mark.parametrize(
    ("query", "arguments"),
    [
        ("", {}),
        ("sslmode=disable", {"ssl": "disable"}),
        ("sslmode=allow", {"ssl": "allow"}),
        ("sslmode=prefer&channel_binding=prefer", {"ssl": "prefer"}),
        ("sslmode=require", {"ssl": "require"}),
        ("ssl=require", {"ssl": "require"}),
        ("ssl=true", {"ssl": "require"}),
        ("ssl=false", {"ssl": "disable"}),
        ("sslrootcert=system", {"ssl": True}),
        ("sslmode=verify-full&sslrootcert=system", {"ssl": True}),
        ("application_name=shop", {"server_settings": {"application_name": "shop"}}),
        (
            "application_name=shop&options=-c%20work_mem%3D8MB",
            {"server_settings": {"application_name": "shop", "options": "-c work_mem=8MB"}},
        ),
        ("connect_timeout=10", {"timeout": 10.0}),
        ("statement_cache_size=50", {"statement_cache_size": 50, "prepared_statement_cache_size": 50}),
        ("target_session_attrs=read-write", {"target_session_attrs": "read-write"}),
        ("user=a&password=b&dbname=c", {"user": "a", "password": "b", "database": "c"}),
        ("port=6432", {"port": 6432}),
        ("host=/run/postgresql", {"host": ["/run/postgresql"], "port": [5432]}),
        ("host=a:1&host=b:2", {"host": ["a", "b"], "port": [1, 2]}),
        ("host=a,b&port=1,2", {"host": ["a", "b"], "port": [1, 2]}),
        ("host=a,b&port=7", {"host": ["a", "b"], "port": [7, 7]}),
    ],
)
def test_arguments_are_translated_for_the_driver(query: str, arguments: dict[str, Any]) -> None:
    assert arguments_of(query) == arguments


@pytest.mark.parametrize("mode", ["verify-ca", "verify-full"])
def test_the_certificates_to_trust_may_be_named(mode: str) -> None:
    assert arguments_of(f"sslmode={mode}&sslrootcert={CA}") == {
        "ssl": mode,
        "dsn": f"postgresql://?sslrootcert={CA.replace('/', '%2F')}",
    }


@pytest.mark.parametrize("name", ["statement_cache_size", "prepared_statement_cache_size"])
def test_without_a_statement_cache_no_two_statements_have_the_same_name(name: str) -> None:
    arguments = arguments_of(f"{name}=0")
    assert (arguments["statement_cache_size"], arguments["prepared_statement_cache_size"]) == (0, 0)
    name_of = arguments["prepared_statement_name_func"]
    assert name_of() != name_of()


@pytest.mark.parametrize(
    ("servers", "hosts", "ports"),
    [
        ("a,b", ["a", "b"], [5432, 5432]),
        ("a:1,b:2,c", ["a", "b", "c"], [1, 2, 5432]),
        ("[::1]:5433,[fe80::1]", ["::1", "fe80::1"], [5433, 5432]),
    ],
)
def test_several_hosts_are_asked_in_their_order(servers: str, hosts: list[str], ports: list[int]) -> None:
    url, arguments = parse_url(f"postgresql://u:p,w@{servers}/d?target_session_attrs=primary")
    assert (url.username, url.password, url.database) == ("u", "p,w", "d")
    assert arguments == {"host": hosts, "port": ports, "target_session_attrs": "primary"}


KNOWN = (
    "a postgresql URL takes application_name, channel_binding, connect_timeout, database, dbname, host, options,"
    " passfile, password, port, prepared_statement_cache_size, ssl, sslcert, sslcrl, sslkey, sslmode, sslpassword,"
    " sslrootcert, statement_cache_size, target_session_attrs, user"
)


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("postgresql+psycopg2://u:{}@h/d", "postgresql+psycopg2:// is not supported; use postgresql:// or sqlite:///"),
        ("mysql://u:{}@h/d", "mysql:// is not supported; use postgresql:// or sqlite:///"),
        ("{}", "not a database URL"),
        ("postgresql://u:{}@h:port/d", "not a database URL"),
        ("postgresql://u:{}@h/d?pgbouncer=true", f"the argument 'pgbouncer' is not known; {KNOWN}"),
        ("postgresql://u:a@h?{}=@h/d", f"one of its arguments is not known; {KNOWN}"),
        (
            "postgresql://u:{}@h/d?sslmode=on",
            "sslmode must be one of disable, allow, prefer, require, verify-ca, verify-full",
        ),
        ("postgresql://u:{}@h/d?channel_binding=require", "channel_binding must be one of disable, prefer"),
        (
            "postgresql://u:{}@h/d?target_session_attrs=master",
            "target_session_attrs must be one of any, primary, standby, read-write, read-only, prefer-standby",
        ),
        ("postgresql://u:{}@h/d?sslmode=require&sslmode=disable", "sslmode is given twice"),
        ("postgresql://u:{}@h/d?connect_timeout=0", "connect_timeout must be a whole number, 1 or more"),
        ("postgresql://u:{}@h/d?connect_timeout=soon", "connect_timeout must be a whole number, 1 or more"),
        ("postgresql://u:{}@h/d?statement_cache_size=-1", "statement_cache_size must be a whole number, 0 or more"),
        ("postgresql://u:{}@a,,b/d", "several hosts are written host1:5432,host2:5432"),
        ("postgresql://u:{}@a:x,b/d", "several hosts are written host1:5432,host2:5432"),
        ("postgresql://u:{}@/d?host=a,b,c&port=1,2", "several hosts are written host1:5432,host2:5432"),
        (
            "postgresql://u:{}@h/d?sslmode=verify-full",
            "sslmode=verify-full needs sslrootcert, the path of a file or system",
        ),
        (
            "postgresql://u:{}@h/d?sslmode=require&sslrootcert=system",
            "sslrootcert=system goes with sslmode=verify-full, and without a certificate of one's own",
        ),
        (
            "postgresql://u:p@h/d?sslmode=verify-ca&sslrootcert=/{}",
            "sslrootcert names a file that cannot be read, or is no certificate",
        ),
        (
            "postgresql://u:p@h/d?sslcert=/{}&sslkey=/{}",
            "sslcert and sslkey name files that cannot be read, or do not fit together",
        ),
        ("sqlite:///a.db?{}=1", None),
        ("sqlite:///a.db?timeout=5", "the argument 'timeout' is not known; a sqlite URL takes cached_statements"),
        ("sqlite://{}/a.db", "a relative path begins after sqlite:///, an absolute one after sqlite:////"),
        ("sqlite:///file:a.db", "a SQLite database must be a path, not a file: URI"),
        ("sqlite:///:memory:", "a SQLite database must be a file"),
    ],
)
def test_an_unsupported_argument_is_refused_by_name(problems_of: ProblemsOf, url: str, reason: str | None) -> None:
    [problem] = problems_of(**{URL: url.format(*[SECRET] * 2)})
    if reason is not None:
        assert problem == f"database.url: {reason} (from {URL})."
        assert SECRET not in problem


def test_a_file_that_is_no_certificate_is_refused(problems_of: ProblemsOf, tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    file.write_text("none")
    for name in ("sslrootcert", "sslcrl", "sslcert"):
        [problem] = problems_of(**{URL: f"postgresql://u@h/d?{name}={file}"})
        assert name in problem
