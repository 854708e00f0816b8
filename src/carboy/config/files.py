"""Reads the files: config.yaml and carboy.env."""

from collections.abc import Hashable, Iterator, Mapping
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from dotenv.parser import parse_stream

from carboy.config.settings import Environment


class SettingsError(Exception):
    """The configuration is wrong: one line for each mistake, by key and source."""


def read_dotenv(file: Path) -> dict[str, str]:
    """Return the variables of a carboy.env file, none if there is no such file."""
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not valid UTF-8"
        raise SettingsError(f"{file}: {reason}.") from None
    variables: dict[str, str] = {}
    # Not `dotenv_values`, which leaves out a line that it cannot read.
    for line in parse_stream(StringIO(text)):
        if line.error:
            # It counts from the empty lines before.
            before, _, _ = line.original.string.partition(line.original.string.strip())
            number = line.original.line + before.count("\n")
            raise SettingsError(f"{file}, line {number}: expected NAME=value.")
        if line.key is not None and line.value is not None:
            variables[line.key] = line.value
    return variables


def read_profiles(config_file: Path, environment: Environment) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the defaults and then the profile of the environment, each with how to name it as a source."""
    name = config_file.name
    document = _read_document(config_file)
    if not isinstance(document, dict) or set(document) != {"defaults", "profiles"}:
        raise SettingsError(f"{name}: its top-level keys must be 'defaults' and 'profiles'.")
    profiles = _mapping(document, "profiles", name)
    unknown = set(profiles) - set(Environment)
    if unknown:
        raise SettingsError(f"{name}: no such profile: {', '.join(sorted(map(str, unknown)))}.")
    yield f"{name}, defaults", _mapping(document, "defaults", name)
    yield f"{name}, {environment}", _mapping(profiles, environment, name)


def _mapping(parent: Mapping[str, Any], key: str, file_name: str) -> dict[str, Any]:
    value = parent.get(key) or {}
    if not isinstance(value, dict):
        raise SettingsError(f"{file_name}: {key} must be a mapping.")
    return value


class _DuplicateKeyError(yaml.YAMLError):
    pass


if TYPE_CHECKING:
    from yaml import SafeLoader
else:
    # libyaml's, which takes a tenth of the time, where it is installed.
    SafeLoader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _UniqueKeyLoader(SafeLoader):
    """Refuses a key that stands twice, of which YAML would quietly take the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:  # noqa: FBT001, FBT002 - the signature is PyYAML's.
        seen: set[str] = set()
        for key_node, _ in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                continue
            if key_node.value in seen:
                line = key_node.start_mark.line + 1
                raise _DuplicateKeyError(f"key {key_node.value!r} is given twice, the second time on line {line}")
            seen.add(key_node.value)
        return super().construct_mapping(node, deep)


def _read_document(config_file: Path) -> Any:
    try:
        return yaml.load(config_file.read_text(encoding="utf-8"), _UniqueKeyLoader)  # noqa: S506 - a SafeLoader.
    except OSError as error:
        raise SettingsError(f"{config_file}: cannot be read ({error.strerror}).") from error
    except _DuplicateKeyError as error:
        raise SettingsError(f"{config_file}: {error}.") from None
    except (yaml.YAMLError, ValueError) as error:
        # Not the error's own words: they quote the file, and with it what may be a secret.
        mark = getattr(error, "problem_mark", None)
        line = "" if mark is None else f" (line {mark.line + 1})"
        raise SettingsError(f"{config_file}: not valid YAML{line}.") from None
