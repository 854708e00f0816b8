"""Wires a container to the views, after checking that it can give each of them what it asks for.

The library injects a misspelt marker as the marker itself, and finds a wrong argument when the first request needs
it. Here each is an error at start that names the view or provider.
"""

import inspect
import warnings
import weakref
from collections.abc import Callable, Iterator, Sequence
from types import ModuleType
from typing import Annotated, Any, get_args, get_origin

from dependency_injector.containers import Container
from dependency_injector.providers import (
    BaseSingleton,
    ContextLocalSingleton,
    Dict,
    Factory,
    List,
    Provider,
    ThreadLocalSingleton,
)
from dependency_injector.wiring import UnresolvedMarkerWarning, _is_patched
from flask import Flask

from carboy.products import UnknownAttributeError, accepts, product_of, signature_of

OWNER = "__wired_by__"
SHORT_LIVED = (Factory, ThreadLocalSingleton, ContextLocalSingleton)


class WiringError(Exception):
    """The graph of providers and views is wrong: one line for each place."""


def wire(container: Container, app: Flask, packages: Sequence[ModuleType]) -> None:
    """Check the graph, then let the container inject into the views of these packages.

    Raises:
        WiringError: The graph is wrong, or another live container is wired to a package: the library would let that
            one go stale without a word.
    """
    problems = [*check_providers(container), *check_views(container, app)]
    if problems:
        raise WiringError("The container is wrong:\n" + "\n".join(f"- {problem}" for problem in problems))
    for package in packages:
        owner = getattr(package, OWNER, lambda: None)()
        if owner is not None and owner is not container:
            raise WiringError(f"Another container is wired to {package.__name__}: call unwire() on that one first.")
    with warnings.catch_warnings():
        warnings.simplefilter("error", UnresolvedMarkerWarning)
        try:
            container.wire(packages=list(packages), warn_unresolved=True)
        except UnresolvedMarkerWarning as warning:
            container.unwire()
            raise WiringError(f"{warning}: the container has no such provider.") from None
    for package in packages:
        setattr(package, OWNER, weakref.ref(container))


def unwire(container: Container, packages: Sequence[ModuleType]) -> None:
    """Undo `wire`, so that another container may be wired."""
    container.unwire()
    for package in packages:
        if getattr(package, OWNER, lambda: None)() is container:
            delattr(package, OWNER)


def check_providers(container: Container) -> Iterator[str]:
    """Yield a line for each provider that would be called with arguments that do not fit, or hold on to too much."""
    for name, provider in container.providers.items():
        target = current(provider)
        if not isinstance(target, (BaseSingleton, Factory)) or not callable(target.provides):
            continue
        for problem in _check_arguments(target):
            yield f"provider {name}: {problem}"
        if isinstance(target, BaseSingleton) and not isinstance(target, SHORT_LIVED):
            yield from (
                f"provider {name}: {argument} is a {type(short).__name__}, whose object this singleton would keep for"
                " ever; pass its .provider instead"
                for argument, short in _short_lived(target)
            )


def current(provider: Provider[Any]) -> Provider[Any]:
    """Return the provider that serves in this one's place, which is another while it is overridden."""
    overriding = provider.last_overriding
    return provider if overriding is None else current(overriding)


def arguments_of(provider: Any) -> Iterator[tuple[str, Any]]:
    """Yield the name and provider (or plain value) of each argument."""
    if isinstance(provider, (BaseSingleton, Factory)):
        names = [
            name
            for name, parameter in signature_of(provider.provides).parameters.items()
            if parameter.kind in {parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD}
        ]
        for index, argument in enumerate(provider.args):
            yield names[index] if index < len(names) else f"argument {index + 1}", argument
    elif isinstance(provider, List):
        yield from ((str(index), argument) for index, argument in enumerate(provider.args))
    if isinstance(provider, (BaseSingleton, Factory, Dict)):
        yield from provider.kwargs.items()


def _check_arguments(provider: Any) -> Iterator[str]:
    parameters = signature_of(provider.provides).parameters
    takes_any = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values())
    given = dict(arguments_of(provider))
    for name, parameter in parameters.items():
        is_variadic = parameter.kind in {parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD}
        if name not in given and parameter.default is parameter.empty and not is_variadic:
            yield f"argument {name} is missing"
    for name, argument in given.items():
        if name in parameters:
            yield from _check_type(f"argument {name}", parameters[name].annotation, argument)
        elif not takes_any:
            yield f"argument {name} is unknown"


def _check_type(place: str, annotation: Any, argument: Any) -> Iterator[str]:
    if isinstance(argument, Dict) and len(get_args(annotation)) == 2:  # noqa: PLR2004 - a mapping's key and value.
        for key, value in argument.kwargs.items():
            yield from _check_type(f"{place}[{key!r}]", get_args(annotation)[1], value)
        return
    if isinstance(argument, List) and get_args(annotation):
        for index, value in enumerate(argument.args):
            yield from _check_type(f"{place}[{index}]", get_args(annotation)[0], value)
        return
    try:
        product = product_of(argument)
    except UnknownAttributeError as error:
        yield f"{place}: {error}"
        return
    if not accepts(annotation, product):
        yield f"{place} wants {_name(annotation)}, and is given {_name(product)}"


def _short_lived(provider: Any, path: str = "argument ") -> Iterator[tuple[str, Any]]:
    for name, argument in arguments_of(provider):
        target = current(argument) if isinstance(argument, Provider) else argument
        if isinstance(target, SHORT_LIVED):
            yield f"{path}{name}", target
        elif isinstance(target, (Dict, List)):
            yield from _short_lived(target, f"{path}{name}.")


def check_views(container: Container, app: Flask) -> Iterator[str]:
    """Yield a line for each view that would not get what its signature asks for."""
    for rule in app.url_map.iter_rules():
        view = app.view_functions.get(rule.endpoint)
        if view is None or rule.endpoint == "static" or hasattr(view, "view_class"):
            continue
        place = f"view {rule.endpoint} ({view.__module__})"
        for problem in _check_view(container, view, rule.arguments):
            yield f"{place}: {problem}"


def _check_view(container: Container, view: Callable[..., Any], url_arguments: set[str]) -> Iterator[str]:
    parameters = inspect.signature(view).parameters
    for name, parameter in parameters.items():
        if isinstance(parameter.annotation, str):
            yield f"argument {name}: remove 'from __future__ import annotations', which hides markers"
            continue
        marker = marker_of(parameter)
        if marker is not None:
            yield from _check_marker(container, name, parameter, marker)
            if not _is_injected(view):
                yield f"argument {name}: @inject is missing, or stands above the route's decorator"
        elif (
            name not in url_arguments
            and parameter.default is parameter.empty
            and parameter.kind not in {parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL}
        ):
            yield f"argument {name} is given neither by the URL nor by the container"
    if not any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()):
        yield from (f"the URL's argument {name} is unknown" for name in url_arguments - set(parameters))


def marker_of(parameter: inspect.Parameter) -> Any:
    """Return the marker of a view's argument, or None if it has none."""
    candidates = [parameter.default]
    if get_origin(parameter.annotation) is Annotated:
        candidates += get_args(parameter.annotation)[1:]
    return next((candidate for candidate in candidates if getattr(candidate, "__IS_MARKER__", False)), None)


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
        yield from _check_type(f"argument {name}", parameter.annotation, provider)


def _is_injected(view: Any) -> bool:
    while view is not None:
        if _is_patched(view):
            return True
        view = getattr(view, "__wrapped__", None)
    return False


def _name(annotation: Any) -> str:
    return annotation.__qualname__ if isinstance(annotation, type) else str(annotation)
