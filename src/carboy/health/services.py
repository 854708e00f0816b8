import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Protocol

from carboy.health.schemas import Health

TIMEOUT_SECONDS = 1.0
_log = logging.getLogger(__name__)


class Dependency(Protocol):
    """Something without which the application cannot serve."""

    def ping(self) -> Coroutine[Any, Any, str | None]:
        """Return None if it answers, in a few words what else is wrong with it, and raise if it does not answer."""


class HealthService:
    """Tells whether requests should be sent here.

    Args:
        dependencies: What the application needs, by the name that a report uses; None is not asked.
        optional: What it can do without, as another's API: reported, but no reason to send requests elsewhere, where
            that would be missing as well.
    """

    def __init__(
        self,
        dependencies: Mapping[str, Dependency | None],
        optional: Mapping[str, Dependency | None] | None = None,
    ) -> None:
        asked = {**dependencies, **(optional or {})}
        self._dependencies = {name: needed for name, needed in asked.items() if needed is not None}
        self._needed = frozenset(dependencies)
        self.is_shutting_down = False
        """Whether requests should no longer be sent here, although they are still served."""
        self._callbacks: list[Callable[[], None]] = []
        self._pings: dict[str, asyncio.Task[str | None]] = {}

    def begin_shutdown(self) -> None:
        """Report from now on that no more requests should be sent here."""
        self.is_shutting_down = True
        for callback in self._callbacks:
            callback()

    def on_shutdown(self, callback: Callable[[], None]) -> None:
        """Have something called when shutdown begins, from any thread and perhaps more than once."""
        self._callbacks.append(callback)

    async def check(self) -> Health:
        """Ping all dependencies at once, each for a second at most. What is wrong is logged, not reported."""
        answers = await asyncio.gather(*(self._ping(name) for name in self._dependencies))
        checks = dict(zip(self._dependencies, answers, strict=True))
        if self.is_shutting_down:
            return Health(status="shutting_down", checks=checks)
        is_ready = all(answer == "ok" for name, answer in checks.items() if name in self._needed)
        return Health(status="ok" if is_ready else "unavailable", checks=checks)

    async def _ping(self, name: str) -> str:
        # Not cancelled when it takes too long: a connection that is being opened would be leaked (aiosqlite issue 259).
        # The next check waits for the same one, so that they do not pile up.
        ping = self._pings.get(name) or self._begin_ping(name)
        await asyncio.wait({ping}, timeout=TIMEOUT_SECONDS)
        failure = _failure_of(ping) if ping.done() else "no answer in time"
        if failure is None:
            return ping.result() or "ok"
        # What the driver said stands behind what a client may be told.
        _log.warning("%s does not answer: %r", name, getattr(failure, "__cause__", None) or failure)
        return "unavailable"

    def _begin_ping(self, name: str) -> asyncio.Task[str | None]:
        def end(ping: asyncio.Task[str | None]) -> None:
            del self._pings[name]
            # Asked for, as asyncio would report a failure that nobody waits for any more.
            _failure_of(ping)

        ping = self._pings[name] = asyncio.create_task(self._dependencies[name].ping())
        ping.add_done_callback(end)
        return ping


def _failure_of(ping: asyncio.Task[str | None]) -> BaseException | None:
    # A driver may cancel itself, which must not cancel who asks.
    return asyncio.CancelledError() if ping.cancelled() else ping.exception()
