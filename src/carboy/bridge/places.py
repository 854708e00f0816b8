"""Where a request lives: on the event loop, or on a worker."""

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from contextvars import Context
from functools import partial
from typing import Any

from carboy.bridge import exchange
from carboy.bridge.client import Client
from carboy.bridge.greenlets import await_here, greenlets
from carboy.bridge.loop_iterator import END
from carboy.bridge.loops import Loops
from carboy.bridge.response import Answer, WsgiApp, begin, send_whole
from carboy.bridge.streaming import ThreadIterator, is_file
from carboy.bridge.worker import Worker, settle, tell


class OnLoop:
    """The event loop's thread, in the request's task: for requests whose view is async."""

    def __init__(self, loops: Loops, context: Context) -> None:
        self._loops = loops
        self._context = context

    def begin(self, app: WsgiApp, environ: dict[str, Any], client: Client) -> Coroutine[Any, Any, Answer | None]:
        return greenlets.run(self._context, self._begin, app, environ, client)

    def _begin(self, app: WsgiApp, environ: dict[str, Any], client: Client) -> Answer | None:
        answer = begin(app, environ, self._adapt)
        if answer.body is None:
            return answer
        try:
            rest = send_whole(answer, client)
            if rest is not None:
                await_here(rest)
        finally:
            close = answer.close
            if close is not None:
                close()
        return None

    def _adapt(self, body: Iterable[bytes]) -> Iterable[bytes]:
        """Give to a thread what may block for all we know: middleware's body, or one that Flask has not processed."""
        here = exchange.current.get()
        is_safe = isinstance(body, list) or (here is not None and here.body_is_adapted)
        return body if is_safe else ThreadIterator(body, self._loops)

    def begin_stream(self) -> None:
        """Need nothing: what blocks in the body takes a thread for itself."""

    def step(self, answer: Answer) -> Coroutine[Any, Any, bytes]:
        return greenlets.run(self._context, next, answer.chunks, END)

    async def close(self, answer: Answer) -> None:
        if answer.close is not None:
            await greenlets.run(self._context, answer.close)


class OnWorker:
    """One worker's thread: for requests whose view is sync, and for those without a view."""

    def __init__(self, loops: Loops, context: Context) -> None:
        self._workers = loops.workers
        self._files = loops.files
        self._context = context
        self._worker: Worker | None = None
        self._work: asyncio.Future[Any]
        self._is_file = False
        self._is_stuck = False

    async def begin(self, app: WsgiApp, environ: dict[str, Any], client: Client) -> Answer | None:
        async with self._workers.slots:
            self._worker = worker = self._workers.take()
            answered: asyncio.Future[Answer] = worker.loop.create_future()
            post = partial(tell, worker.loop, settle, answered)
            self._work = worker.submit(self._context, _begin_and_close, app, environ, post)
            self._work.add_done_callback(partial(_pass_on, answered))
            try:
                answer = await answered
            except BaseException:
                self._give_back()
                raise
        self._is_file = answer.body is None and is_file(answer.iterable)
        if answer.body is not None or self._is_file:
            self._give_back()
        if answer.body is None:
            return answer
        try:
            rest = send_whole(answer, client)
            if rest is not None:
                await rest
        finally:
            await self._work
        return None

    def begin_stream(self) -> None:
        if self._worker is not None:
            self._workers.begin_stream(self._worker)

    async def step(self, answer: Answer) -> bytes:
        if self._worker is None:
            return await self._files.run(next, answer.chunks, END)
        step = self._worker.submit(self._context, next, answer.chunks, END)
        try:
            return await asyncio.shield(step)
        except asyncio.CancelledError:
            if not step.done() and self._worker.cancel():
                await asyncio.wait([step])
            # A thread that blocks will tell of its failure by itself.
            self._is_stuck = step.cancel()
            raise

    async def close(self, answer: Answer) -> None:
        """Close the answer in its thread, and wait for that unless the thread blocks in a step."""
        if self._worker is None:
            if self._is_file and answer.close is not None:
                await self._files.run(answer.close)
        elif answer.close is not None:
            self._work = self._worker.submit(self._context, answer.close)
        self._give_back()
        if not self._is_stuck:
            await self._work

    def _give_back(self) -> None:
        if self._worker is not None:
            self._workers.give_back(self._worker)
            self._worker = None


def _begin_and_close(app: WsgiApp, environ: dict[str, Any], post: Callable[[Answer, None], None]) -> Answer:
    """Close what has answered whole too, while the answer is sent."""
    answer = begin(app, environ)
    if answer.body is not None and answer.close is not None:
        post(answer, None)
        answer.close()
    return answer


def _pass_on(answered: asyncio.Future[Answer], work: asyncio.Future[Any]) -> None:
    if work.cancelled():
        answered.cancel()
    elif not answered.done():
        settle(answered, *(None, work.exception()) if work.exception() else (work.result(), None))
