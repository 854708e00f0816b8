"""Draws the container and the views that it serves, as a Mermaid flowchart that GitHub and most editors render."""

import html
from collections.abc import Iterator, Mapping
from typing import Any

from dependency_injector.containers import Container
from dependency_injector.providers import Dependency, Object, Provider
from flask import Flask

from carboy.di.checks import NEEDS
from carboy.di.paths import current, providers_of, split
from carboy.di.provider_types import marker_of, parameters_of

Arrows = dict[str, dict[str, None]]
"""What each node leads to."""


def draw_graph(container: Container, app: Flask, only: str | None = None) -> str:
    """Return the flowchart: views at the left, each arrow leading to what is needed, down to the settings.

    Args:
        container: The container. Each of its sub-containers is a box.
        app: The application whose views it serves.
        only: A provider, sub-container, blueprint or domain: then it is drawn with what it needs and what needs it.

    Raises:
        LookupError: There is nothing of the name `only`.
    """
    providers = _providers(container)
    # Of two names for one provider, arrows lead to the first.
    names: dict[Provider[Any], str] = {}
    for name, provider in providers.items():
        names.setdefault(provider, name)
    arrows = _arrows_of_routes(container, app, names)
    for name, provider in providers.items():
        arrows[f"provider_{name}"] = {f"provider_{target}": None for target in _leads_to(provider, names)}
    kept = set(arrows) if only is None else _around(_nodes_of(only, providers, app), arrows)
    lines = ["flowchart LR"]
    lines += [_node(f"routes_{name}", "([])", name, "routes") for name in app.blueprints if f"routes_{name}" in kept]
    lines += _boxes({name: one for name, one in providers.items() if f"provider_{name}" in kept})
    lines += [f"{one} --> {other}" for one in arrows for other in arrows[one] if {one, other} <= kept]
    return "\n    ".join(lines) + "\n"


def _providers(container: Container) -> dict[str, Provider[Any]]:
    """Return what is drawn, by path. What a sub-container is given is drawn where it comes from."""
    found = providers_of(container).items()
    return {
        name: current(provider)
        for name, provider in found
        if not (isinstance(provider, Dependency) and provider.is_defined)
    }


def _arrows_of_routes(container: Container, app: Flask, names: Mapping[Provider[Any], str]) -> Arrows:
    """Return an arrow from each blueprint to each provider that one of its views asks for."""
    named = providers_of(container)
    arrows: Arrows = {f"routes_{name}": {} for name in app.blueprints}
    for endpoint, view in app.view_functions.items():
        blueprint = endpoint.rpartition(".")[0]
        markers = filter(None, map(marker_of, parameters_of(view).values()))
        for path in (*(str(marker.provider) for marker in markers), *getattr(view, NEEDS, ())):
            parts = split(path, named)
            if blueprint and parts is not None:
                target = names[current(named[parts[0]])]
                arrows[f"routes_{blueprint}"][f"provider_{target}"] = None
    return arrows


def _nodes_of(only: str, providers: Mapping[str, Provider[Any]], app: Flask) -> set[str]:
    """Return the nodes that a name stands for: those named so, those in a box of that name, or made in that package."""
    exact = {f"provider_{only}"} if only in providers else set()
    boxed = {f"provider_{name}" for name in providers if name.startswith(f"{only}.")}
    made = {
        f"provider_{name}"
        for name, provider in providers.items()
        if only in str(getattr(getattr(provider, "provides", None), "__module__", "")).split(".")
    }
    routes = {
        f"routes_{name}"
        for name, blueprint in app.blueprints.items()
        if name == only or only in blueprint.import_name.split(".")
    }
    found = exact or boxed | made | routes
    if not found:
        raise LookupError(f"There is no provider, sub-container, blueprint or domain {only!r}.")
    return found


def _around(nodes: set[str], arrows: Arrows) -> set[str]:
    """Return the nodes, all that they lead to, and all that leads to them."""
    backwards: Arrows = {}
    for one, others in arrows.items():
        for other in others:
            backwards.setdefault(other, {})[one] = None
    return _reached(nodes, arrows) | _reached(nodes, backwards)


def _reached(nodes: set[str], arrows: Arrows) -> set[str]:
    reached, waiting = set(nodes), list(nodes)
    while waiting:
        further = set(arrows.get(waiting.pop(), ())) - reached
        reached |= further
        waiting += further
    return reached


def _boxes(providers: Mapping[str, Provider[Any]], path: str = "") -> Iterator[str]:
    """Yield a node for each provider, and a box around those of each sub-container."""
    inner: dict[str, dict[str, Provider[Any]]] = {}
    for name, provider in providers.items():
        head, _, rest = name.removeprefix(path).partition(".")
        if rest:
            inner.setdefault(head, {})[name] = provider
        else:
            yield _node(f"provider_{name}", "[]", head, _describe(provider))
    for head, members in inner.items():
        yield f'subgraph container_{path}{head}["{head}"]'
        yield from (f"    {line}" for line in _boxes(members, f"{path}{head}."))
        yield "end"


def _node(identity: str, shape: str, title: str, subtitle: str) -> str:
    """Return a node. Identities are prefixed, as bare words such as ``end`` have a meaning in Mermaid."""
    half = len(shape) // 2
    return f'{identity}{shape[:half]}"{title}<br/><small>{html.escape(subtitle)}</small>"{shape[half:]}'


def _leads_to(provider: Provider[Any], names: Mapping[Provider[Any], str]) -> Iterator[str]:
    for target in map(current, provider.related):
        if target in names:
            yield names[target]
        else:
            yield from _leads_to(target, names)


def _describe(provider: Any) -> str:
    made = getattr(provider, "provides", None)
    if isinstance(provider, Object):
        return type(made).__name__
    return str(getattr(made, "__name__", type(provider).__name__))
