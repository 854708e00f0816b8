"""Checks that each provider and each view gets what it asks for."""

import inspect
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from dependency_injector.containers import Container
from dependency_injector.providers import (
    AttributeGetter,
    BaseSingleton,
    ContextLocalSingleton,
    Dependency,
    Dict,
    Factory,
    ItemGetter,
    List,
    MethodCaller,
    ProvidedInstance,
    Provider,
    Resource,
    ThreadLocalSingleton,
)
from dependency_injector.wiring import _is_patched
from flask import Flask

from carboy.di.paths import current, providers_of, resolve
from carboy.di.provider_types import check_type, gives_itself, marker_of, parameters_of, signature_of

FROM_REQUEST = "__from_request__"
"""The attribute in which a view may say which of its arguments come from the request's query, body and headers."""
NEEDS = "__needs__"
"""The attribute in which a view may say what it asks the current container for: by name, the type that it wants."""
CHECKS = "check_wiring"
"""The method by which a part of the container checks what it will ask the container for, given its providers."""
MISTAKES = "mistakes"
"""The method by which a class may say what is wrong with its own declaration, a sentence each."""
SHORT_LIVED = (Factory, ThreadLocalSingleton, ContextLocalSingleton)


def check_providers(container: Container) -> Iterator[str]:
    """Yield a line for each provider with wrong arguments, a captive dependency, or no value from outside."""
    providers = providers_of(container)
    named = set(map(current, providers.values()))
    # What a dependency stands for is checked where it has a name of its own, if it has one.
    elsewhere = {current(provider) for provider in providers.values() if not isinstance(provider, Dependency)}
    for name, provider in providers.items():
        serving = current(provider)
        if isinstance(provider, Dependency):
            yield from _check_dependency(name, provider)
            if serving in elsewhere:
                continue
            elsewhere.add(serving)
        yield from (f"provider {name}: {problem}" for problem in _check_provider(serving))
        for inner in _unnamed(serving, named):
            made = getattr(getattr(inner, "provides", None), "__name__", type(inner).__name__)
            yield from (f"provider {name}: within it, {made}: {problem}" for problem in _check_provider(inner))


def _check_dependency(name: str, dependency: Dependency[Any]) -> Iterator[str]:
    if dependency.is_defined:
        yield from check_type(f"provider {name}", dependency.instance_of, dependency)
    else:
        yield f"provider {name}: its sub-container needs it from outside, and is not given it"


def _unnamed(provider: Provider[Any], named: set[Provider[Any]]) -> Iterator[Provider[Any]]:
    """Yield the providers that stand within another and have no name of their own."""
    for related in map(current, provider.related):
        if related not in named:
            yield related
            yield from _unnamed(related, named)


def _check_provider(provider: Provider[Any]) -> Iterator[str]:
    if not isinstance(provider, (BaseSingleton, Factory, Resource)) or not callable(provider.provides):
        return
    yield from getattr(provider.provides, MISTAKES, list)()
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


def check_parts(container: Container) -> Iterator[str]:
    """Yield a line for each thing that a part of the container will ask it for, and would not get."""
    providers = providers_of(container)
    for provider in dict.fromkeys(map(current, providers.values())):
        if isinstance(provider, BaseSingleton) and hasattr(provider.provides, CHECKS):
            yield from getattr(provider(), CHECKS)(providers)


def check_views(container: Container, app: Flask) -> Iterator[str]:
    """Yield a line for each view that would not get what its signature asks for."""
    providers = providers_of(container)
    problems: dict[str, None] = {}
    for rule in app.url_map.iter_rules():
        view = app.view_functions.get(rule.endpoint)
        if view is None or rule.endpoint == "static" or hasattr(view, "view_class"):
            continue
        place = f"view {rule.endpoint} ({view.__module__})"
        # A view with two rules is reported once.
        problems |= dict.fromkeys(f"{place}: {problem}" for problem in _check_view(providers, view, rule.arguments))
    yield from problems


def _check_view(
    providers: Mapping[str, Provider[Any]], view: Callable[..., Any], url_arguments: set[str]
) -> Iterator[str]:
    parameters = parameters_of(view)
    from_request: frozenset[str] = getattr(view, FROM_REQUEST, frozenset())
    for name, parameter in parameters.items():
        if isinstance(parameter.annotation, str):
            yield f"argument {name}: remove 'from __future__ import annotations', which hides markers"
            continue
        marker = marker_of(parameter)
        if marker is not None:
            yield from check_marker(providers, name, parameter, marker)
            if not _is_injected(view):
                yield f"argument {name}: @inject is missing, or stands above the route's decorator"
        elif name not in url_arguments | from_request and _is_required(parameter):
            yield f"argument {name} is given neither by the request nor by the container"
    for name, wanted in getattr(view, NEEDS, {}).items():
        if name in providers:
            yield from check_type(name, wanted, providers[name])
        else:
            yield f"the container has no provider {name!r}"
    if not any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()):
        yield from (f"the URL's argument {name} is unknown" for name in url_arguments - set(parameters))


def check_marker(
    providers: Mapping[str, Provider[Any]], name: str, parameter: inspect.Parameter, marker: Any
) -> Iterator[str]:
    """Yield a line if the container cannot give what an argument is marked with."""
    wanted = marker.provider
    provider = resolve(providers, wanted) if isinstance(wanted, str) else wanted
    if provider is None:
        yield f"argument {name}: the container has no provider {wanted!r}"
    elif type(marker).__name__ == "Provide":
        yield from check_type(f"argument {name}", parameter.annotation, provider)


def asks_for_injection(view: Callable[..., Any]) -> bool:
    """Tell whether a view has markers that no `inject` has seen."""
    markers = map(marker_of, parameters_of(view).values())
    return any(marker is not None for marker in markers) and not _is_injected(view)


def _is_injected(view: Any) -> bool:
    while view is not None:
        if _is_patched(view):
            return True
        view = getattr(view, "__wrapped__", None)
    return False
