"""What happens once before the first request and once after the last."""

import asyncio
import logging
import multiprocessing
import signal
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from types import FrameType

from dependency_injector.containers import Container

from carboy.bridge import Lifespan

TERMINATION_PUT_OFF_SECONDS = 60.0
"""Longer than a server gives its requests to finish: see graceful_timeout in hypercorn.toml."""

_log = logging.getLogger(__name__)


def lifespan_of(container: Container) -> Lifespan:
    """Return the lifespan of an application: readiness fails once shutdown begins, and the database is closed after."""

    @asynccontextmanager
    async def lifespan() -> AsyncIterator[None]:
        _log.info("starting in the %s environment", container.settings().environment)
        with _observe_termination(container.health_service().begin_shutdown), _leave_termination_to_the_master():
            try:
                yield
            finally:
                container.health_service().begin_shutdown()
                await container.database().dispose()

    return lifespan


@contextmanager
def _observe_termination(begin_shutdown: Callable[[], None]) -> Iterator[None]:
    """Note SIGTERM and SIGINT and pass them on to whoever handled them.

    A server tells the application of its shutdown only when the last request has ended, which is too late for a
    readiness probe. This watches the signal and changes nothing of what the server does with it.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}

    def observe(number: int, frame: FrameType | None) -> None:
        begin_shutdown()
        handler = previous[signal.Signals(number)]
        if callable(handler):
            handler(number, frame)

    # A signal that nobody handles keeps its default: to end the process.
    observed = [number for number, handler in previous.items() if callable(handler)]
    for number in observed:
        signal.signal(number, observe)
    try:
        yield
    finally:
        for number in observed:
            if signal.getsignal(number) is observe:
                signal.signal(number, previous[number])


@contextmanager
def _leave_termination_to_the_master() -> Iterator[None]:
    """In a worker process that SIGTERM would kill on the spot, put it off: its master tells it when to stop.

    hypercorn's workers (``--workers 1`` and more) hear of the shutdown by an event, finish their requests and end. But
    the master also sends them SIGTERM, as soon as the first of them has ended, and a supervisor such as systemd sends
    it to master and workers alike. They leave the signal its default action, so that requests would be cut off.
    """
    master = multiprocessing.parent_process()
    is_main_thread = threading.current_thread() is threading.main_thread()
    if master is None or not is_main_thread or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return
    loop = asyncio.get_running_loop()
    deadlines: list[asyncio.TimerHandle] = []

    def die() -> None:
        loop.remove_signal_handler(signal.SIGTERM)
        signal.raise_signal(signal.SIGTERM)

    def put_off() -> None:
        if not master.is_alive():
            die()
        elif not deadlines:
            deadlines.append(loop.call_later(TERMINATION_PUT_OFF_SECONDS, die))

    loop.add_signal_handler(signal.SIGTERM, put_off)
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGTERM)
        for deadline in deadlines:
            deadline.cancel()
