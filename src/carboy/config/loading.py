"""Puts the settings together: defaults, under the profile of CARBOY_ENV, under CARBOY_SECTION__KEY variables."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote

from pydantic import SecretStr, ValidationError
from pydantic_core import ErrorDetails

from carboy.config.files import SettingsError, read_dotenv, read_profiles
from carboy.config.given import Given
from carboy.config.keys import Keys
from carboy.config.secrecy import check_secrets
from carboy.config.settings import Environment, Settings

SQLITE_FILE = re.compile(r"(sqlite(?:\+aiosqlite)?:///)(?!/)(.+)")

S = TypeVar("S", bound=Settings)


def load_settings(kind: type[S], config_file: Path, environ: Mapping[str, str]) -> S:
    """Read and validate all settings.

    Args:
        kind: The application's class of settings, which adds its sections to the kit's.
        config_file: The path of config.yaml. A file ``carboy.env`` beside it may hold variables; the environment wins.
        environ: The environment variables.

    Raises:
        SettingsError: A file cannot be read, a key is unknown or missing, a value is of the wrong type, or a secret is
            missing, too short, a sample or easy to guess where real users depend on it.
    """
    prefix = kind.variable_prefix
    # Not .env: the `flask` command reads that by itself, in a way of its own, and a server does not.
    dotenv = f"{prefix.rstrip('_').lower()}.env"
    from_file = read_dotenv(config_file.with_name(dotenv))
    environment = _environment({**from_file, **environ}, f"{prefix}ENV")
    given = Given(Keys.of(kind), prefix)
    for source, tree in read_profiles(config_file, environment):
        try:
            given.add_tree(tree, source)
        except RecursionError:
            raise SettingsError(f"{source}: an alias refers to itself.") from None
    for variables, place in ((from_file, f" in {dotenv}"), (environ, "")):
        for name in sorted(variables):
            given.add_variable(name, variables[name], place)
    settings = _validate(kind, environment, given)
    return _resolve_paths(settings, config_file.parent)


def _environment(variables: Mapping[str, str], chooser: str) -> Environment:
    for name in variables:
        # CARBOY_ENVIRONMENT=production must not quietly start development.
        if re.fullmatch(rf"{chooser}[A-Z]+", name):
            raise SettingsError(f"{name}: unknown; set {chooser} to choose the profile.")
    chosen = variables.get(chooser, Environment.DEVELOPMENT)
    try:
        return Environment(chosen)
    except ValueError:
        names = ", ".join(Environment)
        raise SettingsError(f"{chooser}={chosen}: no such profile; it is one of {names}.") from None


def _validate(kind: type[S], environment: Environment, given: Given) -> S:
    problems = list(given.problems)
    try:
        settings = kind.model_validate(given.tree(kind) | {"environment": environment})
    except ValidationError as error:
        problems += [_describe(details, given) for details in error.errors(include_input=False)]
    if environment.is_deployed:
        problems += check_secrets(given.keys, given.values, given.sources, given.variable)
    if problems:
        raise SettingsError("\n".join(problems))
    settings._sources.update(given.sources)  # noqa: SLF001 - the model's private attribute is for this function to fill.
    return settings


def _describe(details: ErrorDetails, given: Given) -> str:
    place = [str(part) for part in details["loc"]]
    # Within a value, as in a list, the place goes deeper than the key.
    keys = (".".join(place[:depth]) for depth in range(1, len(place) + 1))
    key = next((key for key in keys if key in given.keys.values), None)
    if details["type"] == "missing" and key == ".".join(place):
        return f"{key}: missing; set {given.variable(key)}."
    source = f" (from {given.sources[key]})" if key in given.sources else ""
    return f"{'.'.join(place)}: {details['msg'].removeprefix('Value error, ')}{source}."


def _resolve_paths(settings: S, root: Path) -> S:
    """Make relative paths start at the configuration's folder, wherever the process was started."""
    mail = settings.mail.model_copy(update={"folder": root.resolve() / settings.mail.folder})
    settings = settings.model_copy(update={"mail": mail})
    match = SQLITE_FILE.fullmatch(settings.database.url.get_secret_value())
    if match is None:
        return settings
    url = SecretStr(f"{match[1]}{quote(str(root.resolve()))}/{match[2]}")
    database = settings.database.model_copy(update={"url": url})
    return settings.model_copy(update={"database": database})
