"""Runs a coroutine's first step separately: most finish in it and need no task."""

import types
from collections.abc import Awaitable, Coroutine, Generator
from typing import Any, TypeVar, cast

T = TypeVar("T")


async def wait_for(awaitable: Awaitable[T]) -> T:
    """Make a coroutine of an awaitable: ASGI speaks of one, and granian's is nothing else."""
    return await awaitable


@types.coroutine
def go_on(coroutine: Coroutine[Any, Any, T], awaited: Any) -> Generator[Any, Any, T]:
    """Wait for a coroutine whose first step has been made and has returned what it waits for."""
    try:
        while True:
            try:
                value = yield awaited
            except BaseException as error:  # noqa: BLE001 - whatever the task is told, the coroutine is told.
                awaited = coroutine.throw(error)
            else:
                awaited = coroutine.send(value)
    except StopIteration as stop:
        return cast("T", stop.value)
