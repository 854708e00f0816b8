"""What happens once before the first request and once after the last."""

import logging
import signal
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from types import FrameType

from dependency_injector.containers import Container

from carboy.bridge import Lifespan

_log = logging.getLogger(__name__)


def lifespan_of(container: Container) -> Lifespan:
    """Return the lifespan of an application: readiness fails once shutdown begins, and the database is closed after."""

    @asynccontextmanager
    async def lifespan() -> AsyncIterator[None]:
        _log.info("starting in the %s environment", container.settings().environment)
        with _observe_termination(container.health_service().begin_shutdown):
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
