"""Collects the values that files and variables give, by key, and what is wrong with the keys."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel

from carboy.config.keys import Keys, is_list, is_list_of_sections, is_optional, section_of


class Given:
    """The values by dotted key, where each comes from, and a line for each key that is wrong.

    Args:
        keys: Those that there are.
        prefix: What the name of each variable begins with.
    """

    def __init__(self, keys: Keys, prefix: str) -> None:
        self.keys = keys
        self.values: dict[str, Any] = {}
        self.sources: dict[str, str] = {}
        self.problems: list[str] = []
        self._prefix = prefix
        self._variables = {self.variable(key): key for key in keys.values}

    def variable(self, key: str) -> str:
        """Return the name of the variable that sets a key."""
        return self._prefix + key.upper().replace(".", "__")

    def add_tree(self, tree: Mapping[str, Any], source: str, prefix: str = "") -> None:
        for name, value in tree.items():
            if isinstance(value, dict) and value:
                self.add_tree(value, source, f"{prefix}{name}.")
            else:
                self._add(f"{prefix}{name}", value, source)

    def add_variable(self, name: str, text: str, place: str) -> None:
        """Take a variable; foreign names are ignored.

        Kubernetes gives every pod CARBOY_SERVICE_HOST and its like when a service is called carboy.
        """
        if not name.startswith(self._prefix):
            return
        key = self._variables.get(name)
        if key is not None:
            self._add(key, _read(text, self.keys.values[key]), f"{name}{place}")
        elif meant := self._meant_by(name):
            self.problems.append(f"{name}: unknown; the variable is {meant}.")
        elif "__" in name:
            self._add(name.removeprefix(self._prefix).lower().replace("__", "."), text, f"{name}{place}")

    def _meant_by(self, name: str) -> str | None:
        single = name.replace("__", "_")
        return next((variable for variable in self._variables if variable.replace("__", "_") == single), None)

    def _add(self, key: str, value: Any, source: str) -> None:
        if key in self.keys.values:
            self.values[key], self.sources[key] = value, source
        elif key not in self.keys.sections:
            self.problems.append(f"{key}: unknown key (from {source}).")
        elif value:
            self.problems.append(f"{key}: must be a section of keys (from {source}).")
        elif value is None and is_optional(self.keys.sections[key]):
            self._leave_out(f"{key}.")

    def _leave_out(self, prefix: str) -> None:
        for key in [key for key in self.values if key.startswith(prefix)]:
            del self.values[key], self.sources[key]

    def tree(self, section: type[BaseModel], prefix: str = "") -> dict[str, Any]:
        """Return the values as the model of a section takes them.

        What is null is not set. An optional section of which nothing is set is None, and so is an optional value.
        """
        return {name: value for name, value in self._items(section, prefix) if value is not ...}

    def _items(self, section: type[BaseModel], prefix: str) -> Iterator[tuple[str, Any]]:
        for name, field in section.model_fields.items():
            key, inner = prefix + name, section_of(field.annotation)
            empty = None if is_optional(field.annotation) and (field.is_required() or key in self.values) else ...
            if inner is None:
                value = self.values.get(key)
                yield name, empty if value is None else value
            elif is_optional(field.annotation) and not self._has_any(f"{key}."):
                yield name, None
            else:
                yield name, self.tree(inner, f"{key}.")

    def _has_any(self, prefix: str) -> bool:
        return any(value is not None for key, value in self.values.items() if key.startswith(prefix))


def _read(text: str, kind: Any) -> Any:
    """Read what a variable holds: a list is separated by commas, empty if there is nothing; one of sections is JSON."""
    if not is_list(kind):
        return text
    if not is_list_of_sections(kind):
        return [item.strip() for item in text.split(",")] if text.strip() else []
    try:
        return json.loads(text)
    except ValueError:
        # The model says that it is no list.
        return text
