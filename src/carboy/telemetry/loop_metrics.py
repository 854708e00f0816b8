"""The lag of the event loop: how much later than due it runs what is due."""

import asyncio
from collections.abc import Iterator
from contextlib import suppress

from prometheus_client.metrics_core import Metric

from carboy.config.settings import MetricsSettings
from carboy.telemetry.durations import LabelledDurations

INTERVAL_SECONDS = 0.25
BUCKETS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)


class LoopMetrics:
    """Measures the lag four times a second while it is open, if there are metrics."""

    def __init__(self, settings: MetricsSettings) -> None:
        self._is_on = settings.port is not None
        self._watching: asyncio.Task[None] | None = None
        self._lags = LabelledDurations(
            "carboy_event_loop_lag_seconds", "How much later than due the event loop runs what is due.", [], BUCKETS
        )

    async def open(self) -> None:
        if self._is_on:
            self._watching = asyncio.create_task(self._watch(), name="carboy-loop-lag")

    async def close(self) -> None:
        if self._watching is not None:
            self._watching.cancel()
            with suppress(asyncio.CancelledError):
                await self._watching

    def collect(self) -> Iterator[Metric]:
        yield from self._lags.collect()

    async def _watch(self) -> None:
        loop, lags = asyncio.get_running_loop(), self._lags.of()
        while True:
            due = loop.time() + INTERVAL_SECONDS
            await asyncio.sleep(INTERVAL_SECONDS)
            lags.add(max(loop.time() - due, 0))
