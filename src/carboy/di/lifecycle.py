"""Opens what a container holds before the first request, and closes it after the last."""

import inspect
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from dependency_injector.containers import Container
from dependency_injector.providers import BaseSingleton, Object, Provider, Resource

from carboy.di.checks import SHORT_LIVED
from carboy.di.paths import in_order_of_need, reset_dependents


@asynccontextmanager
async def opened(container: Container) -> AsyncIterator[None]:
    """Open all parts of a container in the order of need; at the end close them in reverse.

    A part is whatever has both `open` and `close`, sync or async, and each `Resource`. Singletons are made for it, so
    that one which cannot be made fails here. After a failure what was opened is closed; one that cannot be closed
    keeps no other open.
    """
    async with AsyncExitStack() as closing:
        parts: list[Any] = []
        for provider in in_order_of_need(container):
            if isinstance(provider, Resource):
                await _initialise(container, provider, closing)
                continue
            part = await _part_of(provider)
            if part is not None and not any(part is one for one in parts):
                parts.append(part)
                await _awaited(part.open())
                closing.push_async_callback(_close, part)
        yield


async def _part_of(provider: Provider[Any]) -> Any:
    """Return the object that a provider keeps, if it can be opened and closed, otherwise None."""
    if not isinstance(provider, (BaseSingleton, Object)) or isinstance(provider, SHORT_LIVED):
        return None
    made = await _awaited(provider())
    can_be_opened = callable(getattr(made, "open", None)) and callable(getattr(made, "close", None))
    return made if can_be_opened and not isinstance(made, type) else None


async def _close(part: Any) -> None:
    await _awaited(part.close())


async def _initialise(container: Container, resource: Resource[Any], closing: AsyncExitStack) -> None:
    async def shut_down() -> None:
        await _awaited(resource.shutdown())
        resource.reset_async_mode()
        # They hold the object that is closed.
        reset_dependents(container, [resource])

    await _awaited(resource.init())
    # Otherwise the library gives a future of it, and of all that depends on it, even when it is there.
    resource.disable_async_mode()
    closing.push_async_callback(shut_down)


async def _awaited(result: Any) -> Any:
    return await result if inspect.isawaitable(result) else result
