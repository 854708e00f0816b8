"""Startup and shutdown of the application."""

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from dependency_injector.containers import Container
from flask import Flask, Response

from carboy.bridge import Lifespan
from carboy.di.lifecycle import opened
from carboy.health.services import HealthService
from carboy.server.termination import Termination
from carboy.telemetry import logs
from carboy.web.application import current_request

_log = logging.getLogger(__name__)


def lifespan_of(container: Container) -> Lifespan:
    """Return the lifespan of an application: its container is open in it, and readiness fails once shutdown begins."""

    @asynccontextmanager
    async def lifespan() -> AsyncIterator[None]:
        try:
            _log.info("starting in the %s environment", container.settings().environment)
            async with opened(container), _observed(container):
                yield
        finally:
            # A server that ends by the signal that it was told to stop with, as uvicorn, runs no exit handlers.
            logs.flush()

    return lifespan


@asynccontextmanager
async def _observed(container: Container) -> AsyncIterator[None]:
    http = container.settings().http
    health: HealthService = container.health_service()
    termination = Termination(health.begin_shutdown, drain_seconds=http.drain_seconds, stop_seconds=http.stop_seconds)
    with termination.observed():
        try:
            yield
        finally:
            health.begin_shutdown()


def close_connections_at_shutdown(app: Flask, health: Callable[[], HealthService]) -> None:
    """Ask clients and load balancers to open new connections elsewhere before the server closes the present ones.

    A request that is on its way when its connection is closed would fail.
    """

    def close(response: Response) -> Response:
        # HTTP/2 has no such header.
        if health().is_shutting_down and current_request().environ["SERVER_PROTOCOL"] == "HTTP/1.1":
            response.headers["Connection"] = "close"
        return response

    app.after_request(close)
