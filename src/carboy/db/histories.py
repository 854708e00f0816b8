"""The two migration histories of a database, the kit's and the application's, each with its own version table.

So an upgrade of the kit can add a table, and no revision of one history refers to one of the other.
"""

import sys
import warnings
from collections.abc import Iterable
from importlib import import_module
from itertools import chain
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
"""It contains the revision's id, because two revisions of one day may have the same first 40 characters."""


class MigrationError(Exception):
    """A migration command failed, and its changes were rolled back."""


class Histories(NamedTuple):
    """Alembic's configuration of each history."""

    kit: Config
    app: Config


def histories_of(package: str, connection: Connection | None = None, **attributes: Any) -> Histories:
    """Return both histories of an application.

    Args:
        package: The application's, which holds its revisions in ``migrations`` and its tables in modules ``models``.
        connection: A connection with an open transaction; None without a database.
        **attributes: Further attributes for Alembic's environment.
    """
    for name in (KIT, package):
        _import_models(name)
    kits = {table.name for table in tables_of(KIT)}
    theirs = {*kits, VERSION_TABLES["kit"]}
    if connection is not None:
        theirs |= search.search_tables(connection)
    attributes |= {"connection": connection, "notes": []}
    # A table without a model was the application's.
    return Histories(
        _config(KIT, attributes | {"version_table": VERSION_TABLES["kit"], "owns": kits.__contains__}),
        _config(
            package, attributes | {"version_table": VERSION_TABLES["app"], "owns": lambda name: name not in theirs}
        ),
    )


def files_of(package: str) -> Histories:
    """Return both histories of an application for reading their files, without its models."""
    return Histories(
        _config(KIT, {"version_table": VERSION_TABLES["kit"]}),
        _config(package, {"version_table": VERSION_TABLES["app"]}),
    )


def _config(package: str, attributes: dict[str, Any]) -> Config:
    # Alembic's defaults are the stdout of the time when it was imported.
    config = Config(stdout=sys.stdout, output_buffer=sys.stdout)
    config.set_main_option("script_location", str(SCRIPTS))
    config.set_main_option("version_locations", str(folder_of(package)))
    config.set_main_option("path_separator", "newline")
    config.set_main_option("file_template", FILE_NAME)
    config.attributes |= attributes
    return config


def folder_of(package: str) -> Path:
    """Return the folder of a package's revisions."""
    return Path(import_module(package).__path__[0]) / "migrations"


def tables_of(package: str) -> list[Table]:
    """Return the tables that the models of a package have declared, those of their links among them."""
    mappers = [mapper for mapper in Base.registry.mappers if mapper.class_.__module__.partition(".")[0] == package]
    declared = chain.from_iterable(
        (*mapper.tables, *(link.secondary for link in mapper.relationships)) for mapper in mappers
    )
    return [*dict.fromkeys(table for table in declared if isinstance(table, Table))]


def _import_models(package: str) -> None:
    """Import each ``models`` of a package, so that tables which nothing uses yet are known."""
    for module in walk_packages(import_module(package).__path__, f"{package}."):
        if "models" in module.name.split("."):
            import_module(module.name)


def heads_of(history: Config) -> list[Script]:
    """Return the newest revisions of a history, one unless two have the same parent.

    Raises:
        MigrationError: A revision refers to one that is missing, or two have the same id.
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
    """Raise a `MigrationError` that names the command to join heads, if there is more than one."""
    heads = heads_of(history)
    if len(heads) > 1:
        raise MigrationError(f"There are {len(heads)} heads, {_listed(heads)}. {how_to_join(history)}")


def how_to_join(history: Config) -> str:
    is_kits = history.attributes["version_table"] == VERSION_TABLES["kit"]
    return f"Join them, then upgrade: flask db merge{' --kit' if is_kits else ''}"


def _listed(heads: Iterable[Script]) -> str:
    return " and ".join(sorted(f"{head.revision} ({Path(head.path).name})" for head in heads))
