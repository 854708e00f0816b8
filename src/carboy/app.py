"""The application factory: reads like a table of contents."""

from dependency_injector.containers import Container
from flask import Flask

from carboy import cli, compression, cors, headers, logs, problems, routes
from carboy.api import idempotency
from carboy.bridge import FlaskASGI
from carboy.lifespan import close_connections_at_shutdown, lifespan_of
from carboy.settings import Settings
from carboy.web import Application
from carboy.wiring import wire


def create_app(container: Container) -> Flask:
    """Make the Flask application that the container's services serve.

    Raises:
        SettingsError: The configuration is wrong.
        WiringError: The container cannot give some view or provider what it asks for.
    """
    settings: Settings = container.settings()
    logs.configure_logging(settings.logging)

    # Flask's route of static files would stay open where the page at /api/docs is closed, which sends its files itself.
    app = Application("carboy", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = settings.http.max_body_bytes
    app.config["MAX_FORM_MEMORY_SIZE"] = settings.http.max_body_bytes
    app.config["REQUIRE_IF_MATCH"] = settings.http.require_if_match
    app.extensions["container"] = container
    # An address with a slash too many is not found, like any other that does not exist; a redirect would be HTML.
    app.url_map.merge_slashes = False

    logs.init_app(app)
    problems.init_app(app)
    idempotency.init_app(app, container.providers["idempotency_service"])
    headers.init_app(app)
    cors.init_app(app, settings.http)
    compression.init_app(app, settings.http)
    for blueprint in routes.BLUEPRINTS:
        app.register_blueprint(blueprint)
    if settings.http.docs:
        app.register_blueprint(routes.docs)
    cli.init_app(app)

    wire(container, app, packages=[routes])
    return app


def create_asgi(container: Container, app: Flask) -> FlaskASGI:
    """Make the ASGI application around `create_app`'s: it opens and closes what the container holds."""
    http = container.settings().http
    if http.drain_seconds:
        close_connections_at_shutdown(app, container.health_service())
    return FlaskASGI(app, lifespan=lifespan_of(container), threads=http.view_threads, spool_bytes=http.spool_bytes)
