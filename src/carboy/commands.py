"""Commands of the `flask` command line."""

import json
from typing import TextIO

import click
from flask import Flask, current_app
from flask.cli import AppGroup, with_appcontext

from carboy.api.compatibility.documents import breaking_changes
from carboy.api.openapi.document import describe, spell
from carboy.config import masked, walk
from carboy.db import migrate
from carboy.di.graph import draw_graph
from carboy.di.wiring import current_container
from carboy.errors import all_errors
from carboy.web.problems import DETAILS, code_of

config = AppGroup("config", help="Look at the configuration.")
graph = AppGroup("container", help="Look at the dependency-injection container.")
db = AppGroup("db", help="Bring the database's schema up to date.")


def init_app(app: Flask) -> None:
    for command in (config, graph, db, show_errors, show_openapi):
        app.cli.add_command(command)


@config.command("show")
def show_config() -> None:
    """Print the settings in force and where each comes from; secrets are masked."""
    settings = current_container().settings()
    rows = [(key, masked(key, value), settings.source_of(key)) for key, value in walk(settings)]
    widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
    click.echo(f"environment: {settings.environment}\n")
    for key, value, source in rows:
        click.echo(f"{key:<{widths[0]}}  {value:<{widths[1]}}  # {source}")


@graph.command("graph")
@click.argument("name", required=False)
def show_graph(name: str | None) -> None:
    """Draw the container as a Mermaid flowchart, or only the provider or domain NAME and what it is connected with."""
    try:
        click.echo(draw_graph(current_container(), current_app, name), nl=False)
    except LookupError as error:
        raise click.ClickException(str(error)) from error


@click.command("errors")
def show_errors() -> None:
    """Print what can go wrong: each error's status, its code, and what clients are told."""
    errors = {code_of(status): (status, detail) for status, detail in DETAILS.items()}
    errors |= {kind.code: (kind.status, kind.message) for kind in all_errors()}
    width = max(map(len, errors))
    for status, code, message in sorted((status, code, message) for code, (status, message) in errors.items()):
        click.echo(f"{status.value}  {code:<{width}}  {message}")


@click.command("openapi")
@click.option("--against", type=click.File(encoding="utf-8"), help="Name what would break clients of this document.")
@with_appcontext
def show_openapi(against: TextIO | None) -> None:
    """Print the OpenAPI document of the API."""
    document = describe(current_app)
    if against is None:
        click.echo(spell(document), nl=False)
        return
    changes = breaking_changes(json.load(against), document)
    if changes:
        raise click.ClickException("Clients would break:\n" + "\n".join(f"- {change}" for change in changes))
    click.echo("No client would break.")


of_kit = click.option("--kit", is_flag=True, help="Of the tables that come with Carboy, not of the application's.")


@db.command("upgrade")
@click.argument("revision", default="head")
def upgrade(revision: str) -> None:
    """Migrate to a revision, the newest unless one is named; the kit's own tables to their newest."""
    _migrate(migrate.upgrade, revision)


# -1 is a revision here, not an option.
@db.command("downgrade", context_settings={"ignore_unknown_options": True})
@click.argument("revision")
@of_kit
def downgrade(revision: str, *, kit: bool) -> None:
    """Migrate back to a revision; -1 is the one before."""
    _migrate(migrate.downgrade_kit if kit else migrate.downgrade, revision)


@db.command("current")
def show_current() -> None:
    """Print the revisions that the database is at."""
    _migrate(migrate.current)


@db.command("check")
def check() -> None:
    """Fail if the models have changed and no migration says so."""
    _migrate(migrate.check)


@db.command("revision")
@click.argument("message")
@of_kit
def revise(message: str, *, kit: bool) -> None:
    """Write a migration for what has changed in the models since the newest one."""
    _migrate(migrate.revision_of_kit if kit else migrate.revision, message)


def _migrate(command: migrate.Command, *args: str) -> None:
    engines = current_container().engines()
    try:
        current_app.async_to_sync(migrate.run)(engines, current_app.import_name, command, *args)
    except migrate.MigrationError as error:
        raise click.ClickException(str(error)) from error
