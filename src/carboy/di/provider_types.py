"""Works out what type of object a provider gives, without calling it, and whether that fits its destination."""

import inspect
from collections.abc import AsyncGenerator, AsyncIterator, Generator, Hashable, Iterator, Mapping
from functools import lru_cache
from typing import Annotated, Any, TypeVar, get_args, get_origin, get_type_hints, is_typeddict

from dependency_injector.providers import (
    AttributeGetter,
    BaseSingleton,
    Callable,
    Dependency,
    Dict,
    Factory,
    ItemGetter,
    List,
    MethodCaller,
    Object,
    ProvidedInstance,
    Provider,
    Resource,
)

from carboy.config.keys import options_of
from carboy.di.paths import current

ANYTHING = inspect.signature(lambda *_args, **_kwargs: None)


class UnknownAttributeError(Exception):
    """A provider passes on an attribute that its object does not have."""


def signature_of(function: Any) -> inspect.Signature:
    """Return the signature of a class or function, its annotations evaluated where they can be."""
    return _remembered_signature(function) if isinstance(function, Hashable) else _signature(function)


def _signature(function: Any) -> inspect.Signature:
    try:
        return inspect.signature(function, eval_str=True)
    except ValueError:
        # Some that are written in C, as dict is, tell nothing.
        return ANYTHING
    except (NameError, AttributeError, TypeError, SyntaxError):
        # An import stands under TYPE_CHECKING, for one.
        return inspect.signature(function)


# Each test makes a container of the same classes, and their annotations are evaluated for a tenth of its time.
_remembered_signature = lru_cache(maxsize=4096)(_signature)


@lru_cache(maxsize=4096)
def parameters_of(view: Any) -> Mapping[str, inspect.Parameter]:
    """Return the parameters of a view by name, with their annotations as they are."""
    return inspect.signature(view).parameters


def marker_of(parameter: inspect.Parameter) -> Any:
    """Return the marker of a view's argument, or None if it has none."""
    candidates = [parameter.default]
    if get_origin(parameter.annotation) is Annotated:
        candidates += get_args(parameter.annotation)[1:]
    return next((candidate for candidate in candidates if getattr(candidate, "__IS_MARKER__", False)), None)


def product_of(provider: Any) -> Any:  # noqa: PLR0911 - a table of provider kinds.
    """Return the type of what a provider gives; Any where it cannot be told.

    Raises:
        UnknownAttributeError: The provider passes on an attribute that does not exist.
    """
    if not isinstance(provider, Provider):
        return type(provider)
    provider = current(provider)
    if gives_itself(provider):
        return Any
    if isinstance(provider, (BaseSingleton, Factory, Callable)):
        result = _result_of(provider.provides)
        return _class_given(provider, result) if isinstance(result, TypeVar) else result
    if isinstance(provider, Resource):
        return _kept_by(provider)
    if isinstance(provider, Object):
        return type(provider())
    if isinstance(provider, Dependency):
        return Any if provider.instance_of is object else provider.instance_of
    if isinstance(provider, (Dict, List)):
        return dict if isinstance(provider, Dict) else list
    if isinstance(provider, ProvidedInstance):
        return product_of(provider.provides)
    if isinstance(provider, (AttributeGetter, ItemGetter, MethodCaller)):
        owner = product_of(provider.provides)
        return _attribute_of(owner, str(provider.name)) if isinstance(provider, AttributeGetter) else Any
    return Any


def gives_itself(provider: Any) -> bool:
    """Tell whether a provider is passed on as it is, for the receiver to call, as a DelegatedFactory is."""
    return bool(getattr(type(provider), "__IS_DELEGATED__", False))


def _result_of(function: Any) -> Any:
    if isinstance(function, type):
        return function
    result = signature_of(function).return_annotation
    return Any if result is inspect.Signature.empty else result


def _class_given(provider: Any, variable: TypeVar) -> Any:
    """Return the class that a function is given and makes an object of, as in ``def make(kind: type[T]) -> T``."""
    signature = signature_of(provider.provides)
    try:
        arguments = signature.bind_partial(*provider.args, **provider.kwargs).arguments
    except TypeError:
        return Any
    for name, argument in arguments.items():
        if signature.parameters[name].annotation == type[variable]:
            return argument
    return Any


