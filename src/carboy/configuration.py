"""Reads the settings: config.yaml's defaults, under the profile of CARBOY_ENV, under CARBOY_SECTION__KEY variables."""

import re
from collections.abc import Hashable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from dotenv import dotenv_values
from pydantic import BaseModel, SecretStr, ValidationError

from carboy.settings import Environment, Settings

PREFIX = "CARBOY_"
ENVIRONMENT_VARIABLE = "CARBOY_ENV"
SQLITE_FILE = re.compile(r"(sqlite\+aiosqlite:///)(?!/|:memory:|file:)(.+)")
SAMPLE = re.compile(r"sample|example|change.?me|secret.?key", re.IGNORECASE)


class SettingsError(Exception):
    """The configuration is wrong: one line for each thing that is, by key and source."""


def load_settings(config_file: Path, environ: Mapping[str, str]) -> Settings:
    """Read and validate all settings.

    Args:
        config_file: The path of config.yaml. A ``.env`` file beside it may hold variables; the environment wins.
        environ: The environment variables.

    Raises:
        SettingsError: A file cannot be read, a key is unknown or missing, a value is of the wrong type, or a secret is
            missing, too short or a sample where real users depend on it.
    """
    from_file = {key: value for key, value in dotenv_values(config_file.parent / ".env").items() if value is not None}
    variables = {**from_file, **environ}
    environment = _environment(variables)
    values: dict[str, str | Any] = {}
    sources: dict[str, str] = {}
    for source, tree in _read_profiles(config_file, environment):
        for key, value in _leaves(tree):
            values[key], sources[key] = value, source
    problems = _apply_variables(variables, values, sources)
    settings = _validate(environment, values, sources, problems)
    return _resolve_paths(settings, config_file.parent)


def _environment(variables: Mapping[str, str]) -> Environment:
    for name in variables:
        # CARBOY_ENVIRONMENT=production must not quietly start development.
        if name.startswith(ENVIRONMENT_VARIABLE) and name != ENVIRONMENT_VARIABLE:
            raise SettingsError(f"{name}: unknown; the profile is chosen by {ENVIRONMENT_VARIABLE}.")
    chosen = variables.get(ENVIRONMENT_VARIABLE, Environment.DEVELOPMENT)
    try:
        return Environment(chosen)
    except ValueError:
        names = ", ".join(Environment)
        raise SettingsError(f"{ENVIRONMENT_VARIABLE}={chosen}: no such profile; it is one of {names}.") from None


