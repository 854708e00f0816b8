"""Iterates an async body from synchronous code, all of it in one task."""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Callable, Coroutine, Iterator
from contextvars import copy_context
from typing import Any

from carboy.bridge.greenlets import await_here, greenlets, in_bridge
from carboy.bridge.worker import settle, tell

Step = Callable[[AsyncIterator[Any]], Coroutine[Any, Any, Any]]
Outcome = tuple[Any, BaseException | None]

END: Any = object()
"""What stands for the chunk after the last."""


class LoopIterator(Iterator[Any]):
    """Iterates an async iterable from synchronous code, all of it in one task.

    That is the request's own where the request lives on the loop, and otherwise one that is made for it.
    """

    def __init__(self, source: AsyncIterable[Any], wait_for: Callable[[Coroutine[Any, Any, Any]], Any]) -> None:
        self._task: _IterationTask | None = None
        self._source = aiter(source)
        self._wait_for = wait_for

    def __next__(self) -> Any:
        chunk = self._wait_for(self._next())
        if chunk is END:
            raise StopIteration
        return chunk

    def close(self) -> None:
        self._wait_for(self._close())

    def _next(self) -> Coroutine[Any, Any, Any]:
        if self._task is None and in_bridge():
            return _next_chunk(self._source)
        if self._task is None:
            self._task = _IterationTask(self._source)
        return self._task.ask(_next_chunk)

    def _close(self) -> Coroutine[Any, Any, Any]:
        return _close(self._source) if self._task is None else self._task.ask(_close)

    def __del__(self) -> None:
        if self._task is not None:
            self._task.abandon()


class _IterationTask:
    """A task that iterates for callers which each come in a task of their own."""

    def __init__(self, source: AsyncIterator[Any]) -> None:
        self._source = source
        self._task: asyncio.Task[None] | None = None
        self._is_abandoned = False
        self._ahead: Outcome | None = None

    async def ask(self, step: Step) -> Any:
        """Run a step in the task and return its result; whoever is cancelled meanwhile cancels the step."""
        loop = asyncio.get_running_loop()
        if self._task is None:
            self._loop = loop
            self._steps: asyncio.Queue[tuple[Step, asyncio.Future[Any]]] = asyncio.Queue()
            self._task = asyncio.create_task(greenlets.run(copy_context(), await_here, self._run()))
        result = loop.create_future()
        if self._task.done():
            # Over: what it has ended with, or nothing more, as Flask 3.1 closes a stream with its context twice.
            settle(result, *await self._outcome_of(step))
            return await result
        self._steps.put_nowait((step, result))
        try:
            return await asyncio.shield(result)
        except asyncio.CancelledError:
            if not result.done():
                self._task.cancel()
                await asyncio.wait([result])
            raise

    def abandon(self) -> None:
        """End the task of an iterator that is neither exhausted nor closed, and that nobody has any more."""
        self._is_abandoned = True
        if self._task is not None:
            tell(self._loop, self._task.cancel)

    async def _run(self) -> None:
        is_over = False
        try:
            while not is_over:
                step, result = await self._next_step()
                outcome = await self._outcome_of(step)
                settle(result, *outcome)
                is_over = outcome[0] is END or outcome[1] is not None or step is _close
        finally:
            if self._is_abandoned:
                await _close(self._source)

    async def _next_step(self) -> tuple[Step, asyncio.Future[Any]]:
        """Wait for the next step.

        A time-out or a task group that the source has entered may cancel the task meanwhile. Then the source goes on
        at once, so that it hears of it where it waits, and what it yields is kept for the next step.
        """
        while True:
            try:
                return await self._steps.get()
            except asyncio.CancelledError as error:
                task = asyncio.current_task()
                if self._is_abandoned or self._ahead is not None or task is None:
                    raise
                task.uncancel()
                # With its message, by which anyio knows its own.
                task.cancel(*error.args)
                self._ahead = await _try(_next_chunk, self._source)
                if self._ahead[1] is not None:
                    raise

    async def _outcome_of(self, step: Step) -> Outcome:
        ahead, self._ahead = self._ahead, None
        return ahead if ahead is not None and step is _next_chunk else await _try(step, self._source)


async def _try(step: Step, source: AsyncIterator[Any]) -> Outcome:
    try:
        return await step(source), None
    except BaseException as error:  # noqa: BLE001 - whatever it is, it is the caller's.
        return None, error


async def _next_chunk(source: AsyncIterator[Any]) -> Any:
    return await anext(source, END)


async def _close(source: AsyncIterator[Any]) -> None:
    aclose = getattr(source, "aclose", None)
    if aclose is not None:
        await aclose()
