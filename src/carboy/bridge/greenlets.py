"""Lets synchronous code wait for asynchronous code on the same thread.

The whole bridge rests on two functions. `run_in_greenlet` runs a synchronous function as a coroutine; `await_here`,
called anywhere below that function, waits for a coroutine. In between, synchronous and asynchronous frames may be
nested to any depth: an async view may render a template whose async context processor waits in turn.

`await_here` drives its coroutine inside the greenlet and hands only the futures it waits for to the task outside.
So everything belongs to one task: `asyncio.current_task`, `asyncio.timeout` and cancellation mean what they say.
"""

import types
from collections.abc import Callable, Coroutine, Generator
from contextvars import Context, copy_context
from typing import Any, TypeVar

from greenlet import getcurrent, greenlet

T = TypeVar("T")


class BridgeGreenlet(greenlet):
    """A greenlet whose synchronous code may call `await_here`."""

    refuses_body = False
    """Whether the request's body is too large for any view to be called."""


def in_bridge() -> bool:
    """Tell whether `await_here` may be called, that is whether `run_in_greenlet` stands below on this stack."""
    return isinstance(getcurrent(), BridgeGreenlet)


def refuses_body() -> bool:
    """Tell whether this is a request whose body is too large for any view to be called."""
    return getattr(getcurrent(), "refuses_body", False)


def current_context() -> Context:
    """Return the contextvars context that is current here, itself and not a copy."""
    context = getcurrent().gr_context
    # A thread that has touched no context variable yet has no context.
    return context if context is not None else copy_context()


async def run_in_greenlet(context: Context, function: Callable[..., T], *args: object, refuses_body: bool = False) -> T:
    """Run a synchronous function that may call `await_here`, within the given contextvars context.

    The context is switched to, not entered: while the greenlet waits, another thread may enter it.
    """
    child = BridgeGreenlet(function)
    child.gr_context = context
    if refuses_body:
        child.refuses_body = True
    result: T = await _drive(child, args)
    return result


@types.coroutine
def _drive(child: greenlet, args: tuple[object, ...]) -> Generator[Any, Any, Any]:
    result = child.switch(*args)
    while not child.dead:
        try:
            value = yield result
        except BaseException as error:  # noqa: BLE001 - cancellation too is the greenlet's to handle.
            result = child.throw(error)
        else:
            result = child.switch(value)
    return result


def await_here(coroutine: Coroutine[Any, Any, T]) -> T:
    """Wait for a coroutine from synchronous code inside `run_in_greenlet`, without blocking the event loop."""
    driver = getcurrent().parent
    assert driver is not None  # noqa: S101 - only the main greenlet has no parent, and it is not the bridge's.
    try:
        awaited = coroutine.send(None)
        while True:
            try:
                value = driver.switch(awaited)
            except BaseException as error:  # noqa: BLE001 - whatever the task is told, the coroutine is told.
                awaited = coroutine.throw(error)
            else:
                awaited = coroutine.send(value)
    except StopIteration as stop:
        result: T = stop.value
        return result
