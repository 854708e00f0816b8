"""Lets synchronous code wait for asynchronous code on the same thread.

The whole bridge rests on two functions. `greenlets.run` runs a synchronous function as a coroutine; `await_here`,
called anywhere below that function, waits for a coroutine. In between, synchronous and asynchronous frames may be
nested to any depth: an async view may render a template whose async context processor waits in turn.

`await_here` drives its coroutine inside the greenlet and hands only the futures it waits for to the task outside.
So everything belongs to one task: `asyncio.current_task`, `asyncio.timeout` and cancellation mean what they say.
"""

import os
import types
from asyncio import CancelledError
from collections.abc import Callable, Coroutine, Generator
from contextvars import Context, copy_context
from typing import Any, TypeVar

from greenlet import getcurrent

from carboy.greenlets import GreenletPool, Outcome, PooledGreenlet

T = TypeVar("T")


class BridgeGreenlet(PooledGreenlet):
    """A greenlet whose synchronous code may call `await_here`."""

    parent = None
    """Hidden, as New Relic takes a greenlet with a parent for a thread.

    This one is part of a task, and serves many: New Relic would find the transaction of another request.
    """
    is_forked = False
    """Whether this is a forked child's copy: whoever would drive it further lives in the parent process."""

    @staticmethod
    def translate(error: BaseException) -> BaseException:
        return tame(error)


@types.coroutine
def _drive(
    child: BridgeGreenlet, function: Callable[..., Any], args: tuple[object, ...]
) -> Generator[Any, Any, Outcome]:
    """Run a function in a greenlet, hand on what it waits for, and return its outcome."""
    awaited = child.switch(function, args)
    while child.outcome is None:
        try:
            value = yield awaited
        except BaseException as error:  # noqa: BLE001 - cancellation too is the greenlet's to handle.
            awaited = child.throw(error)
        else:
            awaited = child.switch(value)
    return child.outcome


greenlets = GreenletPool(BridgeGreenlet, _drive)
"""Those of this process; each thread has its own of them."""


def tame(error: BaseException) -> BaseException:
    """Return what stands in for an exception that is no `Exception`, which would end more than its request.

    SystemExit and KeyboardInterrupt end the event loop, and any other, such as a Rust extension's panic, what a server
    serves on the same connection. Cancelling a task and closing a coroutine are left as they are.
    """
    if isinstance(error, Exception | CancelledError | GeneratorExit):
        return error
    tamed = RuntimeError(f"The application raised {error!r}, which ends this request only.")
    tamed.__cause__ = error
    return tamed


def in_bridge() -> bool:
    """Tell whether `await_here` may be called, that is whether `greenlets.run` stands below on this stack."""
    current = getcurrent()
    return isinstance(current, BridgeGreenlet) and not current.is_forked


def _leave_the_parents_loop() -> None:
    current = getcurrent()
    if isinstance(current, BridgeGreenlet):
        current.is_forked = True


os.register_at_fork(after_in_child=_leave_the_parents_loop)


def current_context() -> Context:
    """Return the contextvars context that is current here, itself and not a copy."""
    context = getcurrent().gr_context
    # A thread that has touched no context variable yet has no context.
    return context if context is not None else copy_context()


def await_here(coroutine: Coroutine[Any, Any, T]) -> T:
    """Wait for a coroutine from synchronous code inside `greenlets.run`, without blocking the event loop."""
    current = getcurrent()
    assert isinstance(current, BridgeGreenlet)  # noqa: S101 - the caller has asked `in_bridge`, or knows.
    driver = current.driver
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
