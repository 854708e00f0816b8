"""Runs SQLAlchemy's code in pooled greenlets, in place of its own `greenlet_spawn`."""

from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from greenlet import getcurrent

from carboy.greenlets import GreenletPool, Outcome, PooledGreenlet

T = TypeVar("T")


class DatabaseGreenlet(PooledGreenlet):
    """A greenlet for SQLAlchemy's code; each switch to it returns the next awaitable."""

    __sqlalchemy_greenlet_provider__ = True
    """SQLAlchemy awaits only in greenlets with this attribute."""


async def _drive(child: DatabaseGreenlet, function: Callable[..., Any], args: tuple[object, ...]) -> Outcome:
    awaited: Any = child.switch(function, args)
    while child.outcome is None:
        try:
            value = await awaited
        except BaseException as error:  # noqa: BLE001 - SQLAlchemy handles cancellation too.
            awaited = child.throw(error)
        else:
            awaited = child.switch(value)
    return child.outcome


_pool = GreenletPool(DatabaseGreenlet, _drive)


def spawn(function: Callable[..., T], *args: object) -> Coroutine[Any, Any, T]:
    """Run a synchronous function of SQLAlchemy's, as its own `greenlet_spawn` does."""
    return _pool.run(getcurrent().gr_context, function, *args)
