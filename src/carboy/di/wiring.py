"""Wires a container to the views, after checking that it can give each of them what it asks for.

The library injects a misspelt marker as the marker itself, and finds a wrong argument when the first request needs
it. Here each is an error at start that names the view or provider.
"""

import inspect
import sys
import warnings
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import is_dataclass
from types import ModuleType
from typing import Any

from dependency_injector import wiring
from dependency_injector.containers import Container
from flask import Flask, current_app
from pydantic import BaseModel

from carboy.di.checks import check_parts, check_providers, check_views
from carboy.di.provider_types import marker_of, parameters_of

OWNER = "__wired_by__"


class WiringError(Exception):
    """The graph of providers and views is wrong: one line for each mistake."""


def wire(container: Container, app: Flask) -> None:
    """Check the graph, then let the container inject into the application's views, and into what stands beside them.

    From then on `current_container` gives it to hooks and commands.

    Raises:
        WiringError: The graph is wrong, or another live container is wired to a module of views: the library would let
            that one go stale without a word.
    """
    # A part is made to be asked, which one with wrong arguments could not be.
    problems = [*check_providers(container), *check_views(container, app)] or [*check_parts(container)]
    if problems:
        raise WiringError("The container is wrong:\n" + "\n".join(f"- {problem}" for problem in problems))
    modules = _modules_of_views(app)
    for module in modules:
        owner = getattr(module, OWNER, lambda: None)()
        if owner is not None and owner is not container:
            raise WiringError(f"Another container is wired to {module.__name__}: call unwire() on that one first.")
    with warnings.catch_warnings(), _passing_over_values():
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
    app.extensions["container"] = container


def current_container() -> Container:
    """Return the container of the current application. Hooks and commands use it; a view has its markers."""
    container: Container = current_app.extensions["container"]
    return container


@contextmanager
def _passing_over_values() -> Iterator[None]:
    """Keep the library from going through the methods of the models, values and errors that a module imports.

    They are dozens each, nothing is ever injected into them, and each domain brings its own.
    """
    library = vars(wiring)
    library["getmembers"] = _members_of
    try:
        yield
    finally:
        library["getmembers"] = inspect.getmembers


def _members_of(owner: Any, predicate: Callable[[Any], bool] | None = None) -> list[tuple[str, Any]]:
    return [] if _is_value_or_error(owner) else inspect.getmembers(owner, predicate)


def _is_value_or_error(member: Any) -> bool:
    return isinstance(member, type) and (issubclass(member, (BaseModel, BaseException)) or is_dataclass(member))


def unwire(container: Container) -> None:
    """Undo `wire`, so that another container may be wired."""
    modules = list(container.wired_to_modules)  # type: ignore[call-overload]  # the stub takes it for a provider.
    with _passing_over_values():
        container.unwire()
    for module in modules:
        if getattr(module, OWNER, lambda: None)() is container:
            delattr(module, OWNER)


def _modules_of_views(app: Flask) -> list[ModuleType]:
    """Return the modules of all views that ask for something, wherever they stand."""
    names = {
        view.__module__ for view in app.view_functions.values() if any(map(marker_of, parameters_of(view).values()))
    }
    return [sys.modules[name] for name in sorted(names)]
