"""Tells whether a database has been migrated to what the code expects."""

import asyncio
import logging
from functools import partial
from typing import NamedTuple

from alembic.script import ScriptDirectory
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from carboy.db.database import Database
from carboy.db.histories import VERSION_TABLES, files_of, how_to_join
from carboy.models import Base, search

VERSIONS = {table: text(f"SELECT version_num FROM {table}") for table in VERSION_TABLES.values()}  # noqa: S608 - both are constants.
UNDEFINED_TABLE = "42P01"
"""PostgreSQL's code."""
_log = logging.getLogger(__name__)


class Expected(NamedTuple):
    """The revisions of one history in the code."""

    table: str
    heads: frozenset[str]
    known: frozenset[str]
    remedy: str
    """How to join its heads."""


class Migrations:
    """Compares the revisions of a database with those of the code. The code's are read once.

    Args:
        database: The database.
        package: The application's, which holds its revisions in ``migrations``.
    """

    def __init__(self, database: Database, package: str) -> None:
        self._database, self._package = database, package
        self._expected: list[Expected] = []
        self._has_search_indexes = False

    async def ping(self) -> str | None:
        """Return None if the database is up to date, and otherwise what is wrong, in a few words.

        That is ``two heads``, ``behind``, or ``no search index``: no migration was written for the ``__search__`` of a
        model, so that searches fail.

        A revision that the code does not know is a later version's, which may migrate while this one still serves.

        Raises:
            DatabaseUnavailableError: The database does not answer.
        """
        if not self._expected:
            self._expected = await asyncio.to_thread(_expected_of, self._package)
        for history in self._expected:
            if len(history.heads) > 1:
                _log.warning("migrations have two heads: %s", history.remedy)
                return "two heads"
        for history in self._expected:
            found = await self._database.read(partial(self._revisions, history.table))
            if not found or found & (history.known - history.heads):
                _log.warning("migrations are behind: %s is at %s", history.table, ", ".join(sorted(found)) or "none")
                return "behind"
        missing = None if self._has_search_indexes else await self._database.read(self._missing_search_index)
        if missing is not None:
            _log.warning("the search index of %s is missing: flask db revision writes its migration", missing)
            return "no search index"
        # An index that goes with a later version's migration is no reason to stop serving.
        self._has_search_indexes = True
        return None

    async def _missing_search_index(self) -> str | None:
        """Return the first table of a model that has no search index and should have one."""
        dialect = self._database.dialect_name
        for table in Base.metadata.sorted_tables:
            index = {"index": search.name_of(dialect, table.name)}
            if search.SEARCHED in table.info and not await self._database.execute(text(search.COLUMNS[dialect]), index):
                return table.name
        return None

    async def _revisions(self, table: str) -> set[str]:
        try:
            return {revision for (revision,) in await self._database.execute(VERSIONS[table])}
        except DBAPIError as error:
            if getattr(error.orig, "sqlstate", None) == UNDEFINED_TABLE or "no such table" in str(error.orig):
                return set()
            raise


def create_migrations(database: Database, package: str, *, required: bool) -> Migrations | None:
    """Return what compares the revisions; None if the configuration does not require the schema to be up to date."""
    return Migrations(database, package) if required else None


def _expected_of(package: str) -> list[Expected]:
    expected = []
    for history in files_of(package):
        scripts = ScriptDirectory.from_config(history)
        known = frozenset(script.revision for script in scripts.walk_revisions())
        table = history.attributes["version_table"]
        expected.append(Expected(table, frozenset(scripts.get_heads()), known, how_to_join(history)))
    return expected
