"""Puts the settings together: defaults, under the profile of CARBOY_ENV, under CARBOY_SECTION__KEY variables."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, get_origin

from pydantic import BaseModel, SecretStr, ValidationError
from pydantic_core import ErrorDetails

from carboy.config.files import SettingsError, read_dotenv, read_profiles
from carboy.config.settings import MIN_SECRET_LENGTH, Environment, Settings

PREFIX = "CARBOY_"
ENVIRONMENT_VARIABLE = "CARBOY_ENV"
DOTENV = "carboy.env"
"""Not .env: the `flask` command reads that by itself, in a way of its own, and a server does not."""
SQLITE_FILE = re.compile(r"(sqlite\+aiosqlite:///)(?!/|:memory:|file:)(.+)")
MISSPELT_ENVIRONMENT = re.compile(r"CARBOY_ENV[A-Z]+")
MIN_DIFFERENT = 8
"""Different characters that a secret must have. Of keys of 32 random hexadecimal digits 4 in 100 million have fewer."""
SAMPLE = re.compile(r"sample|example|change.?me|secret.?key", re.IGNORECASE)


def _keys() -> Iterator[tuple[str, Any]]:
    for section, field in Settings.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            for name, inner in field.annotation.model_fields.items():
                yield f"{section}.{name}", inner.annotation


KEYS = dict(_keys())
"""The type of each setting."""

SECTIONS = {key.partition(".")[0] for key in KEYS}


def load_settings(config_file: Path, environ: Mapping[str, str]) -> Settings:
    """Read and validate all settings.

    Args:
        config_file: The path of config.yaml. A file ``carboy.env`` beside it may hold variables; the environment wins.
        environ: The environment variables.

    Raises:
        SettingsError: A file cannot be read, a key is unknown or missing, a value is of the wrong type, or a secret is
            missing, too short, a sample or easy to guess where real users depend on it.
    """
    from_file = read_dotenv(config_file.with_name(DOTENV))
    environment = _environment({**from_file, **environ})
    given = _Given()
    for source, tree in read_profiles(config_file, environment):
        for key, value in _leaves(tree):
            given.add(key, value, source)
    for variables, place in ((from_file, f" in {DOTENV}"), (environ, "")):
        for name in sorted(variables):
            _apply_variable(name, variables[name], place, given)
    settings = _validate(environment, given)
    return _resolve_paths(settings, config_file.parent)


def _environment(variables: Mapping[str, str]) -> Environment:
    for name in variables:
        # CARBOY_ENVIRONMENT=production must not quietly start development.
        if MISSPELT_ENVIRONMENT.fullmatch(name):
            raise SettingsError(f"{name}: unknown; the profile is chosen by {ENVIRONMENT_VARIABLE}.")
    chosen = variables.get(ENVIRONMENT_VARIABLE, Environment.DEVELOPMENT)
    try:
        return Environment(chosen)
    except ValueError:
        names = ", ".join(Environment)
        raise SettingsError(f"{ENVIRONMENT_VARIABLE}={chosen}: no such profile; it is one of {names}.") from None


def _leaves(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in tree.items():
        if isinstance(value, dict) and value:
            yield from _leaves(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


class _Given:
    """The values that were given, by key, and what is wrong with the keys."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}
        self.sources: dict[str, str] = {}
        self.problems: list[str] = []

    def add(self, key: str, value: Any, source: str) -> None:
        if key in KEYS:
            self.values[key], self.sources[key] = value, source
        elif key not in SECTIONS:
            self.problems.append(f"{key}: unknown key (from {source}).")
        elif value:
            self.problems.append(f"{key}: must be a section of keys (from {source}).")


def _apply_variable(name: str, value: str, place: str, given: _Given) -> None:
    """Let a CARBOY_SECTION__KEY variable change its key.

    Names without the double underscore are left alone, unless one was meant: Kubernetes gives every pod
    CARBOY_SERVICE_HOST and its like when a service is called carboy.
    """
    if not name.startswith(PREFIX):
        return
    if "__" in name:
        key = name.removeprefix(PREFIX).lower().replace("__", ".")
        given.add(key, _items(value) if get_origin(KEYS.get(key)) is tuple else value, f"{name}{place}")
    else:
        meant = next((variable for variable in map(_variable, KEYS) if variable.replace("__", "_") == name), None)
        if meant is not None:
            given.problems.append(f"{name}: unknown; the variable is {meant}.")


def _items(text: str) -> list[str]:
    """Read a list as a variable holds it: separated by commas, and empty if there is nothing."""
    return [item.strip() for item in text.split(",")] if text.strip() else []


def _variable(key: str) -> str:
    return PREFIX + key.upper().replace(".", "__")


def _validate(environment: Environment, given: _Given) -> Settings:
    tree: dict[str, Any] = {"environment": environment, **{section: {} for section in SECTIONS}}
    for key, value in given.values.items():
        section, _, name = key.partition(".")
        # What is null is not set.
        if value is not None:
            tree[section][name] = value
    problems = list(given.problems)
    try:
        settings = Settings.model_validate(tree)
    except ValidationError as error:
        problems += [_describe(details, given.sources) for details in error.errors(include_input=False)]
    if environment.is_deployed:
        problems += _check_secrets(given)
    if problems:
        raise SettingsError("\n".join(problems))
    settings._sources.update(given.sources)  # noqa: SLF001 - the model's private attribute is for this function to fill.
    return settings


def _describe(details: ErrorDetails, sources: Mapping[str, str]) -> str:
    key = ".".join(map(str, details["loc"][:2]))
    if details["type"] == "missing":
        return f"{key}: missing; set {_variable(key)}."
    return f"{key}: {details['msg']} (from {sources[key]})."


def _check_secrets(given: _Given) -> Iterator[str]:
    for key, kind in KEYS.items():
        value, source = given.values.get(key), given.sources.get(key, "")
        if kind is not SecretStr or value is None:
            continue
        if not source.startswith(PREFIX):
            yield f"{key}: a secret must not stand in a file (from {source}); set {_variable(key)}."
        elif key == "security.secret_key" and (reason := _weakness(str(value))):
            yield f"{key}: {reason} (from {source})."


def _weakness(secret: str) -> str | None:
    """Say why a secret of sufficient length is easy to guess, without showing it; None if it does not look so."""
    if len(secret) < MIN_SECRET_LENGTH:
        # The settings themselves refuse it.
        return None
    if SAMPLE.search(secret):
        return "this is a sample, not a secret"
    if secret != secret.strip():
        return "it begins or ends with a blank, which is hardly meant"
    if len(set(secret)) < MIN_DIFFERENT:
        return f"it has fewer than {MIN_DIFFERENT} different characters"
    # A text that is found again within its own double consists of repetitions.
    if secret in (secret + secret)[1:-1]:
        return "it repeats itself"
    return None


def _resolve_paths(settings: Settings, root: Path) -> Settings:
    """Make a relative SQLite file relative to the configuration's folder, wherever the process was started."""
    match = SQLITE_FILE.fullmatch(settings.database.url.get_secret_value())
    if match is None:
        return settings
    url = SecretStr(f"{match[1]}{root.resolve() / match[2]}")
    database = settings.database.model_copy(update={"url": url})
    return settings.model_copy(update={"database": database})
