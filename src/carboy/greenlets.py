"""A pool of greenlets in which synchronous code waits for asynchronous code.

A new greenlet costs two system calls, for the memory of its stack, and a page fault: more than a switch to one that is
there. So greenlets are kept. The bridge runs Flask in them, the database SQLAlchemy's code, in place of its own
`greenlet_spawn`; with the threads of SQLite's connections that one costs a sixth of a request that reads a row.
"""

import threading
from collections.abc import Awaitable, Callable
from contextvars import Context
from typing import Any, Generic, TypeVar, cast

from greenlet import GreenletExit, getcurrent, greenlet

T = TypeVar("T")
GreenletT = TypeVar("GreenletT", bound="PooledGreenlet")
Outcome = tuple[Any, BaseException | None]
"""What a function has returned, or what it has raised."""

MOST_IDLE = 64
"""Greenlets of a thread to keep for what comes next; each holds some 16 KiB."""

# A subclass may hide its parent.
_set_parent = vars(greenlet)["parent"].__set__


class PooledGreenlet(greenlet):
    """A greenlet that runs one function after another."""

    driver: greenlet
    """The parent, which takes what the function waits for."""
    outcome: Outcome | None = None
    """That of the function, once it has ended."""

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
                self.outcome = None, self.translate(error)
            del function, args
            function, args = self._next()

    @staticmethod
    def translate(error: BaseException) -> BaseException:
        """Return what the caller gets for an exception of the function."""
        return error

    def _next(self) -> tuple[Callable[..., Any], tuple[object, ...]]:
        call: tuple[Callable[..., Any], tuple[object, ...]] = self.driver.switch()
        return call


Drive = Callable[[GreenletT, Callable[..., Any], tuple[object, ...]], Awaitable[Outcome]]


class GreenletPool(threading.local, Generic[GreenletT]):
    """Runs functions that wait, in greenlets of one kind. Each thread has its own of them.

    Args:
        kind: The greenlets' class, by which the code within knows where it is.
        drive: Switches to a greenlet with a function and its arguments, waits for what it hands out until it has an
            outcome, and returns that.
    """

    def __init__(self, kind: type[GreenletT], drive: Drive[GreenletT]) -> None:
        self._kind = kind
        self._drive = drive
        self._idle: list[GreenletT] = []

    async def run(self, context: Context | None, function: Callable[..., T], *args: object) -> T:
        """Run a synchronous function within a contextvars context, and return or raise what it does.

        The context is switched to, not entered: while the greenlet waits, another thread may enter it.
        """
        child = self._take()
        child.gr_context = context
        result, failure = await self._drive(child, function, args)
        self._put_back(child)
        if failure is not None:
            raise failure
        return cast("T", result)

    def _take(self) -> GreenletT:
        driver = getcurrent()
        if self._idle:
            child = self._idle.pop()
            _set_parent(child, driver)
            child.driver = driver
        else:
            child = self._kind()
            child.driver = driver
            child.switch()
        return child

    def _put_back(self, child: GreenletT) -> None:
        child.outcome = None
        # What a request has set goes with it.
        child.gr_context = None
        if len(self._idle) < MOST_IDLE:
            self._idle.append(child)
        else:
            # It does not end by itself: its own stack refers to it, which the garbage collector cannot see.
            _set_parent(child, getcurrent())
            child.throw()