class _UniqueKeyLoader(yaml.SafeLoader):
    """Refuses a key that stands twice, of which YAML would quietly take the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:  # noqa: FBT001, FBT002 - the signature is PyYAML's.
        seen: set[str] = set()
        for key_node, _ in node.value:
            if key_node.value in seen:
                raise yaml.YAMLError(
                    f"key {key_node.value!r} stands twice, again on line {key_node.start_mark.line + 1}"
                )
            seen.add(key_node.value)
        return super().construct_mapping(node, deep)


def _read_profiles(config_file: Path, environment: Environment) -> Iterator[tuple[str, dict[str, Any]]]:
    try:
        document = yaml.load(config_file.read_text(encoding="utf-8"), _UniqueKeyLoader)  # noqa: S506 - a SafeLoader.
    except OSError as error:
        raise SettingsError(f"{config_file}: cannot be read ({error.strerror}).") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise SettingsError(f"{config_file}: {error}.") from error
    name = config_file.name
    if not isinstance(document, dict) or set(document) != {"defaults", "profiles"}:
        raise SettingsError(f"{name}: its top-level keys must be 'defaults' and 'profiles'.")
    unknown = set(document["profiles"]) - set(Environment)
    if unknown:
        raise SettingsError(f"{name}: no such profile: {', '.join(sorted(map(str, unknown)))}.")
    yield f"{name}, defaults", document["defaults"] or {}
    yield f"{name}, {environment}", document["profiles"].get(environment) or {}


def _leaves(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in tree.items():
        if isinstance(value, dict) and value:
            yield from _leaves(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _apply_variables(variables: Mapping[str, str], values: dict[str, Any], sources: dict[str, str]) -> list[str]:
    """Let each CARBOY_SECTION__KEY variable change its key, and return a line for each that names no key.

    Names without the double underscore are left alone: Kubernetes gives every pod CARBOY_SERVICE_HOST and its like
    when a service is called carboy.
    """
    known = set(_keys(Settings))
    problems = []
    for name in sorted(variables):
        if not name.startswith(PREFIX) or "__" not in name:
            continue
        key = name.removeprefix(PREFIX).lower().replace("__", ".")
        if key in known:
            values[key], sources[key] = variables[name], name
        else:
            problems.append(f"{key}: unknown key (from {name}).")
    return problems


def _keys(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from _keys(field.annotation, f"{prefix}{name}.")
        elif prefix:
            yield f"{prefix}{name}"


def _validate(
    environment: Environment, values: Mapping[str, Any], sources: dict[str, str], problems: list[str]
) -> Settings:
    tree: dict[str, Any] = {"environment": environment}
    for key, value in values.items():
        *sections, name = key.split(".")
        node = tree
        for section in sections:
            node = node.setdefault(section, {})
        # A secret that is null is one that is not set.
        if value is not None:
            node[name] = value
    for name, field in Settings.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            tree.setdefault(name, {})
    try:
        settings = Settings.model_validate(tree)
    except ValidationError as error:
        problems += [_describe(details["loc"], details, sources) for details in error.errors(include_input=False)]
        raise SettingsError("\n".join(problems)) from None
    settings._sources.update(sources)  # noqa: SLF001 - the model's private attribute is for this function to fill.
    problems += _check_secrets(settings)
    if problems:
        raise SettingsError("\n".join(problems))
    return settings


def _describe(loc: tuple[int | str, ...], details: Any, sources: Mapping[str, str]) -> str:
    key = ".".join(map(str, loc))
    variable = PREFIX + key.upper().replace(".", "__")
    if details["type"] == "missing":
        return f"{key}: missing; set {variable}."
    source = sources.get(key) or next((sources[known] for known in sources if known.startswith(f"{key}.")), "")
    message = "unknown key" if details["type"] == "extra_forbidden" else details["msg"]
    return f"{key}: {message} (from {source})."


def _check_secrets(settings: Settings) -> list[str]:
    if not settings.environment.is_deployed:
        return []
    problems = []
    for key, value in walk(settings):
        if not isinstance(value, SecretStr):
            continue
        variable = PREFIX + key.upper().replace(".", "__")
        source = settings.source_of(key)
        if "config.yaml" in source:
            problems.append(f"{key}: a secret must not stand in a file (from {source}); set {variable}.")
        elif key == "security.secret_key" and SAMPLE.search(value.get_secret_value()):
            problems.append(f"{key}: this is a sample, not a secret (from {source}).")
    return problems


def _resolve_paths(settings: Settings, root: Path) -> Settings:
    """Make a relative SQLite file relative to the configuration's folder, wherever the process was started."""
    match = SQLITE_FILE.fullmatch(settings.database.url.get_secret_value())
    if match is None:
        return settings
    url = SecretStr(f"{match[1]}{root.resolve() / match[2]}")
    database = settings.database.model_copy(update={"url": url})
    return settings.model_copy(update={"database": database})


def walk(section: BaseModel, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield each setting as a dotted key and its value, in the order of the models."""
    for name in type(section).model_fields:
        value = getattr(section, name)
        if isinstance(value, BaseModel):
            yield from walk(value, f"{prefix}{name}.")
        elif prefix:
            yield f"{prefix}{name}", value


def masked(value: object) -> str:
    """Return a value as it may be shown: of a secret nothing, of a URL all but its password and query."""
    if not isinstance(value, SecretStr):
        return str(value)
    secret = value.get_secret_value()
    if "://" not in secret:
        return "********"
    return re.sub(r"(://[^:/@]*):.*@", r"\1:********@", secret.partition("?")[0])
