"""A pool of greenlets that replaces SQLAlchemy's `greenlet_spawn`.

SQLAlchemy makes a greenlet for each call. That maps memory for its frames and unmaps it again: two system calls and a
page fault, which with the threads of SQLite's connections cost a sixth of a request that reads a row.
"""

import threading
from collections.abc import Callable
from typing import Any, TypeVar, cast

from greenlet import GreenletExit, getcurrent, greenlet

T = TypeVar("T")

MOST_IDLE = 64
"""Greenlets of a thread to keep for what comes next; each holds some 16 KiB."""


class DatabaseGreenlet(greenlet):
    """Runs one function after another. Switching to it gives what SQLAlchemy wants to be awaited."""

    __sqlalchemy_greenlet_provider__ = True
    """By this SQLAlchemy knows where it may wait."""
    outcome: tuple[Any, BaseException | None] | None = None
    """What the function has returned or raised, once it has ended."""

    def run(self) -> None:
        driver: Any = self.parent
        while True:
            function, args = driver.switch()
            try:
                self.outcome = function(*args), None
            except GreenletExit:
                # Nobody will ask for the outcome: the loop was closed meanwhile.
                raise
            except BaseException as error:  # noqa: BLE001 - whatever it is, it is the caller's.
                self.outcome = None, error
            del function, args
            driver = self.parent


class Greenlets(threading.local):
    """Keeps greenlets for the next call. Each thread has its own of them."""

    def __init__(self) -> None:
        self._idle: list[DatabaseGreenlet] = []

    async def run(self, function: Callable[..., T], *args: object) -> T:
        """Run a synchronous function of SQLAlchemy's, as its own `greenlet_spawn` does."""
        child = self._take()
        awaited: Any = child.switch(function, args)
        while child.outcome is None:
            try:
                value = await awaited
            except BaseException as error:  # noqa: BLE001 - cancellation too is SQLAlchemy's to handle.
                awaited = child.throw(error)
            else:
                awaited = child.switch(value)
        result, failure = child.outcome
        self._put_back(child)
        if failure is not None:
            raise failure
        return cast("T", result)

    def _take(self) -> DatabaseGreenlet:
        driver = getcurrent()
        if self._idle:
            child = self._idle.pop()
            child.parent = driver
        else:
            child = DatabaseGreenlet()
            child.switch()
        child.gr_context = driver.gr_context
        return child

    def _put_back(self, child: DatabaseGreenlet) -> None:
        child.outcome = child.gr_context = None
        if len(self._idle) < MOST_IDLE:
            self._idle.append(child)
        else:
            # It does not end by itself: its own stack refers to it, which the garbage collector cannot see.
            child.parent = getcurrent()
            child.throw()
