"""Wires a container to the views, after checking that it can give each of them what it asks for.

The library injects a misspelt marker as the marker itself, and finds a wrong argument when the first request needs
it. Here each is an error at start that names the view or provider.
"""

import inspect
import sys
import warnings
import weakref
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

from dependency_injector import wiring
from dependency_injector.containers import Container
from dependency_injector.providers import (
    AttributeGetter,
    BaseSingleton,
    ContextLocalSingleton,
    Dict,
    Factory,
    ItemGetter,
    List,
    MethodCaller,
    ProvidedInstance,
    Provider,
    ThreadLocalSingleton,
)
from dependency_injector.wiring import _is_patched
from flask import Flask
from pydantic import BaseModel

from carboy.di.provider_types import check_type, current, gives_itself, marker_of, signature_of

OWNER = "__wired_by__"
FROM_REQUEST = "__from_request__"
"""The attribute in which a view may say which of its arguments come from the request's query, body and headers."""
SHORT_LIVED = (Factory, ThreadLocalSingleton, ContextLocalSingleton)


class WiringError(Exception):
    """The graph of providers and views is wrong: one line for each place."""


def wire(container: Container, app: Flask) -> None:
    """Check the graph, then let the container inject into the application's views, and into what stands beside them.

    Raises:
        WiringError: The graph is wrong, or another live container is wired to a module of views: the library would let
            that one go stale without a word.
    """
    problems = [*check_providers(container), *check_views(container, app)]
    if problems:
        raise WiringError("The container is wrong:\n" + "\n".join(f"- {problem}" for problem in problems))
    modules = _modules_of_views(app)
    for module in modules:
        owner = getattr(module, OWNER, lambda: None)()
        if owner is not None and owner is not container:
            raise WiringError(f"Another container is wired to {module.__name__}: call unwire() on that one first.")
    with warnings.catch_warnings(), _passing_over_models():
        warnings.simplefilter("error", wiring.UnresolvedMarkerWarning)
        try:
            container.wire(modules=modules, warn_unresolved=True, keep_cache=True)
        except BaseException as error:
            # The container itself would not know yet what it has been wired to.
            wiring.unwire(modules=modules)
            if isinstance(error, wiring.UnresolvedMarkerWarning):
                raise WiringError(f"{error}: the container has no such provider.") from None
            raise
    for module in modules:
        setattr(module, OWNER, weakref.ref(container))


@contextmanager
def _passing_over_models() -> Iterator[None]:
    """Keep the library from going through the methods of the models and errors that a module imports.

    They are dozens each, nothing is ever injected into them, and each domain brings its own.
    """
    is_excluded = wiring.is_excluded_from_inspect
    wiring.is_excluded_from_inspect = lambda obj: _is_model_or_error(obj) or is_excluded(obj)
    try:
        yield
    finally:
        wiring.is_excluded_from_inspect = is_excluded


def _is_model_or_error(member: Any) -> bool:
    return isinstance(member, type) and issubclass(member, (BaseModel, BaseException))


def unwire(container: Container) -> None:
    """Undo `wire`, so that another container may be wired."""
    modules = list(container.wired_to_modules)  # type: ignore[call-overload]  # the stub takes it for a provider.
    container.unwire()
    for module in modules:
        if getattr(module, OWNER, lambda: None)() is container:
            delattr(module, OWNER)


def _modules_of_views(app: Flask) -> list[ModuleType]:
    """Return the modules of all views that ask for something, wherever they stand."""
    names = {view.__module__ for view in app.view_functions.values() if any(map(marker_of, _parameters(view)))}
    return [sys.modules[name] for name in sorted(names)]


def _parameters(view: Callable[..., Any]) -> Iterable[inspect.Parameter]:
    return inspect.signature(view).parameters.values()


def check_providers(container: Container) -> Iterator[str]:
    """Yield a line for each provider that would be called with arguments that do not fit, or hold on to too much."""
    named = {current(provider) for provider in container.providers.values()}
    for name, provider in container.providers.items():
        yield from (f"provider {name}: {problem}" for problem in _check_provider(current(provider)))
        for inner in _unnamed(current(provider), named):
            made = getattr(getattr(inner, "provides", None), "__name__", type(inner).__name__)
            yield from (f"provider {name}: within it, {made}: {problem}" for problem in _check_provider(inner))


def _unnamed(provider: Provider[Any], named: set[Provider[Any]]) -> Iterator[Provider[Any]]:
    """Yield the providers that stand within another and have no name of their own."""
    for related in map(current, provider.related):
        if related not in named:
            yield related
            yield from _unnamed(related, named)


def _check_provider(provider: Provider[Any]) -> Iterator[str]:
    if not isinstance(provider, (BaseSingleton, Factory)) or not callable(provider.provides):
        return
    yield from _check_arguments(provider)
    if not isinstance(provider, SHORT_LIVED):
        for argument, short in _short_lived(provider):
            yield (
                f"argument {argument} is a {type(short).__name__}, whose object this singleton would keep for ever;"
                " pass its .provider instead"
            )


