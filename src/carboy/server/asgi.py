from dependency_injector.containers import Container
from flask import Flask

from carboy.bridge import FlaskASGI
from carboy.server.lifespan import close_connections_at_shutdown, lifespan_of


def create_asgi(container: Container, app: Flask) -> FlaskASGI:
    """Make the ASGI application around a Flask application: it opens and closes what the container holds."""
    http = container.settings().http
    if http.drain_seconds:
        close_connections_at_shutdown(app, container.health_service)
    return FlaskASGI(
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
