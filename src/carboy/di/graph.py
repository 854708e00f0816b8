"""Draws the container and the views that it serves, as a Mermaid flowchart that GitHub and most editors render."""

import html
import inspect
from collections.abc import Iterator
from typing import Any

from dependency_injector.containers import Container
from dependency_injector.providers import Provider
from flask import Flask

from carboy.di.provider_types import current, marker_of


def draw_graph(container: Container, app: Flask) -> str:
    """Return the flowchart: views at the left, each arrow leading to what is needed, down to the settings."""
    # The library keeps the container itself among its providers.
    providers = {name: current(provider) for name, provider in container.providers.items() if name != "__self__"}
    # Of two names for one provider, arrows lead to the first.
    names: dict[Provider[Any], str] = {}
    for name, provider in providers.items():
        names.setdefault(provider, name)
    lines = ["flowchart LR", *_views(app)]
    lines += [_node(f"provider_{name}", "[]", name, _describe(provider)) for name, provider in providers.items()]
    for name, provider in providers.items():
        needed = dict.fromkeys(_leads_to(provider, names))
        lines += [f"    provider_{name} --> provider_{target}" for target in needed]
    return "\n".join(lines) + "\n"


def _views(app: Flask) -> Iterator[str]:
    """Yield a node for each blueprint, and an arrow to each provider that one of its views names."""
    blueprints: dict[str, dict[str, None]] = {name: {} for name in app.blueprints}
    for endpoint, view in app.view_functions.items():
        name = endpoint.rpartition(".")[0]
        markers = (marker_of(parameter) for parameter in inspect.signature(view).parameters.values())
        targets = (str(marker.provider).partition(".")[0] for marker in markers if marker is not None)
        if name:
            blueprints[name].update(dict.fromkeys(targets))
    for name, needed in blueprints.items():
        yield _node(f"routes_{name}", "([])", name, "routes")
        yield from (f"    routes_{name} --> provider_{target}" for target in needed)


def _node(identity: str, shape: str, title: str, subtitle: str) -> str:
    """Return a node. Identities are prefixed, as bare words such as ``end`` have a meaning in Mermaid."""
    half = len(shape) // 2
    return f'    {identity}{shape[:half]}"{title}<br/><small>{html.escape(subtitle)}</small>"{shape[half:]}'


def _leads_to(provider: Provider[Any], names: dict[Provider[Any], str]) -> Iterator[str]:
    for target in map(current, provider.related):
        if target in names:
            yield names[target]
        else:
            yield from _leads_to(target, names)


def _describe(provider: Any) -> str:
    made = getattr(provider, "provides", None)
    return str(getattr(made, "__name__", type(provider).__name__))
