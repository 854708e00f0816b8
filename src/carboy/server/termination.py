"""Stops a serving process: readiness fails, then the server is told, then the process is killed."""

import asyncio
import faulthandler
import logging
import multiprocessing
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from time import monotonic
from types import FrameType
from typing import Any, NoReturn

from carboy.telemetry import logs

SIGNALS = (signal.SIGTERM, signal.SIGINT)
FORCED_STATUS = 70
"""The exit status of a process that had to be ended by force (EX_SOFTWARE of BSD's sysexits.h)."""
REPORT_SECONDS = 1.0
"""What the report of what still runs may take: like what hangs, it could wait for a lock or for standard error."""
POLL_SECONDS = 0.1
"""How often a worker looks whether its master has told it to stop, as hypercorn itself does."""

_log = logging.getLogger(__name__)


class Termination:
    """Comes between the signals that end a process and its server.

    A server closes its port as soon as it hears of a signal, and tells the application when the last request has ended.
    So the signal is observed, and kept back while whoever sends requests learns that readiness fails. A thread does
    both, as what hangs may be the event loop: the first signal begins the shutdown, `drain_seconds` later the server
    is told, and if the process lives after another `stop_seconds`, it is ended with a report of what it was doing. A
    second signal is passed on at once.

    Args:
        begin_shutdown: Called at the first signal, from any thread, perhaps more than once.
        drain_seconds: How long the server is left to serve on.
        stop_seconds: How long the process may take to end after that; 0 for as long as it takes.
    """

    def __init__(self, begin_shutdown: Callable[[], None], *, drain_seconds: float, stop_seconds: float) -> None:
        self._begin_shutdown = begin_shutdown
        self._drain_seconds = drain_seconds
        self._stop_seconds = stop_seconds
        self._handlers: dict[int, Callable[[int, FrameType | None], Any]] = {}
        self._master: _Master | None = None
        self._has_begun = False
        self._is_watching = False

    @contextmanager
    def observed(self) -> Iterator[None]:
        """Observe the signals that somebody handles. One that nobody does keeps its default: to end the process."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        self._handlers = {number: handler for number in SIGNALS if callable(handler := signal.getsignal(number))}
        self._master = None if signal.SIGTERM in self._handlers else _Master.of_this_process()
        if self._master is not None:
            self._handlers[signal.SIGTERM] = self._master.tell
        previous = {number: signal.signal(number, self._observe) for number in self._handlers}
        try:
            if self._handlers and (self._drain_seconds or self._stop_seconds or self._master):
                with self._watched():
                    yield
            else:
                yield
        finally:
            for number, handler in previous.items():
                if signal.getsignal(number) == self._observe:
                    signal.signal(number, handler)

    def _observe(self, number: int, frame: FrameType | None) -> None:
        self._begin_shutdown()
        if not self._is_watching:
            self._handlers[number](number, frame)

    @contextmanager
    def _watched(self) -> Iterator[None]:
        """Receive the numbers of all signals in a thread, in place of the event loop."""
        self._loop = asyncio.get_running_loop()
        self._receiver, sender = socket.socketpair()
        sender.settimeout(0)
        self._server = signal.set_wakeup_fd(sender.fileno(), warn_on_full_buffer=False)
        self._is_watching = True
        threading.Thread(target=self._watch, name="carboy-termination", daemon=True).start()
        try:
            yield
        finally:
            self._is_watching = False
            signal.set_wakeup_fd(self._server)
            if not (self._has_begun and self._stop_seconds):
                sender.close()
            else:
                # The thread stays, as what comes after the application may hang as well.
                self._sender = sender

    def _watch(self) -> None:
        with self._receiver:
            self._end()

    def _end(self) -> None:
        number = self._next(None)
        if number is None:
            return
        self._has_begun = True
        self._begin_shutdown()
        number = self._drain() or number
        until = monotonic() + self._stop_seconds if self._stop_seconds else None
        while number is not None:
            self._in_loop(self._pass_on, number)
            number = self._next(until)
        if until is not None:
            _end_by_force(self._loop, self._stop_seconds)

    def _drain(self) -> int | None:
        """Wait, and return the number of the signal that cuts this short, if any."""
        until = monotonic() + self._drain_seconds
        number = self._next(until)
        while number is not None and self._master is not None:
            # A worker is sent signals by its master and by a supervisor, which mean no haste.
            number = self._next(until)
        return number

    def _next(self, until: float | None) -> int | None:
        """Return the next signal that is observed; None if there was none in time, or there will be none any more."""
        while until is None or monotonic() < until:
            seconds = until and max(until - monotonic(), 0.001)
            if self._master is not None and not self._has_begun:
                if self._master.has_spoken():
                    return signal.SIGTERM
                seconds = POLL_SECONDS
            self._receiver.settimeout(seconds)
            try:
                received = self._receiver.recv(1)
            except TimeoutError:
                continue
            if not received or received[0] in self._handlers:
                return received[0] if received else None
            self._in_loop(self._wake_server, received[0])
        return None

    def _in_loop(self, function: Callable[[int], None], number: int) -> None:
        # The loop is closed when the server is about to end.
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(function, number)

    def _pass_on(self, number: int) -> None:
        self._handlers[number](number, None)
        self._wake_server(number)

    def _wake_server(self, number: int) -> None:
        """Tell an event loop of a signal, as Python does; servers that handle signals themselves need it not."""
        if self._is_watching and self._server != -1:
            os.write(self._server, bytes([number]))


class _Master:
    """hypercorn's master, as its workers (``--workers 1`` and more) see it.

    It tells them to stop by an event, and sends them SIGTERM too, as soon as the first of them has ended; a supervisor
    such as systemd sends it to master and workers alike. They leave that signal its default action, so that requests
    would be cut off.
    """

    def __init__(self, event: Any) -> None:
        self.has_spoken: Callable[[], bool] = event.is_set
        self._told = threading.Event()
        event.is_set = self._told.is_set

    @classmethod
    def of_this_process(cls) -> "_Master | None":
        event = getattr(multiprocessing.current_process(), "_kwargs", {}).get("shutdown_event")
        return None if event is None else cls(event)

    def tell(self, _number: int, _frame: FrameType | None) -> None:
        """Let this worker hear of the event, or believe that it has."""
        self._told.set()


def _end_by_force(loop: asyncio.AbstractEventLoop, seconds: float) -> NoReturn:
    """End the process, and say what it was still doing, without the values it did it with."""
    forced = threading.Timer(REPORT_SECONDS, os._exit, [FORCED_STATUS])
    forced.daemon = True
    forced.start()
    try:
        tasks = ", ".join(sorted(f"{task.get_name()} ({_name_of(task)})" for task in asyncio.all_tasks(loop)))
        _log.critical(
            "ended by force %g seconds after the server was told to stop; tasks: %s", seconds, tasks or "none"
        )
        logs.flush()
        faulthandler.dump_traceback(sys.stderr)
    finally:
        os._exit(FORCED_STATUS)


def _name_of(task: asyncio.Task[Any]) -> str:
    return getattr(task.get_coro(), "__qualname__", "?")
