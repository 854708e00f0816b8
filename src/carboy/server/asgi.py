import os
from functools import partial
from typing import Any

from asgiref.typing import ASGIReceiveCallable, ASGISendCallable, Scope
from dependency_injector.containers import Container
from flask import Flask

from carboy.bridge import FlaskASGI
from carboy.config import Settings, SettingsError
from carboy.config.surroundings import unfit_surroundings
from carboy.server.lifespan import close_connections_at_shutdown, lifespan_of
from carboy.telemetry.tracing import Tracing


class TracedASGI(FlaskASGI):
    """Traces each request from its first message to its last."""

    def __init__(self, tracing: Tracing, app: Flask, **options: Any) -> None:
        super().__init__(app, **options)
        self._tracing = tracing

    async def __call__(self, scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        await self._tracing.serve(super().__call__, scope, receive, send)


def create_asgi(container: Container, app: Flask) -> FlaskASGI:
    """Make the ASGI application around a Flask application: it opens and closes what the container holds.

    Raises:
        SettingsError: A folder is missing or cannot be written to, or debug mode is on where users depend on it.
    """
    settings: Settings = container.settings()
    # A command may be the one that mends it.
    if os.environ.get("FLASK_RUN_FROM_CLI") != "true":
        problems = [*unfit_surroundings(settings, os.environ)]
        if problems:
            raise SettingsError("\n".join(problems))
    http = settings.http
    if http.drain_seconds:
        close_connections_at_shutdown(app, container.health_service)
    tracing: Tracing = container.tracing()
    kind = partial(TracedASGI, tracing) if tracing.is_on else FlaskASGI
    served = kind(
        app,
        lifespan=lifespan_of(container),
        run_on=http.run_on,
        threads=http.view_threads,
        streams=http.stream_threads,
        spool_bytes=http.spool_bytes,
        body_memory_bytes=http.body_memory_bytes,
        body_bytes_per_second=http.body_bytes_per_second,
        body_stall_seconds=http.body_stall_seconds,
    )
    container.request_metrics().count_active = lambda: len(served.requests)
    return served