def _arguments_of(provider: Any) -> Iterator[tuple[str, inspect.Parameter | None, Any]]:
    """Yield the name, the parameter that takes it, if one does, and the provider or plain value of each argument."""
    parameters = signature_of(provider.provides).parameters
    by_position = [one for one in parameters.values() if one.kind in {one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD}]
    by_name = {
        name: one for name, one in parameters.items() if one.kind in {one.POSITIONAL_OR_KEYWORD, one.KEYWORD_ONLY}
    }
    others = {one.kind: one for one in parameters.values()}
    for index, argument in enumerate(provider.args):
        if index < len(by_position):
            yield by_position[index].name, by_position[index], argument
        else:
            yield str(index + 1), others.get(inspect.Parameter.VAR_POSITIONAL), argument
    for name, argument in provider.kwargs.items():
        yield name, by_name.get(name, others.get(inspect.Parameter.VAR_KEYWORD)), argument


def _check_arguments(provider: Any) -> Iterator[str]:
    arguments = list(_arguments_of(provider))
    taken = {parameter.name for _, parameter, _ in arguments if parameter is not None}
    for name, parameter in signature_of(provider.provides).parameters.items():
        if name not in taken and _is_required(parameter):
            yield f"argument {name} is missing"
    seen = set()
    for name, taker, argument in arguments:
        if taker is None:
            yield f"argument {name} is one too many" if name.isdigit() else f"argument {name} is unknown"
        elif name in seen:
            yield f"argument {name} is given twice"
        else:
            yield from check_type(f"argument {name}", taker.annotation, argument)
        seen.add(name)


def _is_required(parameter: inspect.Parameter) -> bool:
    return parameter.default is parameter.empty and parameter.kind not in {
        parameter.VAR_POSITIONAL,
        parameter.VAR_KEYWORD,
    }


def _short_lived(provider: Any) -> Iterator[tuple[str, Any]]:
    """Yield the path and provider of each short-lived object that a provider would be given."""
    if isinstance(provider, (Dict, List)):
        arguments = [*((str(index), argument) for index, argument in enumerate(getattr(provider, "args", ())))]
        arguments += getattr(provider, "kwargs", {}).items()
    else:
        arguments = [(name, argument) for name, _, argument in _arguments_of(provider)]
    for name, argument in arguments:
        target = _source_of(argument)
        if isinstance(target, SHORT_LIVED) and not gives_itself(target):
            yield name, target
        elif isinstance(target, (Dict, List)):
            yield from ((f"{name}.{path}", short) for path, short in _short_lived(target))


def _source_of(argument: Any) -> Any:
    """Return the provider of which an argument is the object, or a part of the object."""
    target = current(argument) if isinstance(argument, Provider) else argument
    if isinstance(target, (AttributeGetter, ItemGetter, MethodCaller, ProvidedInstance)):
        return _source_of(target.provides)
    return target


def check_views(container: Container, app: Flask) -> Iterator[str]:
    """Yield a line for each view that would not get what its signature asks for."""
    problems: dict[str, None] = {}
    for rule in app.url_map.iter_rules():
        view = app.view_functions.get(rule.endpoint)
        if view is None or rule.endpoint == "static" or hasattr(view, "view_class"):
            continue
        place = f"view {rule.endpoint} ({view.__module__})"
        # A view with two rules is told of once.
        problems |= dict.fromkeys(f"{place}: {problem}" for problem in _check_view(container, view, rule.arguments))
    yield from problems


def _check_view(container: Container, view: Callable[..., Any], url_arguments: set[str]) -> Iterator[str]:
    parameters = inspect.signature(view).parameters
    from_request: frozenset[str] = getattr(view, FROM_REQUEST, frozenset())
    for name, parameter in parameters.items():
        if isinstance(parameter.annotation, str):
            yield f"argument {name}: remove 'from __future__ import annotations', which hides markers"
            continue
        marker = marker_of(parameter)
        if marker is not None:
            yield from _check_marker(container, name, parameter, marker)
            if not _is_injected(view):
                yield f"argument {name}: @inject is missing, or stands above the route's decorator"
        elif name not in url_arguments | from_request and _is_required(parameter):
            yield f"argument {name} is given neither by the request nor by the container"
    if not any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()):
        yield from (f"the URL's argument {name} is unknown" for name in url_arguments - set(parameters))


def resolve(container: Container, name: str) -> Any:
    """Return the provider that a marker's string names, or None."""
    found: Any = container
    for segment in name.split("."):
        found = getattr(found, segment, None)
    return found if isinstance(found, Provider) else None


def _check_marker(container: Container, name: str, parameter: inspect.Parameter, marker: Any) -> Iterator[str]:
    wanted = marker.provider
    provider = resolve(container, wanted) if isinstance(wanted, str) else wanted
    if provider is None:
        yield f"argument {name}: the container has no provider {wanted!r}"
    elif type(marker).__name__ == "Provide":
        yield from check_type(f"argument {name}", parameter.annotation, provider)


def _is_injected(view: Any) -> bool:
    while view is not None:
        if _is_patched(view):
            return True
        view = getattr(view, "__wrapped__", None)
    return False
