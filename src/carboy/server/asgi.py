import os

from dependency_injector.containers import Container
from flask import Flask

from carboy.bridge import FlaskASGI
from carboy.config import Settings, SettingsError
from carboy.config.database_urls import parse_url
from carboy.db import sqlite
from carboy.server.lifespan import close_connections_at_shutdown, lifespan_of


def create_asgi(container: Container, app: Flask) -> FlaskASGI:
    """Make the ASGI application around a Flask application: it opens and closes what the container holds.

    Raises:
        SettingsError: The folder of a SQLite database is not there.
    """
    settings: Settings = container.settings()
    # A command may be the one that makes it.
    if os.environ.get("FLASK_RUN_FROM_CLI") != "true":
        _check_folder(settings)
    http = settings.http
    if http.drain_seconds:
        close_connections_at_shutdown(app, container.health_service)
    served = FlaskASGI(
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


def _check_folder(settings: Settings) -> None:
    url = parse_url(settings.database.url.get_secret_value()).url
    folder = sqlite.missing_folder(url) if url.get_backend_name() == "sqlite" else None
    if folder is not None:
        source = settings.source_of("database.url")
        raise SettingsError(f"database.url: there is no folder {folder}; `flask db upgrade` makes it (from {source}).")
