"""Swaps parts of a container for the length of a test."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from dependency_injector.containers import Container
from dependency_injector.providers import BaseSingleton, Provider


@contextmanager
def override(container: Container, **replacements: Any) -> Iterator[None]:
    """Let a container give other objects, and put it back at the end, also after an exception.

    The library's own override leaves singletons that were made before it holding the part that was replaced. Here
    whatever depends on a replaced part is made anew, within and again after.

    Args:
        container: The container to change.
        **replacements: By provider, the object to give in its place, or a provider that makes it.

    Raises:
        AttributeError: The container has no provider of such a name.
    """
    unknown = set(replacements) - set(container.providers)
    if unknown:
        raise AttributeError(f"The container has no provider {', '.join(sorted(unknown))}.")
    replaced = [container.providers[name] for name in replacements]
    dependents = _dependents(container, replaced)
    with ExitStack() as stack:
        stack.callback(_reset, dependents)
        for provider, replacement in zip(replaced, replacements.values(), strict=True):
            stack.enter_context(provider.override(replacement))
        _reset(dependents)
        yield


def _dependents(container: Container, replaced: list[Provider[Any]]) -> list[BaseSingleton[Any]]:
    """Return the singletons that depend on these, also those that stand within others or override others."""
    singletons = {
        singleton
        for provider in container.providers.values()
        for singleton in (provider, *provider.traverse())
        if isinstance(singleton, BaseSingleton)
    }
    return [singleton for singleton in singletons if not set(replaced).isdisjoint(singleton.traverse())]


def _reset(singletons: list[BaseSingleton[Any]]) -> None:
    for singleton in singletons:
        singleton.reset()
