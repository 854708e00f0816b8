"""Finds out, without calling a provider, what type of object it gives, and whether a parameter accepts that type."""

import inspect
import types
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin, get_type_hints

from dependency_injector.providers import (
    AttributeGetter,
    BaseSingleton,
    Callable,
    Dependency,
    Dict,
    Factory,
    List,
    Object,
    ProvidedInstance,
    Provider,
)


class UnknownAttributeError(Exception):
    """A provider passes on an attribute that its object does not have."""


def signature_of(function: Any) -> inspect.Signature:
    """Return the signature of a class or function, its annotations evaluated."""
    return inspect.signature(function, eval_str=True)


def product_of(provider: Any) -> Any:  # noqa: PLR0911 - a table of provider kinds.
    """Return the type of what a provider gives; Any where it cannot be told.

    Raises:
        UnknownAttributeError: The provider passes on an attribute that does not exist.
    """
    if not isinstance(provider, Provider):
        return type(provider)
    if provider.last_overriding is not None:
        return product_of(provider.last_overriding)
    if isinstance(provider, (BaseSingleton, Factory, Callable)):
        return _result_of(provider.provides)
    if isinstance(provider, Object):
        return type(provider())
    if isinstance(provider, Dependency):
        return provider.instance_of
    if isinstance(provider, (Dict, List)):
        return dict if isinstance(provider, Dict) else list
    if isinstance(provider, ProvidedInstance):
        return product_of(provider.provides)
    if isinstance(provider, AttributeGetter) and provider.name is not None:
        return _attribute_of(product_of(provider.provides), provider.name)
    return Any


def _result_of(function: Any) -> Any:
    if isinstance(function, type):
        return function
    result = signature_of(function).return_annotation
    return Any if result is inspect.Signature.empty else result


def _attribute_of(owner: Any, name: str) -> Any:
    if not isinstance(owner, type):
        return Any
    hints = get_type_hints(owner, include_extras=False)
    if name in hints:
        return hints[name]
    if not hasattr(owner, name):
        raise UnknownAttributeError(f"{owner.__qualname__} has no attribute {name!r}")
    member = inspect.getattr_static(owner, name)
    return _result_of(member.fget) if isinstance(member, property) else Any


def accepts(annotation: Any, product: Any) -> bool:
    """Tell whether a parameter that is annotated so may be given an object of this type.

    What cannot be told at run time, such as the types inside a generic, is let pass.
    """
    if annotation in {Any, inspect.Parameter.empty} or product is Any or isinstance(annotation, TypeVar):
        return True
    origin = get_origin(annotation)
    if origin is Annotated:
        return accepts(get_args(annotation)[0], product)
    if origin in {Union, types.UnionType}:
        return any(accepts(option, product) for option in get_args(annotation))
    wanted, given = origin or annotation, get_origin(product) or product
    if wanted is None:
        wanted = type(None)
    if not isinstance(wanted, type) or not isinstance(given, type):
        return True
    if getattr(wanted, "_is_protocol", False):
        return all(hasattr(given, member) for member in _members(wanted))
    return issubclass(given, wanted)


def _members(protocol: type) -> set[str]:
    return {
        name
        for base in protocol.__mro__
        if getattr(base, "_is_protocol", False)
        for name in {*vars(base), *vars(base).get("__annotations__", {})}
        if not name.startswith("_")
    }
