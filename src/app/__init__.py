"""The application factory: reads like a table of contents."""

from dependency_injector.containers import Container
from flask import Flask

from app.accounts import commands as account_commands
from app.accounts.pages import blueprints as accounts_pages
from app.accounts.routes import blueprints as accounts_routes
from app.audit.routes import audit as audit_routes
from app.operations.pages import jobs as jobs_pages
from app.settings import Settings
from app.users.routes import users as users_routes
from carboy import commands
from carboy.config.settings import Environment
from carboy.di.wiring import wire
from carboy.docs.routes import docs
from carboy.health.routes import health
from carboy.home.routes import home
from carboy.mail.routes import dev_mail
from carboy.schemas.emails import SPECIAL_USE_DOMAINS
from carboy.telemetry import logs
from carboy.web import compression, cors, headers, problems, proxies
from carboy.web.application import Application


def create_app(container: Container) -> Flask:
    """Make the Flask application that the container's services serve.

    Raises:
        SettingsError: The configuration is wrong.
        WiringError: The container cannot give some view or provider what it asks for.
    """
    settings: Settings = container.settings()
    logs.configure_logging(settings.logging)

    app = Application(__name__)
    app.config["MAX_CONTENT_LENGTH"] = settings.http.max_body_bytes
    app.config["MAX_FORM_MEMORY_SIZE"] = settings.http.max_body_bytes
    app.config["PUBLIC_URL"] = settings.http.public_url
    app.config["REQUIRE_IF_MATCH"] = settings.http.require_if_match
    app.config["VALIDATION_CONTEXT"] = {SPECIAL_USE_DOMAINS: settings.http.special_use_domains}
    # A path with a doubled slash is a 404, as JSON; Flask would redirect with an HTML page.
    app.url_map.merge_slashes = False

    # Hooks run in this order before a request and in reverse order after it.
    proxies.init_app(app, settings.http)
    container.tracing().init_app(app)
    container.error_reports().init_app(app)
    logs.init_app(app)
    container.request_metrics().init_app(app)
    problems.init_app(app)
    headers.init_app(app)
    cors.init_app(app, settings.http)
    compression.init_app(app, settings.http)
    commands.init_app(app)
    account_commands.init_app(app)

    app.register_blueprint(home)
    app.register_blueprint(health)
    if settings.http.docs:
        app.register_blueprint(docs)
    if settings.environment is Environment.DEVELOPMENT:
        app.register_blueprint(dev_mail)
    app.register_blueprint(users_routes)
    for blueprint in (*accounts_routes, *accounts_pages):
        app.register_blueprint(blueprint)
    app.register_blueprint(audit_routes)
    app.register_blueprint(jobs_pages)

    wire(container, app)
    return app
