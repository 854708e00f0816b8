"""The keys of a Settings class: which there are, and which of them are lists, secrets or optional."""

from collections.abc import Iterator
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, Secret, SecretBytes, SecretStr

SECRETS = (SecretStr, SecretBytes, Secret)
LISTS = (list, tuple, set, frozenset)


@dataclass(frozen=True)
class Keys:
    """The dotted keys of a Settings class.

    Attributes:
        values: The type of each value, such as that of ``database.url``.
        sections: The type of each section, at any depth, such as that of ``oauth.google``; None may be part of it.
    """

    values: dict[str, Any]
    sections: dict[str, Any]

    @classmethod
    def of(cls, settings: type[BaseModel]) -> "Keys":
        keys = cls({}, {})
        keys._add(settings, "")
        # CARBOY_ENV chooses it, as it chooses what is read.
        keys.values.pop("environment", None)
        return keys

    def _add(self, section: type[BaseModel], prefix: str) -> None:
        for name, field in section.model_fields.items():
            inner = section_of(field.annotation)
            if inner is None:
                self.values[prefix + name] = field.annotation
            else:
                self.sections[prefix + name] = field.annotation
                self._add(inner, f"{prefix}{name}.")


def options_of(kind: Any) -> Iterator[Any]:
    """Yield the members of a union, or the type itself if it is none, without metadata."""
    origin = get_origin(kind)
    if origin is Annotated:
        yield from options_of(get_args(kind)[0])
    elif origin in {Union, UnionType}:
        for option in get_args(kind):
            yield from options_of(option)
    else:
        # `None` in an annotation means its type.
        yield NoneType if kind is None else kind


def section_of(kind: Any) -> type[BaseModel] | None:
    """Return the model of a section, optional or not; None if the type is no section."""
    models = [option for option in options_of(kind) if isinstance(option, type) and issubclass(option, BaseModel)]
    return models[0] if len(models) == 1 else None


def is_optional(kind: Any) -> bool:
    return NoneType in options_of(kind)


def is_list(kind: Any) -> bool:
    return any((get_origin(option) or option) in LISTS for option in options_of(kind))


def is_list_of_sections(kind: Any) -> bool:
    return is_list(kind) and any(section_of(item) for option in options_of(kind) for item in get_args(option))


def holds_secret(kind: Any) -> bool:
    """Tell whether a value of this type is a secret, may be one, or holds some."""
    return any(_holds_secret(option) for option in options_of(kind))


def _holds_secret(kind: Any) -> bool:
    plain = get_origin(kind) or kind
    if isinstance(plain, type) and issubclass(plain, SECRETS):
        return True
    if isinstance(plain, type) and issubclass(plain, BaseModel):
        return any(holds_secret(field.annotation) for field in plain.model_fields.values())
    return any(holds_secret(inner) for inner in get_args(kind))
