"""Serves the figures of a process to Prometheus, on a port of its own."""

import asyncio
import errno
import logging
import threading
from collections.abc import Sequence
from functools import cached_property
from typing import Any

from prometheus_client import (
    CollectorRegistry,
    GCCollector,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
    start_http_server,
)
from prometheus_client.registry import Collector

from carboy.config.settings import MetricsSettings

PORTS = 64
"""How many ports are tried, from the configured one on: as many processes of one machine can be watched."""

_log = logging.getLogger(__name__)


class Metrics:
    """A registry of collectors, and while it is open, a server of what they collect.

    Each process has a port: what a process knows of itself is right whichever others run beside it, and goes with it. A
    thread answers, so that a blocked event loop can be seen.

    Args:
        settings: Where to listen; without a port, nothing is served.
        collectors: What has figures, besides the process itself.
    """

    def __init__(self, settings: MetricsSettings, collectors: Sequence[Collector]) -> None:
        self._settings, self._collectors = settings, collectors
        self._server: tuple[Any, threading.Thread] | None = None

    @cached_property
    def registry(self) -> CollectorRegistry:
        """What is served."""
        registry = CollectorRegistry()
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=registry)
        for one in self._collectors:
            registry.register(one)
        return registry

    def open(self) -> None:
        """Listen at the first port that is free.

        Raises:
            OSError: None is free, or the host is not an address of this machine.
        """
        if self._settings.port is None:
            return
        # They would double the number of series.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        host, first = self._settings.host, self._settings.port
        for port in range(first, min(first + PORTS, 65536)):
            try:
                self._server = start_http_server(port, host, registry=self.registry)
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    raise
            else:
                _log.info("metrics are at http://%s:%d/metrics", host, port)
                return
        raise OSError(f"metrics.port: {PORTS} ports from {first} on are in use.")

    async def close(self) -> None:
        """Stop listening."""
        if self._server is not None:
            server, thread = self._server
            self._server = None
            # It looks twice a second whether it is to end.
            await asyncio.to_thread(server.shutdown)
            server.server_close()
            thread.join()
