"""The database: engines, units of work, migrations, and what is particular to SQLite and PostgreSQL."""

from carboy.db.database import Database, SessionFactory, create_session_factory
from carboy.db.engines import Engines, create_engines

__all__ = ["Database", "Engines", "SessionFactory", "create_engines", "create_session_factory"]
