"""Commands of the `flask` command line."""

import json
from typing import TextIO

import click
from flask import Flask, current_app
from flask.cli import AppGroup, with_appcontext

from carboy.api.compatibility.documents import breaking_changes
from carboy.api.openapi.document import describe, spell
from carboy.commands.data import data
from carboy.commands.db import db
from carboy.commands.doctor import doctor
from carboy.commands.jobs import jobs
from carboy.config import masked, walk
from carboy.di.graph import draw_graph
from carboy.di.wiring import current_container
from carboy.errors import all_errors
from carboy.web.problems import DETAILS, code_of

config = AppGroup("config", help="Look at the configuration.")
graph = AppGroup("container", help="Look at the dependency-injection container.")


def init_app(app: Flask) -> None:
    for command in (config, graph, data, db, doctor, jobs, show_errors, show_openapi):
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
