"""Swaps parts of a container for the length of a test."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from dependency_injector.containers import Container

from carboy.di.paths import providers_of, reset_dependents


@contextmanager
def override(container: Container, **replacements: Any) -> Iterator[None]:
    """Let a container give other objects, and put it back at the end, also after an exception.

    The library's own override leaves singletons that were made before it holding the part that was replaced. Here
    whatever depends on a replaced part is made anew, within and again after. In a sub-container names are dotted::

        with override(container, **{"billing.invoice_dao": fake}): ...

    Args:
        container: The container to change.
        **replacements: By provider, the object to give in its place, or a provider that makes it.

    Raises:
        AttributeError: The container has no provider of such a name.
    """
    providers = providers_of(container)
    unknown = set(replacements) - set(providers)
    if unknown:
        raise AttributeError(f"The container has no provider {', '.join(sorted(unknown))}.")
    replaced = [providers[name] for name in replacements]
    with ExitStack() as stack:
        stack.callback(reset_dependents, container, replaced)
        for provider, replacement in zip(replaced, replacements.values(), strict=True):
            stack.enter_context(provider.override(replacement))
        reset_dependents(container, replaced)
        yield
