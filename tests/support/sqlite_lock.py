"""Makes writers of a SQLite database wait."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def write_lock(database: Path) -> Iterator[None]:
    """Keep every other writer of a database waiting."""
    connection = sqlite3.connect(database, isolation_level=None)
    try:
        connection.execute("BEGIN IMMEDIATE")
        yield
    finally:
        # This rolls back.
        connection.close()
