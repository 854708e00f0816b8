"""Walks a container and its sub-containers: providers by the dotted path that a marker uses, and what each needs."""

from collections.abc import Iterable, Mapping
from typing import Any

from dependency_injector import containers
from dependency_injector.providers import (
    BaseSingleton,
    Container,
    DependenciesContainer,
    Dependency,
    Provider,
    Selector,
)


def providers_of(container: Any, prefix: str = "") -> dict[str, Provider[Any]]:
    """Return all providers by path: ``billing.invoice_service`` is `invoice_service` of the sub-container `billing`.

    What a sub-container is given from outside stands among them as the `Dependency` that it declares; `current`
    resolves it.
    """
    found: dict[str, Provider[Any]] = {}
    for name, provider in container.providers.items():
        if isinstance(provider, (Container, DependenciesContainer)):
            found |= providers_of(provider, f"{prefix}{name}.")
        elif name != "__self__":
            # The library keeps the container itself among its providers.
            found[prefix + name] = provider
    return found


def current(provider: Provider[Any]) -> Provider[Any]:
    """Return the provider that serves in this one's place: what overrides it, or is passed for a dependency."""
    serving = provider.last_overriding
    if serving is None and isinstance(provider, Dependency):
        serving = provider.default
    return provider if serving is None else current(serving)


def split(path: str, named: Mapping[str, Any]) -> tuple[str, list[str]] | None:
    """Return the name of the provider at the beginning of a marker's path, and the attributes after it; None if none.

    ``billing.invoice_service.provided.rates`` is ``billing.invoice_service`` and ``provided``, ``rates``.
    """
    segments = path.split(".")
    for length in range(1, len(segments) + 1):
        name = ".".join(segments[:length])
        if name in named:
            return name, segments[length:]
    return None


def resolve(named: Mapping[str, Provider[Any]], path: str) -> Provider[Any] | None:
    """Return the provider that a marker's path names, or None."""
    parts = split(path, named)
    if parts is None:
        return None
    name, attributes = parts
    found: Any = named[name]
    for attribute in attributes:
        found = getattr(found, attribute, None)
    return found if isinstance(found, Provider) else None


def in_order_of_need(container: containers.Container) -> list[Provider[Any]]:
    """Return what serves for each provider, also for those without a name, after all that it needs."""
    seen: set[Provider[Any]] = set()
    ordered: list[Provider[Any]] = []

    def visit(provider: Provider[Any]) -> None:
        serving = current(provider)
        if serving not in seen:
            seen.add(serving)
            for needed in _needs(serving):
                visit(needed)
            ordered.append(serving)

    for provider in providers_of(container).values():
        visit(provider)
    return ordered


def _needs(provider: Provider[Any]) -> Iterable[Provider[Any]]:
    if isinstance(provider, Selector) and provider.selector is not None:
        # The others are not used.
        return [provider.providers[provider.selector()]]
    return provider.related


def reset_dependents(container: containers.Container, replaced: Iterable[Provider[Any]]) -> None:
    """Let the singletons that depend on these be made anew, also those that stand within others or override others."""
    users = _users_in(container)
    gone: set[Provider[Any]] = set()
    left = list(replaced)
    while left:
        found = users.get(left.pop(), set()) - gone
        gone |= found
        left += found
    for part in gone:
        if isinstance(part, BaseSingleton):
            part.reset()


def _users_in(container: containers.Container) -> dict[Provider[Any], set[Provider[Any]]]:
    """Return what uses each provider itself, be it for an argument, by overriding it, or by passing it on."""
    users: dict[Provider[Any], set[Provider[Any]]] = {}
    left = list(providers_of(container).values())
    seen = set(left)
    while left:
        part = left.pop()
        for needed in part.related:
            users.setdefault(needed, set()).add(part)
            if needed not in seen:
                seen.add(needed)
                left.append(needed)
    return users
