"""The two histories of a database, each in a table of its own: the kit's, and the application's.

So an upgrade of the kit may bring a table, and no revision of either refers to one of the other.
"""

import sys
import warnings
from collections.abc import Iterable
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages
from typing import Any, NamedTuple

from alembic.config import Config
from alembic.script import Script, ScriptDirectory
from sqlalchemy import Connection, Table

from carboy.models import Base, search

SCRIPTS = Path(__file__).with_name("alembic")
KIT = "carboy"
VERSION_TABLES = {"kit": "carboy_version", "app": "alembic_version"}
FILE_NAME = "%%(year)d%%(month).2d%%(day).2d_%%(rev)s_%%(slug)s"
"""The revision's id is in it: two of one day may have one message, or two that differ after their 40th character."""


class MigrationError(Exception):
    """A migration command could not do what it was asked for; nothing of it remains."""


class Histories(NamedTuple):
    """What Alembic is to know of each."""

    kit: Config
    app: Config


def histories_of(package: str, connection: Connection | None = None, **attributes: Any) -> Histories:
    """Return both histories of an application.

    Args:
        package: The application's, which holds its revisions in ``migrations`` and its tables in modules ``models``.
        connection: A connection with a transaction under way; None where no database is asked.
        **attributes: What else the environment of Alembic is to know.
    """
    for name in (KIT, package):
        _import_models(name)
    kits = {table.name for table in tables_of(KIT)}
    theirs = {*kits, VERSION_TABLES["kit"]}
    if connection is not None:
        theirs |= search.search_tables(connection)
    attributes |= {"connection": connection, "notes": []}
    # What is in the database and in no model was the application's.
    return Histories(
        _config(KIT, attributes | {"version_table": VERSION_TABLES["kit"], "owns": kits.__contains__}),
        _config(
            package, attributes | {"version_table": VERSION_TABLES["app"], "owns": lambda name: name not in theirs}
        ),
    )


def files_of(package: str) -> Histories:
    """Return both histories of an application as far as their files tell, without its models."""
    return Histories(
        _config(KIT, {"version_table": VERSION_TABLES["kit"]}),
        _config(package, {"version_table": VERSION_TABLES["app"]}),
    )


def _config(package: str, attributes: dict[str, Any]) -> Config:
    # Alembic's own defaults are what stdout was when it was imported.
    config = Config(stdout=sys.stdout, output_buffer=sys.stdout)
    config.set_main_option("script_location", str(SCRIPTS))
    config.set_main_option("version_locations", str(folder_of(package)))
    config.set_main_option("path_separator", "newline")
    config.set_main_option("file_template", FILE_NAME)
    config.attributes |= attributes
    return config


def folder_of(package: str) -> Path:
    """Return where the revisions of a package stand."""
    return Path(import_module(package).__path__[0]) / "migrations"


def tables_of(package: str) -> list[Table]:
    """Return the tables that the models of a package have declared."""
    mappers = [mapper for mapper in Base.registry.mappers if mapper.class_.__module__.partition(".")[0] == package]
    return [table for mapper in mappers for table in mapper.tables if isinstance(table, Table)]


def _import_models(package: str) -> None:
    """Import each ``models`` of a package: a table that nothing uses yet has to be known too."""
    for module in walk_packages(import_module(package).__path__, f"{package}."):
        if "models" in module.name.split("."):
            import_module(module.name)


def heads_of(history: Config) -> list[Script]:
    """Return the newest revisions of a history, one unless two have the same parent.

    Raises:
        MigrationError: A revision is missing that another one refers to, or two have one id.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        try:
            scripts = ScriptDirectory.from_config(history)
            return [*scripts.get_revisions("heads")]
        except UserWarning as warning:
            folder = history.get_main_option("version_locations")
            raise MigrationError(f"The files in {folder} are no history: {warning}.") from warning


def require_one_head(history: Config) -> None:
    """Raise a `MigrationError` that names the command which joins two heads, if there are two."""
    heads = heads_of(history)
    if len(heads) > 1:
        raise MigrationError(f"There are {len(heads)} heads, {_listed(heads)}. {how_to_join(history)}")


def how_to_join(history: Config) -> str:
    is_kits = history.attributes["version_table"] == VERSION_TABLES["kit"]
    return f"Join them, then upgrade: flask db merge{' --kit' if is_kits else ''}"


def _listed(heads: Iterable[Script]) -> str:
    return " and ".join(sorted(f"{head.revision} ({Path(head.path).name})" for head in heads))
