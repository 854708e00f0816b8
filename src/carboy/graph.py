"""Draws the container and the views that it serves, as a Mermaid flowchart that GitHub and most editors render."""

import inspect
from collections.abc import Iterator
from typing import Any

from dependency_injector.containers import Container
from dependency_injector.providers import AttributeGetter, Dict, List, MethodCaller, ProvidedInstance, Provider
from flask import Flask

from carboy.wiring import arguments_of, current, marker_of


def draw_graph(container: Container, app: Flask) -> str:
    """Return the flowchart: views at the left, each arrow leading to what is needed, down to the settings."""
    # The library keeps the container itself among its providers.
    names = {current(provider): name for name, provider in container.providers.items() if name != "__self__"}
    lines = ["flowchart LR", *_views(app)]
    for provider, name in names.items():
        lines.append(f'    {name}["{name}<br/><small>{_describe(provider)}</small>"]')
    for provider, name in names.items():
        needed = dict.fromkeys(
            target for _, argument in arguments_of(provider) for target in _leads_to(argument, names)
        )
        lines += [f"    {name} --> {target}" for target in needed]
    return "\n".join(lines) + "\n"


def _views(app: Flask) -> Iterator[str]:
    """Yield a node for each blueprint, and an arrow to each provider that one of its views names."""
    blueprints: dict[str, dict[str, None]] = {}
    for endpoint, view in app.view_functions.items():
        name, _, view_name = endpoint.rpartition(".")
        if not view_name or not name:
            continue
        markers = (marker_of(parameter) for parameter in inspect.signature(view).parameters.values())
        targets = (str(marker.provider).partition(".")[0] for marker in markers if marker is not None)
        blueprints.setdefault(name, {}).update(dict.fromkeys(targets))
    for name, needed in blueprints.items():
        yield f'    routes_{name}(["{name}<br/><small>routes</small>"])'
        yield from (f"    routes_{name} --> {target}" for target in needed)


def _leads_to(argument: Any, names: dict[Provider[Any], str]) -> Iterator[str]:
    if not isinstance(argument, Provider):
        return
    target = current(argument)
    if target in names:
        yield names[target]
    elif isinstance(target, (AttributeGetter, MethodCaller, ProvidedInstance)):
        yield from _leads_to(target.provides, names)
    elif isinstance(target, (Dict, List)):
        for _, inner in arguments_of(target):
            yield from _leads_to(inner, names)


def _describe(provider: Any) -> str:
    made = getattr(provider, "provides", None)
    return getattr(made, "__name__", type(provider).__name__)