def _kept_by(resource: Any) -> Any:
    """Return the type of what a resource's function returns or yields."""
    if isinstance(resource.provides, type):
        return Any
    result = _result_of(resource.provides)
    if get_origin(result) in {Iterator, Generator, AsyncIterator, AsyncGenerator}:
        return get_args(result)[0]
    return Any if result in {Iterator, Generator, AsyncIterator, AsyncGenerator} else result


def _attribute_of(owner: Any, name: str) -> Any:
    if not isinstance(owner, type) or owner is Any:
        return Any
    hints = _hints_of(owner)
    if name in hints:
        return hints[name]
    if hasattr(owner, name):
        member = inspect.getattr_static(owner, name)
        return _result_of(member.fget) if isinstance(member, property) else Any
    if _is_set_at_start(owner, name):
        return Any
    raise UnknownAttributeError(f"{owner.__qualname__} has no attribute {name!r}")


@lru_cache(maxsize=256)
def _hints_of(owner: type) -> Mapping[str, Any]:
    try:
        return get_type_hints(owner)
    except (NameError, AttributeError, TypeError, SyntaxError):
        return dict.fromkeys((key for base in owner.__mro__ for key in vars(base).get("__annotations__", {})), Any)


def _is_set_at_start(owner: type, name: str) -> bool:
    """Tell whether __init__ speaks of the attribute: the class does not know what only that sets."""
    codes = (getattr(vars(base).get("__init__"), "__code__", None) for base in owner.__mro__)
    return any(name in code.co_names for code in codes if code is not None)


def accepts(annotation: Any, product: Any) -> bool:
    """Tell whether a parameter that is annotated so may be given an object of this type.

    What cannot be told at run time, such as the types inside a generic, is let pass.
    """
    wanted = list(options_of(annotation))
    return all(any(_accepts(option, given) for option in wanted) for given in options_of(product))


def _accepts(annotation: Any, product: Any) -> bool:
    wanted, given = get_origin(annotation) or annotation, get_origin(product) or product
    if wanted is Any or wanted is inspect.Parameter.empty or given is Any:
        return True
    if not isinstance(wanted, type) or not isinstance(given, type):
        return True
    if wanted in {float, complex}:
        # PEP 484 lets an int stand for a float, and both for a complex.
        return issubclass(given, (int, float, wanted))
    if is_typeddict(wanted):
        return issubclass(given, dict)
    if getattr(wanted, "_is_protocol", False):
        return all(hasattr(given, method) for method in _methods(wanted))
    return issubclass(given, wanted)


@lru_cache(maxsize=256)
def _methods(protocol: type) -> set[str]:
    """Return the methods that a protocol asks for. Whether __init__ sets its other members, the class cannot tell."""
    return {
        name
        for base in protocol.__mro__
        if getattr(base, "_is_protocol", False)
        for name, member in vars(base).items()
        if not name.startswith("_") and inspect.isfunction(member)
    }


def check_type(place: str, annotation: Any, argument: Any) -> Iterator[str]:
    """Yield a line if what a provider gives does not fit an annotation, or one for each item that does not."""
    try:
        product = product_of(argument)
    except UnknownAttributeError as error:
        yield f"{place}: {error}"
        return
    fitting = [option for option in options_of(annotation) if accepts(option, product)]
    if not accepts(annotation, product):
        yield f"{place} wants {_name(annotation)}, and is given {_name(product)}"
    elif isinstance(argument, Dict):
        _, item = get_args(fitting[0]) if len(get_args(fitting[0])) == 2 else (Any, Any)  # noqa: PLR2004 - key and value.
        for key, value in argument.kwargs.items():
            yield from check_type(f"{place}[{key!r}]", item, value)
    elif isinstance(argument, List):
        (item,) = get_args(fitting[0]) if len(get_args(fitting[0])) == 1 else (Any,)
        for index, value in enumerate(argument.args):
            yield from check_type(f"{place}[{index}]", item, value)


def _name(annotation: Any) -> str:
    names = [_name_of_one(option) for option in options_of(annotation)]
    return " | ".join("None" if name == "NoneType" and len(names) > 1 else name for name in names)


def _name_of_one(annotation: Any) -> str:
    """Spell a type as its users do: in which module it is defined differs between versions of Python."""
    if annotation is ...:
        return "..."
    if isinstance(annotation, list):
        # What a Callable is called with.
        return f"[{', '.join(map(_name, annotation))}]"
    kind = get_origin(annotation) or annotation
    if not isinstance(kind, type):
        return str(annotation)
    items = ", ".join(map(_name, get_args(annotation)))
    return f"{kind.__qualname__}[{items}]" if items else kind.__qualname__
