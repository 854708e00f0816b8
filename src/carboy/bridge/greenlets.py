"""Lets synchronous code wait for asynchronous code on the same thread.

The whole bridge rests on two functions. `Greenlets.run` runs a synchronous function as a coroutine; `await_here`,
called anywhere below that function, waits for a coroutine. In between, synchronous and asynchronous frames may be
nested to any depth: an async view may render a template whose async context processor waits in turn.

`await_here` drives its coroutine inside the greenlet and hands only the futures it waits for to the task outside.
So everything belongs to one task: `asyncio.current_task`, `asyncio.timeout` and cancellation mean what they say.
"""

import os
import threading
import types
from asyncio import CancelledError
from collections.abc import Callable, Coroutine, Generator
from contextvars import Context, copy_context
from typing import Any, TypeVar, cast

from greenlet import GreenletExit, getcurrent, greenlet

T = TypeVar("T")


class BridgeGreenlet(greenlet):
    """A greenlet whose synchronous code may call `await_here`. It runs one function after another.

    A new one costs two system calls, for the memory of its stack, and more than a switch to one that is there.
    """

    parent = None
    """Hidden, as New Relic takes a greenlet with a parent for a thread.

    This one is part of a task, and serves many: New Relic would find the transaction of another request.
    """
    driver: greenlet
    """The parent, which takes what the function waits for."""
    is_forked = False
    """Whether this is a forked child's copy: whoever would drive it further lives in the parent process."""
    outcome: tuple[Any, BaseException | None] | None = None
    """What the function has returned or raised, once it has ended."""

    def run(self) -> None:
        """Run functions for ever, each as it is switched in with its arguments."""
        function, args = self._next()
        while True:
            try:
                self.outcome = function(*args), None
            except GreenletExit:
                # Nobody will ask for the outcome: the loop was closed meanwhile.
                raise
            except BaseException as error:  # noqa: BLE001 - whatever it is, it is the caller's.
                self.outcome = None, error
            del function, args
            function, args = self._next()

    def _next(self) -> tuple[Callable[..., Any], tuple[object, ...]]:
        call: tuple[Callable[..., Any], tuple[object, ...]] = self.driver.switch()
        return call


_set_parent = vars(greenlet)["parent"].__set__

MOST_IDLE = 64
"""Greenlets of a thread to keep for what comes next; each holds some 16 KiB."""


class Greenlets(threading.local):
    """Runs functions that wait, in greenlets that have served before. Each thread has its own of them."""

    def __init__(self) -> None:
        self._idle: list[BridgeGreenlet] = []

    async def run(self, context: Context, function: Callable[..., T], *args: object) -> T:
        """Run a synchronous function that may call `await_here`, within the given contextvars context.

        The context is switched to, not entered: while the greenlet waits, another thread may enter it.

        Raises:
            RuntimeError: The function raised what would end more than the task; see `tame`.
        """
        child = self._take()
        child.gr_context = context
        result, failure = await _drive(child, function, args)
        self._put_back(child)
        if failure is not None:
            raise tame(failure)
        return cast("T", result)

    def _take(self) -> BridgeGreenlet:
        driver = getcurrent()
        if self._idle:
            child = self._idle.pop()
            _set_parent(child, driver)
            child.driver = driver
        else:
            child = BridgeGreenlet()
            child.driver = driver
            child.switch()
        return child

    def _put_back(self, child: BridgeGreenlet) -> None:
        child.outcome = None
        # What a request has set goes with it.
        child.gr_context = None
        if len(self._idle) < MOST_IDLE:
            self._idle.append(child)
        else:
            # It does not end by itself: its own stack refers to it, which the garbage collector cannot see.
            _set_parent(child, getcurrent())
            child.throw()


@types.coroutine
def _drive(child: BridgeGreenlet, function: Callable[..., Any], args: tuple[object, ...]) -> Generator[Any, Any, Any]:
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
    """Tell whether `await_here` may be called, that is whether `Greenlets.run` stands below on this stack."""
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
    """Wait for a coroutine from synchronous code inside `Greenlets.run`, without blocking the event loop."""
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
