"""Startup and shutdown of the application."""

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from dependency_injector.containers import Container
from flask import Flask, Response

from carboy.bridge import Lifespan
from carboy.config import Settings
from carboy.config.database_urls import parse_url
from carboy.di.lifecycle import opened
from carboy.health.services import HealthService
from carboy.jobs.worker import Worker
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
            async with opened(container), _working(container) as take_no_more, _observed(container, take_no_more):
                yield
        finally:
            # A server that ends by the signal that it was told to stop with, as uvicorn, runs no exit handlers.
            logs.flush()

    return lifespan


@asynccontextmanager
async def _working(container: Container) -> AsyncIterator[Callable[[], None]]:
    """Run jobs in this process, if it is to, and yield what lets no more of them begin."""
    settings: Settings = container.settings()
    if not runs_jobs(settings):
        yield lambda: None
        return
    worker: Worker = container.job_worker()
    async with worker.working():
        yield worker.take_no_more


def runs_jobs(settings: Settings) -> bool:
    """Tell whether servers run jobs themselves."""
    if settings.jobs.embedded is not None:
        return settings.jobs.embedded
    return parse_url(settings.database.url.get_secret_value()).url.get_backend_name() == "sqlite"


@asynccontextmanager
async def _observed(container: Container, take_no_more: Callable[[], None]) -> AsyncIterator[None]:
    http = container.settings().http
    health: HealthService = container.health_service()

    def begin_shutdown() -> None:
        health.begin_shutdown()
        take_no_more()

    termination = Termination(begin_shutdown, drain_seconds=http.drain_seconds, stop_seconds=http.stop_seconds)
    with termination.observed():
        try:
            yield
        finally:
            begin_shutdown()


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
