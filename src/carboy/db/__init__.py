"""The database: engines, units of work, migrations, and what is particular to SQLite and PostgreSQL."""

from carboy.db.database import Database, SessionFactory, create_session_factory
from carboy.db.engines import Engines, create_engines
from carboy.db.migrations import Migrations, create_migrations
from carboy.db.notices import Notices

__all__ = [
    "Database",
    "Engines",
    "Migrations",
    "Notices",
    "SessionFactory",
    "create_engines",
    "create_migrations",
    "create_session_factory",
]
