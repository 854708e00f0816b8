import sys
import uuid
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent
from types import ModuleType
from typing import Any

import pytest
from support.configuration import CLIENTS, HTTP, JOBS, LIMITS, MAIL, METRICS, PASSWORDS, RETENTION, SENTRY, TRACING
from support.guarded import caller, guarded, hops, tokens  # noqa: F401 - fixtures.

from carboy.config import SettingsError, load_settings
from carboy.config.settings import Settings

Load = Callable[..., Settings]
SECRET = "Zq7-not-in-any-message-Zq7-not-in-any"
"""Long enough to pass for a secret key, and found in no sentence but by mistake."""

DEFAULTS = f"""\
defaults:
  http: {HTTP}
  passwords: {PASSWORDS}
  limits: {LIMITS}
  metrics: {METRICS}
  tracing: {TRACING}
  sentry: {SENTRY}
  mail: {MAIL}
  database:
    {{url: sqlite+aiosqlite:///var/default.db, pool_size: 10, acquire_timeout: 0.8,
     statement_timeout: 10.0, require_migrated: true}}
  jobs: {JOBS}
  retention: {RETENTION}
  logging: {{level: INFO, format: json}}
  clients: {CLIENTS}
  security: {{secret_key: null, breached_passwords: false}}
"""
PROFILES = """\
profiles:
  development:
    security: {secret_key: a-key-for-development-only-and-32-long}
  production:
    database: {url: null}
"""


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Load a configuration of one's own: the document, the variables, the lines of carboy.env, and the class."""

    def load(
        document: str = DEFAULTS + PROFILES,
        *,
        dotenv: str | None = None,
        dotenv_name: str = "carboy.env",
        file_name: str = "config.yaml",
        kind: type[Settings] = Settings,
        **variables: str,
    ) -> Settings:
        (tmp_path / file_name).write_text(dedent(document), encoding="utf-8")
        if dotenv is not None:
            (tmp_path / dotenv_name).write_text(dotenv, encoding="utf-8")
        return load_settings(kind, tmp_path / file_name, variables)

    return load


@pytest.fixture
def production() -> dict[str, str]:
    """What production needs from the environment."""
    return {
        "CARBOY_ENV": "production",
        "CARBOY_DATABASE__URL": "postgresql+asyncpg://carboy:pw@db.internal/carboy",
        "CARBOY_SECURITY__SECRET_KEY": SECRET,
    }


@pytest.fixture
def problems_of(load: Load) -> Callable[..., list[str]]:
    """Load a configuration that is wrong, and return what is said of it, line by line."""

    def problems_of(*args: str, **kwargs: Any) -> list[str]:
        with pytest.raises(SettingsError) as raised:
            load(*args, **kwargs)
        return str(raised.value).splitlines()

    return problems_of


@pytest.fixture
def module_of(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], ModuleType]:
    """Make a module of source text. The library wires by module, so that each test of wiring needs one of its own."""

    def module_of(source: str) -> ModuleType:
        module = ModuleType(f"made_in_a_test_{uuid.uuid4().hex}")
        monkeypatch.setitem(sys.modules, module.__name__, module)
        code = compile(dedent(source), module.__name__, "exec", dont_inherit=True)
        exec(code, vars(module))  # noqa: S102 - the source is the test's own.
        return module

    return module_of
